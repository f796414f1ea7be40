/* k·V for secret k, by a table for every window: complete.h has the method. */
#ifndef ASSAY_BASE_MULTIPLE_H
#define ASSAY_BASE_MULTIPLE_H

#include "curve/complete.h"

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
