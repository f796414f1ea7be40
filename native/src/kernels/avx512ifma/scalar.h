/*
 * Scalars in eight lanes: integers mod n, five limbs of 52 bits, one independent scalar a lane.
 *
 * In memory a scalar keeps the form of scalar.h, a·2^256 mod n.  Here the reduction divides by
 * 2^260: the product of two such forms comes out 2^4 too small, so one operand is loaded times
 * sixteen (lanes_load_scalars_16).  The names of field.h hold: a factor is carried, with
 * limb 4 below 2^52; the multiplier reads the low 52 bits of a limb.
 *
 * A lane_sum adds up products without reducing them.  A column gains less than 10·2^52 a product,
 * so 256 products leave it below 2^64.
 */
#ifndef ASSAY_AVX512IFMA_SCALAR_H
#define ASSAY_AVX512IFMA_SCALAR_H

#include "curve/scalar.h"
#include "kernels/avx512ifma/batch.h"

#define LANE_SUM_TERMS 256

typedef struct {
    __m512i c0, c1, c2, c3, c4, c5, c6, c7, c8, c9;
} lane_sum;

static inline lane_sum lane_sum_zero(void)
{
    const __m512i zero = _mm512_setzero_si512();
    return (lane_sum){zero, zero, zero, zero, zero, zero, zero, zero, zero, zero};
}

#define LO(c, a, b) c = _mm512_madd52lo_epu64(c, a, b)
#define HI(c, a, b) c = _mm512_madd52hi_epu64(c, a, b)

/* s += a·b, both factors. */
static inline void lane_sum_mul(lane_sum *s, const lanes *a, const lanes *b)
{
    const __m512i a0 = a->limb0, a1 = a->limb1, a2 = a->limb2, a3 = a->limb3, a4 = a->limb4;
    const __m512i b0 = b->limb0, b1 = b->limb1, b2 = b->limb2, b3 = b->limb3, b4 = b->limb4;
    LO(s->c0, a0, b0), LO(s->c1, a0, b1), LO(s->c2, a0, b2), LO(s->c3, a0, b3), LO(s->c4, a0, b4);
    HI(s->c1, a0, b0), HI(s->c2, a0, b1), HI(s->c3, a0, b2), HI(s->c4, a0, b3), HI(s->c5, a0, b4);
    LO(s->c1, a1, b0), LO(s->c2, a1, b1), LO(s->c3, a1, b2), LO(s->c4, a1, b3), LO(s->c5, a1, b4);
    HI(s->c2, a1, b0), HI(s->c3, a1, b1), HI(s->c4, a1, b2), HI(s->c5, a1, b3), HI(s->c6, a1, b4);
    LO(s->c2, a2, b0), LO(s->c3, a2, b1), LO(s->c4, a2, b2), LO(s->c5, a2, b3), LO(s->c6, a2, b4);
    HI(s->c3, a2, b0), HI(s->c4, a2, b1), HI(s->c5, a2, b2), HI(s->c6, a2, b3), HI(s->c7, a2, b4);
    LO(s->c3, a3, b0), LO(s->c4, a3, b1), LO(s->c5, a3, b2), LO(s->c6, a3, b3), LO(s->c7, a3, b4);
    HI(s->c4, a3, b0), HI(s->c5, a3, b1), HI(s->c6, a3, b2), HI(s->c7, a3, b3), HI(s->c8, a3, b4);
    LO(s->c4, a4, b0), LO(s->c5, a4, b1), LO(s->c6, a4, b2), LO(s->c7, a4, b3), LO(s->c8, a4, b4);
    HI(s->c5, a4, b0), HI(s->c6, a4, b1), HI(s->c7, a4, b2), HI(s->c8, a4, b3), HI(s->c9, a4, b4);
}

#define ORDER_LIMBS                                                                                \
    0x25E8CD0364141u, 0xE6AF48A03BBFDu, 0xFFFFFFEBAAEDCu, 0xFFFFFFFFFFFFFu, 0xFFFFFFFFFFFFu
#define ORDER_INVERSE_52 0xDFF665588B13Fu /* -1/n mod 2^52 */
#define ORDER_C_0 0xDA1732FC9BEBFu        /* 2^256 - n */
#define ORDER_C_1 0x1950B75FC4402u
#define ORDER_C_2 0x1455123u

/* One step of Montgomery's reduction: c0 becomes a multiple of 2^52 and goes over to c1. */
static inline void lane_sum_step(__m512i c0, __m512i *c1, __m512i *c2, __m512i *c3, __m512i *c4,
                                 __m512i *c5)
{
    static const uint64_t n[5] = {ORDER_LIMBS};
    const __m512i n0 = lane_all(n[0]), n1 = lane_all(n[1]), n2 = lane_all(n[2]),
                  n3 = lane_all(n[3]), n4 = lane_all(n[4]);
    const __m512i m = _mm512_madd52lo_epu64(_mm512_setzero_si512(), c0, lane_all(ORDER_INVERSE_52));
    LO(c0, m, n0);
    HI(*c1, m, n0);
    LO(*c1, m, n1);
    HI(*c2, m, n1);
    LO(*c2, m, n2);
    HI(*c3, m, n2);
    LO(*c3, m, n3);
    HI(*c4, m, n3);
    LO(*c4, m, n4);
    HI(*c5, m, n4);
    *c1 = _mm512_add_epi64(*c1, _mm512_srli_epi64(c0, 52));
}

#undef LO
#undef HI

/* Tight: s / 2^260 mod n, below s / 2^260 + n; columns below 2^62. */
static inline lanes lane_sum_reduce(lane_sum s)
{
    lane_sum_step(s.c0, &s.c1, &s.c2, &s.c3, &s.c4, &s.c5);
    lane_sum_step(s.c1, &s.c2, &s.c3, &s.c4, &s.c5, &s.c6);
    lane_sum_step(s.c2, &s.c3, &s.c4, &s.c5, &s.c6, &s.c7);
    lane_sum_step(s.c3, &s.c4, &s.c5, &s.c6, &s.c7, &s.c8);
    lane_sum_step(s.c4, &s.c5, &s.c6, &s.c7, &s.c8, &s.c9);
    return lanes_carry((lanes){s.c5, s.c6, s.c7, s.c8, s.c9});
}

/* Tight: a·b / 2^260 mod n, below 2^257 + 2^256 for a·b < 2^517. */
static inline lanes lanes_scalar_mul(const lanes *a, const lanes *b)
{
    lane_sum s = lane_sum_zero();
    lane_sum_mul(&s, a, b);
    return lane_sum_reduce(s);
}

/* Tight: a - b + 4n, below 2^259, for tight a and b below 2^257 + 2^256. */
static inline lanes lanes_scalar_sub(const lanes *a, const lanes *b)
{
    return lanes_carry((lanes){
        _mm512_sub_epi64(_mm512_add_epi64(a->limb0, lane_all(0x297A3340D90504u)), b->limb0),
        _mm512_sub_epi64(_mm512_add_epi64(a->limb1, lane_all(0x29ABD2280EEFF2u)), b->limb1),
        _mm512_sub_epi64(_mm512_add_epi64(a->limb2, lane_all(0x2FFFFFFAEABB71u)), b->limb2),
        _mm512_sub_epi64(_mm512_add_epi64(a->limb3, lane_all(0x2FFFFFFFFFFFFDu)), b->limb3),
        _mm512_sub_epi64(_mm512_add_epi64(a->limb4, lane_all(0x3FFFFFFFFFFFDu)), b->limb4),
    });
}

/*
 * Below n, from loose limbs: first q·2^256 = q·c for what limb 4 has above 48 bits, q < 2^13, which
 * leaves less than 2^256 + 2^143; then n is subtracted exactly if adding c = 2^256 - n reaches
 * 2^256.
 */
static inline lanes lanes_scalar_normalise(lanes a)
{
    const __m512i c0 = lane_all(ORDER_C_0), c1 = lane_all(ORDER_C_1), c2 = lane_all(ORDER_C_2),
                  mask = lane_all(FIELD_MASK_TOP);
    a = lanes_carry(a);
    const __m512i q = _mm512_srli_epi64(a.limb4, 48);
    a.limb4 = _mm512_and_si512(a.limb4, mask);
    a.limb0 = _mm512_madd52lo_epu64(a.limb0, q, c0);
    a.limb1 = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(a.limb1, q, c0), q, c1);
    a.limb2 = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(a.limb2, q, c1), q, c2);
    a = lanes_carry(a);
    lanes t = a;
    t.limb0 = _mm512_add_epi64(t.limb0, c0);
    t.limb1 = _mm512_add_epi64(t.limb1, c1);
    t.limb2 = _mm512_add_epi64(t.limb2, c2);
    t = lanes_carry(t);
    const __mmask8 high = _mm512_cmpgt_epu64_mask(t.limb4, mask);
    t.limb4 = _mm512_and_si512(t.limb4, mask);
    return lanes_select(&a, &t, high);
}

/* Limbs of 16·w for words w: limb 4 below 2^52. */
static inline lanes lanes_from_words_16(const __m512i w[4])
{
    const __m512i mask = lane_all(FIELD_MASK);
    return (lanes){
        _mm512_and_si512(_mm512_slli_epi64(w[0], 4), mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[0], 48), _mm512_slli_epi64(w[1], 16)),
                         mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[1], 36), _mm512_slli_epi64(w[2], 28)),
                         mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w[2], 24), _mm512_slli_epi64(w[3], 40)),
                         mask),
        _mm512_srli_epi64(w[3], 12),
    };
}

/* The words of eight scalars side by side. */
static inline void lanes_load_scalar_words(__m512i w[4], const scalar a[LANES])
{
    const __m512i low = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13),
                  high = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i z0 = _mm512_loadu_si512(a), z1 = _mm512_loadu_si512(a + 2),
                  z2 = _mm512_loadu_si512(a + 4), z3 = _mm512_loadu_si512(a + 6);
    const __m512i p = _mm512_permutex2var_epi64(z0, low, z1),
                  q = _mm512_permutex2var_epi64(z2, low, z3);
    const __m512i r = _mm512_permutex2var_epi64(z0, high, z1),
                  s = _mm512_permutex2var_epi64(z2, high, z3);
    w[0] = _mm512_shuffle_i64x2(p, q, 0x44);
    w[1] = _mm512_shuffle_i64x2(p, q, 0xEE);
    w[2] = _mm512_shuffle_i64x2(r, s, 0x44);
    w[3] = _mm512_shuffle_i64x2(r, s, 0xEE);
}

static inline lanes lanes_load_scalars(const scalar a[LANES])
{
    __m512i w[4];
    lanes_load_scalar_words(w, a);
    return lanes_from_words(w[0], w[1], w[2], w[3]);
}

static inline lanes lanes_load_scalars_16(const scalar a[LANES])
{
    __m512i w[4];
    lanes_load_scalar_words(w, a);
    return lanes_from_words_16(w);
}

/* Scalars below n. */
static inline void lanes_store_scalars(scalar out[LANES], const lanes *a)
{
    const __m512i first = _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13),
                  second = _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15);
    __m512i w[4];
    lanes_to_words(w, a);
    const __m512i p = _mm512_shuffle_i64x2(w[0], w[1], 0x44),
                  q = _mm512_shuffle_i64x2(w[2], w[3], 0x44);
    const __m512i r = _mm512_shuffle_i64x2(w[0], w[1], 0xEE),
                  s = _mm512_shuffle_i64x2(w[2], w[3], 0xEE);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi64(p, first, q));
    _mm512_storeu_si512(out + 2, _mm512_permutex2var_epi64(p, second, q));
    _mm512_storeu_si512(out + 4, _mm512_permutex2var_epi64(r, first, s));
    _mm512_storeu_si512(out + 6, _mm512_permutex2var_epi64(r, second, s));
}

/* Eight times the same scalar, times sixteen. */
static inline lanes lanes_broadcast_16(const scalar *a)
{
    const __m512i w[4] = {lane_all(a->limb[0]), lane_all(a->limb[1]), lane_all(a->limb[2]),
                          lane_all(a->limb[3])};
    return lanes_from_words_16(w);
}

#endif
