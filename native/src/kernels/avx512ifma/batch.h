/*
 * Eight points at a time: moving them in and out of lanes, and batches of affine additions that
 * share one inversion.
 *
 * A batch adds up to BATCH_VECTORS × 8 pairs.  batch_push takes an accumulator and what is added to
 * it, and multiplies the difference of the abscissae into one of CHAINS running products;
 * batch_finish_var inverts them all at once and, in the opposite order, leaves the sums in the
 * accumulators.  The formulas know neither infinity nor doubling.  Lanes marked idle keep their
 * accumulator. In any other lane a zero difference makes the product zero: batch_finish_var reports
 * that before anything is written, and the caller does the same work again by exact means.
 */
#ifndef ASSAY_AVX512IFMA_BATCH_H
#define ASSAY_AVX512IFMA_BATCH_H

#include "kernels/avx512ifma/field.h"
#include "kernels/tables.h"

#define BATCH_VECTORS 256
#define CHAINS 2

typedef struct {
    lanes x, y; /* bound 1, tight */
} point_lanes;

/* 15 cache lines.  With 16, addresses a page apart would meet every fourth pair, and stores hold up
 * loads that share their low 12 bits. */
typedef struct {
    lanes difference; /* d = x_b - x_a, tight, bound 2 */
    lanes ordinate;   /* y_b, bound 2 */
    lanes prefix;     /* a factor: the chain's product before */
} batch_pair;

typedef struct {
    size_t n; /* pairs pushed */
    batch_pair pair[BATCH_VECTORS +
                    CHAINS]; /* behind the pairs: the products of the chains, in `prefix` */
    point_lanes *point[BATCH_VECTORS]; /* the accumulators */
    __mmask8 idle[BATCH_VECTORS];
} lane_batch; /* about 260 kB */

static inline void batch_start(lane_batch *batch)
{
    batch->n = 0;
    for (int i = 0; i < CHAINS; i++) batch->pair[i].prefix = lanes_small(1);
}

/* *a += (x, y) in the lanes that are not idle; x of bound 1, y of bound 2. */
static inline void batch_push(lane_batch *batch, point_lanes *a, const lanes *x, const lanes *y,
                              __mmask8 idle)
{
    const size_t n = batch->n++;
    batch_pair *pair = &batch->pair[n];
    lanes difference = lanes_clear(lanes_difference(x, &a->x));
    if (idle != 0) {
        const lanes one = lanes_small(1);
        difference = lanes_select(&difference, &one, idle);
    }
    lanes_put(&pair->difference, difference);
    lanes_put(&pair->ordinate, *y);
    lanes_put(&pair[CHAINS].prefix, lanes_mul(&pair->prefix, &difference));
    batch->point[n] = a;
    batch->idle[n] = idle;
}

/* Adds up all pairs; false, and nothing done, when there is one that the formulas do not know.
 * Meanwhile the `count` entries of `ahead`, those of the next batch, are fetched into the second
 * cache: here memory is idle. */
bool batch_finish_ahead_var(lane_batch *batch, const packed *const *ahead, size_t count);

static inline bool batch_finish_var(lane_batch *batch)
{
    return batch_finish_ahead_var(batch, NULL, 0);
}

/* Inverts every lane of a factor; false, and nothing done, when one is zero. */
bool lanes_invert_var(lanes *a);

/* Eight table entries. */
static inline void lanes_load_packed(lanes *x, lanes *y, const packed *const entry[LANES])
{
    __m512i r[8];
    for (int i = 0; i < 8; i++) r[i] = _mm512_loadu_si512(entry[i]);
    lanes_transpose(r);
    *x = lanes_from_words(r[0], r[1], r[2], r[3]);
    *y = lanes_from_words(r[4], r[5], r[6], r[7]);
}

/* Eight affine points, whose coordinates are any integers below 2^256. */
static inline void lanes_load_affine(point_lanes *r, const affine *const a[LANES])
{
    __m512i v[8];
    for (int i = 0; i < 8; i++) v[i] = _mm512_loadu_si512(a[i]);
    lanes_transpose(v);
    r->x = lanes_from_words(v[0], v[1], v[2], v[3]);
    r->y = lanes_from_words(v[4], v[5], v[6], v[7]);
}

/* Eight points, canonical, as affine points or as table entries: both are the words of x and of y.
 */
static inline void lanes_store(__m512i r[LANES], const point_lanes *a)
{
    const lanes x = lanes_normalise(&a->x), y = lanes_normalise(&a->y);
    lanes_to_words(r, &x);
    lanes_to_words(r + 4, &y);
    lanes_transpose(r);
}

static inline void lanes_store_packed(packed *const out[LANES], const point_lanes *a)
{
    __m512i r[LANES];
    lanes_store(r, a);
    for (int i = 0; i < LANES; i++) _mm512_storeu_si512(out[i], r[i]);
}

/* The first n of eight points. */
static inline void lanes_store_affine(affine *out, const point_lanes *a, size_t n)
{
    __m512i r[LANES];
    lanes_store(r, a);
    for (size_t i = 0; i < n; i++) _mm512_storeu_si512(&out[i], r[i]);
}

_Static_assert(sizeof(affine) == sizeof(__m512i) && sizeof(packed) == sizeof(__m512i),
               "a point is a vector");

#endif
