/*
 * Products in nine limbs of 29 bits, for a machine without a 64 x 64 -> 128 multiplication
 * (WebAssembly).  Included by field_inline.h alone.
 *
 * *Loose*: limbs below 2^29, but for limb 3, which is at most 2^29.  So a loose element is an
 * integer of at most 2^261 - 1 + 2^87.  Products take loose elements and give loose ones.
 *
 * 2^261 = 2^5·FIELD_C = 2^37 + FIELD29_C mod p: what exceeds limb 8 by h comes back as h·FIELD29_C
 * in limb 0 and h·2^8 in limb 1.
 *
 * Only clang compiles this: GCC 12 at -O3 gives wrong products, by its vectoriser of basic blocks.
 */
#ifndef ASSAY_FIELD29_H
#define ASSAY_FIELD29_H

#ifndef __clang__
#error "GCC's vectoriser makes wrong products of this"
#endif

#define FIELD29_C 31264u
#define LIMB29 0x1FFFFFFFu
#define INLINE29 static inline __attribute__((always_inline)) /* a call goes through memory */

typedef struct {
    uint32_t limb[9];
} field_factor;

INLINE29 void field_to_factor(field_factor *r, const field *a)
{
    const uint64_t w0 = a->limb[0], w1 = a->limb[1], w2 = a->limb[2], w3 = a->limb[3];
    r->limb[0] = (uint32_t)w0 & LIMB29;
    r->limb[1] = (uint32_t)(w0 >> 29) & LIMB29;
    r->limb[2] = (uint32_t)(w0 >> 58 | w1 << 6) & LIMB29;
    r->limb[3] = (uint32_t)(w1 >> 23) & LIMB29;
    r->limb[4] = (uint32_t)(w1 >> 52 | w2 << 12) & LIMB29;
    r->limb[5] = (uint32_t)(w2 >> 17) & LIMB29;
    r->limb[6] = (uint32_t)(w2 >> 46 | w3 << 18) & LIMB29;
    r->limb[7] = (uint32_t)(w3 >> 11) & LIMB29;
    r->limb[8] = (uint32_t)(w3 >> 40);
}

/*
 * Of a loose element.  Limb 8 is below 2^29, so top, its part from 2^256 on, is below 2^5, and
 * comes back as top·FIELD_C < 2^38.  The sum is at most 2^256 - 1 + 2^87 + 2^38, so every carry is
 * 0 or 1, and so is `over`, what exceeds 2^256.  If it is 1, less than 2^88 is left: FIELD_C may
 * carry out of word 0, and word 1, below 2^24, takes that.
 */
INLINE29 void field_from_factor(field *r, const field_factor *a)
{
    const uint32_t top = a->limb[8] >> 24;
    uint64_t l[9];
    uint32_t carry = 0;
    for (int i = 0; i < 9; i++) {
        uint32_t v = (i < 8 ? a->limb[i] : a->limb[8] & 0xFFFFFF) + carry;
        if (i == 0) v += top * 977;
        if (i == 1) v += top << 3;
        l[i] = i < 8 ? v & LIMB29 : v;
        carry = v >> 29;
    }
    const uint64_t over = l[8] >> 24;
    const uint64_t word0 = l[0] | l[1] << 29 | l[2] << 58;
    r->limb[0] = word0 + (FIELD_C & (0 - over));
    r->limb[1] = (l[2] >> 6 | l[3] << 23 | l[4] << 52) + (r->limb[0] < word0);
    r->limb[2] = l[4] >> 12 | l[5] << 17 | l[6] << 46;
    r->limb[3] = l[6] >> 18 | l[7] << 11 | l[8] << 40;
}

/*
 * Σ c_k·2^(29k) for columns of at most 9·2^58 < 2^62 - 2^58, and c_16 <= 2^58: a loose element.
 *
 * The upper columns become limbs h_0 … h_7 below 2^29, each carry being below 2^33, and h_8, the
 * carry out of column 16, at most 2^29 + 2^4.  A lower column then takes less than 2^45 + 2^38 from
 * them, and a carry below 2^33, and stays below 2^62.  What comes out of column 8, and h_8·2^8,
 * make t < 2^33 + 2^37 + 2^12 < 2^38.  It adds less than 2^53 to limb 0, which carries less than
 * 2^25, and less than 2^46 + 2^25 to limb 1, which carries at most 2^17; then limb 2 carries at
 * most 1, and limb 3 takes it.
 */
INLINE29 void factor_reduce(field_factor *r, const uint64_t c[17])
{
    uint64_t h[9], l[9], v, carry = 0, before = 0;
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
        v = c[i + 9] + carry;
        h[i] = v & LIMB29;
        carry = v >> 29;
    }
    h[8] = carry;
    carry = 0;
#pragma clang loop unroll(full)
    for (int i = 0; i < 9; i++) {
        v = c[i] + h[i] * FIELD29_C + (before << 8) + carry;
        before = h[i];
        l[i] = v & LIMB29;
        carry = v >> 29;
    }
    const uint64_t t = carry + (before << 8);
    v = l[0] + t * FIELD29_C;
    l[0] = v & LIMB29;
    v = l[1] + (t << 8) + (v >> 29);
    l[1] = v & LIMB29;
    v = l[2] + (v >> 29);
    l[2] = v & LIMB29;
    l[3] += v >> 29;
    for (int i = 0; i < 9; i++) r->limb[i] = (uint32_t)l[i];
}

INLINE29 void factor_mul(field_factor *r, const field_factor *a, const field_factor *b)
{
    uint64_t c[17];
#pragma clang loop unroll(full)
    for (int k = 0; k < 17; k++) {
        c[k] = 0;
#pragma clang loop unroll(full)
        for (int i = 0; i < 9; i++)
            if (k - i >= 0 && k - i < 9) c[k] += (uint64_t)a->limb[i] * b->limb[k - i];
    }
    factor_reduce(r, c);
}

/* The mixed products by doubled limbs, and the squares: the same columns. */
INLINE29 void factor_sqr(field_factor *r, const field_factor *a)
{
    uint64_t c[17], x[9], d[9];
#pragma clang loop unroll(full)
    for (int i = 0; i < 9; i++) {
        x[i] = a->limb[i];
        d[i] = 2 * x[i];
    }
#pragma clang loop unroll(full)
    for (int k = 0; k < 17; k++) {
        c[k] = k % 2 == 0 ? x[k / 2] * x[k / 2] : 0;
#pragma clang loop unroll(full)
        for (int i = 0; i < 9; i++)
            if (k - i > i && k - i < 9) c[k] += x[i] * d[k - i];
    }
    factor_reduce(r, c);
}

static inline void field_mul(field *r, const field *a, const field *b)
{
    field_factor x, y;
    field_to_factor(&x, a);
    field_to_factor(&y, b);
    factor_mul(&x, &x, &y);
    field_from_factor(r, &x);
}

static inline void field_sqr(field *r, const field *a)
{
    field_factor x;
    field_to_factor(&x, a);
    factor_sqr(&x, &x);
    field_from_factor(r, &x);
}

#endif
