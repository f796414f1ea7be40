/*
 * The C API of the core.
 *
 * Conventions.  Outputs come first; a length follows its array.  Scalars are 32 bytes, big-endian,
 * below the group order; points are 33 bytes, compressed, never infinity on input; an output that
 * is infinity is 33 zero bytes.  Functions allocate nothing: a caller passes scratch memory aligned
 * to 64 bytes, of the size that the matching *_scratch_size gives, which holds nothing between
 * calls.
 * `_var`: the time depends on the data.  `_unchecked`: a check is the caller's.  A function that
 * can fail returns an assay_status; its outputs are then meaningless, except as stated.  Arrays
 * never overlap.  Everything is reentrant; assay_init comes first, once.
 *
 * What stands between the two `cffi` marks is read twice: by the C compiler, and by
 * build_native.py as the declarations of the binding.  So it holds declarations alone: no
 * macro but integer constants, no `static inline`, no attribute.
 */
#ifndef ASSAY_H
#define ASSAY_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

enum assay_status {
    ASSAY_OK = 0,
    ASSAY_BAD_KERNEL = 1, /* $ASSAY_KERNEL names no kernel that this machine can run */
    ASSAY_BAD_COUNT = 2,  /* a count or width outside its documented range */
    ASSAY_BAD_SCALAR = 3, /* not below the group order */
    ASSAY_BAD_POINT = 4,  /* not the encoding of a finite point */
    /* Provers. */
    ASSAY_BAD_OPENING = 5,    /* a commitment is not that to its value and blinding factor */
    ASSAY_TOO_LARGE = 6,      /* the values of a page add up to 2^64 or more */
    ASSAY_INFINITE_POINT = 7, /* infinity where a file needs a point: probability about 2^-256 */
    /* Rejections, in the order of spec/errors.md. */
    ASSAY_BAD_HEADER = 8,           /* page.bad-header */
    ASSAY_BAD_ENTRY = 9,            /* page.bad-point */
    ASSAY_BAD_LENGTH = 10,          /* argument.bad-length */
    ASSAY_BAD_ARGUMENT_POINT = 11,  /* argument.bad-point */
    ASSAY_BAD_ARGUMENT_SCALAR = 12, /* argument.bad-scalar */
    ASSAY_REJECTED = 13,            /* argument.rejected */
    ASSAY_INFINITE_SUM = 14,        /* page.infinite-sum */
    /* UTXO snapshots. */
    ASSAY_BAD_COIN = 15, /* malformed or out of order; a script given twice */
};

/* The version of the core, a static string. */
const char *assay_version(void);

/* Choose the kernel and SHA-256 for this machine, or the kernel that $ASSAY_KERNEL names. */
int assay_init(void);

/* Name of the chosen kernel. */
const char *assay_kernel_name(void);

/* Hashes: SHA-256; SHA256(SHA256(tag) || SHA256(tag) || data); HMAC-SHA-256.  Digests of 32 bytes.
 */
void assay_sha256(uint8_t *digest, const uint8_t *data, size_t length);
void assay_tagged_hash(uint8_t *digest, const uint8_t *tag, size_t tag_length, const uint8_t *data,
                       size_t length);
void assay_hmac_sha256(uint8_t *digest, const uint8_t *key, size_t key_length, const uint8_t *data,
                       size_t length);

/* The transcript over a state of 32 bytes (spec/transcript.md, section 3).  Labels: at most 255
 * bytes. */
void assay_transcript_begin(uint8_t *state);
int assay_transcript_absorb(uint8_t *state, const uint8_t *label, size_t label_length,
                            const uint8_t *data, size_t length);
int assay_transcript_challenge(uint8_t *scalar, uint8_t *state, const uint8_t *label,
                               size_t label_length);

/* The generator of a name and an index (spec/transcript.md, section 2). */
void assay_generator_var(uint8_t *point, const uint8_t *name, size_t name_length, uint32_t index);

/* Fixed-base tables of V, B and Q_0 … Q_255, built in the caller's memory, aligned to 64 bytes, of
 * assay_tables_size() bytes (17 MB); read-only afterwards, so any number of threads may use them.
 */
typedef struct assay_tables assay_tables;
size_t assay_tables_size(void);
size_t assay_tables_scratch_size(void);
const assay_tables *assay_tables_build(void *memory, void *scratch);

/* Decode n points.  ASSAY_BAD_POINT: *bad is the index of the first that is no finite point's
 * encoding. */
size_t assay_points_scratch_size(size_t n);
int assay_points_check_var(size_t *bad, const uint8_t *points, size_t n, void *scratch);

/* Σ scalar_i·point_i, n >= 0.  *bad: index of the first bad scalar (ASSAY_BAD_SCALAR), else of the
 * first bad point. */
size_t assay_msm_scratch_size(size_t n);
int assay_msm_var(uint8_t *point, size_t *bad, const uint8_t *scalars, const uint8_t *points,
                  size_t n, void *scratch);

/* point_i = v_i·V + r_i·B.  A value is value_words (1, 2 or 4) little-endian 64-bit words, least
 * significant first.  *bad: index of the first blinding not below the order. */
size_t assay_commit_scratch_size(size_t n);
int assay_commit_var(uint8_t *points, size_t *bad, const uint64_t *values, size_t value_words,
                     const uint8_t *blindings, size_t n, const assay_tables *tables, void *scratch);

/*
 * The argument (spec/transcript.md, section 4) of m commitments of b bits, b = 64 and m <= 1024 or
 * b = 128 and m <= 512. Sizes are 0 out of range.  Proving clears its scratch.
 */

size_t assay_range_length(size_t m, size_t b);

/* What an argument is about: m values of b bits, b / 8 big-endian bytes each, with their blinding
 * factors and commitments.  A commitment may be infinity, 33 zero bytes. */
typedef struct {
    const uint8_t *values, *blindings, *commitments;
    size_t m, b;
} assay_range_witness;

/* One argument over a state of the transcript after item 4, without item 6.  `secret` and `salt`
 * are 32 bytes. */
size_t assay_range_prove_scratch_size(size_t m, size_t b);
int assay_range_prove_var(uint8_t *argument, const uint8_t *state,
                          const assay_range_witness *witness, const uint8_t *secret,
                          const uint8_t *salt, const assay_tables *tables, void *scratch);

/* Check it.  ASSAY_BAD_POINT: a commitment.  `seed` is 32 random bytes, drawn after the argument is
 * known. */
size_t assay_range_verify_scratch_size(size_t m, size_t b);
int assay_range_verify_var(const uint8_t *state, const uint8_t *commitments, size_t m, size_t b,
                           const uint8_t *argument, size_t length, const uint8_t *seed,
                           const assay_tables *tables, void *scratch);

/*
 * The argument over K hidden keys, 1 <= K <= 2^20 (spec/transcript.md, section 6).  Points that
 * were decoded are 64 bytes each, aligned to 64, in a form of the core's own.  Amounts are 16
 * big-endian bytes, ledger units.  Private keys are 32 bytes, zero for a key that is not owned;
 * functions that take them are constant-time in them.
 */

/* Q_first … Q_(first + n - 1), first + n < 2^32, decoded. */
size_t assay_generators_scratch_size(void);
void assay_generators_var(uint8_t *decoded, uint32_t first, size_t n, void *scratch);

/* Decode n points; *bad as for assay_points_check_var.  x and y of decoded points, 32 big-endian
 * bytes each. */
size_t assay_points_decode_scratch_size(size_t n);
int assay_points_decode_var(uint8_t *decoded, size_t *bad, const uint8_t *points, size_t n,
                            void *scratch);
void assay_points_coordinates(uint8_t *coordinates, const uint8_t *decoded, size_t n);

/* secret·V of n private keys; *bad: the first that is zero or not below the order. */
size_t assay_public_keys_scratch_size(void);
int assay_public_keys(uint8_t *points, size_t *bad, const uint8_t *secrets, size_t n,
                      void *scratch);

/* n private keys in hexadecimal of either case, 64 digits each, `stride` bytes apart; *bad: the
 * first that is none. */
int assay_secrets_read(uint8_t *secrets, size_t *bad, const uint8_t *text, size_t stride, size_t n);

/* The sum of the owned keys' amounts, 16 bytes; ASSAY_TOO_LARGE: 2^128 or more. */
int assay_hidden_total(uint8_t *value, const uint8_t *amounts, const uint8_t *secrets, size_t k);

/* Bytes of an argument, 0 out of range. */
size_t assay_hidden_length(size_t k);

/* k keys, and as many generators, all decoded, and the ledger units of each key, 16 bytes. */
typedef struct {
    const uint8_t *keys, *amounts, *generators;
    size_t k;
} assay_hidden_keys;

/* Prove over a state of the transcript after item 4, whose commitment has the total as value and
 * `blinding`.  `fresh` is 32 bytes of the system's random source, never used before.  A private key
 * that is not the key's own makes an argument that is refused.  Clears its scratch. */
size_t assay_hidden_prove_scratch_size(size_t k);
int assay_hidden_prove(uint8_t *argument, const uint8_t *state, const assay_hidden_keys *listed,
                       const uint8_t *secrets, const uint8_t *blinding, const uint8_t *fresh,
                       const assay_tables *tables, void *scratch);

/* Check it.  ASSAY_BAD_POINT: the commitment.  `seed` as above. */
size_t assay_hidden_verify_scratch_size(size_t k);
int assay_hidden_verify_var(const uint8_t *state, const assay_hidden_keys *listed,
                            const uint8_t *commitment, const uint8_t *argument, size_t length,
                            const uint8_t *seed, const assay_tables *tables, void *scratch);

/* Consecutive pages of one level (spec/wire.md, section 5). */
typedef struct {
    uint8_t asset_state[32]; /* of the transcript after item 3 */
    uint8_t level, levels;
    uint32_t first_index;         /* of the first of the pages */
    uint32_t capacity, page_size; /* pages of level 0; entries of a page, 1 .. 1024 */
} assay_page_place;

/* Bytes of a page of `count` entries, 1 .. 1024. */
size_t assay_page_length(uint32_t level, uint32_t count);

/* The n >= 1 entries of pages, all full but perhaps the last: values, blinding factors and, above
 * level 0, ids of 32 bytes. */
typedef struct {
    const uint64_t *values;
    const uint8_t *blindings, *child_ids;
    size_t n;
} assay_page_entries;

/* What proving gives for each page: its bytes, its id (32), its sum (33), what the sum opens to.
 * bad: the entry of ASSAY_BAD_SCALAR, the page of ASSAY_TOO_LARGE. */
typedef struct {
    uint8_t *pages, *ids, *sums, *sum_blindings;
    uint64_t *sum_values;
    size_t bad;
} assay_proved_pages;

size_t assay_pages_prove_scratch_size(uint32_t page_size);
int assay_pages_prove_var(assay_proved_pages *proved, const assay_page_place *place,
                          const assay_page_entries *entries, const uint8_t *secret,
                          const uint8_t *salt, const assay_tables *tables, void *scratch);

/* Check n >= 1 pages, all full but the last, which has count_last entries; out: their ids and sums.
 * On a rejection *bad is the lowest page that has a fault, from 0, and the status its first. `seed`
 * as above. */
size_t assay_pages_verify_scratch_size(uint32_t page_size);
int assay_pages_verify_var(uint8_t *ids, uint8_t *sums, size_t *bad, const assay_page_place *place,
                           const uint8_t *pages, size_t n, size_t count_last, const uint8_t *seed,
                           const assay_tables *tables, void *scratch);

/*
 * What the prover derives from its keys (spec/protocol.md 2.2, 2.4).  Id i is ids[offsets[i] ..
 * offsets[i + 1]), n + 1 offsets; keys, blocks and blinding factors are 32 bytes each.
 * ASSAY_BAD_COUNT: offsets that descend or leave the ids.
 */

int assay_account_keys(uint8_t *account_keys, const uint8_t *snapshot_key, const uint8_t *ids,
                       size_t ids_length, const uint64_t *offsets, size_t n);

/* Parts of balances: how many each account has, and all of them, one account after another.  A
 * caller sets `room`, what amounts has room for; accounts and made say what was split. */
typedef struct {
    uint32_t *counts;
    uint64_t *amounts;
    size_t room, accounts, made;
} assay_parts;

/* Split n balances under the policy 1 <= least <= most.  Stops before the first account whose parts
 * exceed the room. */
int assay_split(assay_parts *parts, const uint8_t *account_keys, const uint64_t *balances, size_t n,
                const uint8_t *code, size_t code_length, uint32_t least, uint32_t most);

/* positions[t] = where leaf t < n <= 2^30 stands: ascending by (t-th big-endian u64 of the key's
 * stream, t). */
size_t assay_order_scratch_size(size_t n);
void assay_order(uint32_t *positions, const uint8_t *key, size_t n, void *scratch);

/* `length` leaves of a tree from `begin` on; leaf p goes to p - begin. */
typedef struct {
    uint64_t *values;
    uint8_t *blindings;
    uint32_t begin, length;
} assay_band;

/* n accounts: their keys (32 bytes), ids one behind the other, and where each begins, and the end.
 */
typedef struct {
    const uint8_t *keys, *ids;
    const uint64_t *offsets;
    size_t ids_length, n;
} assay_accounts;

/* Where parts stand and what they are, of `holders` accounts, which have the numbers `accounts`.
 * Those of holder i are first[i] - first[0] to first[i + 1] - first[0] - 1. */
typedef struct {
    const uint32_t *positions, *accounts;
    const uint64_t *amounts, *first;
    size_t count, holders;
} assay_placed_parts;

/* Write those leaves of accounts that stand in a band.  ASSAY_BAD_COUNT unless first ascends to the
 * count and every holder is an account; `context` is 32 bytes. */
int assay_place_leaves(const assay_band *band, const assay_placed_parts *parts,
                       const assay_accounts *accounts, const uint8_t *context, const uint8_t *code,
                       size_t code_length);

/* The same for the blinding factors of n padding leaves, numbers `first` on of the key's stream. */
void assay_place_padding(uint8_t *blindings, uint32_t begin, uint32_t length,
                         const uint32_t *positions, const uint8_t *key, uint64_t first, size_t n);

/* n blocks of the stream of a key from number `first` on. */
void assay_stream_blocks(uint8_t *blocks, const uint8_t *key, uint64_t first, size_t n);

/*
 * The coins of a UTXO snapshot of Bitcoin Core (utxo.c).  A script is a key of ASSAY_UTXO_KEY
 * bytes: its kind (0 to 5 as Core compresses scripts: P2PKH, P2SH, P2PK of a compressed key, twice,
 * and of an uncompressed key, twice; then those below), and its hash, key or program, filled up
 * with zeros.
 */
enum assay_utxo_kind {
    ASSAY_UTXO_P2WPKH = 6,
    ASSAY_UTXO_P2WSH = 7,
    ASSAY_UTXO_P2TR = 8,
    ASSAY_UTXO_OTHER = 9
};
enum { ASSAY_UTXO_KEY = 33 };

/* Where a scan is.  A caller sets `left`, the coins of the file, and the rest to zero. */
typedef struct {
    uint64_t left, of_transaction, last_index;
    uint64_t total;   /* satoshi of all coins read */
    uint32_t highest; /* of the blocks of all coins read */
    uint32_t begun;
    uint8_t txid[32];
} assay_utxo_state;

typedef struct {
    uint64_t amount; /* satoshi */
    uint32_t script; /* its number */
    uint32_t index, height;
    uint8_t txid[32]; /* as the file has it: the last byte is displayed first */
} assay_utxo_coin;

/* Fill a table of 2^bits slots, at least twice the n scripts, 1 <= bits <= 28.  `seed`: two random
 * words.  ASSAY_BAD_COIN: script *bad occurs before. */
int assay_utxo_table(uint64_t *table, size_t bits, size_t *bad, const uint8_t *scripts, size_t n,
                     const uint64_t *seed);

/* Scripts that are looked for, and the table of them: assay_utxo_table's arguments.  Coins of the
 * first `listed` are told of one by one. */
typedef struct {
    const uint8_t *scripts;
    const uint64_t *table, *seed;
    size_t bits, listed;
} assay_utxo_wanted;

/* What a scan found: adds to totals, one a script; writes coins until their number is `room`. */
typedef struct {
    uint64_t *totals;
    assay_utxo_coin *coins;
    size_t room, count;
} assay_utxo_found;

/* Read whole coins until none is left, the data ends, or there is no room.  *used: bytes of whole
 * coins read, on ASSAY_BAD_COIN those before the bad one. */
int assay_utxo_scan(assay_utxo_state *state, size_t *used, assay_utxo_found *found,
                    const uint8_t *data, size_t length, const assay_utxo_wanted *wanted);

/* cffi: end */

#endif
