/*
 * The field of p = 2^256 - 2^32 - 977.
 *
 * An element is five limbs of 52 bits, sum limb[i]·2^(52 i), not unique.  Its *bound* is the least
 * k with limb[i] <= 2k·P[i] for every i, P being the limbs of p.  Products have bound 1; the bound
 * of a sum is the sum of the bounds; products and squares take operands of bound <= FIELD_MAX.
 * So `a - b` for b of bound k is `a + 2k·P - b` limb by limb and never underflows; its bound is
 * bound(a) + k.  A function states the bounds it takes and gives; ASSAY_CHECK_BOUNDS checks them.
 *
 * *Canonical* means the unique form, less than p with every limb in range.  A stored element
 * (in a point, in an array) has bound <= 1 unless its owner says otherwise.
 *
 * Outputs may alias inputs.  `_var`: time depends on the data.
 */
#ifndef ASSAY_FIELD_H
#define ASSAY_FIELD_H

#include "uint128.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t limb[5];
} field;

#define FIELD_MASK 0xFFFFFFFFFFFFFu /* 52 bits */
#define FIELD_P0 0xFFFFEFFFFFC2Fu
#define FIELD_P4 0xFFFFFFFFFFFFu /* 48 bits */
#define FIELD_FOLD 0x1000003D10u /* 2^260 mod p */
/* Limbs are then at most 2^57, and a column of five products below 2^117. */
#define FIELD_MAX 16

#ifdef ASSAY_CHECK_BOUNDS
void field_check(const field *a, unsigned bound); /* abort()s when a exceeds the bound */
#else
static inline void field_check(const field *a, unsigned bound)
{
    (void)a;
    (void)bound;
}
#endif

/* r = a·b.  Takes bounds <= FIELD_MAX, gives 1. */
static inline void field_mul(field *r, const field *a, const field *b);

/* r = a².  Takes bound <= FIELD_MAX, gives 1. */
static inline void field_sqr(field *r, const field *a);

/* r = a + b.  Gives bound(a) + bound(b). */
static inline void field_add(field *r, const field *a, const field *b);

/* r = a - b for b of bound <= k, 1 <= k <= 8.  Gives bound(a) + k. */
static inline void field_sub(field *r, const field *a, const field *b, unsigned k);

/* r = -a for a of bound <= k, 1 <= k <= 8.  Gives k. */
static inline void field_neg(field *r, const field *a, unsigned k);

/* r = k·a, k small.  Gives k·bound(a). */
static inline void field_scale(field *r, const field *a, unsigned k);

/* Same value, bound 1.  Takes bound <= 64. */
static inline void field_carry(field *r);

/* Same value, canonical.  Takes bound <= 64. */
void field_normalise(field *r);

/* Whether a = 0 mod p.  Takes bound <= 64. */
bool field_is_zero(const field *a);

/* Whether a = b mod p.  Takes bounds <= 16 and 8. */
bool field_equal(const field *a, const field *b);

/* r = 1/a, and 0 for a = 0.  Takes bound <= 64, gives canonical. */
void field_inverse_var(field *r, const field *a);

/* The square root a^((p+1)/4), whose square is a; false (r then meaningless) when a is no square.
 * Takes bound <= FIELD_MAX, gives 1.  r must not alias a. */
bool field_sqrt(field *r, const field *a);

/* From 32 big-endian bytes; false when the integer is not below p.  Gives canonical. */
bool field_from_bytes(field *r, const uint8_t bytes[32]);

/* To 32 big-endian bytes.  Takes bound <= 64. */
void field_to_bytes(uint8_t bytes[32], const field *a);

/* Canonical little-endian words, and back; the words are an integer below p. */
void field_to_words(uint64_t words[4], const field *a);
static inline void field_from_words(field *r, const uint64_t words[4]);

extern const field FIELD_ZERO, FIELD_ONE;

#include "field_inline.h"

#endif
