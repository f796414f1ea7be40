/*
 * Σ_t k_t·W_t + r·B for secret k_t and r: one small table for each W_t with shared doublings, one
 * for every digit of r. complete.h has the method.
 */
#ifndef ASSAY_VECTOR_MULTIPLE_H
#define ASSAY_VECTOR_MULTIPLE_H

#include "curve/complete.h"

#define VECTOR_SLOTS 16 /* values of a vector */

typedef struct {
    affine entry[VECTOR_SLOTS][MULTIPLE_ENTRIES];    /* (2j + 1)·H, of the W */
    affine base[MULTIPLE_WINDOWS][MULTIPLE_ENTRIES]; /* (2j + 1)·2^(5i)·H, of B */
    affine lift; /* (2^(5·MULTIPLE_WINDOWS) - 1)·H, of all together */
} vector_multiples;

void vector_multiples_build(vector_multiples *m, const affine w[VECTOR_SLOTS], const affine *b);

/* k: those of the W, and then r.  The sum is not infinite but by a chance of 2^-256. */
void vector_multiple(projective *out, const words k[VECTOR_SLOTS + 1], const vector_multiples *m);

#endif
