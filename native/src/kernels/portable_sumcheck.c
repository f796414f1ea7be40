/* The portable kernel: the loops of the sum-check; kernel.h has what each does. */
#include "kernels/portable_sumcheck.h"

#include <string.h>

void portable_sum_pairs(scalar sums[4], const scalar *pairs, size_t stride, const scalar *e,
                        const scalar *w, size_t n)
{
    scalar_sum h0 = {{0}}, h2 = {{0}}, l0 = {{0}};
    scalar t;
    sums[3] = SCALAR_ZERO;
    for (size_t k = 0; k < n; k++) {
        const scalar *a = pairs + 2 * stride * k, *b = a + 1;
        scalar_sqr(&t, a);
        scalar_sub(&t, &t, a);
        scalar_sum_mul(&h0, &e[k], &t);
        scalar_sub(&t, b, a);
        scalar_sqr(&t, &t);
        scalar_sum_mul(&h2, &e[k], &t);
        scalar_sum_mul(&l0, &w[k], a);
        scalar_add(&sums[3], &sums[3], a);
    }
    scalar_sum_reduce(&sums[0], &h0);
    scalar_sum_reduce(&sums[1], &h2);
    scalar_sum_reduce(&sums[2], &l0);
}

void portable_sum_byte_pairs(scalar *sum, const scalar *form, const uint64_t *values,
                             unsigned shift, const scalar *e, size_t n)
{
    scalar_sum h2 = {{0}};
    scalar t;
    for (size_t k = 0; k < n; k++) {
        const uint64_t pair = values[k] >> shift;
        scalar_sub(&t, &form[pair >> 8 & 255], &form[pair & 255]);
        scalar_sqr(&t, &t);
        scalar_sum_mul(&h2, &e[k], &t);
    }
    scalar_sum_reduce(sum, &h2);
}

/* A scalar is 2^256 times its integer, and the reduction divides by that: the sum comes out as an
 * integer. */
void portable_inner(scalar *sum, const scalar *a, size_t stride, const words *b, size_t n)
{
    scalar_sum total;
    scalar t;
    scalar_sum_zero(&total);
    for (size_t i = 0; i < n; i++) {
        memcpy(&t, &b[i], sizeof t);
        scalar_sum_mul(&total, &a[stride * i], &t);
    }
    scalar_sum_reduce(&t, &total);
    words plain;
    memcpy(&plain, &t, sizeof plain);
    scalar_from_words(sum, &plain);
}

void portable_fold_pairs(scalar *out, const scalar *in, const scalar *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        scalar t;
        scalar_sub(&t, &in[2 * i + 1], &in[2 * i]);
        scalar_mul(&t, &t, x);
        scalar_add(&out[i], &in[2 * i], &t);
    }
}

void portable_expand(scalar *out, const scalar *in, const scalar *at0, const scalar *at1, size_t n)
{
    for (size_t i = n; i-- > 0;) {
        scalar_mul(&out[2 * i + 1], &in[i], at1);
        scalar_mul(&out[2 * i], &in[i], at0);
    }
}

void portable_gather_bytes(scalar bytes[2][256], const uint64_t *values, const scalar *weights,
                           size_t n, const scalar position[4], void *buckets)
{
    REQUIRE(n <= 1 << 12 && (uintptr_t)buckets % 64 == 0);
    scalar *bucket = buckets;
    memset(bytes, 0, 2 * sizeof *bytes);
    for (unsigned q = 0; q < 8; q++) {
        memset(bucket, 0, 256 * sizeof *bucket);
        for (size_t y = 0; y < n; y++) {
            scalar *b = &bucket[values[y] >> (8 * q) & 255];
            scalar_add(b, b, &weights[y]);
        }
        for (unsigned i = 0; i < 256; i++) {
            scalar weighted;
            scalar_mul(&weighted, &bucket[i], &position[q / 2]);
            scalar_add(&bytes[q % 2][i], &bytes[q % 2][i], &weighted);
        }
    }
}

/* Eight columns at a time: first the sum of weights by the value of the row's byte. */
void portable_fold_rows(scalar *z, const uint8_t *rows, size_t row_bytes, const scalar *weights,
                        size_t n, void *buckets)
{
    REQUIRE(n <= 1 << 12);
    scalar *bucket = buckets;
    for (size_t g = 0; g < row_bytes; g++) {
        memset(bucket, 0, 256 * sizeof *bucket);
        for (size_t a = 0; a < n; a++) {
            scalar *b = &bucket[rows[a * row_bytes + g]];
            scalar_add(b, b, &weights[a]);
        }
        for (unsigned bit = 8; bit-- > 0;) {
            scalar *column = &z[8 * g + bit];
            const size_t half = (size_t)1 << bit;
            *column = SCALAR_ZERO;
            for (size_t i = 0; i < half; i++) {
                scalar_add(column, column, &bucket[half + i]);
                scalar_add(&bucket[i], &bucket[i], &bucket[half + i]);
            }
        }
    }
}
