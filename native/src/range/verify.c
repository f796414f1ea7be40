/*
 * The verifier of the arguments; spec/transcript.md 4.4.
 *
 * Every equation is moved to one side and written in the points themselves, under its weight α:
 *
 *   (1) α1·( Σ z'_j·Q_j + u_T·B - T̄ - e·Σ L_a·D_a )        (3) α3·( d'·Y + u_2·B - Ȳ2 - e·Y2 )
 *   (2) α2·( d'·V + u_Y·B - Ȳ - e·Y )                       (4) α4·( u_Δ·B - a·f'·V - Δ̄ - e·Δ )
 *   (5) α5·( Σ y'_t·W_t + u_U·B - Ū - e·Σ eq(σ_hi,b)·U_b )
 *
 * where Δ = K_ν - e*·Y2 + (e* - w*)·Y, and K_j = (ℓ_0 - ℓ_1)·[p_j(0)] + ℓ_1·K_{j-1} + ℓ_2·[p_j(2)]
 * + ℓ_3·[p_j(3)].  Entries have K_0 = κ·Σ eq(σ,i)·C_i, no (5), and no f' in (4); leaves have K_0 =
 * ω·C and a = κ·Π ℓ_1.
 */
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

void range_replay(range_challenges *c, transcript *t, const range_shape *s, const uint8_t *argument)
{
    const uint8_t *next = argument;
    range_absorb_rows(c, t, s, next);
    next += 33 * (size_t)s->rows;
    for (unsigned j = 1; j <= s->nu; j++, next += 3 * 33)
        range_absorb_round(&c->x[j - 1], t, j, next);
    range_absorb_openings(c, t, s, next);
}

void range_weights(scalar *weights, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) scalar_from_bytes_reduced(&weights[i], bytes + 32 * i);
}

static void write_words(words *out, const scalar *a, size_t n)
{
    for (size_t i = 0; i < n; i++) scalar_to_words(&out[i], &a[i]);
}

/* e* and w* = pow·(κ·eq(σ, ·) + ω). */
static void bound_factors(scalar *e_star, scalar *w_star, const range_challenges *c,
                          const range_shape *s)
{
    scalar pow = SCALAR_ONE, selected = c->kappa;
    *e_star = SCALAR_ONE;
    for (unsigned t = 0; t < s->nu; t++) {
        scalar *product = t < s->log_b ? &pow : &selected, value;
        linear f;
        range_eq_factor(&f, c, t);
        linear_at(&value, &f, &c->x[t]);
        scalar_mul(e_star, e_star, &value);
        range_weight_factor(&f, c, s, t);
        linear_at(&value, &f, &c->x[t]);
        scalar_mul(product, product, &value);
    }
    scalar_add(&selected, &selected, &c->omega);
    scalar_mul(w_star, &pow, &selected);
}

/* From the last round back. */
void range_round_coefficients(words *out, scalar *product, const scalar *k, const scalar *x,
                              unsigned nu)
{
    *product = SCALAR_ONE;
    for (unsigned j = nu; j-- > 0;) {
        scalar basis[4], own[3], left;
        range_lagrange(basis, &x[j]);
        scalar_sub(&basis[0], &basis[0], &basis[1]);
        scalar_mul(&left, k, product);
        scalar_mul(&own[0], &left, &basis[0]);
        scalar_mul(&own[1], &left, &basis[2]);
        scalar_mul(&own[2], &left, &basis[3]);
        write_words(out + 3 * j, own, 3);
        scalar_mul(product, product, &basis[1]);
    }
}

void range_opening_coefficients(scalar y[2], const scalar weights[ARGUMENT_EQUATIONS],
                                const scalar *delta, const scalar *minus_e, const scalar *e_star,
                                const scalar *w_star, const scalar *d)
{
    scalar t;
    scalar_sub(&t, e_star, w_star);
    scalar_mul(&y[0], delta, &t); /* Y: δ(e* - w*) - α2·e + α3·d' */
    scalar_add_product(&y[0], &weights[1], minus_e);
    scalar_add_product(&y[0], &weights[2], d);
    scalar_mul(&y[1], &weights[2], minus_e); /* Y2: -α3·e - δ·e* */
    scalar_mul(&t, delta, e_star);
    scalar_sub(&y[1], &y[1], &t);
}

/* out[i] = start·eq(point, i) for i < count <= 2^n <= ARGUMENT_SIDE_MAX.  The table begins with an
 * integer instead of a scalar, and products with scalars leave it one. */
static void write_eq_table(words *out, size_t count, const scalar *start, const scalar *point,
                           unsigned n)
{
    scalar first, table[ARGUMENT_SIDE_MAX];
    words integer;
    scalar_to_words(&integer, start);
    memcpy(&first, &integer, sizeof first);
    range_eq_table(table, &first, point, n);
    memcpy(out, table, count * sizeof *out);
}

/* Coefficients of what is committed to before; product is that of K_0 in K_ν, delta that of Δ. */
static void commitment_coefficients(words *out, const range_challenges *c, const range_shape *s,
                                    const scalar *product, const scalar *delta,
                                    const scalar *weights, const scalar *minus_e)
{
    scalar k, t;
    scalar_mul(&k, product, delta);
    if (s->vectors == 0) {
        scalar_mul(&k, &k, &c->kappa);
        write_eq_table(out, s->m, &k, c->sigma, s->mu);
        return;
    }
    scalar_mul(&t, &k, &c->omega);
    scalar_to_words(&out[0], &t);
    scalar_mul(&t, &weights[4], minus_e);
    write_eq_table(out + 1, s->vectors, &t, c->sigma + SLOT_BITS, s->mu - SLOT_BITS);
}

/* z' and y': shares of Q_j and W_t; returns d' and f', which is zero for entries. */
static void add_vectors(range_fixed *fixed, scalar *d, scalar *f, const range_challenges *c,
                        const range_shape *s, const uint8_t *bytes, const scalar *weights)
{
    scalar column[ARGUMENT_SIDE_MAX];
    words z[ARGUMENT_SIDE_MAX];
    range_eq_table(column, &SCALAR_ONE, c->x, s->column_bits);
    for (size_t j = 0; j < s->columns; j++) {
        words_from_bytes(&z[j], bytes + 32 * j);
        words_add_product(&fixed->q[j], &weights[0], &z[j]);
    }
    kernel()->inner(d, column, 1, z, s->columns);
    if (fixed->columns < s->columns) fixed->columns = s->columns;
    *f = SCALAR_ZERO;
    if (s->vectors == 0) return;
    bytes += 32 * (size_t)s->columns;
    range_eq_table(column, &SCALAR_ONE, c->sigma, SLOT_BITS);
    for (size_t t = 0; t < W_COUNT; t++) {
        words_from_bytes(&z[t], bytes + 32 * t);
        words_add_product(&fixed->w[t], &weights[4], &z[t]);
    }
    kernel()->inner(f, column, 1, z, W_COUNT);
    fixed->slots = W_COUNT;
}

/* *acc += a·b. */
static void add_scalar_product(words *acc, const scalar *a, const scalar *b)
{
    words t;
    scalar_to_words(&t, b);
    words_add_product(acc, a, &t);
}

void range_coefficients(words *out, range_fixed *fixed, const range_shape *s,
                        const range_challenges *c, const uint8_t *argument, const scalar *weights)
{
    words *rows = out + range_commitments(s), *rounds = rows + s->rows,
          *openings = rounds + 3 * s->nu;
    const uint8_t *responses = argument + 33 * range_points(s),
                  *u = responses + 32 * (range_scalars(s) - range_equations(s));
    scalar d, f, e_star, w_star, minus_e, delta, product, opening[ARGUMENT_OPENINGS_MAX], t;
    scalar_neg(&minus_e, &c->e);
    add_vectors(fixed, &d, &f, c, s, responses, weights);
    for (size_t k = 0; k < range_equations(s); k++) {
        words response;
        words_from_bytes(&response, u + 32 * k);
        words_add_product(&fixed->b, &weights[k], &response);
    }

    scalar_mul(&t, &weights[0], &minus_e);
    write_eq_table(rows, s->rows, &t, c->x + s->column_bits, s->nu - s->column_bits);

    scalar_mul(&delta, &weights[3], &minus_e);
    range_round_coefficients(rounds, &product, &delta, c->x, s->nu);
    commitment_coefficients(out, c, s, &product, &delta, weights, &minus_e);

    add_scalar_product(&fixed->v, &weights[1], &d);
    scalar_mul(&t, &product, &c->kappa); /* a */
    scalar_mul(&t, &t, &f);
    scalar_neg(&t, &t);
    add_scalar_product(&fixed->v, &weights[3], &t);

    bound_factors(&e_star, &w_star, c, s);
    range_opening_coefficients(opening, weights, &delta, &minus_e, &e_star, &w_star, &d);
    for (size_t k = 0; k < range_equations(s); k++) scalar_neg(&opening[2 + k], &weights[k]);
    write_words(openings, opening, range_openings(s));
}

size_t range_fixed_terms(words *out, affine *points, const range_fixed *fixed, const bases *b)
{
    const size_t n = fixed->columns, slots = fixed->slots;
    out[0] = fixed->v;
    out[1] = fixed->b;
    memcpy(out + 2, fixed->q, n * sizeof *out);
    memcpy(out + 2 + n, fixed->w, slots * sizeof *out);
    points[0] = b->v;
    points[1] = b->b;
    memcpy(points + 2, b->q, n * sizeof *points);
    memcpy(points + 2 + n, b->w, slots * sizeof *points);
    return 2 + n + slots;
}
