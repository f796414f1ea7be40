/* What the other kernels leave to the portable one when their formulas do not hold. */
#ifndef ASSAY_PORTABLE_H
#define ASSAY_PORTABLE_H

#include "kernels/tables.h"

/* out[i] = the sum of item i's entries, i < n.  Scratch: KERNEL_PORTABLE.scratch_size(n). */
void portable_sum_terms(affine *out, const table_sums *s, size_t n, void *scratch);

#endif
