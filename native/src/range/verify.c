/*
 * The verifier of the argument; spec/transcript.md 4.4.
 *
 * Every equation is moved to one side and written in the points themselves, under its weight α:
 *
 *   (1) α1·( Σ z'_j·Q_j + u_T·B - T̄ - e·Σ L_a·D_a )        (3) α3·( d'·Y + u_2·B - Ȳ2 - e·Y2 )
 *   (2) α2·( d'·V + u_Y·B - Ȳ - e·Y )                       (4) α4·( u_Δ·B - Δ̄ - e·Δ )
 *
 * where Δ = K_ν - e*·Y2 + (e* - κ·w*)·Y, and K_j = (ℓ_0 - ℓ_1)·[p_j(0)] + ℓ_1·K_{j-1} +
 * ℓ_2·[p_j(2)] + ℓ_3·[p_j(3)].
 */
#include "hash/tags.h"
#include "range/shape.h"

#include <string.h>

bool range_scalars_valid(const range_shape *s, const uint8_t *argument)
{
    const uint8_t *bytes = argument + 33 * range_points(s);
    words t;
    for (size_t i = 0; i < range_scalars(s); i++)
        if (!words_from_bytes(&t, bytes + 32 * i)) return false;
    return true;
}

void range_replay_items(range_replay *r, transcript *t, const range_shape *s,
                        const uint8_t *argument)
{
    const uint8_t *next = argument;
    range_absorb_rows(&r->challenges, t, s, next);
    next += 33 * (size_t)s->rows;
    for (unsigned j = 1; j <= s->nu; j++, next += 3 * 33)
        range_absorb_round(&r->challenges.x[j - 1], t, j, next);
    range_absorb_openings(&r->challenges, t, next);
    next += 33 * ARGUMENT_OPENINGS;
    transcript_absorb(t, LABEL_RESPONSES, next, 32 * range_scalars(s));
    memcpy(r->final_state, t->state, 32);
}

static const char BATCH_TAG[] = TAG_BATCH;

void range_weight_key(uint8_t key[32], const uint8_t seed[32], const range_replay *replays,
                      size_t n)
{
    sha256_context c;
    sha256_begin_tag(&c, BATCH_TAG, sizeof BATCH_TAG - 1);
    sha256_update(&c, seed, 32);
    for (size_t i = 0; i < n; i++) sha256_update(&c, replays[i].final_state, 32);
    sha256_end(key, &c);
}

void range_weights(scalar weights[ARGUMENT_EQUATIONS], const uint8_t key[32], uint64_t n)
{
    sha256_context tagged;
    sha256_begin_tag(&tagged, BATCH_TAG, sizeof BATCH_TAG - 1);
    sha256_update(&tagged, key, 32);
    for (uint8_t k = 0; k < ARGUMENT_EQUATIONS; k++) {
        uint8_t bytes[32];
        for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(n >> (56 - 8 * i));
        bytes[8] = k;
        sha256_context c = tagged;
        sha256_update(&c, bytes, 9);
        sha256_end(bytes, &c);
        scalar_from_bytes_reduced(&weights[k], bytes);
    }
}

static void write_words(words *out, const scalar *a, size_t n)
{
    for (size_t i = 0; i < n; i++) scalar_to_words(&out[i], &a[i]);
}

/* e* and κ·w*. */
static void bound_factors(scalar *e_star, scalar *w_star, const range_challenges *c,
                          const range_shape *s)
{
    *e_star = SCALAR_ONE;
    *w_star = c->kappa;
    for (unsigned t = 0; t < s->nu; t++) {
        linear f;
        scalar value;
        range_eq_factor(&f, c, t);
        linear_at(&value, &f, &c->x[t]);
        scalar_mul(e_star, e_star, &value);
        range_weight_factor(&f, c, s, t);
        linear_at(&value, &f, &c->x[t]);
        scalar_mul(w_star, w_star, &value);
    }
}

/* From the last round back. */
void range_round_coefficients(words *out, scalar *k, const scalar *x, unsigned nu)
{
    for (unsigned j = nu; j-- > 0;) {
        scalar basis[4], own[3];
        range_lagrange(basis, &x[j]);
        scalar_sub(&basis[0], &basis[0], &basis[1]);
        scalar_mul(&own[0], k, &basis[0]);
        scalar_mul(&own[1], k, &basis[2]);
        scalar_mul(&own[2], k, &basis[3]);
        write_words(out + 3 * j, own, 3);
        scalar_mul(k, k, &basis[1]);
    }
}

void range_opening_coefficients(scalar y[2], const scalar weights[ARGUMENT_EQUATIONS],
                                const scalar *delta, const scalar *minus_e, const scalar *e_star,
                                const scalar *w_star, const scalar *d)
{
    scalar t;
    scalar_sub(&t, e_star, w_star);
    scalar_mul(&y[0], delta, &t); /* Y: δ(e* - κ·w*) - α2·e + α3·d' */
    scalar_add_product(&y[0], &weights[1], minus_e);
    scalar_add_product(&y[0], &weights[2], d);
    scalar_mul(&y[1], &weights[2], minus_e); /* Y2: -α3·e - δ·e* */
    scalar_mul(&t, delta, e_star);
    scalar_sub(&y[1], &y[1], &t);
}

/* out[i] = start·eq(point, i) for i < count <= 2^n, 2^n <= the largest page.  The table begins with
 * an integer instead of a scalar, and products with scalars leave it one. */
static void write_eq_table(words *out, size_t count, const scalar *start, const scalar *point,
                           unsigned n)
{
    scalar first, table[(size_t)1 << ARGUMENT_MU_MAX];
    words integer;
    scalar_to_words(&integer, start);
    memcpy(&first, &integer, sizeof first);
    range_eq_table(table, &first, point, n);
    memcpy(out, table, count * sizeof *out);
}

/* Coefficients of the C_i and the round commitments in k·K_ν. */
static void claim_coefficients(words *commitments, words *rounds, scalar k,
                               const range_challenges *c, const range_shape *s)
{
    range_round_coefficients(rounds, &k, c->x, s->nu);
    scalar_mul(&k, &k, &c->kappa);
    write_eq_table(commitments, s->m, &k, c->sigma, s->mu);
}

/* The responses: shares of V, B, Q_j; returns d'. */
static scalar add_responses(range_fixed *fixed, const range_challenges *c, const range_shape *s,
                            const uint8_t *bytes, const scalar weights[ARGUMENT_EQUATIONS])
{
    scalar column[ARGUMENT_SIDE_MAX], d;
    words z[ARGUMENT_SIDE_MAX], t;
    range_eq_table(column, &SCALAR_ONE, c->x, s->column_bits);
    for (size_t j = 0; j < s->columns; j++, bytes += 32) {
        words_from_bytes(&z[j], bytes);
        words_add_product(&fixed->q[j], &weights[0], &z[j]);
    }
    kernel()->inner(&d, column, 1, z, s->columns);
    for (size_t k = 0; k < ARGUMENT_RESPONSES; k++, bytes += 32) {
        words_from_bytes(&t, bytes);
        words_add_product(&fixed->b, &weights[k], &t);
    }
    scalar_to_words(&t, &d);
    words_add_product(&fixed->v, &weights[1], &t);
    return d;
}

void range_coefficients(words *out, range_fixed *fixed, const range_shape *s, const range_replay *r,
                        const uint8_t *argument, const scalar weights[ARGUMENT_EQUATIONS])
{
    const range_challenges *c = &r->challenges;
    words *rows = out + s->m, *rounds = rows + s->rows, *openings = rounds + 3 * s->nu;
    const scalar d = add_responses(fixed, c, s, argument + 33 * range_points(s), weights);
    scalar e_star, w_star, minus_e, opening[ARGUMENT_OPENINGS], t;
    scalar_neg(&minus_e, &c->e);

    scalar_mul(&t, &weights[0], &minus_e);
    write_eq_table(rows, s->rows, &t, c->x + s->column_bits, s->nu - s->column_bits);

    scalar delta; /* the coefficient of Δ */
    scalar_mul(&delta, &weights[3], &minus_e);
    claim_coefficients(out, rounds, delta, c, s);

    bound_factors(&e_star, &w_star, c, s);
    range_opening_coefficients(opening, weights, &delta, &minus_e, &e_star, &w_star, &d);
    for (int k = 0; k < ARGUMENT_EQUATIONS; k++) scalar_neg(&opening[2 + k], &weights[k]);
    write_words(openings, opening, ARGUMENT_OPENINGS);
}

void range_fixed_terms(words *out, affine *points, const range_fixed *fixed, const range_shape *s,
                       const tables *t)
{
    out[0] = fixed->v;
    out[1] = fixed->b;
    memcpy(out + 2, fixed->q, s->columns * sizeof *out);
    points[0] = t->v_point;
    points[1] = t->b_point;
    memcpy(points + 2, t->q_point, s->columns * sizeof *points);
}
