/* The sum of many points: running sums, eight a vector, then halves onto halves. */
#include "kernels/avx512ifma/kernel.h"
#include "kernels/msm.h"

#define VECTORS 128
#define BLOCK (VECTORS * LANES)
#define FEW_POINTS 64

/* Points first … first + n - 1, n <= BLOCK, lanes beyond them idle; false when one is infinite. */
static bool load_block(point_lanes *r, const affine *points, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        const affine *pointer[LANES];
        for (size_t k = 0; k < LANES; k++) {
            pointer[k] = &points[i + k < n ? i + k : i];
            if (affine_is_infinity(pointer[k])) return false;
        }
        lanes_load_affine(&r[i / LANES], pointer);
    }
    return true;
}

static __mmask8 idle_lanes(size_t vector, size_t n)
{
    const size_t used = n > LANES * vector ? n - LANES * vector : 0;
    return used >= LANES ? 0 : (__mmask8)(0xFF << used);
}

/* sum[v] += addend[v] for the lanes that n points fill. */
static bool add_block(lane_batch *batch, point_lanes *sum, const point_lanes *addend, size_t n)
{
    batch_start(batch);
    for (size_t v = 0; LANES * v < n; v++)
        batch_push(batch, &sum[v], &addend[v].x, &addend[v].y, idle_lanes(v, n));
    return batch_finish_var(batch);
}

/* n >= FEW_POINTS. */
static bool sum_points(affine *out, const affine *points, size_t n, lane_batch *batch,
                       point_lanes *sum)
{
    size_t left = n < BLOCK ? n : BLOCK;
    if (!load_block(sum, points, left)) return false;
    for (size_t done = BLOCK; done < n; done += BLOCK) {
        const size_t block = n - done < BLOCK ? n - done : BLOCK;
        if (!load_block(sum + VECTORS, points + done, block) ||
            !add_block(batch, sum, sum + VECTORS, block))
            return false;
    }
    while (left > LANES) {
        const size_t half = (left + 2 * LANES - 1) / (2 * LANES); /* vectors that stay */
        if (!add_block(batch, sum, sum + half, left - LANES * half)) return false;
        left = LANES * half;
    }
    affine last[LANES];
    jacobian total = JACOBIAN_INFINITY;
    lanes_store_affine(last, sum, LANES);
    for (size_t i = 0; i < LANES; i++) jacobian_add_affine_var(&total, &total, &last[i]);
    affine_from_jacobian_var(out, &total);
    return true;
}

size_t avx512ifma_sum_scratch_size(size_t n)
{
    const size_t own =
                     ARENA_SIZE(sizeof(lane_batch)) + ARENA_SIZE(2 * VECTORS * sizeof(point_lanes)),
                 exact = points_sum_scratch_size(n);
    return own > exact ? own : exact;
}

void avx512ifma_sum(affine *out, const affine *points, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    lane_batch *batch = arena_take(&next, sizeof *batch);
    point_lanes *sum = arena_take(&next, 2 * VECTORS * sizeof *sum);
    if (n < FEW_POINTS || !sum_points(out, points, n, batch, sum))
        points_sum_var(out, points, n, scratch);
}
