/* The double-width integer of the portable arithmetic. */
#ifndef ASSAY_UINT128_H
#define ASSAY_UINT128_H

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

#include <stdint.h>

/* r = a + b + carry and r = a - b - borrow; the new carry or borrow, 0 or 1.  Compilers find the carry flag of x86 by its
 * intrinsics alone. */
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

#endif
