/*
 * The prover's arithmetic of the sum-check, spec/transcript.md 4.3, over
 *
 *     Σ_x [ eq(τ,x)·(d(x)² - d(x)) + pow(x)·(κ·eq(σ,i) + ω)·d(x) ],    d the bits of the values,
 *
 * i being the coordinates that number the values, ω = 0 for entries.  eq(τ, ·), pow and eq(σ, ·)
 * are products of one factor a coordinate.  With coordinates 0 … j-2 bound, round j's cubic is
 *
 *     p(t) = E·e(t)·h(t) + W·w(t)·l(t) + Z·s(t),   h(t) = Σ_y e'(y)·(d² - d),   l(t) = Σ_y w'(y)·d,
 *     s(t) = Σ_y d,   d = d(x_0 … x_{j-2}, t, y),
 *
 * E, W and Z being the factors of the bound coordinates, e(t) and w(t) those of the round's own, e'
 * and w' those of the rest.  In the rounds of pow, w is pow's factor, Z = 0, and w' ends in
 * κ·eq(σ,i)
 * + ω, which is no product.  In those after, w is a factor of eq(σ, ·), w' ends in κ, W = pow(x),
 * and Z = ω·pow(x).  h is quadratic, l and s are linear in t.
 *
 * The first three rounds stay inside the bytes of the values.  There d takes one of 4, 16 or 256
 * forms, by a pattern of 2, 4 or 8 bits; the weights of all y with one pattern are added up first.
 * The fourth joins pairs of bytes, and of its sums only h's leading coefficient needs both.  The
 * later rounds run on N/16 field elements, halved each time, and sum only h(0), the leading
 * coefficient of h, l(0) and s(0): h(1), l(1) and s(1) follow from what h, l and s of the round
 * before became at its challenge.
 */
#ifndef ASSAY_SUMCHECK_H
#define ASSAY_SUMCHECK_H

#include "range/shape.h"

#define SUMCHECK_PATTERNS (4 + 16 + 256) /* of rounds 1, 2, 3, one after another */

/* A linear form of a round: its values, and the sum over t of factor·value, known beforehand. */
typedef struct {
    scalar at0, at1, claim;
} sumcheck_form;

typedef struct {
    const range_shape *shape;
    const uint64_t *values; /* N/64 little-endian words, zero where absent */
    linear e_factor[ARGUMENT_NU_MAX], w_factor[ARGUMENT_NU_MAX];
    scalar e_inverse[ARGUMENT_NU_MAX], w_inverse[ARGUMENT_NU_MAX]; /* of the factors at 1 */
    scalar omega;
    scalar e_bound, w_bound, s_bound; /* E, W, Z */
    scalar h0, h1, h2, h_claim;       /* this round's h(0), h(1), leading coefficient */
    sumcheck_form l, s;
    scalar e_pattern[SUMCHECK_PATTERNS], w_pattern[SUMCHECK_PATTERNS];
    scalar e_byte[2][256], w_byte[2][256];     /* of bytes at even and odd positions */
    _Alignas(64) uint8_t bucket[BUCKET_BYTES]; /* also 256 pairs of scalars */
    scalar form[256]; /* d of every pattern of bound bits: 2, 4, 16, 256 of them after 0, 1, 2, 3
                         rounds */
    scalar
        *e_rest; /* at 2^k: the 2^k products of factors of the k highest coordinates, k <= ν - 6 */
    scalar *w_rest; /* the same of eq(σ, ·), k <= μ, times κ */
    scalar *w_word; /* what w' ends in: at 2^k, for every value and for every word */
    scalar *dense;  /* d, N/16 elements after round 4 */
} sumcheck;

/* Elements of memory behind e_rest, w_rest, w_word and dense together. */
size_t sumcheck_elements(const range_shape *s);

/* τ, σ, κ and ω are drawn.  False when a factor that has to be inverted is zero: probability about
 * ν/n. */
bool sumcheck_begin(sumcheck *c, const range_shape *s, const range_challenges *challenges,
                    const uint64_t *values, scalar *memory);

/* p_j(0), p_j(2), p_j(3), j = 1 … ν in turn; then the round's coordinate is bound to x. */
void sumcheck_message(scalar p[3], sumcheck *c, unsigned j);
void sumcheck_bind(sumcheck *c, unsigned j, const scalar *x);

/* w*, all coordinates being bound. */
void sumcheck_weight(scalar *w_star, const sumcheck *c);

/* sum = κ·Σ eq(σ, i)·a[i], i < m. */
void sumcheck_select(scalar *sum, const sumcheck *c, const words *a);

#endif
