/*
 * The multi-scalar multiplication of the AVX-512 IFMA kernel, Pippenger's with one bucket a lane.
 *
 * The windows of a scalar have c or c - 1 bits, so that all buckets get about the same load.  A
 * window of w bits has 2^(w-1) buckets; bucket j collects the points of digit ±(j + 1).  It starts
 * at a known point O + j·D, where O and D come from a hash of scalars: so no sum on the way is
 * infinite, and no two that are added are equal or opposite, but by a chance of 2^-256 or because
 * the points were chosen after the scalars.  Then the batch says so, and the portable kernel does
 * the whole sum.
 */
#ifndef ASSAY_AVX512IFMA_MSM_H
#define ASSAY_AVX512IFMA_MSM_H

#include "kernels/avx512ifma/kernel.h"

#define WINDOWS_MAX 64
#define WINDOW_BITS_MAX 16
#define WINDOW_BITS_MIN 4 /* eight buckets, a vector */

typedef struct {
    size_t bit, width, buckets;
    size_t first; /* its first bucket among those of its group */
} msm_window;

typedef struct {
    size_t window_count, group;  /* windows that are done together */
    size_t bucket_max, lane_max; /* buckets of a window, of a group */
    msm_window window[WINDOWS_MAX];
} msm_plan;

typedef struct {
    msm_plan plan;
    lane_batch *batch;
    affine o, d;      /* O and D */
    affine *offset;   /* O + j·D, j < bucket_max */
    point_lanes *sum; /* lane_max / LANES */
    affine *bucket;   /* lane_max, in natural order */
    affine *bit;      /* window_count × WINDOW_BITS_MAX */
} msm_work;

/* The offsets; false when the formulas do not hold. */
bool avx512ifma_msm_offsets(msm_work *w);

/*
 * Windows first … first + count - 1, their buckets filled: bit[0] = Σ_j B_j and bit[1 + l] = Σ_{bit
 * l of j} B_j of each window, at WINDOW_BITS_MAX points a window; the offsets are still in them.
 * False as above.
 */
bool avx512ifma_msm_reduce(msm_work *w, size_t first, size_t count);

/* Horner's rule over the bits of all windows, less the offsets. */
void avx512ifma_msm_assemble(affine *out, const msm_work *w);

#endif
