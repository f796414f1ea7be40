/*
 * The AVX-512 IFMA kernel: eight independent elements a vector, one a lane.  Chosen where CPU and
 * system have AVX-512 F, BW, DQ, VL and IFMA.  Only the files avx512ifma*.c are compiled for them,
 * and nothing in those is called but through this table.
 */
#include "kernels/avx512ifma/kernel.h"

const assay_kernel KERNEL_AVX512IFMA = {
    .name = "avx512ifma",
    .scratch_size = avx512ifma_scratch_size,
    .commit = avx512ifma_commit,
    .commit_rows = avx512ifma_commit_rows,
    .commit_vectors = avx512ifma_commit_vectors,
    .combine = avx512ifma_combine,
    .combine_vectors = avx512ifma_combine_vectors,
    .vector_multiple = avx512ifma_vector_multiple,
    .msm_scratch_size = avx512ifma_msm_scratch_size,
    .msm = avx512ifma_msm,
    .sum_scratch_size = avx512ifma_sum_scratch_size,
    .sum = avx512ifma_sum,
    .decompress = avx512ifma_decompress,
    .decompress_each = avx512ifma_decompress_each,
    .compress = avx512ifma_compress,
    .absorb = avx512ifma_absorb,
    .sum_pairs = avx512ifma_sum_pairs,
    .sum_byte_pairs = avx512ifma_sum_byte_pairs,
    .inner = avx512ifma_inner,
    .fold_pairs = avx512ifma_fold_pairs,
    .expand = avx512ifma_expand,
    .gather_bytes = avx512ifma_gather_bytes,
    .fold_rows = avx512ifma_fold_rows,
};
