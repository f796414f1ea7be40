/*
 * The field of p = 2^256 - 2^32 - 977.
 *
 * An element is an integer below 2^256 in four little-endian words; any such integer stands for its
 * residue, so the residues below 2^32 + 977 have two forms.  *Canonical* means the one below p.
 * Every operation takes any form; it gives any form unless it says canonical.
 *
 * Outputs may alias inputs.  `_var`: time depends on the data.
 */
#ifndef ASSAY_FIELD_H
#define ASSAY_FIELD_H

#include "curve/count.h"
#include "curve/uint128.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t limb[4];
} field;

/* The form in which products are made: field's own, or that of field29.h.  A chain of products
 * stays in it. */
static inline void field_mul(field *r, const field *a, const field *b);
static inline void field_sqr(field *r, const field *a);
static inline void field_add(field *r, const field *a, const field *b);
static inline void field_sub(field *r, const field *a, const field *b);
static inline void field_neg(field *r, const field *a);

/* r = k·a. */
static inline void field_scale(field *r, const field *a, uint32_t k);

/* The same element, canonical. */
static inline void field_normalise(field *r);

static inline bool field_is_zero(const field *a);
static inline bool field_equal(const field *a, const field *b);

/* r = 1/a, canonical, and 0 for a = 0. */
void field_inverse_var(field *r, const field *a);

/* Square roots a^((p+1)/4) of two elements, each of which may be no square (r is then meaningless).
 */
void field_sqrt_pair(field r[2], bool is_square[2], const field a[2]);

/* From 32 big-endian bytes; false when the integer is not below p. */
bool field_from_bytes(field *r, const uint8_t bytes[32]);

/* To 32 big-endian bytes, of the canonical form. */
void field_to_bytes(uint8_t bytes[32], const field *a);

/* The canonical form as little-endian words, and back; the words are any integer below 2^256. */
static inline void field_to_words(uint64_t words[4], const field *a);
static inline void field_from_words(field *r, const uint64_t words[4]);

extern const field FIELD_ZERO, FIELD_ONE;

#include "curve/field_inline.h"

#endif
