/*
 * The verifier of hidden keys; spec/transcript.md 6.4.
 *
 * Equations 1 to 4 are those of range/verify.c, of entries, with one row, m = K and the claim
 * κ·C_h; the fifth is
 *
 *   (5) α5·( Σ z'_i·ρ^(i+1)·y_i - X'·V - Ā ).
 *
 * The sums over keys are added up block by block, the rest as one more.
 */
#include "hidden/shape.h"

#include <string.h>

/* V, B, C_h, then the argument's points. */
#define FIXED_TERMS 3
#define TERMS_MAX (FIXED_TERMS + 1 + 3 * HIDDEN_NU_MAX + HIDDEN_ANNOUNCEMENTS)

typedef struct {
    scalar *low;    /* eq of the lowest coordinates, a block */
    words *scalars; /* a block, and TERMS_MAX or more */
    words *z;       /* a block of z' */
    affine *points; /* TERMS_MAX */
    void *kernel;
} workspace;

static size_t scalar_count(const hidden_shape *s)
{
    const size_t block = hidden_block(s);
    return block > TERMS_MAX ? block : TERMS_MAX;
}

/* The coordinates that count inside a block. */
static unsigned low_bits(const hidden_shape *s)
{
    return s->nu < HIDDEN_BLOCK_BITS ? s->nu : HIDDEN_BLOCK_BITS;
}

size_t hidden_verify_scratch_size(const hidden_shape *s)
{
    const size_t n = scalar_count(s), msm = kernel()->msm_scratch_size(n, 256),
                 few = kernel()->scratch_size(TERMS_MAX);
    return ARENA_SIZE(((size_t)1 << low_bits(s)) * sizeof(scalar)) + ARENA_SIZE(n * sizeof(words)) +
           ARENA_SIZE(hidden_block(s) * sizeof(words)) + ARENA_SIZE(TERMS_MAX * sizeof(affine)) +
           (msm > few ? msm : few);
}

size_t assay_hidden_verify_scratch_size(size_t k)
{
    hidden_shape s;
    return hidden_shape_init(&s, k) ? hidden_verify_scratch_size(&s) : 0;
}

static workspace lay_out(const hidden_shape *s, void *scratch)
{
    uint8_t *next = scratch;
    workspace w;
    w.low = arena_take(&next, ((size_t)1 << low_bits(s)) * sizeof *w.low);
    w.scalars = arena_take(&next, scalar_count(s) * sizeof *w.scalars);
    w.z = arena_take(&next, hidden_block(s) * sizeof *w.z);
    w.points = arena_take(&next, TERMS_MAX * sizeof *w.points);
    w.kernel = next;
    return w;
}

static bool scalars_valid(const hidden_shape *s, const uint8_t *responses)
{
    for (size_t i = 0; i < s->k + HIDDEN_RESPONSES; i++) {
        words t;
        if (!words_from_bytes(&t, responses + 32 * i)) return false;
    }
    return true;
}

/* Items 7 to 9. */
static void replay(hidden_challenges *c, transcript *t, const hidden_shape *s,
                   const uint8_t *argument)
{
    const uint8_t *next = argument;
    hidden_absorb_row(c, t, s, next);
    next += 33;
    for (unsigned j = 1; j <= s->nu; j++, next += 3 * 33) hidden_absorb_round(c, t, j, next);
    hidden_absorb_announcements(c, t, next);
}

/* What goes through all keys. */
typedef struct {
    const hidden_shape *shape;
    const uint8_t *responses, *amounts;
    const affine *keys, *generators;
    const scalar *weights;
    const hidden_challenges *challenges;
    jacobian sum; /* Σ α1·z'_j·Q_j + Σ α5·z'_i·ρ_i·y_i */
    scalar power; /* α5·ρ^i */
    scalar_sum d; /* d' = Σ z'_j·P_j */
    scalar_sum w; /* w* = Σ a_j·P_j */
} key_sums;

static void add_msm(jacobian *sum, const workspace *w, const affine *points, size_t n)
{
    affine part;
    kernel()->msm(&part, w->scalars, points, n, 256, w->kernel);
    jacobian_add_affine_var(sum, sum, &part);
}

/* eq(x_c … x_{ν-1}, index) of the block at `first`. */
static scalar high_factor(const key_sums *k, size_t first)
{
    const unsigned nu = k->shape->nu;
    scalar factor = SCALAR_ONE;
    for (unsigned t = low_bits(k->shape); t < nu; t++) {
        const scalar *x = &k->challenges->x[t];
        scalar other;
        scalar_sub(&other, &SCALAR_ONE, x);
        scalar_mul(&factor, &factor, first >> t & 1 ? x : &other);
    }
    return factor;
}

/* *sum += high·Σ low_i·a_i of a block. */
static void add_column(scalar_sum *sum, const workspace *w, const words *a, size_t n,
                       const scalar *high)
{
    scalar t;
    kernel()->inner(&t, w->low, 1, a, n);
    scalar_sum_mul(sum, &t, high);
}

static void add_block(key_sums *k, const workspace *w, size_t first)
{
    const size_t n = hidden_block_at(k->shape, first);
    const scalar high = high_factor(k, first);
    for (size_t i = 0; i < n; i++) {
        words_from_bytes(&w->z[i], k->responses + 32 * (first + i));
        hidden_amount(&w->scalars[i], k->amounts, first + i);
    }
    add_column(&k->d, w, w->z, n, &high);
    add_column(&k->w, w, w->scalars, n, &high);
    for (size_t i = 0; i < n; i++) scalar_mul_words(&w->scalars[i], &k->weights[0], &w->z[i]);
    add_msm(&k->sum, w, k->generators + first, n);
    for (size_t i = 0; i < n; i++) {
        scalar_mul(&k->power, &k->power, &k->challenges->rho);
        scalar_mul_words(&w->scalars[i], &k->power, &w->z[i]);
    }
    add_msm(&k->sum, w, k->keys + first, n);
}

/* e* = eq(τ, x). */
static scalar eq_at(const hidden_challenges *c, unsigned nu)
{
    scalar product = SCALAR_ONE;
    for (unsigned t = 0; t < nu; t++) {
        linear f;
        scalar value;
        scalar_sub(&f.at0, &SCALAR_ONE, &c->tau[t]);
        f.at1 = c->tau[t];
        linear_at(&value, &f, &c->x[t]);
        scalar_mul(&product, &product, &value);
    }
    return product;
}

/* Coefficients of V, B, C_h and the argument's points. */
static void coefficients(words *out, const key_sums *k)
{
    const hidden_challenges *c = k->challenges;
    const scalar *weights = k->weights;
    const unsigned nu = k->shape->nu;
    const uint8_t *u = k->responses + 32 * (size_t)k->shape->k;
    words *row = out + FIXED_TERMS, *rounds = row + 1;
    scalar first[FIXED_TERMS] = {{{0}}}, announcement[HIDDEN_ANNOUNCEMENTS], d, w_star, minus_e,
           delta, product, t;
    scalar_sum_reduce(&d, &k->d);
    scalar_sum_reduce(&w_star, &k->w);
    scalar_mul(&w_star, &w_star, &c->kappa);
    const scalar e_star = eq_at(c, nu);
    scalar_neg(&minus_e, &c->e);
    for (size_t i = 0; i < ARGUMENT_EQUATIONS; i++) {
        scalar_from_bytes_reduced(&t, u + 32 * i);
        scalar_add_product(&first[1], &weights[i], &t);
    }
    scalar_from_bytes_reduced(&t, u + 32 * ARGUMENT_EQUATIONS); /* X' */
    scalar_neg(&t, &t);
    scalar_mul(&first[0], &weights[4], &t);
    scalar_add_product(&first[0], &weights[1], &d);

    scalar_mul(&t, &weights[0], &minus_e);
    scalar_to_words(row, &t);
    scalar_mul(&delta, &weights[3], &minus_e);
    range_round_coefficients(rounds, &product, &delta, c->x, nu);
    scalar_mul(&t, &product, &c->kappa);
    scalar_mul(&first[2], &delta, &t);
    for (size_t i = 0; i < FIXED_TERMS; i++) scalar_to_words(&out[i], &first[i]);

    range_opening_coefficients(announcement, weights, &delta, &minus_e, &e_star, &w_star, &d);
    for (size_t i = 0; i < HIDDEN_EQUATIONS; i++) scalar_neg(&announcement[2 + i], &weights[i]);
    for (size_t i = 0; i < HIDDEN_ANNOUNCEMENTS; i++)
        scalar_to_words(&rounds[3 * nu + i], &announcement[i]);
}

int hidden_verify(const hidden_shape *s, const uint8_t *state, const assay_hidden_keys *listed,
                  const uint8_t *commitment, const uint8_t *argument, const uint8_t *weight_bytes,
                  const bases *fixed, void *scratch)
{
    const workspace w = lay_out(s, scratch);
    const size_t own = hidden_points(s);
    const uint8_t *responses = argument + 33 * own;
    w.points[0] = fixed->v;
    w.points[1] = fixed->b;
    if (!affine_decompress(&w.points[2], commitment)) return ASSAY_BAD_POINT;
    if (kernel()->decompress(w.points + FIXED_TERMS, argument, own, w.kernel) != own)
        return ASSAY_BAD_ARGUMENT_POINT;
    if (!scalars_valid(s, responses)) return ASSAY_BAD_ARGUMENT_SCALAR;

    transcript t;
    hidden_challenges c;
    scalar weights[HIDDEN_EQUATIONS];
    hidden_begin(&t, state, s);
    replay(&c, &t, s, argument);
    range_weights(weights, weight_bytes, HIDDEN_EQUATIONS);
    key_sums sums = {.shape = s,
                     .responses = responses,
                     .amounts = listed->amounts,
                     .keys = (const affine *)(const void *)listed->keys,
                     .generators = (const affine *)(const void *)listed->generators,
                     .weights = weights,
                     .challenges = &c,
                     .sum = JACOBIAN_INFINITY,
                     .power = weights[4]};
    range_eq_table(w.low, &SCALAR_ONE, c.x, low_bits(s));
    for (size_t first = 0; first < s->k; first += HIDDEN_BLOCK) add_block(&sums, &w, first);
    coefficients(w.scalars, &sums);
    add_msm(&sums.sum, &w, w.points, FIXED_TERMS + own);
    return jacobian_is_infinity(&sums.sum) ? ASSAY_OK : ASSAY_REJECTED;
}

int assay_hidden_verify_var(const uint8_t *state, const assay_hidden_keys *listed,
                            const uint8_t *commitment, const uint8_t *argument, size_t length,
                            const uint8_t *weights, const assay_bases *fixed, void *scratch)
{
    hidden_shape s;
    if (!hidden_shape_init(&s, listed->k)) return ASSAY_BAD_COUNT;
    if (length != hidden_length(&s)) return ASSAY_BAD_LENGTH;
    return hidden_verify(&s, state, listed, commitment, argument, weights, fixed, scratch);
}
