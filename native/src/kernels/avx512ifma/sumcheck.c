/*
 * The inner loops of the prover's sum-check, eight scalars at a time; kernel.h has what each does.
 * Counts that are no multiple of eight are left to the portable kernel: they are the small ones.
 */
#include "kernels/avx512ifma/scalar.h"

#include "kernels/avx512ifma/kernel.h"

#include <string.h>

/* acc += the lanes of s; s is zero after. */
static void take_sum(scalar_sum *acc, lane_sum *s)
{
    uint64_t column[10][LANES];
    _mm512_storeu_si512(column[0], s->c0);
    _mm512_storeu_si512(column[1], s->c1);
    _mm512_storeu_si512(column[2], s->c2);
    _mm512_storeu_si512(column[3], s->c3);
    _mm512_storeu_si512(column[4], s->c4);
    _mm512_storeu_si512(column[5], s->c5);
    _mm512_storeu_si512(column[6], s->c6);
    _mm512_storeu_si512(column[7], s->c7);
    _mm512_storeu_si512(column[8], s->c8);
    _mm512_storeu_si512(column[9], s->c9);
    /* Column i has weight 2^(52 i).  Eight lanes are below 2^67, shifted below 2^123: cut in two,
     * but for the top. */
    for (unsigned i = 0; i < 10; i++) {
        uint128 total = 0;
        for (int k = 0; k < LANES; k++) total += column[i][k];
        const uint128 shifted = total << (52 * i % 64);
        const unsigned word = 52 * i / 64;
        if (word == 7) {
            acc->column[7] += shifted;
        } else {
            acc->column[word] += (uint64_t)shifted;
            acc->column[word + 1] += (uint64_t)(shifted >> 64);
        }
    }
    *s = lane_sum_zero();
}

/* *sum += the lanes of a, each the limb by limb sum of up to LANE_SUM_TERMS scalars; a is zero
 * after. */
static void add_lanes(scalar *sum, lanes *a)
{
    scalar lane[LANES];
    *a = lanes_scalar_normalise(*a);
    lanes_store_scalars(lane, a);
    for (int i = 0; i < LANES; i++) scalar_add(sum, sum, &lane[i]);
    *a = lanes_small(0);
}

/* Eight pairs, each 64 bytes: the first and the second scalars of them, as words. */
static inline void load_pairs(__m512i w[8], const scalar *const pair[LANES])
{
    for (int i = 0; i < LANES; i++) w[i] = _mm512_loadu_si512(pair[i]);
    lanes_transpose(w);
}

void avx512ifma_sum_pairs(scalar sums[4], const scalar *pairs, size_t stride, const scalar *e,
                          const scalar *w, size_t n)
{
    if (n % LANES != 0) {
        KERNEL_PORTABLE.sum_pairs(sums, pairs, stride, e, w, n);
        return;
    }
    scalar_sum total[3];
    lane_sum s0 = lane_sum_zero(), s1 = s0, s2 = s0;
    lanes plain = lanes_small(0);
    sums[3] = SCALAR_ZERO;
    for (int i = 0; i < 3; i++) scalar_sum_zero(&total[i]);
    for (size_t k = 0; k < n; k += LANES) {
        const scalar *pair[LANES];
        __m512i word[8], weight[4];
        for (size_t i = 0; i < LANES; i++) pair[i] = pairs + 2 * stride * (k + i);
        load_pairs(word, pair);
        const lanes a = lanes_from_words(word[0], word[1], word[2], word[3]),
                    b = lanes_from_words(word[4], word[5], word[6], word[7]),
                    a16 = lanes_from_words_16(word);
        lanes_load_scalar_words(weight, e + k);
        const lanes e1 = lanes_from_words(weight[0], weight[1], weight[2], weight[3]),
                    e16 = lanes_from_words_16(weight);
        const lanes w1 = lanes_load_scalars(w + k);
        lanes t = lanes_scalar_mul(&a16, &a);
        t = lanes_scalar_sub(&t, &a);
        lane_sum_mul(&s0, &e1, &t);
        t = lanes_scalar_sub(&b, &a);
        t = lanes_scalar_mul(&t, &t);
        lane_sum_mul(&s1, &e16, &t);
        lane_sum_mul(&s2, &w1, &a);
        plain = lanes_plus(&plain, &a);
        if ((k / LANES + 1) % LANE_SUM_TERMS == 0 || k + LANES == n) {
            take_sum(&total[0], &s0);
            take_sum(&total[1], &s1);
            take_sum(&total[2], &s2);
            add_lanes(&sums[3], &plain);
        }
    }
    for (int i = 0; i < 3; i++) scalar_sum_reduce(&sums[i], &total[i]);
}

void avx512ifma_sum_byte_pairs(scalar *sum, const scalar *form, const uint64_t *values,
                               unsigned shift, const scalar *e, size_t n)
{
    if (n % LANES != 0) {
        KERNEL_PORTABLE.sum_byte_pairs(sum, form, values, shift, e, n);
        return;
    }
    scalar_sum total;
    lane_sum s = lane_sum_zero();
    scalar_sum_zero(&total);
    for (size_t k = 0; k < n; k += LANES) {
        __m512i word[8];
        for (size_t i = 0; i < LANES; i++) {
            const uint64_t pair = values[k + i] >> shift;
            const __m256i low =
                _mm256_loadu_si256((const __m256i *)(const void *)&form[pair & 255]);
            const __m256i high =
                _mm256_loadu_si256((const __m256i *)(const void *)&form[pair >> 8 & 255]);
            word[i] = _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
        }
        lanes_transpose(word);
        const lanes a = lanes_from_words(word[0], word[1], word[2], word[3]),
                    b = lanes_from_words(word[4], word[5], word[6], word[7]),
                    e16 = lanes_load_scalars_16(e + k);
        lanes t = lanes_scalar_sub(&b, &a);
        t = lanes_scalar_mul(&t, &t);
        lane_sum_mul(&s, &e16, &t);
        if ((k / LANES + 1) % LANE_SUM_TERMS == 0 || k + LANES == n) take_sum(&total, &s);
    }
    scalar_sum_reduce(sum, &total);
}

void avx512ifma_inner(scalar *sum, const scalar *a, size_t stride, const words *b, size_t n)
{
    if (n % LANES != 0 || stride != 1) {
        KERNEL_PORTABLE.inner(sum, a, stride, b, n);
        return;
    }
    scalar_sum total;
    lane_sum s = lane_sum_zero();
    scalar_sum_zero(&total);
    for (size_t k = 0; k < n; k += LANES) {
        const lanes x = lanes_load_scalars(a + k),
                    y = lanes_load_scalars((const scalar *)(const void *)(b + k));
        lane_sum_mul(&s, &x, &y);
        if ((k / LANES + 1) % LANE_SUM_TERMS == 0 || k + LANES == n) take_sum(&total, &s);
    }
    scalar t;
    words plain;
    scalar_sum_reduce(&t, &total);
    memcpy(&plain, &t, sizeof plain);
    scalar_from_words(sum, &plain);
}

void avx512ifma_fold_pairs(scalar *out, const scalar *in, const scalar *x, size_t n)
{
    if (n % LANES != 0) {
        KERNEL_PORTABLE.fold_pairs(out, in, x, n);
        return;
    }
    const lanes x16 = lanes_broadcast_16(x);
    for (size_t k = 0; k < n; k += LANES) {
        const scalar *pair[LANES];
        __m512i word[8];
        for (size_t i = 0; i < LANES; i++) pair[i] = in + 2 * (k + i);
        load_pairs(word, pair);
        const lanes a = lanes_from_words(word[0], word[1], word[2], word[3]),
                    b = lanes_from_words(word[4], word[5], word[6], word[7]);
        lanes t = lanes_scalar_sub(&b, &a);
        t = lanes_scalar_mul(&x16, &t);
        t = lanes_scalar_normalise(lanes_plus(&t, &a));
        lanes_store_scalars(out + k, &t);
    }
}

void avx512ifma_expand(scalar *out, const scalar *in, const scalar *at0, const scalar *at1,
                       size_t n)
{
    if (n % LANES != 0) {
        KERNEL_PORTABLE.expand(out, in, at0, at1, n);
        return;
    }
    const lanes low = lanes_broadcast_16(at0), high = lanes_broadcast_16(at1);
    for (size_t k = n; k > 0;) {
        __m512i word[8];
        k -= LANES;
        const lanes a = lanes_load_scalars(in + k);
        lanes t = lanes_scalar_normalise(lanes_scalar_mul(&low, &a));
        lanes_to_words(word, &t);
        t = lanes_scalar_normalise(lanes_scalar_mul(&high, &a));
        lanes_to_words(word + 4, &t);
        lanes_transpose(word);
        for (size_t i = 0; i < LANES; i++) _mm512_storeu_si512(out + 2 * (k + i), word[i]);
    }
}

/* One scalar across a vector: five limbs, then zeros.  Sums of up to 2^12 of these stay loose. */
static inline __m512i spread(const scalar *a)
{
    const __m512i w = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)a));
    const __m512i low =
        _mm512_maskz_permutexvar_epi64(0x1F, _mm512_setr_epi64(0, 0, 1, 2, 3, 0, 0, 0), w);
    const __m512i high =
        _mm512_maskz_permutexvar_epi64(0x0E, _mm512_setr_epi64(0, 1, 2, 3, 0, 0, 0, 0), w);
    const __m512i down = _mm512_srlv_epi64(low, _mm512_setr_epi64(0, 52, 40, 28, 16, 0, 0, 0));
    const __m512i up = _mm512_sllv_epi64(high, _mm512_setr_epi64(0, 12, 24, 36, 0, 0, 0, 0));
    return _mm512_and_si512(_mm512_or_si512(down, up), lane_all(FIELD_MASK));
}

/* Eight sums of spread scalars, one a lane; loose. */
static inline lanes gather_spread(const __m512i sums[LANES])
{
    __m512i r[8];
    for (int i = 0; i < LANES; i++) r[i] = _mm512_loadu_si512(&sums[i]);
    lanes_transpose(r);
    return (lanes){r[0], r[1], r[2], r[3], r[4]};
}

_Static_assert(sizeof(__m512i) * 256 <= BUCKET_BYTES, "a bucket is a vector");

void avx512ifma_gather_bytes(scalar bytes[2][256], const uint64_t *values, const scalar *weights,
                             size_t n, const scalar position[4], void *buckets)
{
    REQUIRE(n <= 1 << 12 && (uintptr_t)buckets % 64 == 0);
    __m512i *bucket = buckets;
    memset(bytes, 0, 2 * sizeof *bytes);
    for (unsigned q = 0; q < 8; q++) {
        memset(bucket, 0, 256 * sizeof *bucket);
        for (size_t y = 0; y < n; y++) {
            __m512i *b = &bucket[values[y] >> (8 * q) & 255];
            *b = _mm512_add_epi64(*b, spread(&weights[y]));
        }
        const lanes factor = lanes_broadcast_16(&position[q / 2]);
        for (size_t i = 0; i < 256; i += LANES) {
            lanes t = lanes_scalar_normalise(gather_spread(bucket + i)),
                  u = lanes_load_scalars(&bytes[q % 2][i]);
            t = lanes_scalar_mul(&factor, &t);
            t = lanes_scalar_normalise(lanes_plus(&t, &u));
            lanes_store_scalars(&bytes[q % 2][i], &t);
        }
    }
}

void avx512ifma_fold_rows(scalar *z, const uint8_t *rows, size_t row_bytes, const scalar *weights,
                          size_t n, void *buckets)
{
    REQUIRE(n <= 1 << 12);
    __m512i *bucket = buckets, column[LANES];
    for (size_t g = 0; g < row_bytes; g++) {
        memset(bucket, 0, 256 * sizeof *bucket);
        for (size_t a = 0; a < n; a++) {
            __m512i *b = &bucket[rows[a * row_bytes + g]];
            *b = _mm512_add_epi64(*b, spread(&weights[a]));
        }
        for (unsigned bit = 8; bit-- > 0;) {
            const size_t half = (size_t)1 << bit;
            __m512i sum = _mm512_setzero_si512();
            for (size_t i = 0; i < half; i++) {
                sum = _mm512_add_epi64(sum, bucket[half + i]);
                bucket[i] = _mm512_add_epi64(bucket[i], bucket[half + i]);
            }
            column[bit] = sum;
        }
        const lanes t = lanes_scalar_normalise(gather_spread(column));
        lanes_store_scalars(z + 8 * g, &t);
    }
}
