/* What the tests see of the inside: assay_test_* of assay.h, used by nothing else. */
#include "assay_testing.h"
#include "hash/tags.h"
#include "kernels/kernel.h"
#include "kernels/msm.h"
#include "pages/check.h"
#ifdef ASSAY_AVX512IFMA
#include "kernels/avx512ifma/testing.h"
#endif

#include <string.h>

/* Beside another element, in either place. */
static int test_sqrt(field *r, const field *a)
{
    const field pairs[2][2] = {{*a, {{5, 6, 7, 8}}}, {{{1, 2, 3, 4}}, *a}};
    field roots[2][2];
    bool squares[2][2];
    for (int i = 0; i < 2; i++) field_sqrt_pair(roots[i], squares[i], pairs[i]);
    *r = roots[0][0];
    return squares[0][0] == squares[1][1] && field_equal(&roots[0][0], &roots[1][1]) ? squares[0][0]
                                                                                     : -1;
}

int assay_test_field(uint64_t *r, uint32_t operation, const uint64_t *a, const uint64_t *b)
{
    field x, y, z = FIELD_ZERO;
    int ok = 1;
    memcpy(x.limb, a, sizeof x.limb);
    memcpy(y.limb, b, sizeof y.limb);
    switch (operation) {
    case ASSAY_TEST_MUL:
        field_mul(&z, &x, &y);
        break;
    case ASSAY_TEST_SQR:
        field_sqr(&z, &x);
        break;
    case ASSAY_TEST_ADD:
        field_add(&z, &x, &y);
        break;
    case ASSAY_TEST_SUB:
        field_sub(&z, &x, &y);
        break;
    case ASSAY_TEST_NEG:
        field_neg(&z, &x);
        break;
    case ASSAY_TEST_INVERSE:
        field_inverse_var(&z, &x);
        break;
    case ASSAY_TEST_SQRT:
        ok = test_sqrt(&z, &x);
        break;
    case ASSAY_TEST_EQUAL:
        ok = field_equal(&x, &y);
        break;
    case ASSAY_TEST_IS_ZERO:
        ok = field_is_zero(&x);
        break;
    case ASSAY_TEST_SCALE:
        field_scale(&z, &x, (uint32_t)b[0]);
        break;
    case ASSAY_TEST_NORMALISE:
        field_normalise(&x);
        z = x;
        break;
    default:
        ok = -1;
        break;
    }
    memcpy(r, z.limb, sizeof z.limb);
    return ok;
}

int assay_test_field_bytes(uint8_t *r, uint64_t *limbs, const uint8_t *bytes)
{
    field x;
    const int ok = field_from_bytes(&x, bytes);
    memcpy(limbs, x.limb, sizeof x.limb);
    field_to_bytes(r, &x);
    return ok;
}

int assay_test_scalar(uint8_t *r, uint32_t operation, const uint8_t *a, const uint8_t *b)
{
    scalar x, y, z = SCALAR_ZERO;
    int ok = 1;
    if (operation == ASSAY_TEST_WIDE) {
        scalar_from_bytes_wide(&z, a);
    } else {
        ok = scalar_from_bytes(&x, a);
        if (!ok) scalar_from_bytes_reduced(&x, a);
        scalar_from_bytes_reduced(&y, b);
        switch (operation) {
        case ASSAY_TEST_MUL:
            scalar_mul(&z, &x, &y);
            break;
        case ASSAY_TEST_SQR:
            scalar_sqr(&z, &x);
            break;
        case ASSAY_TEST_ADD:
            scalar_add(&z, &x, &y);
            break;
        case ASSAY_TEST_SUB:
            scalar_sub(&z, &x, &y);
            break;
        case ASSAY_TEST_NEG:
            scalar_neg(&z, &x);
            break;
        case ASSAY_TEST_INVERSE:
            scalar_inverse_var(&z, &x);
            break;
        case ASSAY_TEST_IS_ZERO:
            ok = scalar_is_zero(&x);
            break;
        case ASSAY_TEST_NORMALISE:
            z = x;
            break;
        default:
            ok = -1;
            break;
        }
    }
    scalar_to_bytes(r, &z);
    return ok;
}

void assay_test_scalar_u128(uint8_t *r, uint64_t high, uint64_t low)
{
    scalar x;
    scalar_from_u128(&x, high, low);
    scalar_to_bytes(r, &x);
}

void assay_test_scalar_inner(uint8_t *r, const uint8_t *a, const uint8_t *b, size_t n)
{
    scalar_sum acc;
    scalar sum;
    scalar_sum_zero(&acc);
    for (size_t i = 0; i < n; i++) {
        scalar x, y;
        scalar_from_bytes_reduced(&x, a + 32 * i);
        scalar_from_bytes_reduced(&y, b + 32 * i);
        scalar_sum_mul(&acc, &x, &y);
    }
    scalar_sum_reduce(&sum, &acc);
    scalar_to_bytes(r, &sum);
}

/* 33 zero bytes are infinity here. */
static int read_point(affine *r, const uint8_t *bytes)
{
    static const uint8_t zero[33];
    *r = AFFINE_INFINITY;
    return memcmp(bytes, zero, 33) == 0 || affine_decompress(r, bytes);
}

static int read_points(affine *r, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!read_point(&r[i], bytes + 33 * i)) return 0;
    return 1;
}

/* (x·z², y·z³, z); z = 0 gives infinity. */
static int read_jacobian(jacobian *r, const uint8_t *point, const uint8_t *z)
{
    affine a;
    field square;
    if (!read_point(&a, point) || !field_from_bytes(&r->z, z)) return 0;
    if (affine_is_infinity(&a) || field_is_zero(&r->z)) {
        *r = JACOBIAN_INFINITY;
        return 1;
    }
    field_sqr(&square, &r->z);
    field_mul(&r->x, &a.x, &square);
    field_mul(&square, &square, &r->z);
    field_mul(&r->y, &a.y, &square);
    return 1;
}

int assay_test_jacobian(uint8_t *r, uint32_t operation, const uint8_t *a, const uint8_t *z_a,
                        const uint8_t *b)
{
    jacobian p;
    affine q, sum;
    if (!read_jacobian(&p, a, z_a) || !read_point(&q, b)) return ASSAY_BAD_POINT;
    switch (operation) {
    case ASSAY_TEST_ADD:
        jacobian_add_affine_var(&p, &p, &q);
        break;
    case ASSAY_TEST_DOUBLE:
        jacobian_double_var(&p, &p);
        break;
    default:
        return ASSAY_BAD_COUNT;
    }
    affine_from_jacobian_var(&sum, &p);
    affine_compress(r, &sum);
    return ASSAY_OK;
}

size_t assay_test_scratch_size(size_t n)
{
    const size_t portable = kernel()->scratch_size(n), queue = sizeof(batch_queue),
                 sum = kernel()->sum_scratch_size(n);
    const size_t work = portable > queue ? portable : queue;
    return ARENA_SIZE(2 * n * sizeof(affine)) + ARENA_SIZE(n * sizeof(words)) +
           ARENA_SIZE(work > sum ? work : sum) + ARENA_SIZE(kernel()->msm_scratch_size(n, 256)) +
           ARENA_SIZE(kernel()->msm_scratch_size(n, 1));
}

int assay_test_batch_add(uint8_t *r, const uint8_t *a, const uint8_t *b, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    affine *slot = arena_take(&next, 2 * n * sizeof(affine));
    batch_queue *queue = arena_take(&next, sizeof(batch_queue));
    if (!read_points(slot, a, n) || !read_points(slot + n, b, n)) return ASSAY_BAD_POINT;
    batch_begin(queue, slot);
    for (size_t i = 0; i < n; i++) batch_add_var(queue, i, n + i);
    batch_flush_var(queue);
    kernel()->compress(r, 33, slot, n);
    return ASSAY_OK;
}

int assay_test_points_sum(uint8_t *r, const uint8_t *points, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    affine *decoded = arena_take(&next, 2 * n * sizeof(affine)), sum;
    if (!read_points(decoded, points, n)) return ASSAY_BAD_POINT;
    kernel()->sum(&sum, decoded, n, next);
    affine_compress(r, &sum);
    return ASSAY_OK;
}

static void read_words(words *r, const uint8_t *bytes, size_t n)
{
    memset(r, 0, n * sizeof *r);
    for (size_t i = 0; i < 32 * n; i++)
        r[i / 32].word[3 - i % 32 / 8] |= (uint64_t)bytes[i] << (56 - 8 * (i % 8));
}

int assay_test_msm(uint8_t *r, const uint8_t *scalars, const uint8_t *points, size_t n,
                   uint32_t bits, void *scratch)
{
    uint8_t *next = scratch;
    affine *decoded = arena_take(&next, 2 * n * sizeof(affine)), sum;
    words *k = arena_take(&next, n * sizeof(words));
    if (!read_points(decoded, points, n)) return ASSAY_BAD_POINT;
    read_words(k, scalars, n);
    kernel()->msm(&sum, k, decoded, n, bits, next);
    affine_compress(r, &sum);
    return ASSAY_OK;
}

void assay_test_commit_rows(uint8_t *r, const uint8_t *rows, size_t row_bytes,
                            const uint8_t *blindings, size_t n, const assay_tables *t,
                            void *scratch)
{
    uint8_t *next = scratch;
    affine *sums = arena_take(&next, 2 * n * sizeof(affine));
    words *k = arena_take(&next, n * sizeof(words));
    if (blindings != NULL) read_words(k, blindings, n);
    kernel()->commit_rows(sums, rows, row_bytes, blindings == NULL ? NULL : k, n, t, next);
    kernel()->compress(r, 33, sums, n);
}

void assay_test_commit_vectors(uint8_t *r, const uint64_t *amounts, const uint8_t *blindings,
                               size_t n, const assay_tables *t, void *scratch)
{
    uint8_t *next = scratch;
    affine *sums = arena_take(&next, 2 * n * sizeof(affine));
    words *k = arena_take(&next, n * sizeof(words));
    if (blindings != NULL) read_words(k, blindings, n);
    kernel()->commit_vectors(sums, amounts, blindings == NULL ? NULL : k, n, t, next);
    kernel()->compress(r, 33, sums, n);
}

void assay_test_combine_vectors(uint8_t *r, const uint8_t *scalars, size_t count,
                                const assay_tables *t, void *scratch)
{
    uint8_t *next = scratch;
    words *k = arena_take(&next, W_COUNT * count * sizeof(words));
    affine *sums = arena_take(&next, count * sizeof(affine));
    read_words(k, scalars, W_COUNT * count);
    kernel()->combine_vectors(sums, k, count, t, next);
    kernel()->compress(r, 33, sums, count);
}

void assay_test_vector_multiple(uint8_t *r, const uint8_t *scalars, const assay_bases *fixed_base)
{
    words k[VECTOR_SLOTS + 1];
    projective product;
    affine sum;
    read_words(k, scalars, VECTOR_SLOTS + 1);
    kernel()->vector_multiple(&product, k, &fixed_base->multiples);
    complete_to_affine(&sum, &product, 1);
    affine_compress(r, &sum);
}

void assay_test_combine(uint8_t *r, const uint8_t *scalars, size_t n, size_t count,
                        const assay_tables *t, void *scratch)
{
    uint8_t *next = scratch;
    words *k = arena_take(&next, n * count * sizeof(words));
    affine *sums = arena_take(&next, count * sizeof(affine));
    read_words(k, scalars, n * count);
    kernel()->combine(sums, k, n, count, t, next);
    kernel()->compress(r, 33, sums, count);
}

/* Whether the terms and those of the generators add up to infinity. */
static int sum_vanishes(words *scalars, affine *points, size_t n, const range_fixed *fixed,
                        const bases *b, void *scratch)
{
    affine sum;
    n += range_fixed_terms(scalars + n, points + n, fixed, b);
    kernel()->msm(&sum, scalars, points, n, 256, scratch);
    return affine_is_infinity(&sum);
}

int assay_test_leaves_verify(const uint8_t *state, size_t m, const uint8_t *entries,
                             const uint8_t *argument, const uint8_t *weight_bytes,
                             const assay_bases *fixed_base, void *scratch)
{
    range_shape s;
    if (!range_shape_leaves(&s, m)) return ASSAY_BAD_COUNT;
    const size_t nodes = m >> path_height((uint32_t)m), given = range_commitments(&s),
                 own = range_points(&s), n = given + own;
    uint8_t *next = scratch;
    affine *points = arena_take(&next, (n + RANGE_FIXED_TERMS) * sizeof *points);
    words *scalars = arena_take(&next, (n + RANGE_FIXED_TERMS) * sizeof *scalars);
    if (kernel()->decompress(points, entries + 32 * nodes, given, next) != given)
        return ASSAY_BAD_ENTRY;
    if (kernel()->decompress(points + given, argument, own, next) != own)
        return ASSAY_BAD_ARGUMENT_POINT;
    if (!range_scalars_valid(&s, argument)) return ASSAY_BAD_ARGUMENT_SCALAR;
    transcript t;
    range_challenges c;
    range_fixed fixed;
    scalar weights[ARGUMENT_EQUATIONS_MAX];
    transcript_begin(&t);
    memcpy(t.state, state, 32);
    range_absorb_shape(&t, &s);
    transcript_absorb(&t, LABEL_ENTRIES, entries, 32 * nodes + 33 * given);
    range_replay(&c, &t, &s, argument);
    range_weights(weights, weight_bytes, range_equations(&s));
    memset(&fixed, 0, sizeof fixed);
    range_coefficients(scalars, &fixed, &s, &c, argument, weights);
    return sum_vanishes(scalars, points, n, &fixed, fixed_base, next) ? ASSAY_OK : ASSAY_REJECTED;
}

int assay_test_opening_verify(const uint8_t *state, const uint8_t *page_id, uint32_t leaf,
                              uint64_t amount, const uint8_t *identity, const uint8_t *vector,
                              const uint8_t *opening, const uint8_t *weight_bytes,
                              const assay_bases *fixed_base, void *scratch)
{
    uint8_t *next = scratch;
    affine *points = arena_take(&next, (OPENING_POINTS + RANGE_FIXED_TERMS) * sizeof *points);
    words *scalars = arena_take(&next, (OPENING_POINTS + RANGE_FIXED_TERMS) * sizeof *scalars);
    transcript t;
    range_fixed fixed;
    scalar c, weight;
    if (!affine_decompress(&points[0], opening)) return ASSAY_BAD_OPENING_POINT;
    if (!affine_decompress(&points[1], vector)) return ASSAY_BAD_POINT;
    transcript_begin(&t);
    memcpy(t.state, state, 32);
    opening_absorb(&t, page_id, leaf, amount, identity);
    transcript_absorb(&t, LABEL_ANNOUNCEMENT, opening, 33);
    transcript_challenge(&c, &t, LABEL_C);
    range_weights(&weight, weight_bytes, 1);
    memset(&fixed, 0, sizeof fixed);
    if (!opening_coefficients(scalars, &fixed, opening + 33, leaf % W_COUNT, amount, &c, &weight))
        return ASSAY_BAD_OPENING_SCALAR;
    return sum_vanishes(scalars, points, OPENING_POINTS, &fixed, fixed_base, next)
               ? ASSAY_OK
               : ASSAY_WRONG_AMOUNT;
}

int assay_test_lanes(uint64_t *r, uint32_t operation, const uint64_t *a, const uint64_t *b,
                     const uint64_t *c)
{
#ifdef ASSAY_AVX512IFMA
    if (kernel() == &KERNEL_AVX512IFMA) return avx512ifma_test_lanes(r, operation, a, b, c);
#endif
    (void)r, (void)operation, (void)a, (void)b, (void)c;
    return -1;
}

int assay_test_sha256_blocks(uint32_t *state, const uint8_t *data, size_t blocks, int chosen)
{
    (chosen ? sha256_blocks() : sha256_blocks_portable)(state, data, blocks);
    return sha256_blocks() != sha256_blocks_portable;
}

void assay_test_absorb(uint32_t *states, const uint8_t *data, size_t stride, size_t n)
{
    kernel()->absorb((uint32_t(*)[8])(void *)states, data, stride, n);
}
