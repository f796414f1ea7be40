/*
 * The leaves of one band of a tree: amounts and blinding factors to their places; spec/protocol.md 2.2 and 2.4.
 *
 * Positions are random, so a call looks at all of them, a few at a time, and takes those that fall into the band. What these
 * need, and where they go, is fetched from memory before the first of them is made.
 */
#include "assay.h"
#include "derive.h"
#include "kernel.h"

#include <string.h>

/* Positions looked at before the leaves among them are made. */
#define STRETCH 128

/* The leaves `begin` to `begin + length - 1` of a tree. */
typedef struct {
    uint8_t *blindings;
    uint32_t begin, length;
} band;

/* Chooses, of n <= STRETCH positions, those that are of the band; returns how many. */
static size_t choose(uint8_t chosen[STRETCH], const band *b, const uint32_t *positions, size_t n)
{
    const uint32_t begin = b->begin, length = b->length;
    size_t found = 0;
    for (size_t t = 0; t < n; t++) {
        chosen[found] = (uint8_t)t;
        found += positions[t] - begin < length; /* wraps for one before the band */
    }
    for (size_t i = 0; i < found; i++)
        __builtin_prefetch(b->blindings + (size_t)32 * (positions[chosen[i]] - begin), 1);
    return found;
}

/* The digest of what `before` absorbed and a last block, reduced, to its place. */
static void end_blinding(uint8_t place[32], const uint32_t before[8], const uint8_t block[64])
{
    uint32_t state[8];
    memcpy(state, before, sizeof state);
    sha256_blocks()(state, block, 1);
    for (size_t i = 0; i < 8; i++) put_u32(place + 4 * i, state[i]);
    if ((state[0] & state[1]) == UINT32_MAX) { /* else it is below the order, whose first 64 bits are ones */
        scalar t;
        scalar_from_bytes_reduced(&t, place);
        scalar_to_bytes(place, &t);
    }
}

/* Ends a message of `length` bytes whose last `held` <= 55 begin its last block. */
static void pad(uint8_t block[64], size_t held, uint32_t length)
{
    memset(block + held, 0, 64 - held);
    block[held] = 0x80;
    put_u32(block + 60, 8 * length);
}

void assay_place_padding(uint8_t *blindings, uint32_t begin, uint32_t length, const uint32_t *positions,
                         const uint8_t *key, uint64_t first, size_t n)
{
    const band b = {blindings, begin, length};
    uint8_t chosen[STRETCH], block[64];
    stream s;
    stream_begin(&s, key);
    memcpy(block, key, 32);
    pad(block, 40, 64 + 40);
    for (size_t done = 0; done < n; done += STRETCH) {
        const size_t found = choose(chosen, &b, positions + done, n - done < STRETCH ? n - done : STRETCH);
        for (size_t i = 0; i < found; i++) {
            const size_t t = done + chosen[i];
            put_u32(block + 32, (uint32_t)((first + t) >> 32));
            put_u32(block + 36, (uint32_t)(first + t));
            end_blinding(blindings + (size_t)32 * (positions[t] - begin), s.keyed.state, block);
        }
    }
    clear_secret(&s, sizeof s);
    clear_secret(block, sizeof block);
}

/* The columns of the accounts, and the hashes H_leaf(lp(context) ‖ lp(code) ‖ … and H_blinding(…, begun. */
typedef struct {
    const uint8_t *keys, *ids;
    const uint64_t *offsets, *first;
    sha256_context leaf, blinding;
} accounts;

/* state: H_blinding(key ‖ H_leaf(… lp(id)) ‖ …, all but the last block, for account i. */
static void begin_account(uint32_t state[8], const accounts *a, size_t i)
{
    uint8_t block[64];
    sha256_context c = a->leaf;
    update_prefixed(&c, a->ids + a->offsets[i], a->offsets[i + 1] - a->offsets[i]);
    memcpy(block, a->keys + 32 * i, 32);
    sha256_end(block + 32, &c);
    memcpy(state, a->blinding.state, 32);
    sha256_blocks()(state, block, 1);
    clear_secret(block, 32);
}

static bool first_valid(const uint64_t *first, size_t n, size_t parts)
{
    for (size_t i = 0; i < n; i++)
        if (first[i] > first[i + 1] || first[i + 1] - first[i] > UINT32_MAX) return false;
    return first[n] - first[0] == parts;
}

int assay_place_leaves(uint64_t *values, uint8_t *blindings, uint32_t begin, uint32_t length, const uint32_t *positions,
                       const uint64_t *amounts, size_t parts, const uint64_t *first, const uint8_t *account_keys,
                       const uint8_t *ids, size_t ids_length, const uint64_t *offsets, size_t n, const uint8_t *context,
                       const uint8_t *code, size_t code_length)
{
    static const char LEAF[] = "assay/v1/leaf", BLINDING[] = "assay/v1/blinding";
    if (!offsets_valid(offsets, n, ids_length) || !first_valid(first, n, parts)) return ASSAY_BAD_COUNT;
    const band b = {blindings, begin, length};
    accounts a = {.keys = account_keys, .ids = ids, .offsets = offsets, .first = first};
    sha256_begin_tag(&a.leaf, LEAF, sizeof LEAF - 1);
    update_prefixed(&a.leaf, context, 32);
    update_prefixed(&a.leaf, code, code_length);
    sha256_begin_tag(&a.blinding, BLINDING, sizeof BLINDING - 1);
    uint8_t chosen[STRETCH], block[64];
    size_t owner[STRETCH], at_hand = 0, begun = n;
    uint32_t state[8]; /* of the account `begun` */
    pad(block, 4, 64 + 64 + 4);
    for (size_t done = 0; done < parts; done += STRETCH) {
        const size_t found = choose(chosen, &b, positions + done, parts - done < STRETCH ? parts - done : STRETCH);
        for (size_t k = 0; k < found; k++) {
            const size_t t = done + chosen[k];
            while (first[at_hand + 1] - first[0] <= t) at_hand++;
            owner[k] = at_hand;
            __builtin_prefetch(values + (positions[t] - begin), 1);
            __builtin_prefetch(amounts + t);
            __builtin_prefetch(account_keys + 32 * at_hand);
            __builtin_prefetch(ids + offsets[at_hand]);
        }
        for (size_t k = 0; k < found; k++) {
            const size_t t = done + chosen[k], i = owner[k], at = positions[t] - begin;
            if (begun != i) begin_account(state, &a, i);
            begun = i;
            put_u32(block, (uint32_t)(t - (first[i] - first[0])));
            end_blinding(blindings + 32 * at, state, block);
            values[at] = amounts[t];
        }
    }
    clear_secret(state, sizeof state);
    return ASSAY_OK;
}
