/*
 * The order of an asset's leaves (spec/protocol.md 2.4): ascending by (t-th u64 of a stream, t).
 *
 * The sort keys are uniform, so their top bits cut them into groups of like size.  The keys of any
 * run of leaves are sorted into groups, stably, so that in a group they stand by t; a group's keys
 * are ranked, wherever they come from; and the ranks of a run go back to its leaves, which takes
 * drawing its keys again: that is cheaper than to keep them.
 *
 * To be ranked, the keys of a group are sorted by their next bits into buckets, each small enough
 * for the cache.  A bucket is sorted by its next 16 bits in two stable passes, and ends with an
 * insertion sort on whole keys, stable too, that has next to nothing left to do: 26 bits are sorted
 * for at most 2^20 leaves or so. A bucket has n/1024 leaves give or take the square root; for twice
 * as many there is no room beside it, so it would be left to the insertion sort, which is slow but
 * right.
 */
#include "assay.h"
#include "kernels/kernel.h"
#include "leaves/derive.h"

#include <string.h>

#define BUCKET_BITS 10
#define BUCKETS (1 << BUCKET_BITS)
#define DIGIT_BITS 8
#define DIGITS (1 << DIGIT_BITS)
#define KEYS 128 /* made at a time, four a block of the stream */

typedef struct {
    uint64_t key;
    uint32_t leaf;
} entry;

/* The sort keys KEYS·i, KEYS·i + 1, … of a stream, those of one i at a time. */
typedef struct {
    stream stream;
    uint64_t held; /* i, of `keys` */
    uint64_t keys[KEYS];
} sort_keys;

static void sort_keys_begin(sort_keys *s, const uint8_t *key)
{
    stream_begin(&s->stream, key);
    s->held = UINT64_MAX;
}

static inline uint64_t sort_key_of(sort_keys *s, uint64_t t)
{
    if (t / KEYS != s->held) {
        uint8_t block[KEYS / 4][32];
        s->held = t / KEYS;
        stream_blocks(block, &s->stream, KEYS / 4 * s->held, KEYS / 4);
        memcpy(s->keys, block, sizeof block);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        for (size_t k = 0; k < KEYS; k++) s->keys[k] = __builtin_bswap64(s->keys[k]);
#endif
    }
    return s->keys[t % KEYS];
}

/* The `bits` bits of a key behind the first `skipped`. */
static inline size_t bits_of(uint64_t key, unsigned skipped, unsigned bits)
{
    return bits == 0 ? 0 : (size_t)(key << skipped >> (64 - bits));
}

static void begin_groups(uint32_t *at, const uint32_t *counts, size_t groups)
{
    uint32_t sum = 0;
    for (size_t g = 0; g < groups; g++) {
        at[g] = sum;
        sum += counts[g];
    }
}

size_t assay_sort_keys_scratch_size(size_t n, unsigned bits)
{
    return ARENA_SIZE(n * sizeof(uint64_t)) + ARENA_SIZE(sizeof(uint32_t) << bits);
}

void assay_sort_keys(uint64_t *sorted, uint32_t *counts, const uint8_t *key, uint64_t first,
                     size_t n, unsigned bits, void *scratch)
{
    uint8_t *next = scratch;
    uint64_t *keys = arena_take(&next, n * sizeof *keys);
    uint32_t *at = (uint32_t *)next;
    sort_keys s;
    sort_keys_begin(&s, key);
    memset(counts, 0, sizeof *counts << bits);
    for (size_t i = 0; i < n; i++) {
        keys[i] = sort_key_of(&s, first + i);
        counts[bits_of(keys[i], 0, bits)]++;
    }
    begin_groups(at, counts, (size_t)1 << bits);
    for (size_t i = 0; i < n; i++) sorted[at[bits_of(keys[i], 0, bits)]++] = keys[i];
    clear_secret(&s, sizeof s);
    clear_secret(scratch, assay_sort_keys_scratch_size(n, bits));
}

int assay_take_ranks(uint32_t *positions, const uint8_t *key, uint64_t first, size_t n,
                     unsigned bits, const uint32_t *ranks, const uint32_t *counts, void *scratch)
{
    const size_t groups = (size_t)1 << bits;
    uint32_t *at = scratch, *end = at + groups;
    sort_keys s;
    uint64_t sum = 0;
    for (size_t g = 0; g < groups; g++) {
        at[g] = (uint32_t)sum;
        sum += counts[g];
        end[g] = (uint32_t)sum;
    }
    if (sum != n) return ASSAY_BAD_COUNT;
    sort_keys_begin(&s, key);
    size_t i = 0;
    for (; i < n; i++) {
        const size_t group = bits_of(sort_key_of(&s, first + i), 0, bits);
        if (at[group] == end[group]) break;
        positions[i] = ranks[at[group]++];
    }
    clear_secret(&s, sizeof s);
    return i == n ? ASSAY_OK : ASSAY_BAD_COUNT;
}

size_t assay_take_ranks_scratch_size(unsigned bits)
{
    return 2 * sizeof(uint32_t) << bits;
}

/* Sorts by DIGIT_BITS bits from `shift` on, stably. */
static void sort_digit(entry *to, const entry *from, size_t n, unsigned shift)
{
    uint32_t at[DIGITS] = {0};
    for (size_t i = 0; i < n; i++) at[from[i].key >> shift & (DIGITS - 1)]++;
    for (uint32_t d = 0, sum = 0; d < DIGITS; d++) {
        const uint32_t count = at[d];
        at[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) to[at[from[i].key >> shift & (DIGITS - 1)]++] = from[i];
}

static void sort_bucket(entry *entries, entry *beside, size_t room, size_t n, unsigned skipped)
{
    const unsigned shift = 64 - skipped - BUCKET_BITS - 2 * DIGIT_BITS;
    if (n > DIGITS / 4 && n <= room) { /* for fewer, counting digits costs more than inserting */
        sort_digit(beside, entries, n, shift);
        sort_digit(entries, beside, n, shift + DIGIT_BITS);
    }
    for (size_t i = 1; i < n; i++) {
        const entry e = entries[i];
        size_t at = i;
        for (; at > 0 && entries[at - 1].key > e.key; at--) entries[at] = entries[at - 1];
        entries[at] = e;
    }
}

static size_t room_beside(size_t n)
{
    return 2 * n / BUCKETS + DIGITS;
}

size_t assay_rank_scratch_size(size_t n)
{
    return ARENA_SIZE((BUCKETS + 1) * sizeof(size_t)) + ARENA_SIZE(n * sizeof(entry)) +
           ARENA_SIZE(room_beside(n) * sizeof(entry));
}

void assay_rank(uint32_t *ranks, const uint64_t *keys, size_t n, unsigned bits, uint32_t base,
                void *scratch)
{
    uint8_t *next = scratch;
    size_t *end = arena_take(&next, (BUCKETS + 1) * sizeof *end); /* of the bucket before */
    entry *entries = arena_take(&next, n * sizeof *entries), *beside = (entry *)next;
    memset(end, 0, (BUCKETS + 1) * sizeof *end);
    for (size_t i = 0; i < n; i++) end[bits_of(keys[i], bits, BUCKET_BITS) + 1]++;
    for (size_t b = 0; b < BUCKETS; b++) end[b + 1] += end[b];
    /* Filling bucket b moves end[b] from its beginning to its end. */
    for (size_t i = 0; i < n; i++)
        entries[end[bits_of(keys[i], bits, BUCKET_BITS)]++] = (entry){keys[i], (uint32_t)i};
    for (size_t b = 0, begin = 0; b < BUCKETS; begin = end[b++])
        sort_bucket(entries + begin, beside, room_beside(n), end[b] - begin, bits);
    for (size_t rank = 0; rank < n; rank++) ranks[entries[rank].leaf] = base + (uint32_t)rank;
    clear_secret(scratch, assay_rank_scratch_size(n));
}

int assay_sort_positions(uint32_t *slots, uint32_t *places, uint32_t *counts,
                         const uint32_t *positions, size_t n, unsigned band_bits, size_t bands,
                         void *scratch)
{
    uint32_t *at = scratch;
    memset(counts, 0, bands * sizeof *counts);
    for (size_t t = 0; t < n; t++) {
        const uint32_t band = positions[t] >> band_bits;
        if (band >= bands) return ASSAY_BAD_COUNT;
        counts[band]++;
    }
    begin_groups(at, counts, bands);
    for (size_t t = 0; t < n; t++) {
        slots[t] = at[positions[t] >> band_bits]++;
        places[slots[t]] = positions[t] & (((uint32_t)1 << band_bits) - 1);
    }
    return ASSAY_OK;
}

size_t assay_sort_positions_scratch_size(size_t bands)
{
    return bands * sizeof(uint32_t);
}
