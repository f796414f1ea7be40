/* Integers of several words: carries, borrows, products. */
#ifndef ASSAY_UINT128_H
#define ASSAY_UINT128_H

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

#include <stdint.h>

/* r = a + b + carry and r = a - b - borrow; the new carry or borrow, 0 or 1.  Compilers find the
 * carry flag of x86 by its intrinsics alone. */
#ifdef __x86_64__
#include <immintrin.h>

static inline unsigned char add_carry(uint64_t *r, uint64_t a, uint64_t b, unsigned char carry)
{
    unsigned long long sum;
    carry = _addcarry_u64(carry, a, b, &sum);
    *r = sum;
    return carry;
}

static inline unsigned char sub_borrow(uint64_t *r, uint64_t a, uint64_t b, unsigned char borrow)
{
    unsigned long long difference;
    borrow = _subborrow_u64(borrow, a, b, &difference);
    *r = difference;
    return borrow;
}
#else
static inline unsigned char add_carry(uint64_t *r, uint64_t a, uint64_t b, unsigned char carry)
{
    const uint128 sum = (uint128)a + b + carry;
    *r = (uint64_t)sum;
    return (unsigned char)(sum >> 64);
}

static inline unsigned char sub_borrow(uint64_t *r, uint64_t a, uint64_t b, unsigned char borrow)
{
    const uint128 difference = (uint128)a - b - borrow;
    *r = (uint64_t)difference;
    return (unsigned char)(difference >> 64 & 1);
}
#endif

/* t[0 .. 4] = t[0 .. 3] + a·b: two chains of carries. */
static inline void multiply_row(uint64_t t[5], uint64_t a, const uint64_t b[4])
{
    const uint128 p0 = (uint128)a * b[0], p1 = (uint128)a * b[1], p2 = (uint128)a * b[2],
                  p3 = (uint128)a * b[3];
    unsigned char carry = add_carry(&t[0], t[0], (uint64_t)p0, 0);
    carry = add_carry(&t[1], t[1], (uint64_t)p1, carry);
    carry = add_carry(&t[2], t[2], (uint64_t)p2, carry);
    carry = add_carry(&t[3], t[3], (uint64_t)p3, carry);
    add_carry(&t[4], (uint64_t)(p3 >> 64), 0, carry);
    carry = add_carry(&t[1], t[1], (uint64_t)(p0 >> 64), 0);
    carry = add_carry(&t[2], t[2], (uint64_t)(p1 >> 64), carry);
    carry = add_carry(&t[3], t[3], (uint64_t)(p2 >> 64), carry);
    add_carry(&t[4], t[4], 0, carry);
}

/* t = a·b. */
static inline void multiply_words(uint64_t t[8], const uint64_t a[4], const uint64_t b[4])
{
    t[0] = t[1] = t[2] = t[3] = 0;
    multiply_row(t, a[0], b);
    multiply_row(t + 1, a[1], b);
    multiply_row(t + 2, a[2], b);
    multiply_row(t + 3, a[3], b);
}

#endif
