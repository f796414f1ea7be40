/*
 * The leaves of parts and padding: amounts and identities to their places;
 * spec/protocol.md 2.2 and 2.4.
 *
 * Places are random.  What a batch of leaves needs, and where they go, is fetched from memory
 * first; then the blocks of all their hashes are laid out, and then hashed, since a hash that
 * begins before its block has left the processor's store buffer waits for it.
 */
#include "assay.h"
#include "hash/tags.h"
#include "kernels/kernel.h"
#include "leaves/derive.h"

#include <string.h>

/* Leaves of a batch. */
#define BATCH 64

/* Ends of longer messages are not laid out: no canonical id is longer than 128 bytes. */
#define TAIL_BLOCKS 4

/* Where leaves go, and those of a batch, numbers begin to begin + count - 1. */
typedef struct {
    uint8_t *identities;
    const uint32_t *places;
    size_t begin, count;
    uint32_t state[BATCH][8]; /* before the last block */
    uint8_t block[BATCH][64]; /* the last one */
} batch;

static size_t place_of(const batch *b, size_t k)
{
    return b->places[b->begin + k];
}

/* Takes up to BATCH of the leaves from number `begin` on, of n. */
static void begin_batch(batch *b, size_t begin, size_t n)
{
    b->begin = begin;
    b->count = n - begin < BATCH ? n - begin : BATCH;
    for (size_t k = 0; k < b->count; k++)
        __builtin_prefetch(b->identities + 32 * place_of(b, k), 1);
}

static bool places_valid(const uint32_t *places, size_t n, size_t length)
{
    uint32_t most = 0;
    for (size_t t = 0; t < n; t++) most = places[t] > most ? places[t] : most;
    return n == 0 || most < length;
}

/* Ends a message of `length` bytes, of which the last `held` begin `blocks` last blocks. */
static void pad(uint8_t *block, size_t blocks, size_t held, uint64_t length)
{
    memset(block + held, 0, 64 * blocks - held);
    block[held] = 0x80;
    put_u32(block + 64 * blocks - 8, (uint32_t)(length >> 29));
    put_u32(block + 64 * blocks - 4, (uint32_t)(length << 3));
}

/* Hashes the last blocks; the digests go to their places. */
static void end_batch(batch *b)
{
    kernel()->absorb(b->state, b->block[0], sizeof b->block[0], b->count);
    for (size_t k = 0; k < b->count; k++) {
        uint8_t *place = b->identities + 32 * place_of(b, k);
        for (size_t i = 0; i < 8; i++) put_u32(place + 4 * i, b->state[k][i]);
    }
}

int assay_place_padding(uint8_t *identities, size_t length, const uint32_t *places,
                        const uint8_t *key, uint64_t first, size_t n)
{
    if (!places_valid(places, n, length)) return ASSAY_BAD_COUNT;
    batch b = {.identities = identities, .places = places};
    stream s;
    uint8_t block[64];
    stream_begin(&s, key);
    memcpy(block, key, 32);
    pad(block, 1, 32 + 8, 64 + 32 + 8);
    for (size_t t = 0; t < n; t += b.count) {
        begin_batch(&b, t, n);
        for (size_t k = 0; k < b.count; k++) {
            const uint64_t number = first + t + k;
            memcpy(b.state[k], s.keyed.state, sizeof b.state[k]);
            memcpy(b.block[k], block, 64);
            put_u32(b.block[k] + 32, (uint32_t)(number >> 32));
            put_u32(b.block[k] + 36, (uint32_t)number);
        }
        end_batch(&b);
    }
    clear_secret(&s, sizeof s);
    clear_secret(&b, sizeof b);
    clear_secret(block, sizeof block);
    return ASSAY_OK;
}

/* The columns of all accounts, and the hashes H_leaf(lp(context) ‖ lp(code) ‖ … and H_identity(…,
 * begun. */
typedef struct {
    const uint8_t *keys, *ids;
    const uint64_t *offsets, *first;
    const uint32_t *holders;
    sha256_context leaf, identity;
} accounts;

/* The accounts of a batch. */
typedef struct {
    size_t count;
    size_t holder[BATCH], of_leaf[BATCH]; /* of_leaf: an index into the other arrays */
    uint32_t state[BATCH][8]; /* of H_leaf; then H_identity(key ‖ H_leaf(… lp(id)) ‖ …, at its last
                                 block */
    uint8_t tail[BATCH][64 * TAIL_BLOCKS], tail_blocks[BATCH], block[BATCH][64];
} owners;

/* Finds the holder of every leaf of a batch, from holder `at` on; returns that of the last leaf. */
static size_t find_owners(owners *o, const batch *b, const accounts *a, size_t at)
{
    o->count = 0;
    for (size_t k = 0; k < b->count; k++) {
        while (a->first[at + 1] - a->first[0] <= b->begin + k) at++;
        if (o->count == 0 || o->holder[o->count - 1] != at) {
            const size_t account = a->holders[at];
            o->holder[o->count++] = at;
            __builtin_prefetch(a->keys + 32 * account);
            __builtin_prefetch(a->ids + a->offsets[account]);
        }
        o->of_leaf[k] = o->count - 1;
    }
    return at;
}

/* Lays out the end of an account's H_leaf, or hashes all of a long one. */
static void lay_out_owner(owners *o, size_t d, const accounts *a)
{
    const size_t i = a->holders[o->holder[d]], held = a->leaf.length % 64;
    const uint8_t *id = a->ids + a->offsets[i];
    const uint64_t id_length = a->offsets[i + 1] - a->offsets[i], all = held + 4 + id_length;
    memcpy(o->block[d], a->keys + 32 * i, 32);
    if (all > 64 * TAIL_BLOCKS - 9) {
        sha256_context c = a->leaf;
        update_prefixed(&c, id, id_length);
        sha256_end(o->block[d] + 32, &c);
        o->tail_blocks[d] = 0;
        return;
    }
    uint8_t *tail = o->tail[d];
    memcpy(o->state[d], a->leaf.state, sizeof o->state[d]);
    memcpy(tail, a->leaf.buffer, held);
    put_u32(tail + held, (uint32_t)id_length);
    memcpy(tail + held + 4, id, id_length);
    o->tail_blocks[d] = (uint8_t)((all + 9 + 63) / 64);
    pad(tail, o->tail_blocks[d], all, a->leaf.length + 4 + id_length);
}

/* Neighbours whose tails have as many blocks are hashed beside each other. */
static void absorb_tails(owners *o)
{
    size_t end;
    for (size_t d = 0; d < o->count; d = end) {
        const size_t blocks = o->tail_blocks[d];
        for (end = d + 1; end < o->count && o->tail_blocks[end] == blocks;) end++;
        for (size_t k = 0; k < blocks; k++)
            kernel()->absorb(o->state + d, o->tail[d] + 64 * k, sizeof o->tail[d], end - d);
    }
}

static void hash_owners(owners *o, const accounts *a)
{
    for (size_t d = 0; d < o->count; d++) lay_out_owner(o, d, a);
    absorb_tails(o);
    for (size_t d = 0; d < o->count; d++) {
        if (o->tail_blocks[d] > 0)
            for (size_t i = 0; i < 8; i++) put_u32(o->block[d] + 32 + 4 * i, o->state[d][i]);
        memcpy(o->state[d], a->identity.state, sizeof o->state[d]);
    }
    kernel()->absorb(o->state, o->block[0], sizeof o->block[0], o->count);
}

static bool holders_valid(const uint32_t *holders, size_t n, const assay_accounts *a)
{
    for (size_t i = 0; i < n; i++) {
        if (holders[i] >= a->n) return false;
        const uint64_t begin = a->offsets[holders[i]], end = a->offsets[holders[i] + 1];
        if (begin > end || end - begin > UINT32_MAX || end > a->ids_length) return false;
    }
    return true;
}

static bool first_valid(const uint64_t *first, size_t n, size_t parts)
{
    for (size_t i = 0; i < n; i++)
        if (first[i] > first[i + 1] || first[i + 1] - first[i] > UINT32_MAX) return false;
    return first[n] - first[0] == parts;
}

int assay_place_leaves(const assay_leaves *to, const assay_placed_parts *parts,
                       const assay_accounts *given, const uint8_t *context, const uint8_t *code,
                       size_t code_length)
{
    static const char LEAF[] = TAG_LEAF, IDENTITY[] = TAG_IDENTITY;
    const uint64_t *first = parts->first, *amounts = parts->amounts;
    uint64_t *values = to->values;
    if (!holders_valid(parts->accounts, parts->holders, given) ||
        !first_valid(first, parts->holders, parts->count) ||
        !places_valid(parts->places, parts->count, to->length))
        return ASSAY_BAD_COUNT;
    batch b = {.identities = to->identities, .places = parts->places};
    accounts a = {.keys = given->keys,
                  .ids = given->ids,
                  .offsets = given->offsets,
                  .first = first,
                  .holders = parts->accounts};
    owners o;
    sha256_begin_tag(&a.leaf, LEAF, sizeof LEAF - 1);
    update_prefixed(&a.leaf, context, 32);
    update_prefixed(&a.leaf, code, code_length);
    sha256_begin_tag(&a.identity, IDENTITY, sizeof IDENTITY - 1);
    for (size_t t = 0, at = 0; t < parts->count; t += b.count) {
        begin_batch(&b, t, parts->count);
        for (size_t k = 0; k < b.count; k++) __builtin_prefetch(values + place_of(&b, k), 1);
        at = find_owners(&o, &b, &a, at);
        hash_owners(&o, &a);
        for (size_t k = 0; k < b.count; k++) {
            const size_t d = o.of_leaf[k];
            memcpy(b.state[k], o.state[d], sizeof b.state[k]);
            put_u32(b.block[k], (uint32_t)(t + k - (first[o.holder[d]] - first[0])));
            pad(b.block[k], 1, 4, 64 + 64 + 4);
        }
        end_batch(&b);
        for (size_t k = 0; k < b.count; k++) values[place_of(&b, k)] = amounts[t + k];
    }
    clear_secret(&b, sizeof b);
    clear_secret(&o, sizeof o);
    return ASSAY_OK;
}

int assay_gather_leaves(const assay_leaves *to, const uint32_t *places, const uint64_t *values,
                        const uint8_t *identities, size_t n)
{
    enum { AHEAD = 16 };
    if (!places_valid(places, n, to->length)) return ASSAY_BAD_COUNT;
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n) {
            __builtin_prefetch(to->values + places[i + AHEAD], 1);
            __builtin_prefetch(to->identities + 32 * (size_t)places[i + AHEAD], 1);
        }
        to->values[places[i]] = values[i];
        memcpy(to->identities + 32 * (size_t)places[i], identities + 32 * i, 32);
    }
    return ASSAY_OK;
}
