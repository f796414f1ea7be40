/*
 * Combinations of generators, Σ_j z_j·Q_j or Σ_t z_t·W_t, for eight vectors z at a time.
 *
 * Over the Q, plane k of a vector is the row of bits k of its scalars; over the W, whose tables
 * take 64 bits of each, it is the words k.  The planes are summed as rows are; then Σ_k
 * 2^k·plane_k, or Σ_k 2^(64k)·plane_k, by Horner's rule from the top, a vector z a lane, in
 * Jacobian coordinates.  The formulas of addition know neither infinity nor equal or opposite
 * points; meeting the latter, they leave Z = 0, and so do all that follow: such a vector, or one
 * with an infinite plane, is done again exactly.
 */
#include "kernels/avx512ifma/kernel.h"
#include "kernels/avx512ifma/scalar.h"

#include <string.h>

#define PLANES 256
#define WORD_PLANES 4
#define GROUPS 2 /* of eight vectors that are joined together */

typedef struct {
    lanes x, y, z; /* reduced: x and y tight, z a factor */
} jacobian_lanes;

/* What the combination takes: the planes of eight vectors and their sums. */
typedef struct {
    _Alignas(64) uint8_t row[LANES * PLANES * Q_COUNT / 8];
    affine sum[LANES * PLANES];
} workspace;

size_t avx512ifma_scratch_size(size_t n)
{
    (void)n;
    return ARENA_SIZE(sizeof(workspace)) + avx512ifma_sums_size();
}

/* Byte `at` of every plane: the bits of eight scalars. */
static void cut_planes(uint8_t *rows, size_t row_bytes, size_t at, const scalar z[LANES])
{
    __m512i word[4];
    lanes_load_scalar_words(word, z);
    for (size_t i = 0; i < 4; i++) {
        uint8_t *row = rows + row_bytes * 64 * i + at;
        for (size_t k = 64; k-- > 0;) {
            row[row_bytes * k] = (uint8_t)_mm512_movepi64_mask(word[i]);
            word[i] = _mm512_add_epi64(word[i], word[i]);
        }
    }
}

/* The planes of n scalars; absent ones are zero. */
static void write_planes(uint8_t *rows, const words *z, size_t n)
{
    const size_t row_bytes = (n + 7) / 8;
    for (size_t at = 0; at < row_bytes; at++) {
        scalar eight[LANES] = {{{0}}};
        memcpy(eight, z + 8 * at, (n - 8 * at < LANES ? n - 8 * at : LANES) * sizeof *z);
        cut_planes(rows, row_bytes, at, eight);
    }
}

/* A factor: the sum of a with itself, both factors of products. */
static inline lanes twice(const lanes *a)
{
    return lanes_settle(lanes_plus(a, a));
}

/* 2a, where d = 4xy²: x' = (3x²)² - 2d, y' = 3x²·(d - x') - 8y⁴, z' = 2yz. */
static inline void double_lanes(jacobian_lanes *a)
{
    const lanes square = lanes_clear(lanes_sqr(&a->x)), y2 = lanes_sqr(&a->y),
                y4 = lanes_clear(lanes_sqr(&y2)), xy2 = lanes_clear(lanes_mul(&a->x, &y2)),
                yz = lanes_clear(lanes_mul(&a->y, &a->z));
    lanes slope = lanes_plus(&square, &square);
    slope = lanes_settle(lanes_plus(&slope, &square));
    lanes d = lanes_plus(&xy2, &xy2), y8 = lanes_plus(&y4, &y4);
    d = lanes_plus(&d, &d);
    y8 = lanes_plus(&y8, &y8);
    y8 = lanes_plus(&y8, &y8);
    const lanes d2 = lanes_plus(&d, &d), minus = lanes_negated(&d2, 8),
                minus_y8 = lanes_negated(&y8, 8);
    a->x = lanes_clear(lanes_sqr_add(&slope, &minus));
    const lanes minus_x = lanes_negated(&a->x, 1), across = lanes_settle(lanes_plus(&d, &minus_x));
    a->y = lanes_clear(lanes_mul_add(&slope, &across, &minus_y8));
    a->z = twice(&yz);
}

/* a + b, where h = x_b·z² - x, r = y_b·z³ - y: x' = r² - h³ - 2xh², y' = r·(xh² - x') - yh³, z' =
 * zh. */
static inline void add_lanes(jacobian_lanes *a, const point_lanes *b)
{
    const lanes z2 = lanes_sqr(&a->z), z3 = lanes_mul(&a->z, &z2);
    const lanes u = lanes_clear(lanes_mul(&b->x, &z2)), s = lanes_clear(lanes_mul(&b->y, &z3));
    const lanes h = lanes_difference(&u, &a->x), r = lanes_difference(&s, &a->y);
    const lanes h2 = lanes_sqr(&h), h3 = lanes_clear(lanes_mul(&h, &h2)),
                v = lanes_clear(lanes_mul(&a->x, &h2)), yh3 = lanes_clear(lanes_mul(&a->y, &h3));
    lanes sum = lanes_plus(&v, &v);
    sum = lanes_plus(&sum, &h3);
    const lanes minus = lanes_negated(&sum, 3), minus_yh3 = lanes_negated(&yh3, 1);
    a->x = lanes_clear(lanes_sqr_add(&r, &minus));
    const lanes across = lanes_difference(&v, &a->x);
    a->y = lanes_clear(lanes_mul_add(&r, &across, &minus_yh3));
    a->z = lanes_mul(&a->z, &h);
}

/* What a vector's planes are: how many, and how many bits each of them is above the one before. */
typedef struct {
    size_t count, bits;
} plane_form;

/* Plane k of every vector; a lane without a vector has the first one's. */
static point_lanes load_plane(const affine *sums, plane_form f, size_t k, size_t count)
{
    const affine *from[LANES];
    point_lanes r;
    for (size_t i = 0; i < LANES; i++) from[i] = sums + f.count * (i < count ? i : 0) + k;
    lanes_load_affine(&r, from);
    return r;
}

/* Horner's rule for `groups` <= GROUPS vectors of lanes: one waits while the other works. */
static void sum_planes(jacobian_lanes sum[GROUPS], const affine *sums, plane_form f, size_t count,
                       size_t groups)
{
    point_lanes p[GROUPS];
    for (size_t k = f.count; k-- > 0;) {
        for (size_t g = 0; g < groups; g++)
            p[g] = load_plane(sums + f.count * LANES * g, f, k, count - LANES * g);
        if (k + 1 == f.count) {
            for (size_t g = 0; g < groups; g++)
                sum[g] = (jacobian_lanes){p[g].x, p[g].y, lanes_small(1)};
            continue;
        }
        for (size_t i = 0; i < f.bits; i++)
            for (size_t g = 0; g < groups; g++) double_lanes(&sum[g]);
        for (size_t g = 0; g < groups; g++) add_lanes(&sum[g], &p[g]);
    }
}

/* The sums of `count` <= 8·GROUPS vectors' planes, all finite; false when the formulas do not hold.
 */
static bool join_planes(affine *out, const affine *sums, plane_form f, size_t count)
{
    jacobian_lanes sum[GROUPS];
    const size_t groups = (count + LANES - 1) / LANES;
    sum_planes(sum, sums, f, count, groups);
    for (size_t g = 0; g < groups; g++) {
        point_lanes p;
        if (!lanes_invert_var(&sum[g].z)) return false;
        const lanes square = lanes_sqr(&sum[g].z), cube = lanes_mul(&square, &sum[g].z);
        const size_t left = count - LANES * g;
        p.x = lanes_clear(lanes_mul(&sum[g].x, &square));
        p.y = lanes_clear(lanes_mul(&sum[g].y, &cube));
        lanes_store_affine(out + LANES * g, &p, left < LANES ? left : LANES);
    }
    return true;
}

static void join_planes_exactly(affine *out, const affine *sums, plane_form f)
{
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t k = f.count; k-- > 0;) {
        for (size_t i = 0; i < f.bits; i++) jacobian_double_var(&sum, &sum);
        jacobian_add_affine_var(&sum, &sum, &sums[k]);
    }
    affine_from_jacobian_var(out, &sum);
}

static bool all_finite(const affine *points, size_t n)
{
    bool finite = true;
    for (size_t i = 0; i < n; i++) finite &= !affine_is_infinity(&points[i]);
    return finite;
}

/* All planes of `count` <= 8·GROUPS vectors are in the workspace. */
static void join(affine *out, const affine *sums, plane_form f, size_t count)
{
    if (all_finite(sums, f.count * count) && join_planes(out, sums, f, count)) return;
    for (size_t i = 0; i < count; i++) join_planes_exactly(&out[i], sums + f.count * i, f);
}

void avx512ifma_combine(affine *out, const words *z, size_t n, size_t count, const tables *t,
                        void *scratch)
{
    REQUIRE(n <= Q_COUNT && (uintptr_t)scratch % 64 == 0);
    const plane_form form = {PLANES, 1};
    uint8_t *next = scratch;
    workspace *w = arena_take(&next, sizeof *w);
    const size_t row_bytes = (n + 7) / 8;
    for (size_t first = 0; first < count; first += LANES) {
        const size_t used = count - first < LANES ? count - first : LANES;
        for (size_t i = 0; i < used; i++)
            write_planes(w->row + PLANES * row_bytes * i, z + n * (first + i), n);
        avx512ifma_commit_rows(w->sum, w->row, row_bytes, NULL, PLANES * used, t, next);
        join(out + first, w->sum, form, used);
    }
}

/* Vectors that combine_vectors takes together. */
#define VECTOR_BLOCK 256

void avx512ifma_combine_vectors(affine *out, const words *z, size_t count, const tables *t,
                                void *scratch)
{
    _Static_assert(WORD_PLANES * VECTOR_BLOCK * VECTOR_BYTES <= sizeof((workspace *)0)->row,
                   "room");
    const plane_form form = {WORD_PLANES, 64};
    uint8_t *next = scratch;
    workspace *w = arena_take(&next, sizeof *w);
    uint64_t *row = (uint64_t *)(void *)w->row;
    for (size_t first = 0; first < count; first += VECTOR_BLOCK) {
        const size_t block = count - first < VECTOR_BLOCK ? count - first : VECTOR_BLOCK;
        for (size_t i = 0; i < WORD_PLANES * block; i++)
            for (size_t k = 0; k < W_COUNT; k++)
                row[W_COUNT * i + k] =
                    z[W_COUNT * (first + i / WORD_PLANES) + k].word[i % WORD_PLANES];
        avx512ifma_commit_vectors(w->sum, row, NULL, WORD_PLANES * block, t, next);
        for (size_t i = 0; i < block; i += GROUPS * LANES)
            join(out + first + i, w->sum + WORD_PLANES * i, form,
                 block - i < GROUPS * LANES ? block - i : GROUPS * LANES);
    }
}
