/*
 * Multiples of known points by secret numbers, in time and with memory accesses that do not depend
 * on the numbers: what base_multiple.c and vector_multiple.c share.
 *
 * Digits are those of tables.h, of 5 bits: with H = G/2, Σ_i (2u_i - 31)·2^(5i)·H = k·G - (2^(5w) -
 * 1)·H, where the u_i are k's w plain digits. So a digit is an odd multiple, none is zero, and 16
 * entries serve it, all of which are read for every digit. Additions are complete without a branch
 * (Renes, Costello, Batina, "Complete addition formulas for prime order elliptic curves", EUROCRYPT
 * 2016, algorithms 8 and 9).
 */
#ifndef ASSAY_COMPLETE_H
#define ASSAY_COMPLETE_H

#include "curve/group.h"

#define MULTIPLE_BITS 5
#define MULTIPLE_WINDOWS 52 /* 260 bits */
#define MULTIPLE_ENTRIES 16

/* (X : Y : Z), the point (X/Z, Y/Z); infinity is (0 : 1 : 0). */
typedef struct {
    field x, y, z;
} projective;

/* r = a + b for finite b; r = 2a. */
void complete_add(projective *r, const projective *a, const affine *b);
void complete_double(projective *r, const projective *a);

/* out[i] = a[i], i < n; none is infinite. */
void complete_to_affine(affine *out, const projective *a, size_t n);

/* r = half of a: what the entries and the lifts are multiples of. */
void half_of_point_var(affine *r, const affine *a);

/* (2j + 1)·2^(5i)·H for j < 16, `power` being 2^(5i)·H, which becomes 2^(5i + 5)·H. */
void multiple_entries_var(affine entry[MULTIPLE_ENTRIES], jacobian *power);

/* ± the entry of the five bits of k from bit 5·window on. */
void multiple_select(affine *r, const affine entry[MULTIPLE_ENTRIES], const words *k,
                     size_t window);

#endif
