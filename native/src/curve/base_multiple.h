/*
 * k·V for secret k, in time and with memory accesses that do not depend on k.
 *
 * Digits are those of tables.h, of 5 bits: with H = V/2, Σ_i (2u_i - 31)·2^(5i)·H = k·V - (2^260 -
 * 1)·H, where the u_i are k's plain digits. So a digit is an odd multiple, none is zero, and a
 * window has 16 entries, all of which are read for every digit. Additions are complete without a
 * branch (Renes, Costello, Batina, "Complete addition formulas for prime order elliptic curves",
 * EUROCRYPT 2016, algorithm 8).
 */
#ifndef ASSAY_BASE_MULTIPLE_H
#define ASSAY_BASE_MULTIPLE_H

#include "curve/group.h"

#define MULTIPLE_BITS 5
#define MULTIPLE_WINDOWS 52
#define MULTIPLE_ENTRIES 16
#define MULTIPLE_BLOCK 64

typedef struct {
    affine entry[MULTIPLE_WINDOWS][MULTIPLE_ENTRIES]; /* (2j + 1)·2^(5i)·H */
    affine lift;                                      /* (2^260 - 1)·H */
} multiples;

/* A hundred kilobytes of the caller's memory. */
void multiples_build(multiples *m);

/* out[i] = k[i]·V for i < n <= MULTIPLE_BLOCK, 0 < k[i] < the group order. */
void multiples_of_base(affine *out, const words *k, size_t n, const multiples *m);

#endif
