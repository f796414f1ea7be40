/*
 * The hot part of scalar.h, inline.  Included by scalar.h alone.
 *
 * n = 2^256 - c, c = ORDER_C2·2^128 + ORDER_C1·2^64 + ORDER_C0.  Montgomery's reduction of t < n·2^256
 * adds multiples of n until the low four limbs are zero and gives t / 2^256 < 2n.
 */
#ifndef ASSAY_SCALAR_INLINE_H
#define ASSAY_SCALAR_INLINE_H

#define ORDER_0 0xBFD25E8CD0364141u
#define ORDER_1 0xBAAEDCE6AF48A03Bu
#define ORDER_2 0xFFFFFFFFFFFFFFFEu
#define ORDER_3 0xFFFFFFFFFFFFFFFFu
#define ORDER_C0 0x402DA1732FC9BEBFu
#define ORDER_C1 0x4551231950B75FC4u
#define ORDER_C2 1u
#define ORDER_INVERSE 0x4B0DFF665588B13Fu /* -1/n mod 2^64 */

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

static inline void scalar_add(scalar *r, const scalar *a, const scalar *b)
{
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

/* r = t / 2^256 mod n for t < n·2^256. */
static inline void scalar_reduce(scalar *r, uint64_t t[8])
{
    static const uint64_t ORDER[4] = {ORDER_0, ORDER_1, ORDER_2, ORDER_3};
    unsigned char top = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t row[5] = {t[i], t[i + 1], t[i + 2], t[i + 3]};
        multiply_row(row, t[i] * ORDER_INVERSE, ORDER);
        t[i + 1] = row[1];
        t[i + 2] = row[2];
        t[i + 3] = row[3];
        top = add_carry(&t[i + 4], t[i + 4], row[4], top);
    }
    scalar_subtract_order(r, t + 4, top);
}

static inline void scalar_mul(scalar *r, const scalar *a, const scalar *b)
{
    uint64_t t[8];
    multiply_words(t, a->limb, b->limb);
    scalar_reduce(r, t);
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

/* low and high take the halves of a product. */
static inline void scalar_column_add(uint128 *low, uint128 *high, uint64_t a, uint64_t b)
{
    const uint128 product = (uint128)a * b;
    *low += (uint64_t)product;
    *high += (uint64_t)(product >> 64);
}

/* Ends column k with its sum, below 2^67; the next begins with the high halves. */
static inline void scalar_column_end(scalar_sum *acc, int k, uint128 *low, uint128 *high)
{
    acc->column[k] += *low;
    *low = *high;
    *high = 0;
}

/* Written out: compilers keep the loop. */
static inline void scalar_sum_mul(scalar_sum *acc, const scalar *a, const scalar *b)
{
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3];
    const uint64_t b0 = b->limb[0], b1 = b->limb[1], b2 = b->limb[2], b3 = b->limb[3];
    uint128 low = 0, high = 0;
    scalar_column_add(&low, &high, a0, b0);
    scalar_column_end(acc, 0, &low, &high);
    scalar_column_add(&low, &high, a0, b1);
    scalar_column_add(&low, &high, a1, b0);
    scalar_column_end(acc, 1, &low, &high);
    scalar_column_add(&low, &high, a0, b2);
    scalar_column_add(&low, &high, a1, b1);
    scalar_column_add(&low, &high, a2, b0);
    scalar_column_end(acc, 2, &low, &high);
    scalar_column_add(&low, &high, a0, b3);
    scalar_column_add(&low, &high, a1, b2);
    scalar_column_add(&low, &high, a2, b1);
    scalar_column_add(&low, &high, a3, b0);
    scalar_column_end(acc, 3, &low, &high);
    scalar_column_add(&low, &high, a1, b3);
    scalar_column_add(&low, &high, a2, b2);
    scalar_column_add(&low, &high, a3, b1);
    scalar_column_end(acc, 4, &low, &high);
    scalar_column_add(&low, &high, a2, b3);
    scalar_column_add(&low, &high, a3, b2);
    scalar_column_end(acc, 5, &low, &high);
    scalar_column_add(&low, &high, a3, b3);
    scalar_column_end(acc, 6, &low, &high);
    acc->column[7] += low;
}

#endif
