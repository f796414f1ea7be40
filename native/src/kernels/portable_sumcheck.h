/* The portable kernel's loops of the sum-check. */
#ifndef ASSAY_PORTABLE_SUMCHECK_H
#define ASSAY_PORTABLE_SUMCHECK_H

#include "kernels/kernel.h"

void portable_sum_pairs(scalar sums[4], const scalar *pairs, size_t stride, const scalar *e,
                        const scalar *w, size_t n);
void portable_sum_byte_pairs(scalar *sum, const scalar *form, const uint64_t *values,
                             unsigned shift, const scalar *e, size_t n);
void portable_inner(scalar *sum, const scalar *a, size_t stride, const words *b, size_t n);
void portable_fold_pairs(scalar *out, const scalar *in, const scalar *x, size_t n);
void portable_expand(scalar *out, const scalar *in, const scalar *at0, const scalar *at1, size_t n);
void portable_gather_bytes(scalar bytes[2][256], const uint64_t *values, const scalar *weights,
                           size_t n, const scalar position[4], void *buckets);
void portable_fold_rows(scalar *z, const uint8_t *rows, size_t row_bytes, const scalar *weights,
                        size_t n, void *buckets);

#endif
