/*
 * The multi-scalar multiplication of a few points, Straus's way: a lane a point, or one of every
 * eight; signed digits of four bits, a table of the multiples from 0 to 8, one chain of doublings.
 * Additions are complete, so that no point is an exception.
 */
#include "kernels/avx512ifma/complete.h"
#include "kernels/avx512ifma/kernel.h"

#include <string.h>

#define DIGIT_BITS 4
#define MULTIPLES 9

typedef struct {
    projective_lanes multiple[MULTIPLES];
} table_lanes;

static size_t count_groups(size_t n)
{
    return (n + LANES - 1) / LANES;
}

static size_t count_windows(unsigned bits)
{
    return bits / DIGIT_BITS + 1;
}

size_t avx512ifma_straus_scratch_size(size_t n, unsigned bits)
{
    const size_t groups = count_groups(n);
    return ARENA_SIZE(groups * sizeof(table_lanes)) +
           ARENA_SIZE(groups * LANES * count_windows(bits));
}

/* The table of the first n <= LANES points; lanes beyond are infinity. */
static void build_table(table_lanes *t, const affine *points, size_t n)
{
    const affine *given[LANES];
    point_lanes affines;
    projective_lanes *multiple = t->multiple;
    __mmask8 infinite = 0;
    for (size_t i = 0; i < LANES; i++) {
        given[i] = i < n ? &points[i] : &AFFINE_INFINITY;
        infinite |= (__mmask8)(affine_is_infinity(given[i]) << i);
    }
    lanes_load_affine(&affines, given);
    multiple[1] = (projective_lanes){affines.x, affines.y, lanes_small(1)};
    complete_put_infinity(&multiple[1], infinite);
    multiple[0] = multiple[1];
    complete_put_infinity(&multiple[0], 0xFF);
    for (size_t k = 2; k < MULTIPLES; k++) {
        multiple[k] = multiple[k - 1];
        complete_add_lanes(&multiple[k], &multiple[1]);
    }
}

/* The digits of k, from -7 to 8, `stride` bytes apart. */
static void write_digits(int8_t *digit, size_t stride, const words *k, size_t windows)
{
    int carry = 0;
    for (size_t w = 0; w < windows; w++) {
        const size_t bit = DIGIT_BITS * w;
        const int plain = (bit < 256 ? (int)(k->word[bit / 64] >> bit % 64 & 15) : 0) + carry;
        carry = plain > 8;
        digit[stride * w] = (int8_t)(plain - 16 * carry);
    }
}

/* The multiple that each lane's digit asks for. */
static void select_multiples(projective_lanes *r, const table_lanes *t, const int8_t *digits)
{
    const __m512i digit = _mm512_cvtepi8_epi64(_mm_loadu_si64(digits)),
                  wanted = _mm512_abs_epi64(digit);
    lanes x = t->multiple[0].x, y = t->multiple[0].y, z = t->multiple[0].z;
    for (size_t k = 1; k < MULTIPLES; k++) {
        const __mmask8 here = _mm512_cmpeq_epi64_mask(wanted, lane_all(k));
        x = lanes_select(&x, &t->multiple[k].x, here);
        y = lanes_select(&y, &t->multiple[k].y, here);
        z = lanes_select(&z, &t->multiple[k].z, here);
    }
    lanes_put(&r->x, x);
    lanes_put(&r->y, lanes_carry(lanes_negate_some(&y, _mm512_movepi64_mask(digit))));
    lanes_put(&r->z, z);
}

static void to_affine_var(affine *out, const projective *a)
{
    field inverse;
    *out = AFFINE_INFINITY;
    if (field_is_zero(&a->z)) return;
    field_inverse_var(&inverse, &a->z);
    field_mul(&out->x, &a->x, &inverse);
    field_mul(&out->y, &a->y, &inverse);
    field_normalise(&out->x);
    field_normalise(&out->y);
}

void avx512ifma_straus(affine *out, const words *scalars, const affine *points, size_t n,
                       unsigned bits, void *scratch)
{
    const size_t groups = count_groups(n), width = groups * LANES, windows = count_windows(bits);
    uint8_t *next = scratch;
    table_lanes *table = arena_take(&next, groups * sizeof *table);
    int8_t *digit = arena_take(&next, width * windows);
    projective_lanes sum = {lanes_small(0), lanes_small(1), lanes_small(0)}, multiple;
    projective total;
    for (size_t g = 0; g < groups; g++)
        build_table(&table[g], points + LANES * g, n - LANES * g < LANES ? n - LANES * g : LANES);
    memset(digit, 0, width * windows);
    for (size_t i = 0; i < n; i++) write_digits(digit + i, width, &scalars[i], windows);
    for (size_t w = windows; w-- > 0;) {
        for (size_t k = 0; k < DIGIT_BITS; k++) complete_double_lanes(&sum);
        for (size_t g = 0; g < groups; g++) {
            select_multiples(&multiple, &table[g], digit + width * w + LANES * g);
            complete_add_lanes(&sum, &multiple);
        }
    }
    complete_sum_lanes(&total, &sum);
    to_affine_var(out, &total);
}
