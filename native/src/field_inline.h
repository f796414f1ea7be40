/*
 * The hot part of field.h, inline.  Included by field.h alone.
 *
 * Reduction: 2^260 = FOLD mod p, so limb 5 + i of a product goes to limb i times FOLD; and what
 * exceeds 2^256 in limb 4 goes to limb 0 times 2^256 mod p = FOLD / 16.
 */
#ifndef ASSAY_FIELD_INLINE_H
#define ASSAY_FIELD_INLINE_H

#define FIELD_MASK_TOP 0xFFFFFFFFFFFFu

/*
 * r = Σ column[i]·2^(52 i) for columns below 2^117, column 8 below 2^106 (top limbs are at most 2^53).  Column 4 is carried first,
 * so that limbs 5-9 are known when the low columns take them in: limbs 5-8 are below 2^52, limb 9 is c8 >> 52, below 2^55.  Then `top`
 * gathers less than 2^66 + 2^52 + 2^92, its excess over 48 bits is below 2^45, and that times FOLD / 16 below 2^78: limb 1 is
 * at most 2^52 + 2^26, the others in range.
 */
static inline void field_reduce(field *r, uint128 c0, uint128 c1, uint128 c2, uint128 c3, uint128 c4, uint128 c5,
                                uint128 c6, uint128 c7, uint128 c8)
{
    const uint64_t limb4 = (uint64_t)c4 & FIELD_MASK;
    c5 += c4 >> 52;
    c0 += (uint128)((uint64_t)c5 & FIELD_MASK) * FIELD_FOLD;
    const uint64_t limb0 = (uint64_t)c0 & FIELD_MASK;
    c6 += c5 >> 52;
    c1 += (c0 >> 52) + (uint128)((uint64_t)c6 & FIELD_MASK) * FIELD_FOLD;
    const uint64_t limb1 = (uint64_t)c1 & FIELD_MASK;
    c7 += c6 >> 52;
    c2 += (c1 >> 52) + (uint128)((uint64_t)c7 & FIELD_MASK) * FIELD_FOLD;
    c8 += c7 >> 52;
    c3 += (c2 >> 52) + (uint128)((uint64_t)c8 & FIELD_MASK) * FIELD_FOLD;
    const uint128 top = (c3 >> 52) + limb4 + (uint128)(uint64_t)(c8 >> 52) * FIELD_FOLD;
    const uint128 low = (uint128)(uint64_t)(top >> 48) * (FIELD_FOLD >> 4) + limb0;
    r->limb[0] = (uint64_t)low & FIELD_MASK;
    r->limb[1] = limb1 + (uint64_t)(low >> 52);
    r->limb[2] = (uint64_t)c2 & FIELD_MASK;
    r->limb[3] = (uint64_t)c3 & FIELD_MASK;
    r->limb[4] = (uint64_t)top & FIELD_MASK_TOP;
}

static inline void field_mul(field *r, const field *a, const field *b)
{
    field_check(a, FIELD_MAX);
    field_check(b, FIELD_MAX);
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3], a4 = a->limb[4];
    const uint64_t b0 = b->limb[0], b1 = b->limb[1], b2 = b->limb[2], b3 = b->limb[3], b4 = b->limb[4];
    field_reduce(r, (uint128)a0 * b0, (uint128)a0 * b1 + (uint128)a1 * b0,
                 (uint128)a0 * b2 + (uint128)a1 * b1 + (uint128)a2 * b0,
                 (uint128)a0 * b3 + (uint128)a1 * b2 + (uint128)a2 * b1 + (uint128)a3 * b0,
                 (uint128)a0 * b4 + (uint128)a1 * b3 + (uint128)a2 * b2 + (uint128)a3 * b1 + (uint128)a4 * b0,
                 (uint128)a1 * b4 + (uint128)a2 * b3 + (uint128)a3 * b2 + (uint128)a4 * b1,
                 (uint128)a2 * b4 + (uint128)a3 * b3 + (uint128)a4 * b2, (uint128)a3 * b4 + (uint128)a4 * b3,
                 (uint128)a4 * b4);
}

static inline void field_sqr(field *r, const field *a)
{
    field_check(a, FIELD_MAX);
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3], a4 = a->limb[4];
    const uint64_t d0 = 2 * a0, d1 = 2 * a1, d2 = 2 * a2, d3 = 2 * a3;
    field_reduce(r, (uint128)a0 * a0, (uint128)d0 * a1, (uint128)d0 * a2 + (uint128)a1 * a1,
                 (uint128)d0 * a3 + (uint128)d1 * a2, (uint128)d0 * a4 + (uint128)d1 * a3 + (uint128)a2 * a2,
                 (uint128)d1 * a4 + (uint128)d2 * a3, (uint128)d2 * a4 + (uint128)a3 * a3, (uint128)d3 * a4,
                 (uint128)a4 * a4);
}

static inline void field_add(field *r, const field *a, const field *b)
{
    for (int i = 0; i < 5; i++) r->limb[i] = a->limb[i] + b->limb[i];
}

static inline void field_sub(field *r, const field *a, const field *b, unsigned k)
{
    field_check(b, k);
    r->limb[0] = a->limb[0] + 2 * k * (uint64_t)FIELD_P0 - b->limb[0];
    for (int i = 1; i < 4; i++) r->limb[i] = a->limb[i] + 2 * k * (uint64_t)FIELD_MASK - b->limb[i];
    r->limb[4] = a->limb[4] + 2 * k * (uint64_t)FIELD_P4 - b->limb[4];
}

static inline void field_neg(field *r, const field *a, unsigned k)
{
    field_check(a, k);
    r->limb[0] = 2 * k * (uint64_t)FIELD_P0 - a->limb[0];
    for (int i = 1; i < 4; i++) r->limb[i] = 2 * k * (uint64_t)FIELD_MASK - a->limb[i];
    r->limb[4] = 2 * k * (uint64_t)FIELD_P4 - a->limb[4];
}

static inline void field_scale(field *r, const field *a, unsigned k)
{
    for (int i = 0; i < 5; i++) r->limb[i] = a->limb[i] * k;
}

/* Each limb hands on its excess once, all at the same time: limbs <= 2^59 become at most 2^52 + 2^7, limb 0 at most
 * 2^52 + 2^7·2^33, limb 4 at most 2^48 + 2^7; all within bound 1. */
static inline void field_carry(field *r)
{
    field_check(r, 64);
    const uint64_t a0 = r->limb[0], a1 = r->limb[1], a2 = r->limb[2], a3 = r->limb[3], a4 = r->limb[4];
    r->limb[0] = (a0 & FIELD_MASK) + (a4 >> 48) * (FIELD_FOLD >> 4);
    r->limb[1] = (a1 & FIELD_MASK) + (a0 >> 52);
    r->limb[2] = (a2 & FIELD_MASK) + (a1 >> 52);
    r->limb[3] = (a3 & FIELD_MASK) + (a2 >> 52);
    r->limb[4] = (a4 & FIELD_MASK_TOP) + (a3 >> 52);
}

static inline void field_from_words(field *r, const uint64_t words[4])
{
    const uint64_t w0 = words[0], w1 = words[1], w2 = words[2], w3 = words[3];
    r->limb[0] = w0 & FIELD_MASK;
    r->limb[1] = (w0 >> 52 | w1 << 12) & FIELD_MASK;
    r->limb[2] = (w1 >> 40 | w2 << 24) & FIELD_MASK;
    r->limb[3] = (w2 >> 28 | w3 << 36) & FIELD_MASK;
    r->limb[4] = w3 >> 16;
}

#endif
