/* The parts of the AVX-512 IFMA kernel; kernel.h has what each does. */
#ifndef ASSAY_AVX512IFMA_H
#define ASSAY_AVX512IFMA_H

#include "kernels/avx512ifma/batch.h"
#include "kernels/kernel.h"

size_t avx512ifma_scratch_size(size_t n);
void avx512ifma_commit(affine *out, const uint64_t *values, size_t value_words,
                       const words *blindings, size_t n, const tables *t, void *scratch);
void avx512ifma_commit_rows(affine *out, const uint8_t *rows, size_t row_bytes,
                            const words *blindings, size_t n, const tables *t, void *scratch);
void avx512ifma_commit_vectors(affine *out, const uint64_t *amounts, const words *blindings,
                               size_t n, const tables *t, void *scratch);
void avx512ifma_combine(affine *out, const words *z, size_t n, size_t count, const tables *t,
                        void *scratch);
void avx512ifma_combine_vectors(affine *out, const words *z, size_t count, const tables *t,
                                void *scratch);

/* Scratch of commit, commit_rows and commit_vectors alone. */
size_t avx512ifma_sums_size(void);

void avx512ifma_vector_multiple(projective *out, const words k[VECTOR_SLOTS + 1],
                                const vector_multiples *m);

size_t avx512ifma_msm_scratch_size(size_t n, unsigned bits);
void avx512ifma_msm(affine *out, const words *scalars, const affine *points, size_t n,
                    unsigned bits, void *scratch);

/* The same, for a few points. */
size_t avx512ifma_straus_scratch_size(size_t n, unsigned bits);
void avx512ifma_straus(affine *out, const words *scalars, const affine *points, size_t n,
                       unsigned bits, void *scratch);

size_t avx512ifma_sum_scratch_size(size_t n);
void avx512ifma_sum(affine *out, const affine *points, size_t n, void *scratch);

size_t avx512ifma_decompress(affine *out, const uint8_t *bytes, size_t n, void *scratch);
void avx512ifma_decompress_each(affine *out, const uint8_t *bytes, size_t n, void *scratch);
void avx512ifma_compress(uint8_t *bytes, size_t stride, const affine *a, size_t n);

void avx512ifma_absorb(uint32_t (*state)[8], const uint8_t *data, size_t stride, size_t n);

void avx512ifma_sum_pairs(scalar sums[4], const scalar *pairs, size_t stride, const scalar *e,
                          const scalar *w, size_t n);
void avx512ifma_sum_byte_pairs(scalar *sum, const scalar *form, const uint64_t *values,
                               unsigned shift, const scalar *e, size_t n);
void avx512ifma_inner(scalar *sum, const scalar *a, size_t stride, const words *b, size_t n);
void avx512ifma_fold_pairs(scalar *out, const scalar *in, const scalar *x, size_t n);
void avx512ifma_expand(scalar *out, const scalar *in, const scalar *at0, const scalar *at1,
                       size_t n);
void avx512ifma_gather_bytes(scalar bytes[2][256], const uint64_t *values, const scalar *weights,
                             size_t n, const scalar position[4], void *buckets);
void avx512ifma_fold_rows(scalar *z, const uint8_t *rows, size_t row_bytes, const scalar *weights,
                          size_t n, void *buckets);

#endif
