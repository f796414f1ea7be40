/*
 * Scalars: integers mod n, the order of the group.
 *
 * A scalar is kept in Montgomery form (a·2^256 mod n, fully reduced), so equal values have equal
 * limbs; the limbs themselves are private to scalar.{h,c}.  As an integer a scalar is a `words`:
 * four little-endian 64-bit words, the form that digits are cut from.
 *
 * A `scalar_sum` accumulates products without reducing them: up to 2^32 terms, one reduction.
 *
 * Outputs may alias inputs.  Constant-time unless named `_var`.
 */
#ifndef ASSAY_SCALAR_H
#define ASSAY_SCALAR_H

#include "curve/require.h"
#include "curve/uint128.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t limb[4]; /* a·2^256 mod n, less than n */
} scalar;

typedef struct {
    uint64_t word[4]; /* an integer below 2^256, little-endian words */
} words;

typedef struct {
    uint128 column[8]; /* Σ column[i]·2^(64 i), each below 2^99 */
} scalar_sum;

extern const scalar SCALAR_ZERO, SCALAR_ONE;

static inline void scalar_add(scalar *r, const scalar *a, const scalar *b);
static inline void scalar_sub(scalar *r, const scalar *a, const scalar *b);
static inline void scalar_neg(scalar *r, const scalar *a);
void scalar_mul(scalar *r, const scalar *a, const scalar *b);
void scalar_add_product(scalar *acc, const scalar *a, const scalar *b); /* acc += a·b */
static inline void scalar_sqr(scalar *r, const scalar *a);

/* r = 1/a, and 0 for a = 0. */
void scalar_inverse_var(scalar *r, const scalar *a);

static inline bool scalar_is_zero(const scalar *a);

/* From 32 big-endian bytes; false when the integer is not below n (r is then zero). */
bool scalar_from_bytes(scalar *r, const uint8_t bytes[32]);

/* From a big-endian integer of 32 or of 64 bytes, reduced mod n. */
void scalar_from_bytes_reduced(scalar *r, const uint8_t bytes[32]);
void scalar_from_bytes_wide(scalar *r, const uint8_t bytes[64]);

void scalar_from_u64(scalar *r, uint64_t a);
void scalar_from_u128(scalar *r, uint64_t high, uint64_t low);

/* From any integer below 2^256, reduced mod n. */
void scalar_from_words(scalar *r, const words *a);

/* The integer in [0, n). */
void scalar_to_words(words *r, const scalar *a);

/* 32 big-endian bytes of the integer in [0, n). */
void scalar_to_bytes(uint8_t bytes[32], const scalar *a);

/* r = a·b mod n for any integer b below 2^256: as the form of a goes, nothing is converted.  acc +=
 * a·b, both mod n. */
void scalar_mul_words(words *r, const scalar *a, const words *b);
void words_add_product(words *acc, const scalar *a, const words *b);

/* From 32 big-endian bytes; whether the integer is below n. */
bool words_from_bytes(words *r, const uint8_t bytes[32]);

/* 32 big-endian bytes; r = Σ a[i] mod n, i < count, all below n. */
void words_to_bytes(uint8_t bytes[32], const words *a);
void words_sum(words *r, const words *a, size_t count);

/* Sums of products: acc = 0; acc += a·b; acc += a; r = acc mod n. */
static inline void scalar_sum_zero(scalar_sum *acc);
void scalar_sum_mul(scalar_sum *acc, const scalar *a, const scalar *b);
void scalar_sum_reduce(scalar *r, const scalar_sum *acc);

/* acc += a·b for an integer b, and r = acc mod n where acc is a sum of such products. */
void scalar_sum_mul_u64(scalar_sum *acc, const scalar *a, uint64_t b);
void scalar_sum_reduce_integers(scalar *r, const scalar_sum *acc);

/* r = Σ a[i]·b[i], i < n < 2^32. */
void scalar_inner(scalar *r, const scalar *a, const scalar *b, size_t n);

#include "curve/scalar_inline.h"

#endif
