/*
 * Multi-scalar multiplication Σ k_i·P_i, and the sum of many points; the portable kernel's.
 *
 * Exact for every input: repeated, opposite and infinite points, zero and unreduced scalars (any
 * integer below 2^bits, 1 <= bits <= 256).  0 <= n < 2^31.
 */
#ifndef ASSAY_MSM_H
#define ASSAY_MSM_H

#include "curve/group.h"

/* Neither decreases with n: a scratch serves any smaller number of points. */
size_t msm_scratch_size(size_t n, unsigned bits);
void msm_var(affine *r, const words *scalars, const affine *points, size_t n, unsigned bits,
             void *scratch);

size_t points_sum_scratch_size(size_t n);
void points_sum_var(affine *r, const affine *points, size_t n, void *scratch);

#endif
