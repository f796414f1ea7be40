/*
 * The field in eight lanes: one independent element a lane, by AVX-512 IFMA.
 *
 * An element is five limbs of 52 bits, Σ limb[i]·2^(52 i), not unique.  The multiplier reads the
 * low 52 bits of a limb and drops the rest without a word.  So products take *carried* operands:
 * each of limbs 0-3 has added its bits from 52 on to the next limb, and limb 4 is below 2^51. The
 * bits that were carried may still stand there, for the multiplier does not see them: a *factor*,
 * good for products alone. With those bits cleared the element is *tight*; a tight product is
 * *reduced*: limb 4 below 2^48 + 2^10.  *Loose* limbs are unsigned, below 2^60, and go nowhere but
 * into a carry or into the columns of a product.
 *
 * A difference is limb by limb a + k·2P - b, P being the limbs of p, so that no limb is ever
 * negative.  The least such k is b's *bound*: 1 for a reduced element and for any integer below
 * 2^256; that of a sum is the sum of the bounds.  ASSAY_CHECK_BOUNDS checks every operand of a
 * product and of a difference.
 */
#ifndef ASSAY_AVX512IFMA_FIELD_H
#define ASSAY_AVX512IFMA_FIELD_H

#include "curve/field.h"

#include <immintrin.h>

#define LANES 8

#define FIELD_MASK 0xFFFFFFFFFFFFFu    /* 52 bits */
#define FIELD_MASK_TOP 0xFFFFFFFFFFFFu /* 48 bits */
#define FIELD_P0 0xFFFFEFFFFFC2Fu      /* limb 0 of p; limbs 1-3 are FIELD_MASK */
#define FIELD_P4 0xFFFFFFFFFFFFu
#define FIELD_FOLD (16 * FIELD_C) /* 2^260 mod p */

typedef struct {
    __m512i limb0, limb1, limb2, limb3, limb4;
} lanes;

#ifdef ASSAY_CHECK_BOUNDS
#include <stdlib.h>

static inline void lanes_check(const lanes *a, uint64_t limb0, uint64_t middle, uint64_t limb4)
{
    const __m512i first = _mm512_set1_epi64((long long)limb0),
                  m = _mm512_set1_epi64((long long)middle),
                  last = _mm512_set1_epi64((long long)limb4);
    if (_mm512_cmpgt_epu64_mask(a->limb0, first) | _mm512_cmpgt_epu64_mask(a->limb1, m) |
        _mm512_cmpgt_epu64_mask(a->limb2, m) | _mm512_cmpgt_epu64_mask(a->limb3, m) |
        _mm512_cmpgt_epu64_mask(a->limb4, last))
        abort();
}
#else
static inline void lanes_check(const lanes *a, uint64_t limb0, uint64_t middle, uint64_t limb4)
{
    (void)a, (void)limb0, (void)middle, (void)limb4;
}
#endif

static inline void lanes_check_tight(const lanes *a)
{
    lanes_check(a, FIELD_MASK, FIELD_MASK, ((uint64_t)1 << 51) - 1);
}

static inline void lanes_check_factor(const lanes *a)
{
    lanes_check(a, UINT64_MAX, UINT64_MAX, ((uint64_t)1 << 51) - 1);
}

/* Limbs of bound k. */
static inline void lanes_check_bound(const lanes *a, unsigned k)
{
    lanes_check(a, 2 * k * (uint64_t)FIELD_P0, 2 * k * (uint64_t)FIELD_MASK,
                2 * k * (uint64_t)FIELD_P4);
}

static inline __m512i lane_all(uint64_t a)
{
    return _mm512_set1_epi64((long long)a);
}

/* *r = a, limb by limb: compilers copy the structure in smaller pieces, which the next load of a
 * vector has to wait for. */
static inline void lanes_put(lanes *r, lanes a)
{
    _mm512_store_si512(&r->limb0, a.limb0);
    _mm512_store_si512(&r->limb1, a.limb1);
    _mm512_store_si512(&r->limb2, a.limb2);
    _mm512_store_si512(&r->limb3, a.limb3);
    _mm512_store_si512(&r->limb4, a.limb4);
}

static inline lanes lanes_small(uint64_t a)
{
    const __m512i zero = _mm512_setzero_si512();
    return (lanes){lane_all(a), zero, zero, zero, zero};
}

/* A factor, from loose a of a value below 2^259. */
static inline lanes lanes_settle(lanes a)
{
    a.limb1 = _mm512_add_epi64(a.limb1, _mm512_srli_epi64(a.limb0, 52));
    a.limb2 = _mm512_add_epi64(a.limb2, _mm512_srli_epi64(a.limb1, 52));
    a.limb3 = _mm512_add_epi64(a.limb3, _mm512_srli_epi64(a.limb2, 52));
    a.limb4 = _mm512_add_epi64(a.limb4, _mm512_srli_epi64(a.limb3, 52));
    return a;
}

/* Tight, from a factor. */
static inline lanes lanes_clear(lanes a)
{
    const __m512i mask = lane_all(FIELD_MASK);
    a.limb0 = _mm512_and_si512(a.limb0, mask);
    a.limb1 = _mm512_and_si512(a.limb1, mask);
    a.limb2 = _mm512_and_si512(a.limb2, mask);
    a.limb3 = _mm512_and_si512(a.limb3, mask);
    return a;
}

/* Tight, from loose a of a value below 2^259. */
static inline lanes lanes_carry(lanes a)
{
    return lanes_clear(lanes_settle(a));
}

/* Loose: 2kP - b for b of bound k. */
static inline lanes lanes_negated(const lanes *b, unsigned k)
{
    lanes_check_bound(b, k);
    const __m512i p0 = lane_all(2 * k * (uint64_t)FIELD_P0),
                  p = lane_all(2 * k * (uint64_t)FIELD_MASK),
                  p4 = lane_all(2 * k * (uint64_t)FIELD_P4);
    return (lanes){_mm512_sub_epi64(p0, b->limb0), _mm512_sub_epi64(p, b->limb1),
                   _mm512_sub_epi64(p, b->limb2), _mm512_sub_epi64(p, b->limb3),
                   _mm512_sub_epi64(p4, b->limb4)};
}

/* b in the lanes of the mask turned to 2P - b, which has bound 2; b of bound 1. */
static inline lanes lanes_negate_some(const lanes *b, __mmask8 mask)
{
    lanes_check_bound(b, 1);
    const __m512i p0 = lane_all(2 * FIELD_P0), p = lane_all(2 * FIELD_MASK),
                  p4 = lane_all(2 * FIELD_P4);
    return (lanes){_mm512_mask_sub_epi64(b->limb0, mask, p0, b->limb0),
                   _mm512_mask_sub_epi64(b->limb1, mask, p, b->limb1),
                   _mm512_mask_sub_epi64(b->limb2, mask, p, b->limb2),
                   _mm512_mask_sub_epi64(b->limb3, mask, p, b->limb3),
                   _mm512_mask_sub_epi64(b->limb4, mask, p4, b->limb4)};
}

/* Loose: a + b. */
static inline lanes lanes_plus(const lanes *a, const lanes *b)
{
    return (lanes){_mm512_add_epi64(a->limb0, b->limb0), _mm512_add_epi64(a->limb1, b->limb1),
                   _mm512_add_epi64(a->limb2, b->limb2), _mm512_add_epi64(a->limb3, b->limb3),
                   _mm512_add_epi64(a->limb4, b->limb4)};
}

/* A factor: a - b for a of bound 2, b of bound 1. */
static inline lanes lanes_difference(const lanes *a, const lanes *b)
{
    lanes_check_bound(a, 2);
    const lanes minus = lanes_negated(b, 1);
    return lanes_settle(lanes_plus(a, &minus));
}

/*
 * A factor: Σ column[i]·2^(52 i), columns 0-8 below 2^61, column 9 below 2^51.  Limbs 5-9 fold onto
 * 0-4 by 2^260 = FOLD; what then stands at 2^256 and above, t < 2^13 + 2^41, by FOLD / 16 < 2^33:
 * below 2^75, so limbs 0 and 1 take it.  The last carries add less than 2^10 to limb 4.
 */
static inline lanes lanes_reduce(__m512i c0, __m512i c1, __m512i c2, __m512i c3, __m512i c4,
                                 __m512i c5, __m512i c6, __m512i c7, __m512i c8, __m512i c9)
{
    const __m512i fold = lane_all(FIELD_FOLD), zero = _mm512_setzero_si512();
    c6 = _mm512_add_epi64(c6, _mm512_srli_epi64(c5, 52));
    c7 = _mm512_add_epi64(c7, _mm512_srli_epi64(c6, 52));
    c8 = _mm512_add_epi64(c8, _mm512_srli_epi64(c7, 52));
    const __m512i h9 = _mm512_add_epi64(c9, _mm512_srli_epi64(c8, 52));
    c0 = _mm512_madd52lo_epu64(c0, c5, fold);
    c1 = _mm512_madd52hi_epu64(c1, c5, fold);
    c2 = _mm512_madd52hi_epu64(c2, c6, fold);
    c1 = _mm512_madd52lo_epu64(c1, c6, fold);
    c3 = _mm512_madd52hi_epu64(c3, c7, fold);
    c2 = _mm512_madd52lo_epu64(c2, c7, fold);
    c4 = _mm512_madd52hi_epu64(c4, c8, fold);
    c3 = _mm512_madd52lo_epu64(c3, c8, fold);
    const __m512i top = _mm512_madd52hi_epu64(zero, h9, fold);
    c4 = _mm512_madd52lo_epu64(c4, h9, fold);
    const __m512i t = _mm512_add_epi64(_mm512_srli_epi64(c4, 48), _mm512_slli_epi64(top, 4)),
                  small_fold = lane_all(FIELD_FOLD >> 4);
    c4 = _mm512_and_si512(c4, lane_all(FIELD_MASK_TOP));
    c0 = _mm512_madd52lo_epu64(c0, t, small_fold);
    c1 = _mm512_madd52hi_epu64(c1, t, small_fold);
    return lanes_settle((lanes){c0, c1, c2, c3, c4});
}

#define LO(c, a, b) c = _mm512_madd52lo_epu64(c, a, b)
#define HI(c, a, b) c = _mm512_madd52hi_epu64(c, a, b)

/* A factor, reduced but for its high bits: a·b + c, for loose c. */
static inline lanes lanes_mul_add(const lanes *a, const lanes *b, const lanes *c)
{
    COUNT_MULTIPLICATIONS(LANES);
    lanes_check_factor(a);
    lanes_check_factor(b);
    const __m512i a0 = a->limb0, a1 = a->limb1, a2 = a->limb2, a3 = a->limb3, a4 = a->limb4;
    const __m512i b0 = b->limb0, b1 = b->limb1, b2 = b->limb2, b3 = b->limb3, b4 = b->limb4;
    __m512i c0 = c->limb0, c1 = c->limb1, c2 = c->limb2, c3 = c->limb3, c4 = c->limb4;
    __m512i c5 = _mm512_setzero_si512(), c6 = c5, c7 = c5, c8 = c5, c9 = c5;
    LO(c0, a0, b0), LO(c1, a0, b1), LO(c2, a0, b2), LO(c3, a0, b3), LO(c4, a0, b4);
    HI(c1, a0, b0), HI(c2, a0, b1), HI(c3, a0, b2), HI(c4, a0, b3), HI(c5, a0, b4);
    LO(c1, a1, b0), LO(c2, a1, b1), LO(c3, a1, b2), LO(c4, a1, b3), LO(c5, a1, b4);
    HI(c2, a1, b0), HI(c3, a1, b1), HI(c4, a1, b2), HI(c5, a1, b3), HI(c6, a1, b4);
    LO(c2, a2, b0), LO(c3, a2, b1), LO(c4, a2, b2), LO(c5, a2, b3), LO(c6, a2, b4);
    HI(c3, a2, b0), HI(c4, a2, b1), HI(c5, a2, b2), HI(c6, a2, b3), HI(c7, a2, b4);
    LO(c3, a3, b0), LO(c4, a3, b1), LO(c5, a3, b2), LO(c6, a3, b3), LO(c7, a3, b4);
    HI(c4, a3, b0), HI(c5, a3, b1), HI(c6, a3, b2), HI(c7, a3, b3), HI(c8, a3, b4);
    LO(c4, a4, b0), LO(c5, a4, b1), LO(c6, a4, b2), LO(c7, a4, b3), LO(c8, a4, b4);
    HI(c5, a4, b0), HI(c6, a4, b1), HI(c7, a4, b2), HI(c8, a4, b3), HI(c9, a4, b4);
    return lanes_reduce(c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
}

/*
 * The same: a² + c.  A doubled limb would have 53 bits: the sums of the cross products are doubled
 * instead.
 */
static inline lanes lanes_sqr_add(const lanes *a, const lanes *c)
{
    COUNT_MULTIPLICATIONS(LANES);
    lanes_check_factor(a);
    const __m512i a0 = a->limb0, a1 = a->limb1, a2 = a->limb2, a3 = a->limb3, a4 = a->limb4;
    const __m512i zero = _mm512_setzero_si512();
    __m512i c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero, c8 = zero;
    LO(c1, a0, a1), LO(c2, a0, a2), LO(c3, a0, a3), LO(c4, a0, a4), LO(c5, a1, a4);
    HI(c2, a0, a1), HI(c3, a0, a2), HI(c4, a0, a3), HI(c5, a0, a4), HI(c6, a1, a4);
    LO(c3, a1, a2), LO(c4, a1, a3), LO(c5, a2, a3), LO(c6, a2, a4), LO(c7, a3, a4);
    HI(c4, a1, a2), HI(c5, a1, a3), HI(c6, a2, a3), HI(c7, a2, a4), HI(c8, a3, a4);
    __m512i c0 = c->limb0, c9 = zero;
    c1 = _mm512_add_epi64(_mm512_add_epi64(c1, c1), c->limb1);
    c2 = _mm512_add_epi64(_mm512_add_epi64(c2, c2), c->limb2);
    c3 = _mm512_add_epi64(_mm512_add_epi64(c3, c3), c->limb3);
    c4 = _mm512_add_epi64(_mm512_add_epi64(c4, c4), c->limb4);
    c5 = _mm512_add_epi64(c5, c5);
    c6 = _mm512_add_epi64(c6, c6);
    c7 = _mm512_add_epi64(c7, c7);
    c8 = _mm512_add_epi64(c8, c8);
    LO(c0, a0, a0), LO(c2, a1, a1), LO(c4, a2, a2), LO(c6, a3, a3), LO(c8, a4, a4);
    HI(c1, a0, a0), HI(c3, a1, a1), HI(c5, a2, a2), HI(c7, a3, a3), HI(c9, a4, a4);
    return lanes_reduce(c0, c1, c2, c3, c4, c5, c6, c7, c8, c9);
}

#undef LO
#undef HI

/* The same: a·b, a². */
static inline lanes lanes_mul(const lanes *a, const lanes *b)
{
    const lanes zero = lanes_small(0);
    return lanes_mul_add(a, b, &zero);
}

static inline lanes lanes_sqr(const lanes *a)
{
    const lanes zero = lanes_small(0);
    return lanes_sqr_add(a, &zero);
}

/* a where the mask is clear, b where it is set. */
static inline lanes lanes_select(const lanes *a, const lanes *b, __mmask8 mask)
{
    return (lanes){_mm512_mask_mov_epi64(a->limb0, mask, b->limb0),
                   _mm512_mask_mov_epi64(a->limb1, mask, b->limb1),
                   _mm512_mask_mov_epi64(a->limb2, mask, b->limb2),
                   _mm512_mask_mov_epi64(a->limb3, mask, b->limb3),
                   _mm512_mask_mov_epi64(a->limb4, mask, b->limb4)};
}

/*
 * Canonical, from tight: limb 4 first gives up its bits from 48 on, less than 2^3, so that the
 * value is below 2^256 + 2^36; then it is below p exactly if adding 2^256 - p does not reach 2^256.
 */
static inline lanes lanes_normalise(const lanes *a)
{
    lanes_check_tight(a);
    const __m512i top = _mm512_srli_epi64(a->limb4, 48), fold = lane_all(FIELD_FOLD >> 4),
                  mask = lane_all(FIELD_MASK_TOP);
    lanes r = *a;
    r.limb4 = _mm512_and_si512(r.limb4, mask);
    r.limb0 = _mm512_madd52lo_epu64(r.limb0, top, fold);
    r = lanes_carry(r);
    lanes t = r;
    t.limb0 = _mm512_add_epi64(t.limb0, fold);
    t = lanes_carry(t);
    const __mmask8 high = _mm512_cmpgt_epu64_mask(t.limb4, mask);
    t.limb4 = _mm512_and_si512(t.limb4, mask);
    return lanes_select(&r, &t, high);
}

/* The lanes in which a tight element is 0 mod p. */
static inline __mmask8 lanes_zero(const lanes *a)
{
    const lanes t = lanes_normalise(a);
    const __m512i bits = _mm512_or_si512(
        _mm512_or_si512(_mm512_or_si512(t.limb0, t.limb1), _mm512_or_si512(t.limb2, t.limb3)),
        t.limb4);
    return _mm512_testn_epi64_mask(bits, bits);
}

/* Limbs of 52 bits from words, and words from a canonical element. */
static inline lanes lanes_from_words(__m512i w0, __m512i w1, __m512i w2, __m512i w3)
{
    const __m512i mask = lane_all(FIELD_MASK);
    return (lanes){
        _mm512_and_si512(w0, mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w0, 52), _mm512_slli_epi64(w1, 12)),
                         mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w1, 40), _mm512_slli_epi64(w2, 24)),
                         mask),
        _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64(w2, 28), _mm512_slli_epi64(w3, 36)),
                         mask),
        _mm512_srli_epi64(w3, 16),
    };
}

static inline void lanes_to_words(__m512i w[4], const lanes *a)
{
    w[0] = _mm512_or_si512(a->limb0, _mm512_slli_epi64(a->limb1, 52));
    w[1] = _mm512_or_si512(_mm512_srli_epi64(a->limb1, 12), _mm512_slli_epi64(a->limb2, 40));
    w[2] = _mm512_or_si512(_mm512_srli_epi64(a->limb2, 24), _mm512_slli_epi64(a->limb3, 28));
    w[3] = _mm512_or_si512(_mm512_srli_epi64(a->limb3, 36), _mm512_slli_epi64(a->limb4, 16));
}

/* Word i of vector j becomes word j of vector i. */
static inline void lanes_transpose(__m512i r[8])
{
    const __m512i a0 = _mm512_unpacklo_epi64(r[0], r[1]), a1 = _mm512_unpackhi_epi64(r[0], r[1]);
    const __m512i a2 = _mm512_unpacklo_epi64(r[2], r[3]), a3 = _mm512_unpackhi_epi64(r[2], r[3]);
    const __m512i a4 = _mm512_unpacklo_epi64(r[4], r[5]), a5 = _mm512_unpackhi_epi64(r[4], r[5]);
    const __m512i a6 = _mm512_unpacklo_epi64(r[6], r[7]), a7 = _mm512_unpackhi_epi64(r[6], r[7]);
    const __m512i b0 = _mm512_shuffle_i64x2(a0, a2, 0x88), b2 = _mm512_shuffle_i64x2(a0, a2, 0xDD);
    const __m512i b1 = _mm512_shuffle_i64x2(a1, a3, 0x88), b3 = _mm512_shuffle_i64x2(a1, a3, 0xDD);
    const __m512i b4 = _mm512_shuffle_i64x2(a4, a6, 0x88), b6 = _mm512_shuffle_i64x2(a4, a6, 0xDD);
    const __m512i b5 = _mm512_shuffle_i64x2(a5, a7, 0x88), b7 = _mm512_shuffle_i64x2(a5, a7, 0xDD);
    r[0] = _mm512_shuffle_i64x2(b0, b4, 0x88), r[4] = _mm512_shuffle_i64x2(b0, b4, 0xDD);
    r[1] = _mm512_shuffle_i64x2(b1, b5, 0x88), r[5] = _mm512_shuffle_i64x2(b1, b5, 0xDD);
    r[2] = _mm512_shuffle_i64x2(b2, b6, 0x88), r[6] = _mm512_shuffle_i64x2(b2, b6, 0xDD);
    r[3] = _mm512_shuffle_i64x2(b3, b7, 0x88), r[7] = _mm512_shuffle_i64x2(b3, b7, 0xDD);
}

#endif
