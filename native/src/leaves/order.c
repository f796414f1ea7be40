/*
 * The order of an asset's leaves (spec/protocol.md 2.4): ascending by (t-th u64 of a stream, t).
 *
 * The sort keys are uniform, so their top bits cut them into buckets of like size, each small
 * enough for the cache.  The stream is made twice, once to count: that is cheaper than to keep it.
 * A bucket is sorted by its next 16 bits in two stable passes, and ends with an insertion sort on
 * whole keys, stable too, that has next to nothing left to do: 26 bits are sorted for at most 2^30
 * leaves. A bucket has n/1024 leaves give or take the square root; for twice as many there is no
 * room beside it, so it would be left to the insertion sort, which is slow but right.
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

/* Sort keys KEYS·i, KEYS·i + 1, … */
static void make_keys(uint64_t keys[KEYS], const stream *s, uint64_t i)
{
    uint8_t block[KEYS / 4][32];
    stream_blocks(block, s, KEYS / 4 * i, KEYS / 4);
    memcpy(keys, block, sizeof block);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (size_t k = 0; k < KEYS; k++) keys[k] = __builtin_bswap64(keys[k]);
#endif
}

static size_t bucket_of(uint64_t key)
{
    return (size_t)(key >> (64 - BUCKET_BITS));
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

static void sort_bucket(entry *entries, entry *beside, size_t room, size_t n)
{
    const unsigned shift = 64 - BUCKET_BITS - 2 * DIGIT_BITS;
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

size_t assay_order_scratch_size(size_t n)
{
    return ARENA_SIZE((BUCKETS + 1) * sizeof(size_t)) + ARENA_SIZE(n * sizeof(entry)) +
           ARENA_SIZE(room_beside(n) * sizeof(entry));
}

void assay_order(uint32_t *positions, const uint8_t *key, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    size_t *end = arena_take(&next, (BUCKETS + 1) * sizeof *end); /* of the bucket before */
    entry *entries = arena_take(&next, n * sizeof *entries), *beside = (entry *)next;
    stream s;
    uint64_t keys[KEYS];
    stream_begin(&s, key);
    memset(end, 0, (BUCKETS + 1) * sizeof *end);
    for (size_t t = 0; t < n; t++) {
        if (t % KEYS == 0) make_keys(keys, &s, t / KEYS);
        end[bucket_of(keys[t % KEYS]) + 1]++;
    }
    for (size_t b = 0; b < BUCKETS; b++) end[b + 1] += end[b];
    /* Filling bucket b moves end[b] from its beginning to its end. */
    for (size_t t = 0; t < n; t++) {
        if (t % KEYS == 0) make_keys(keys, &s, t / KEYS);
        entries[end[bucket_of(keys[t % KEYS])]++] = (entry){keys[t % KEYS], (uint32_t)t};
    }
    for (size_t b = 0, begin = 0; b < BUCKETS; begin = end[b++])
        sort_bucket(entries + begin, beside, room_beside(n), end[b] - begin);
    for (size_t rank = 0; rank < n; rank++) positions[entries[rank].leaf] = (uint32_t)rank;
    clear_secret(&s, sizeof s);
    clear_secret(keys, sizeof keys);
    clear_secret(scratch, assay_order_scratch_size(n));
}
