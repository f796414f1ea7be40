/* The offsets of the buckets, and from buckets to the result; msm.h has the contract. */
#include "kernels/avx512ifma/msm.h"

#include <string.h>

static void add_affine(affine *r, const affine *a, const affine *b)
{
    jacobian sum;
    jacobian_from_affine(&sum, a);
    jacobian_add_affine_var(&sum, &sum, b);
    affine_from_jacobian_var(r, &sum);
}

static point_lanes broadcast(const affine *a)
{
    const affine *all[LANES];
    point_lanes r;
    for (size_t k = 0; k < LANES; k++) all[k] = a;
    lanes_load_affine(&r, all);
    return r;
}

/* The first vector point by point; then the vectors so far, and the same plus a multiple of D. */
bool avx512ifma_msm_offsets(msm_work *w)
{
    const size_t vectors = w->plan.bucket_max / LANES;
    affine first[LANES], step = w->d;
    const affine *pointer[LANES];
    point_lanes *offset = w->sum;
    for (size_t k = 0; k < LANES; k++) {
        pointer[k] = &first[k];
        if (k == 0)
            first[k] = w->o;
        else
            add_affine(&first[k], &first[k - 1], &w->d);
    }
    for (int i = 0; i < 3; i++) add_affine(&step, &step, &step);
    lanes_load_affine(&offset[0], pointer);
    for (size_t filled = 1; filled < vectors; filled *= 2) {
        const point_lanes constant = broadcast(&step);
        memcpy(offset + filled, offset, filled * sizeof *offset);
        for (size_t done = 0; done < filled; done += BATCH_VECTORS) {
            const size_t end = filled - done < BATCH_VECTORS ? filled : done + BATCH_VECTORS;
            batch_start(w->batch);
            for (size_t v = done; v < end; v++)
                batch_push(w->batch, &offset[filled + v], &constant.x, &constant.y, 0);
            if (!batch_finish_var(w->batch)) return false;
        }
        add_affine(&step, &step, &step);
    }
    for (size_t v = 0; v < vectors; v++)
        lanes_store_affine(w->offset + LANES * v, &offset[v], LANES);
    return true;
}

/* Bucket j of a window of V vectors goes to vector j mod V, lane j / V. */
static void load_buckets(msm_work *w, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        const msm_window *window = &w->plan.window[i];
        const affine *bucket = w->bucket + window->first;
        const size_t vectors = window->buckets / LANES;
        for (size_t v = 0; v < vectors; v++) {
            const affine *pointer[LANES];
            for (size_t k = 0; k < LANES; k++) pointer[k] = &bucket[v + vectors * k];
            lanes_load_affine(&w->sum[window->first / LANES + v], pointer);
        }
    }
}

static bool add_vectors(msm_work *w, point_lanes *a, const point_lanes *b)
{
    batch_push(w->batch, a, &b->x, &b->y, 0);
    return w->batch->n < BATCH_VECTORS || batch_finish_var(w->batch);
}

/*
 * Adding neighbours at strides 1, 2, 4, … leaves in place, at vector (2i+1)·2^l, the sum of 2^l
 * vectors whose index has bit l set; adding those over i gives bit l, at vector 2^l.  Vector 0
 * holds the sum of all.  Every lane by itself.
 */
static bool sum_vectors(msm_work *w, size_t first, size_t count)
{
    const msm_window *window = w->plan.window;
    const size_t most = w->plan.bucket_max / LANES;
    batch_start(w->batch);
    for (size_t stride = 1; stride < most; stride *= 2) {
        for (size_t i = first; i < first + count; i++) {
            point_lanes *sum = w->sum + window[i].first / LANES;
            for (size_t at = 0; at + stride < window[i].buckets / LANES; at += 2 * stride)
                if (!add_vectors(w, &sum[at], &sum[at + stride])) return false;
        }
        if (!batch_finish_var(w->batch)) return false;
    }
    for (size_t distance = 1; distance < most / 2; distance *= 2) {
        for (size_t i = first; i < first + count; i++) {
            point_lanes *sum = w->sum + window[i].first / LANES;
            const size_t vectors = window[i].buckets / LANES;
            for (size_t stride = 1; 2 * stride * distance < vectors; stride *= 2) {
                const size_t step = 2 * stride * distance;
                for (size_t at = stride; at < vectors; at += 2 * step)
                    if (!add_vectors(w, &sum[at], &sum[at + step])) return false;
            }
        }
        if (!batch_finish_var(w->batch)) return false;
    }
    return true;
}

/*
 * The rest is few points: a window's vectors 0 and 2^l come out of their lanes and are added up by
 * the portable batches.  The lane is the three highest bits of j, so vector 0 is cut into bits once
 * more.
 */
bool avx512ifma_msm_reduce(msm_work *w, size_t first, size_t count)
{
    load_buckets(w, first, count);
    if (!sum_vectors(w, first, count)) return false;
    batch_queue *queue = (batch_queue *)(void *)w->batch;
    affine *slot = w->bucket; /* a window has at least as many buckets as lanes to take out: the
                                 first come first */
    size_t used = 0, start[WINDOWS_MAX];
    for (size_t i = first; i < first + count; i++) {
        const msm_window *window = &w->plan.window[i];
        const point_lanes *sum = w->sum + window->first / LANES;
        start[i - first] = used;
        lanes_store_affine(slot + used, &sum[0], LANES);
        used += LANES;
        for (size_t stride = 1; stride < window->buckets / LANES; stride *= 2, used += LANES)
            lanes_store_affine(slot + used, &sum[stride], LANES);
    }
    batch_begin(queue, slot);
    for (size_t stride = 1; stride < LANES; stride *= 2) {
        for (size_t at = 0; at < used; at += 2 * stride) batch_add_var(queue, at, at + stride);
        batch_flush_var(queue);
    }
    for (size_t i = 0; i < count; i++) {
        batch_add_var(queue, start[i] + 1, start[i] + 3);
        batch_add_var(queue, start[i] + 5, start[i] + 7);
        batch_add_var(queue, start[i] + 2, start[i] + 6);
    }
    batch_flush_var(queue);
    for (size_t i = 0; i < count; i++) batch_add_var(queue, start[i] + 1, start[i] + 5);
    batch_flush_var(queue);
    for (size_t i = 0; i < count; i++) {
        affine *bit = w->bit + (first + i) * WINDOW_BITS_MAX;
        const affine *from = slot + start[i];
        *bit++ = from[0];
        for (size_t l = 1, v = 1; v < w->plan.window[first + i].buckets / LANES; l++, v *= 2)
            *bit++ = from[LANES * l];
        for (size_t k = 1; k < LANES; k *= 2) *bit++ = from[k];
    }
    return true;
}

/* -Σ_j (j + 1)·(O + j·D) for j < n: -n(n + 1)/2·O - (n - 1)n(n + 1)/3·D. */
static void negated_offsets(affine *r, const msm_work *w, uint64_t n)
{
    const words of_o = {{n * (n + 1) / 2, 0, 0, 0}}, of_d = {{(n - 1) * n * (n + 1) / 3, 0, 0, 0}};
    affine a, b;
    affine_mul_var(&a, &of_o, &w->o);
    affine_mul_var(&b, &of_d, &w->d);
    add_affine(r, &a, &b);
    affine_neg(r, r);
}

void avx512ifma_msm_assemble(affine *out, const msm_work *w)
{
    const msm_plan *plan = &w->plan;
    affine whole, half;
    negated_offsets(&whole, w, plan->bucket_max);
    negated_offsets(&half, w, plan->bucket_max / 2);
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t i = plan->window_count; i-- > 0;) {
        const affine *bit = w->bit + i * WINDOW_BITS_MAX;
        const msm_window *window = &plan->window[i];
        jacobian_double_var(&sum, &sum);
        for (size_t l = window->width - 1; l-- > 0;) {
            jacobian_double_var(&sum, &sum);
            jacobian_add_affine_var(&sum, &sum, &bit[l + 1]);
        }
        jacobian_add_affine_var(&sum, &sum, &bit[0]);
        jacobian_add_affine_var(&sum, &sum, window->buckets == plan->bucket_max ? &whole : &half);
    }
    affine_from_jacobian_var(out, &sum);
}
