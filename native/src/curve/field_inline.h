/*
 * The hot part of field.h, inline.  Included by field.h alone.
 *
 * 2^256 = FIELD_C mod p, so what exceeds 256 bits comes back times FIELD_C, which has 33 bits.
 */
#ifndef ASSAY_FIELD_INLINE_H
#define ASSAY_FIELD_INLINE_H

#define FIELD_C 0x1000003D1u

/* r = t + top·2^256 for top < 2^34.  If the first sum carries, what is left is below FIELD_C·2^34,
 * so the second does not. */
static inline void field_fold(field *r, const uint64_t t[4], uint64_t top)
{
    const uint128 extra = (uint128)top * FIELD_C;
    uint64_t low;
    unsigned char carry = add_carry(&low, t[0], (uint64_t)extra, 0);
    carry = add_carry(&r->limb[1], t[1], (uint64_t)(extra >> 64), carry);
    carry = add_carry(&r->limb[2], t[2], 0, carry);
    carry = add_carry(&r->limb[3], t[3], 0, carry);
    carry = add_carry(&r->limb[0], low, FIELD_C & (0 - (uint64_t)carry), 0);
    add_carry(&r->limb[1], r->limb[1], 0, carry);
}

#ifdef __wasm__
#include "curve/field29.h"
#else
/* r = t, 512 bits.  The first fold leaves less than 2^256 + 2^290. */
static inline void field_reduce(field *r, const uint64_t t[8])
{
    const uint128 p0 = (uint128)t[4] * FIELD_C, p1 = (uint128)t[5] * FIELD_C,
                  p2 = (uint128)t[6] * FIELD_C, p3 = (uint128)t[7] * FIELD_C;
    uint64_t u[4], top;
    unsigned char carry = add_carry(&u[0], t[0], (uint64_t)p0, 0);
    carry = add_carry(&u[1], t[1], (uint64_t)p1, carry);
    carry = add_carry(&u[2], t[2], (uint64_t)p2, carry);
    carry = add_carry(&u[3], t[3], (uint64_t)p3, carry);
    add_carry(&top, (uint64_t)(p3 >> 64), 0, carry);
    carry = add_carry(&u[1], u[1], (uint64_t)(p0 >> 64), 0);
    carry = add_carry(&u[2], u[2], (uint64_t)(p1 >> 64), carry);
    carry = add_carry(&u[3], u[3], (uint64_t)(p2 >> 64), carry);
    add_carry(&top, top, 0, carry);
    field_fold(r, u, top);
}

static inline void field_mul(field *r, const field *a, const field *b)
{
    uint64_t t[8];
    COUNT_MULTIPLICATIONS(1);
    multiply_words(t, a->limb, b->limb);
    field_reduce(r, t);
}

/* The mixed products, doubled, and the squares. */
static inline void field_sqr(field *r, const field *a)
{
    COUNT_MULTIPLICATIONS(1);
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3];
    const uint128 p1 = (uint128)a0 * a1, p2 = (uint128)a0 * a2, p3 = (uint128)a0 * a3,
                  q3 = (uint128)a1 * a2, p4 = (uint128)a1 * a3, p5 = (uint128)a2 * a3;
    uint64_t t[8];
    t[1] = (uint64_t)p1;
    unsigned char carry = add_carry(&t[2], (uint64_t)(p1 >> 64), (uint64_t)p2, 0);
    carry = add_carry(&t[3], (uint64_t)(p2 >> 64), (uint64_t)p3, carry);
    carry = add_carry(&t[4], (uint64_t)(p3 >> 64), (uint64_t)p4, carry);
    carry = add_carry(&t[5], (uint64_t)(p4 >> 64), (uint64_t)p5, carry);
    add_carry(&t[6], (uint64_t)(p5 >> 64), 0, carry);
    carry = add_carry(&t[3], t[3], (uint64_t)q3, 0);
    carry = add_carry(&t[4], t[4], (uint64_t)(q3 >> 64), carry);
    carry = add_carry(&t[5], t[5], 0, carry);
    add_carry(&t[6], t[6], 0, carry);
    carry = add_carry(&t[1], t[1], t[1], 0);
    carry = add_carry(&t[2], t[2], t[2], carry);
    carry = add_carry(&t[3], t[3], t[3], carry);
    carry = add_carry(&t[4], t[4], t[4], carry);
    carry = add_carry(&t[5], t[5], t[5], carry);
    t[7] = add_carry(&t[6], t[6], t[6], carry);
    const uint128 s0 = (uint128)a0 * a0, s1 = (uint128)a1 * a1, s2 = (uint128)a2 * a2,
                  s3 = (uint128)a3 * a3;
    t[0] = (uint64_t)s0;
    carry = add_carry(&t[1], t[1], (uint64_t)(s0 >> 64), 0);
    carry = add_carry(&t[2], t[2], (uint64_t)s1, carry);
    carry = add_carry(&t[3], t[3], (uint64_t)(s1 >> 64), carry);
    carry = add_carry(&t[4], t[4], (uint64_t)s2, carry);
    carry = add_carry(&t[5], t[5], (uint64_t)(s2 >> 64), carry);
    carry = add_carry(&t[6], t[6], (uint64_t)s3, carry);
    add_carry(&t[7], t[7], (uint64_t)(s3 >> 64), carry);
    field_reduce(r, t);
}

typedef field field_factor;

static inline void field_to_factor(field_factor *r, const field *a)
{
    *r = *a;
}

static inline void field_from_factor(field *r, const field_factor *a)
{
    *r = *a;
}

static inline void factor_mul(field_factor *r, const field_factor *a, const field_factor *b)
{
    field_mul(r, a, b);
}

static inline void factor_sqr(field_factor *r, const field_factor *a)
{
    field_sqr(r, a);
}
#endif

/* A second carry leaves less than FIELD_C, so limb 0 takes it. */
static inline void field_add(field *r, const field *a, const field *b)
{
    unsigned char carry = add_carry(&r->limb[0], a->limb[0], b->limb[0], 0);
    carry = add_carry(&r->limb[1], a->limb[1], b->limb[1], carry);
    carry = add_carry(&r->limb[2], a->limb[2], b->limb[2], carry);
    carry = add_carry(&r->limb[3], a->limb[3], b->limb[3], carry);
    carry = add_carry(&r->limb[0], r->limb[0], FIELD_C & (0 - (uint64_t)carry), 0);
    carry = add_carry(&r->limb[1], r->limb[1], 0, carry);
    carry = add_carry(&r->limb[2], r->limb[2], 0, carry);
    carry = add_carry(&r->limb[3], r->limb[3], 0, carry);
    r->limb[0] += FIELD_C & (0 - (uint64_t)carry);
}

/* A second borrow leaves 2^256 - FIELD_C or more, so limb 0 gives it. */
static inline void field_sub(field *r, const field *a, const field *b)
{
    unsigned char borrow = sub_borrow(&r->limb[0], a->limb[0], b->limb[0], 0);
    borrow = sub_borrow(&r->limb[1], a->limb[1], b->limb[1], borrow);
    borrow = sub_borrow(&r->limb[2], a->limb[2], b->limb[2], borrow);
    borrow = sub_borrow(&r->limb[3], a->limb[3], b->limb[3], borrow);
    borrow = sub_borrow(&r->limb[0], r->limb[0], FIELD_C & (0 - (uint64_t)borrow), 0);
    borrow = sub_borrow(&r->limb[1], r->limb[1], 0, borrow);
    borrow = sub_borrow(&r->limb[2], r->limb[2], 0, borrow);
    borrow = sub_borrow(&r->limb[3], r->limb[3], 0, borrow);
    r->limb[0] -= FIELD_C & (0 - (uint64_t)borrow);
}

static inline void field_neg(field *r, const field *a)
{
    const field zero = {{0, 0, 0, 0}};
    field_sub(r, &zero, a);
}

static inline void field_scale(field *r, const field *a, uint32_t k)
{
    uint64_t t[4];
    uint128 sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += (uint128)a->limb[i] * k;
        t[i] = (uint64_t)sum;
        sum >>= 64;
    }
    field_fold(r, t, (uint64_t)sum);
}

/* The integer is p or more exactly when adding FIELD_C carries; the sum is then the difference. */
static inline void field_normalise(field *r)
{
    uint64_t u[4];
    unsigned char carry = add_carry(&u[0], r->limb[0], FIELD_C, 0);
    carry = add_carry(&u[1], r->limb[1], 0, carry);
    carry = add_carry(&u[2], r->limb[2], 0, carry);
    carry = add_carry(&u[3], r->limb[3], 0, carry);
    const uint64_t mask = 0 - (uint64_t)carry;
    for (int i = 0; i < 4; i++) r->limb[i] ^= (r->limb[i] ^ u[i]) & mask;
}

static inline bool field_is_zero(const field *a)
{
    field t = *a;
    field_normalise(&t);
    return (t.limb[0] | t.limb[1] | t.limb[2] | t.limb[3]) == 0;
}

static inline bool field_equal(const field *a, const field *b)
{
    field t;
    field_sub(&t, a, b);
    return field_is_zero(&t);
}

static inline void field_to_words(uint64_t out[4], const field *a)
{
    field t = *a;
    field_normalise(&t);
    for (int i = 0; i < 4; i++) out[i] = t.limb[i];
}

static inline void field_from_words(field *r, const uint64_t in[4])
{
    for (int i = 0; i < 4; i++) r->limb[i] = in[i];
}

#endif
