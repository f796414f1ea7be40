/* The second half of a batch of additions, and inversion; avx512ifma_batch.h has the contract. */
#include "avx512ifma_batch.h"

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

/*
 * Pairs i and i + 1, or i alone: slope = (y_b - y_a)/d, x = slope² - x_a - x_b = slope² - (2x_a + d), y = slope·(x_a - x) - y_a.
 * Step by step for both, so that one's multiplications hide the other's latency.  inverse[k] is that of the product up to and with pair i + k.
 */
static inline void batch_pop(lane_batch *batch, size_t i, const int pairs, lanes inverse[CHAINS])
{
    const batch_pair *pair = &batch->pair[i];
    point_lanes *const *point = &batch->point[i];
    lanes slope[2], t[2], u[2], x[2];
#pragma GCC unroll 2
    for (int k = 0; k < pairs; k++) {
        slope[k] = lanes_mul(&inverse[k], &pair[k].prefix);
        inverse[k] = lanes_mul(&inverse[k], &pair[k].difference);
    }
#pragma GCC unroll 2
    for (int k = 0; k < pairs; k++) {
        t[k] = lanes_difference(&pair[k].ordinate, &point[k]->y);
        slope[k] = lanes_mul(&slope[k], &t[k]);
    }
#pragma GCC unroll 2
    for (int k = 0; k < pairs; k++) {
        const lanes *x_a = &point[k]->x;
        t[k] = lanes_plus(x_a, x_a);
        t[k] = lanes_plus(&t[k], &pair[k].difference);
        t[k] = lanes_negated(&t[k], 4);
        x[k] = lanes_clear(lanes_sqr_add(&slope[k], &t[k]));
    }
#pragma GCC unroll 2
    for (int k = 0; k < pairs; k++) {
        point_lanes *a = point[k];
        const __mmask8 idle = batch->idle[i + (size_t)k];
        t[k] = lanes_difference(&a->x, &x[k]);
        u[k] = lanes_negated(&a->y, 1);
        lanes y = lanes_clear(lanes_mul_add(&slope[k], &t[k], &u[k]));
        if (idle != 0) {
            x[k] = lanes_select(&x[k], &a->x, idle);
            y = lanes_select(&y, &a->y, idle);
        }
        lanes_put(&a->x, x[k]);
        lanes_put(&a->y, y);
    }
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
        batch_pop(batch, --i, 1, inverse);
    }
    while (i > 0) {
        for (const size_t end = fetched + 2 * LANES; fetched < end && fetched < count; fetched++)
            __builtin_prefetch(ahead[fetched], 0, 2);
        i -= CHAINS;
        batch_pop(batch, i, 2, inverse);
    }
    batch->n = 0;
    return true;
}
