/* The second half of a batch of additions, and inversion; batch.h has the contract. */
#include "kernels/avx512ifma/batch.h"

bool lanes_invert_var(lanes *a)
{
    __m512i w[4];
    uint64_t word[4][LANES];
    field element[LANES], prefix[LANES], product = FIELD_ONE;
    lanes t = lanes_clear(*a);
    t = lanes_normalise(&t);
    lanes_to_words(w, &t);
    for (int k = 0; k < 4; k++) _mm512_storeu_si512(word[k], w[k]);
    for (int i = 0; i < LANES; i++) {
        for (int k = 0; k < 4; k++) element[i].limb[k] = word[k][i];
        prefix[i] = product;
        field_mul(&product, &product, &element[i]);
    }
    if (field_is_zero(&product)) return false;
    field_inverse_var(&product, &product);
    for (int i = LANES; i-- > 0;) {
        field_mul(&prefix[i], &prefix[i], &product);
        field_mul(&product, &product, &element[i]);
        for (int k = 0; k < 4; k++) word[k][i] = prefix[i].limb[k];
    }
    for (int k = 0; k < 4; k++) w[k] = _mm512_loadu_si512(word[k]);
    *a = lanes_from_words(w[0], w[1], w[2], w[3]);
    return true;
}

/* The inverse of every chain's product. */
static bool invert_chains(lanes inverse[CHAINS], const lane_batch *batch)
{
    const batch_pair *last = &batch->pair[batch->n];
    lanes prefix[CHAINS], all = lanes_small(1);
    for (int i = 0; i < CHAINS; i++) {
        prefix[i] = all;
        all = lanes_mul(&all, &last[i].prefix);
    }
    if (!lanes_invert_var(&all)) return false;
    for (int i = CHAINS; i-- > 0;) {
        inverse[i] = lanes_mul(&all, &prefix[i]);
        all = lanes_mul(&all, &last[i].prefix);
    }
    return true;
}

/* A sum, step by step: slope = (y_b - y_a)/d, x = slope² - x_a - x_b = slope² - (2x_a + d), y =
 * slope·(x_a - x) - y_a. */
static inline void invert_difference(lanes *slope, lanes *inverse, const batch_pair *pair)
{
    *slope = lanes_mul(inverse, &pair->prefix);
    *inverse = lanes_mul(inverse, &pair->difference);
}

static inline void find_slope(lanes *slope, const batch_pair *pair, const point_lanes *a)
{
    const lanes rise = lanes_difference(&pair->ordinate, &a->y);
    *slope = lanes_mul(slope, &rise);
}

static inline lanes find_abscissa(const lanes *slope, const batch_pair *pair, const point_lanes *a)
{
    lanes t = lanes_plus(&a->x, &a->x);
    t = lanes_plus(&t, &pair->difference);
    t = lanes_negated(&t, 4);
    return lanes_clear(lanes_sqr_add(slope, &t));
}

/* *r = a in the lanes that are not idle. */
static inline void put_busy(lanes *r, lanes a, __mmask8 idle)
{
    const __mmask8 busy = (__mmask8)~idle;
    if (idle == 0) {
        lanes_put(r, a);
        return;
    }
    _mm512_mask_store_epi64(&r->limb0, busy, a.limb0);
    _mm512_mask_store_epi64(&r->limb1, busy, a.limb1);
    _mm512_mask_store_epi64(&r->limb2, busy, a.limb2);
    _mm512_mask_store_epi64(&r->limb3, busy, a.limb3);
    _mm512_mask_store_epi64(&r->limb4, busy, a.limb4);
}

static inline void store_sum(point_lanes *a, const lanes *x, const lanes *slope, __mmask8 idle)
{
    const lanes run = lanes_difference(&a->x, x), minus = lanes_negated(&a->y, 1);
    put_busy(&a->x, *x, idle);
    put_busy(&a->y, lanes_clear(lanes_mul_add(slope, &run, &minus)), idle);
}

/* Pair i alone. */
static void batch_pop(lane_batch *batch, size_t i, lanes *inverse)
{
    lanes slope;
    invert_difference(&slope, inverse, &batch->pair[i]);
    find_slope(&slope, &batch->pair[i], batch->point[i]);
    const lanes x = find_abscissa(&slope, &batch->pair[i], batch->point[i]);
    store_sum(batch->point[i], &x, &slope, batch->idle[i]);
}

#define FORGET() __asm__ volatile("" : : : "memory")

/* Pairs i and i + 1: one's multiplications hide the other's latency.  What a step has read, the
 * next reads again: kept for it, it would be stored on the stack, and a store takes longer than a
 * multiplication of limbs. */
static inline void batch_pop_two(lane_batch *batch, size_t i, lanes inverse[CHAINS])
{
    const batch_pair *p = &batch->pair[i], *q = p + 1;
    point_lanes *a = batch->point[i], *b = batch->point[i + 1];
    lanes s, t;
    invert_difference(&s, &inverse[0], p);
    invert_difference(&t, &inverse[1], q);
    FORGET();
    find_slope(&s, p, a);
    find_slope(&t, q, b);
    FORGET();
    const lanes x = find_abscissa(&s, p, a), y = find_abscissa(&t, q, b);
    FORGET();
    store_sum(a, &x, &s, batch->idle[i]);
    store_sum(b, &y, &t, batch->idle[i + 1]);
}

bool batch_finish_ahead_var(lane_batch *batch, const packed *const *ahead, size_t count)
{
    lanes inverse[CHAINS];
    size_t fetched = 0, i = batch->n;
    if (i == 0) return true;
    if (!invert_chains(inverse, batch)) return false;
    if (i % CHAINS != 0) {
        /* The product that comes first belongs to the other chain. */
        const lanes first = inverse[0];
        inverse[0] = inverse[1];
        inverse[1] = first;
        batch_pop(batch, --i, &inverse[0]);
    }
    while (i > 0) {
        for (const size_t end = fetched + 2 * LANES; fetched < end && fetched < count; fetched++)
            __builtin_prefetch(ahead[fetched], 0, 2);
        i -= CHAINS;
        batch_pop_two(batch, i, inverse);
    }
    batch->n = 0;
    return true;
}
