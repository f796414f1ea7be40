/* The second half of a batch of additions; avx512ifma_batch.h has the contract. */
#include "avx512ifma_batch.h"

/* Inverts every lane of *a; false when one is zero. */
static bool invert_lanes(lanes *a)
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

/* Every chain's product to its inverse. */
static bool invert_chains(lane_batch *batch)
{
    lanes *p = batch->product, prefix[CHAINS], all = lanes_small(1);
    for (int i = 0; i < CHAINS; i++) {
        prefix[i] = all;
        all = lanes_mul(&all, &p[i]);
    }
    if (!invert_lanes(&all)) return false;
    for (int i = CHAINS; i-- > 0;) {
        const lanes own = p[i];
        p[i] = lanes_mul(&all, &prefix[i]);
        all = lanes_mul(&all, &own);
    }
    return true;
}

/*
 * Pairs i and i - 1, or i alone: slope = (y_b - y_a)/d, x = slope² - x_a - x_b = slope² - (2x_a + d), y = slope·(x_a - x) - y_a.
 * Step by step for both, so that one's multiplications hide the other's latency.
 */
static inline void batch_pop(lane_batch *batch, size_t i, const int pairs)
{
    const batch_pair *pair = &batch->pair[i];
    lanes slope[2], t[2], u[2], x[2];
#pragma GCC unroll 2
    for (int k = 0; k < pairs; k++) {
        lanes *inverse = &batch->product[(i - k) % CHAINS];
        slope[k] = lanes_mul(inverse, &pair[-k].prefix);
        *inverse = lanes_mul(inverse, &pair[-k].difference);
    }
#pragma GCC unroll 2
    for (int k = 0; k < pairs; k++) {
        t[k] = lanes_difference(&pair[-k].ordinate, &pair[-k].point->y);
        slope[k] = lanes_mul(&slope[k], &t[k]);
    }
#pragma GCC unroll 2
    for (int k = 0; k < pairs; k++) {
        const lanes *x_a = &pair[-k].point->x;
        t[k] = lanes_plus(x_a, x_a);
        t[k] = lanes_plus(&t[k], &pair[-k].difference);
        t[k] = lanes_negated(&t[k], 4);
        x[k] = lanes_clear(lanes_sqr_add(&slope[k], &t[k]));
    }
#pragma GCC unroll 2
    for (int k = 0; k < pairs; k++) {
        point_lanes *a = pair[-k].point;
        t[k] = lanes_difference(&a->x, &x[k]);
        u[k] = lanes_negated(&a->y, 1);
        const lanes y = lanes_clear(lanes_mul_add(&slope[k], &t[k], &u[k]));
        a->x = lanes_select(&x[k], &a->x, pair[-k].idle);
        a->y = lanes_select(&y, &a->y, pair[-k].idle);
    }
}

bool batch_finish_ahead_var(lane_batch *batch, const packed *const *ahead, size_t count)
{
    if (batch->n == 0) return true;
    if (!invert_chains(batch)) return false;
    size_t fetched = 0;
    for (size_t i = batch->n; i > 0;) {
        const int pairs = i >= 2 ? 2 : 1;
        for (const size_t end = fetched + 2 * LANES; fetched < end && fetched < count; fetched++)
            __builtin_prefetch(ahead[fetched]);
        if (pairs == 2)
            batch_pop(batch, i - 1, 2);
        else
            batch_pop(batch, 0, 1);
        i -= (size_t)pairs;
    }
    batch->n = 0;
    return true;
}
