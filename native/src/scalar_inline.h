/*
 * The hot part of scalar.h, inline.  Included by scalar.h alone.
 *
 * n = 2^256 - c, c = ORDER_C2·2^128 + ORDER_C1·2^64 + ORDER_C0 with ORDER_C2 = 1.  Montgomery's reduction of t < n·2^256
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
#define ORDER_INVERSE 0x4B0DFF665588B13Fu /* -1/n mod 2^64 */

/* r = t + carry·2^256, less n if that is not below n: for values below 2n. */
static inline void scalar_subtract_order(scalar *r, const uint64_t t[4], uint64_t carry)
{
    uint128 s;
    uint64_t u[4];
    s = (uint128)t[0] + ORDER_C0;
    u[0] = (uint64_t)s;
    s = (s >> 64) + t[1] + ORDER_C1;
    u[1] = (uint64_t)s;
    s = (s >> 64) + t[2] + 1;
    u[2] = (uint64_t)s;
    s = (s >> 64) + t[3];
    u[3] = (uint64_t)s;
    const uint64_t mask = 0 - (uint64_t)((carry | (uint64_t)(s >> 64)) != 0);
    for (int i = 0; i < 4; i++) r->limb[i] = t[i] ^ ((t[i] ^ u[i]) & mask);
}

static inline void scalar_add(scalar *r, const scalar *a, const scalar *b)
{
    uint64_t t[4];
    uint128 s = 0;
    for (int i = 0; i < 4; i++) {
        s += (uint128)a->limb[i] + b->limb[i];
        t[i] = (uint64_t)s;
        s >>= 64;
    }
    scalar_subtract_order(r, t, (uint64_t)s);
}

/* On a borrow, adding n is subtracting c, modulo 2^256. */
static inline void scalar_sub(scalar *r, const scalar *a, const scalar *b)
{
    uint64_t t[4], borrow = 0;
    for (int i = 0; i < 4; i++) {
        const uint128 s = (uint128)a->limb[i] - b->limb[i] - borrow;
        t[i] = (uint64_t)s;
        borrow = (uint64_t)(s >> 64) & 1;
    }
    const uint64_t mask = 0 - borrow;
    uint128 s = (uint128)t[0] - (ORDER_C0 & mask);
    r->limb[0] = (uint64_t)s;
    s = (uint128)t[1] - (ORDER_C1 & mask) - ((uint64_t)(s >> 64) & 1);
    r->limb[1] = (uint64_t)s;
    s = (uint128)t[2] - (1 & mask) - ((uint64_t)(s >> 64) & 1);
    r->limb[2] = (uint64_t)s;
    r->limb[3] = t[3] - ((uint64_t)(s >> 64) & 1);
}

static inline void scalar_neg(scalar *r, const scalar *a)
{
    scalar_sub(r, &SCALAR_ZERO, a);
}

/* t = a·b. */
static inline void scalar_product(uint64_t t[8], const scalar *a, const scalar *b)
{
    uint128 s = 0;
    for (int j = 0; j < 4; j++) {
        s += (uint128)a->limb[0] * b->limb[j];
        t[j] = (uint64_t)s;
        s >>= 64;
    }
    t[4] = (uint64_t)s;
    for (int i = 1; i < 4; i++) {
        s = 0;
        for (int j = 0; j < 4; j++) {
            s += (uint128)a->limb[i] * b->limb[j] + t[i + j];
            t[i + j] = (uint64_t)s;
            s >>= 64;
        }
        t[i + 4] = (uint64_t)s;
    }
}

/* r = t / 2^256 mod n for t < n·2^256. */
static inline void scalar_reduce(scalar *r, uint64_t t[8])
{
    uint64_t top = 0;
    for (int i = 0; i < 4; i++) {
        const uint64_t m = t[i] * ORDER_INVERSE;
        uint128 s = (uint128)m * ORDER_0 + t[i];
        s = (uint128)m * ORDER_1 + t[i + 1] + (uint64_t)(s >> 64);
        t[i + 1] = (uint64_t)s;
        s = (uint128)m * ORDER_2 + t[i + 2] + (uint64_t)(s >> 64);
        t[i + 2] = (uint64_t)s;
        s = (uint128)m * ORDER_3 + t[i + 3] + (uint64_t)(s >> 64);
        t[i + 3] = (uint64_t)s;
        s = (uint128)t[i + 4] + (uint64_t)(s >> 64) + top;
        t[i + 4] = (uint64_t)s;
        top = (uint64_t)(s >> 64);
    }
    scalar_subtract_order(r, t + 4, top);
}

static inline void scalar_mul(scalar *r, const scalar *a, const scalar *b)
{
    uint64_t t[8];
    scalar_product(t, a, b);
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
    for (int i = 0; i < 9; i++) acc->limb[i] = 0;
}

static inline void scalar_sum_mul(scalar_sum *acc, const scalar *a, const scalar *b)
{
    uint64_t t[8];
    scalar_product(t, a, b);
    uint128 s = 0;
    for (int i = 0; i < 8; i++) {
        s += (uint128)acc->limb[i] + t[i];
        acc->limb[i] = (uint64_t)s;
        s >>= 64;
    }
    acc->limb[8] += (uint64_t)s;
}

#endif
