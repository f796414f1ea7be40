/*
 * The small part of scalar.h, inline.  Included by scalar.h alone.  Products are not: where several
 * are inlined together they push each other's words out of the registers.
 *
 * n = 2^256 - c, c = ORDER_C2·2^128 + ORDER_C1·2^64 + ORDER_C0.
 */
#ifndef ASSAY_SCALAR_INLINE_H
#define ASSAY_SCALAR_INLINE_H

#define ORDER_C0 0x402DA1732FC9BEBFu
#define ORDER_C1 0x4551231950B75FC4u
#define ORDER_C2 1u

/* r = t + carry·2^256, less n if that is not below n: for values below 2n. */
static inline void scalar_subtract_order(scalar *r, const uint64_t t[4], uint64_t carry)
{
    uint64_t u[4];
    unsigned char over = add_carry(&u[0], t[0], ORDER_C0, 0);
    over = add_carry(&u[1], t[1], ORDER_C1, over);
    over = add_carry(&u[2], t[2], ORDER_C2, over);
    over = add_carry(&u[3], t[3], 0, over);
    const uint64_t mask = 0 - (uint64_t)((carry | over) != 0);
    for (int i = 0; i < 4; i++) r->limb[i] = t[i] ^ ((t[i] ^ u[i]) & mask);
}

/* Whether a scalar is fully reduced, which every function here relies on. */
static inline bool scalar_is_reduced(const scalar *a)
{
    uint64_t t;
    unsigned char carry = add_carry(&t, a->limb[0], ORDER_C0, 0);
    carry = add_carry(&t, a->limb[1], ORDER_C1, carry);
    carry = add_carry(&t, a->limb[2], ORDER_C2, carry);
    return add_carry(&t, a->limb[3], 0, carry) == 0;
}

static inline void scalar_add(scalar *r, const scalar *a, const scalar *b)
{
    REQUIRE(scalar_is_reduced(a) && scalar_is_reduced(b));
    uint64_t t[4];
    unsigned char carry = add_carry(&t[0], a->limb[0], b->limb[0], 0);
    carry = add_carry(&t[1], a->limb[1], b->limb[1], carry);
    carry = add_carry(&t[2], a->limb[2], b->limb[2], carry);
    carry = add_carry(&t[3], a->limb[3], b->limb[3], carry);
    scalar_subtract_order(r, t, carry);
}

/* On a borrow, adding n is subtracting c, modulo 2^256. */
static inline void scalar_sub(scalar *r, const scalar *a, const scalar *b)
{
    REQUIRE(scalar_is_reduced(a) && scalar_is_reduced(b));
    uint64_t t[4];
    unsigned char borrow = sub_borrow(&t[0], a->limb[0], b->limb[0], 0);
    borrow = sub_borrow(&t[1], a->limb[1], b->limb[1], borrow);
    borrow = sub_borrow(&t[2], a->limb[2], b->limb[2], borrow);
    borrow = sub_borrow(&t[3], a->limb[3], b->limb[3], borrow);
    const uint64_t mask = 0 - (uint64_t)borrow;
    borrow = sub_borrow(&r->limb[0], t[0], ORDER_C0 & mask, 0);
    borrow = sub_borrow(&r->limb[1], t[1], ORDER_C1 & mask, borrow);
    borrow = sub_borrow(&r->limb[2], t[2], ORDER_C2 & mask, borrow);
    sub_borrow(&r->limb[3], t[3], 0, borrow);
}

static inline void scalar_neg(scalar *r, const scalar *a)
{
    scalar_sub(r, &SCALAR_ZERO, a);
}

static inline void scalar_sqr(scalar *r, const scalar *a)
{
    scalar_mul(r, a, a);
}

static inline bool scalar_is_zero(const scalar *a)
{
    return (a->limb[0] | a->limb[1] | a->limb[2] | a->limb[3]) == 0;
}

static inline void scalar_sum_zero(scalar_sum *acc)
{
    for (int i = 0; i < 8; i++) acc->column[i] = 0;
}

#endif
