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
 * never overlap, and no input changes during a call: what was checked is read again.  Everything is
 * reentrant; assay_init comes first, once.
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
    ASSAY_TOO_LARGE = 6,      /* amounts that add up to 2^128 or more */
    ASSAY_INFINITE_POINT = 7, /* infinity where a file needs a point: probability about 2^-256 */
    ASSAY_DAMAGED = 20,       /* what was committed to is not what was given, or what was made
                               * does not hold: nothing is given out */
    /* Rejections, in the order of spec/errors.md. */
    ASSAY_BAD_HEADER = 8,           /* page.bad-header */
    ASSAY_BAD_ENTRY = 9,            /* page.bad-point */
    ASSAY_BAD_LENGTH = 10,          /* argument.bad-length */
    ASSAY_BAD_ARGUMENT_POINT = 11,  /* argument.bad-point */
    ASSAY_BAD_ARGUMENT_SCALAR = 12, /* argument.bad-scalar */
    ASSAY_REJECTED = 13,            /* argument.rejected */
    ASSAY_INFINITE_SUM = 14,        /* page.infinite-sum */
    ASSAY_WRONG_IDENTITY = 15,      /* inclusion.wrong-identity */
    ASSAY_BAD_OPENING_POINT = 16,   /* opening.bad-point */
    ASSAY_BAD_OPENING_SCALAR = 17,  /* opening.bad-scalar */
    ASSAY_WRONG_AMOUNT = 18,        /* inclusion.wrong-amount */
    /* UTXO snapshots. */
    ASSAY_BAD_COIN = 19, /* malformed or out of order; a script given twice */
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

/* The generators V, B, Q_0 … Q_511 and W_0 … W_15, decoded, and what else checking needs, built in
 * the caller's memory, aligned to 64 bytes; read-only afterwards, so any number of threads may use
 * them. */
typedef struct assay_bases assay_bases;
size_t assay_bases_size(void);
size_t assay_bases_scratch_size(void);
const assay_bases *assay_bases_build(void *memory, void *scratch);

/* Fixed-base tables of the same, 44 MB, for provers; likewise. */
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
 * The argument (spec/transcript.md, section 4) of m <= 64 commitments of b = 64 or 128 bits, a
 * commitment a value.  Sizes are 0 out of range.  Whoever proves checks what was made by the
 * verifier's rules, and clears it if it does not hold, and the scratch always.
 *
 * Weights, here and below, are 32 bytes an equation from the system's random source, drawn when all
 * that is checked is in memory; a prover's too.
 */
enum { ASSAY_RANGE_WEIGHTS = 4 };

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
                          const uint8_t *salt, const uint8_t *weights, const assay_tables *tables,
                          void *scratch);

/* Check it.  ASSAY_BAD_POINT: a commitment. */
size_t assay_range_verify_scratch_size(size_t m, size_t b);
int assay_range_verify_var(const uint8_t *state, const uint8_t *commitments, size_t m, size_t b,
                           const uint8_t *argument, size_t length, const uint8_t *weights,
                           const assay_bases *bases, void *scratch);

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

enum { ASSAY_HIDDEN_WEIGHTS = 5 };

/* Prove over a state of the transcript after item 4, whose commitment has the total as value and
 * `blinding`.  `fresh` is 32 bytes of the system's random source, never used before.
 * ASSAY_DAMAGED: a private key is not the key's own, or as above.  Clears its scratch. */
size_t assay_hidden_prove_scratch_size(size_t k);
int assay_hidden_prove(uint8_t *argument, const uint8_t *state, const assay_hidden_keys *listed,
                       const uint8_t *secrets, const uint8_t *blinding, const uint8_t *fresh,
                       const uint8_t *weights, const assay_tables *tables, void *scratch);

/* Check it.  ASSAY_BAD_POINT: the commitment. */
size_t assay_hidden_verify_scratch_size(size_t k);
int assay_hidden_verify_var(const uint8_t *state, const assay_hidden_keys *listed,
                            const uint8_t *commitment, const uint8_t *argument, size_t length,
                            const uint8_t *weights, const assay_bases *bases, void *scratch);

/*
 * Pages (spec/wire.md, section 5; spec/protocol.md 2).  A *page* is its header and its entries; its
 * argument stands apart.  A page of leaves has m = 16, 256 or 4096 of them, 16 a vector; one above
 * level 0 has up to 64 entries, an id and a sum each.  The core makes every statement itself, from
 * the tree and the place in it.
 */

/* The tree of one asset. */
typedef struct {
    uint8_t context[32];  /* item 2 of the transcript */
    const uint8_t *asset; /* item 3 */
    size_t asset_length;
    uint32_t capacity, page_size; /* pages of level 0, 1 .. 2^20; m; at most 2^30 leaves */
} assay_tree;

/* Levels, pages of a level, bytes of a page and of its argument; 0 where there is none. */
uint32_t assay_tree_levels(const assay_tree *tree);
uint32_t assay_tree_pages(const assay_tree *tree, uint32_t level);
size_t assay_page_length(const assay_tree *tree, uint32_t level, uint32_t index);
size_t assay_argument_length(const assay_tree *tree, uint32_t level, uint32_t index);

/* H_identity of a part; the nodes in n pages' entries, of m identities each; the siblings of a path
 * from the leaf up; where a path of at most 6 of them leads to, by the leaf's low bits.
 * ASSAY_BAD_COUNT: no page size, or no leaf of a page. */
void assay_identity(uint8_t *identity, const uint8_t *account_key, const uint8_t *leaf_hash,
                    uint32_t part);
int assay_identity_nodes(uint8_t *nodes, const uint8_t *identities, uint32_t page_size, size_t n);
int assay_identity_path(uint8_t *path, const uint8_t *identities, uint32_t page_size,
                        uint32_t leaf);
int assay_identity_climb(uint8_t *node, const uint8_t *identity, uint32_t leaf, const uint8_t *path,
                         size_t height);

/* What n consecutive pages were made into: the pages, their ids (32) and sums (33), what the sums
 * open to, a value of two words, low word first, and a blinding factor, and at level 0 the blinding
 * factors of all vectors. */
typedef struct {
    uint8_t *pages, *ids, *sums, *sum_blindings, *vector_blindings;
    uint64_t *sum_values;
} assay_committed;

/* Commit to n pages of leaves from page `first` on: amounts, identities of 32 bytes, m a page.
 * `secret` is the entries secret. */
size_t assay_leaves_commit_scratch_size(uint32_t page_size);
int assay_leaves_commit_var(assay_committed *made, const assay_tree *tree, uint32_t first, size_t n,
                            const uint64_t *amounts, const uint8_t *identities,
                            const uint8_t *secret, const uint8_t *salt, const assay_tables *tables,
                            void *scratch);

/* The children of n pages above level 0: ids and sums, and what the sums open to. */
typedef struct {
    const uint8_t *ids, *sums, *blindings;
    const uint64_t *values;
} assay_children;

/* Commit to n pages of a level above 0.  ASSAY_BAD_SCALAR: child *bad's blinding factor. */
size_t assay_sums_commit_scratch_size(void);
int assay_sums_commit_var(assay_committed *made, size_t *bad, const assay_tree *tree,
                          uint32_t level, uint32_t first, size_t n, const assay_children *children,
                          const assay_tables *tables, void *scratch);

/* What n pages say: amounts and the blinding factors of vectors and sums; above level 0 the values
 * and blinding factors of all entries. */
typedef struct {
    const uint8_t *pages, *blindings, *sum_blindings;
    const uint64_t *values;
} assay_page_witness;

/* Prove n pages of a level, one argument behind the other; `secret` is the argument secret.
 * Weights: 5 a page at level 0, 4 above.  ASSAY_DAMAGED: page *bad, from 0, is not made of what was
 * given; then, and on every other failure, no argument is left. */
size_t assay_pages_argue_scratch_size(const assay_tree *tree, uint32_t level);
int assay_pages_argue_var(uint8_t *arguments, size_t *bad, const assay_tree *tree, uint32_t level,
                          uint32_t first, size_t n, const assay_page_witness *witness,
                          const uint8_t *secret, const uint8_t *salt, const uint8_t *weights,
                          const assay_tables *tables, void *scratch);

/* Whether n pages of leaves are made of these: ASSAY_DAMAGED for the first, *bad, that is not. */
int assay_leaves_open_var(size_t *bad, const assay_tree *tree, uint32_t first, size_t n,
                          const assay_page_witness *witness, const uint8_t *identities,
                          const assay_tables *tables, void *scratch);

/* A page to check, with its argument, or without it (NULL): then its entries alone. */
typedef struct {
    const assay_tree *tree;
    const uint8_t *page, *argument;
    uint32_t level, index;
} assay_checked_page;

/* The opening of a leaf of one of the pages, by its number among them: 545 bytes; a path of 32
 * bytes a sibling. */
typedef struct {
    const uint8_t *identity, *path, *opening;
    uint64_t amount;
    uint32_t page, leaf;
} assay_checked_opening;

enum { ASSAY_OPENING_LENGTH = 545 };

/* Check pages, and then openings on them, in batches; out: the pages' ids and sums.  On a rejection
 * *bad is the first page that has a fault, or the number of pages and the first such opening, and
 * the status its first fault.  Weights: those of a page's argument, one an opening, in this order.
 * ASSAY_BAD_COUNT: a place that is none. */
size_t assay_check_weights(const assay_checked_page *pages, size_t n, size_t openings);
size_t assay_check_scratch_size(const assay_checked_page *pages, size_t n, size_t openings);
int assay_check_var(uint8_t *ids, uint8_t *sums, size_t *bad, const assay_checked_page *pages,
                    size_t n, const assay_checked_opening *openings, size_t count,
                    const uint8_t *weights, const assay_bases *bases, void *scratch);

/* A page of leaves of which openings are made, those of `count` leaves, and the private files
 * beside it: m amounts and identities, the blinding factors of its vectors.  Only what the openings
 * need is read. */
typedef struct {
    const assay_tree *tree;
    const uint8_t *page, *identities, *blindings;
    const uint64_t *amounts;
    const uint32_t *leaves;
    size_t count;
    uint32_t index;
} assay_opened_page;

/* Make the openings of n leaves, which are those of all pages, and their paths, in the order of
 * pages and leaves; `secret` is the opening secret.  Weights: one an opening.  ASSAY_DAMAGED: what
 * is said of leaf *bad of the n is not what its page is made of; then, and on every other failure,
 * nothing is left.  The first is constant-time in all that is private, for one leaf or a few; the
 * second for many.  Paths have assay_paths_length() bytes. */
size_t assay_paths_length(const assay_opened_page *pages, size_t count);
size_t assay_openings_make_scratch_size(size_t n);
int assay_openings_make(uint8_t *openings, uint8_t *paths, size_t *bad,
                        const assay_opened_page *pages, size_t count, size_t n,
                        const uint8_t *secret, const uint8_t *salt, const uint8_t *weights,
                        const assay_bases *bases, void *scratch);
int assay_openings_make_var(uint8_t *openings, uint8_t *paths, size_t *bad,
                            const assay_opened_page *pages, size_t count, size_t n,
                            const uint8_t *secret, const uint8_t *salt, const uint8_t *weights,
                            const assay_tables *tables, void *scratch);

/*
 * What the prover derives from its keys (spec/protocol.md 2.2, 2.4).  Id i is ids[offsets[i] ..
 * offsets[i + 1]), n + 1 offsets; keys, blocks and identities are 32 bytes each.
 * ASSAY_BAD_COUNT: offsets that descend or leave the ids.
 *
 * Of what follows, assay_split and all that orders, places or gathers leaves take time and access
 * memory depending on what is secret, `_var` or not: on balances, amounts, sort keys and places.
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

/*
 * Leaf t of a tree stands at its rank among all by (t-th big-endian u64 of the key's stream, t).
 * The top `bits` <= 20 bits of these sort keys cut the leaves into groups.
 */

/* The sort keys of the n < 2^32 leaves from `first` on: by group, and in a group by t; and how many
 * are of each group. */
size_t assay_sort_keys_scratch_size(size_t n, unsigned bits);
void assay_sort_keys(uint64_t *sorted, uint32_t *counts, const uint8_t *key, uint64_t first,
                     size_t n, unsigned bits, void *scratch);

/* ranks[i] = base + the rank of keys[i] among the n keys of one group, which stand by t. */
size_t assay_rank_scratch_size(size_t n);
void assay_rank(uint32_t *ranks, const uint64_t *keys, size_t n, unsigned bits, uint32_t base,
                void *scratch);

/* positions[i] = where leaf first + i stands, given the ranks of the keys that assay_sort_keys made
 * of these leaves, in that order, and its counts.  ASSAY_BAD_COUNT: the counts are not of these. */
size_t assay_take_ranks_scratch_size(unsigned bits);
int assay_take_ranks(uint32_t *positions, const uint8_t *key, uint64_t first, size_t n,
                     unsigned bits, const uint32_t *ranks, const uint32_t *counts, void *scratch);

/* Sort n < 2^32 leaves, stably, by the band of 2^band_bits that each stands in: leaf t goes to
 * slots[t], and places[slots[t]] is where it stands in its band; counts: how many each band has.
 * ASSAY_BAD_COUNT: one stands behind the last band. */
size_t assay_sort_positions_scratch_size(size_t bands);
int assay_sort_positions(uint32_t *slots, uint32_t *places, uint32_t *counts,
                         const uint32_t *positions, size_t n, unsigned band_bits, size_t bands,
                         void *scratch);

/* Room for `length` leaves: amounts, and identities of 32 bytes. */
typedef struct {
    uint64_t *values;
    uint8_t *identities;
    size_t length;
} assay_leaves;

/* n accounts: their keys (32 bytes), ids one behind the other, and where each begins, and the end.
 */
typedef struct {
    const uint8_t *keys, *ids;
    const uint64_t *offsets;
    size_t ids_length, n;
} assay_accounts;

/* Where parts go and what they are, of `holders` accounts, which have the numbers `accounts`.
 * Those of holder i are first[i] - first[0] to first[i + 1] - first[0] - 1. */
typedef struct {
    const uint32_t *places, *accounts;
    const uint64_t *amounts, *first;
    size_t count, holders;
} assay_placed_parts;

/* Write the leaves of parts to their places.  ASSAY_BAD_COUNT unless first ascends to the count,
 * every holder is an account, and there is room; `context` is 32 bytes. */
int assay_place_leaves(const assay_leaves *to, const assay_placed_parts *parts,
                       const assay_accounts *accounts, const uint8_t *context, const uint8_t *code,
                       size_t code_length);

/* The same for the identities of n padding leaves, numbers `first` on of the key's stream. */
int assay_place_padding(uint8_t *identities, size_t length, const uint32_t *places,
                        const uint8_t *key, uint64_t first, size_t n);

/* Copy n leaves to their places.  ASSAY_BAD_COUNT: there is no room. */
int assay_gather_leaves(const assay_leaves *to, const uint32_t *places, const uint64_t *values,
                        const uint8_t *identities, size_t n);

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
