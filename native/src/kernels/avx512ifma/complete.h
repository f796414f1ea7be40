/*
 * Eight points, one a lane, in the coordinates of curve/complete.h: additions that are complete, in
 * constant time, by algorithms 7 and 9 of the paper named there.
 */
#ifndef ASSAY_AVX512IFMA_COMPLETE_H
#define ASSAY_AVX512IFMA_COMPLETE_H

#include "curve/complete.h"
#include "kernels/avx512ifma/field.h"

/* (X : Y : Z), tight and reduced. */
typedef struct {
    lanes x, y, z;
} projective_lanes;

/* *r += b, where y of b may have bound 2; *r += *r. */
void complete_add_lanes(projective_lanes *r, const projective_lanes *b);
void complete_double_lanes(projective_lanes *r);

/* The sum of all lanes, which *sum has then in each, with canonical coordinates. */
void complete_sum_lanes(projective *out, projective_lanes *sum);

/* Infinity in the lanes of the mask. */
static inline void complete_put_infinity(projective_lanes *r, __mmask8 mask)
{
    const lanes zero = lanes_small(0), one = lanes_small(1);
    lanes_put(&r->x, lanes_select(&r->x, &zero, mask));
    lanes_put(&r->y, lanes_select(&r->y, &one, mask));
    lanes_put(&r->z, lanes_select(&r->z, &zero, mask));
}

#endif
