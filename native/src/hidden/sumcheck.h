/*
 * The sum-check over hidden keys, spec/transcript.md 6.3: Σ_x [ eq(τ,x)·(d(x)² - d(x)) +
 * κ·a(x)·d(x) ].
 *
 * As sumcheck.h has it, but w is a, the amounts, which is no product of factors: it is folded like
 * d, and
 *
 *     p(t) = E·e(t)·h(t) + κ·q(t),   q(t) = Σ_y a(t, y)·d(t, y) quadratic.
 *
 * Memory accesses do not depend on d; nor does time, since all bits are multiplied.
 */
#ifndef ASSAY_HIDDEN_SUMCHECK_H
#define ASSAY_HIDDEN_SUMCHECK_H

#include "hidden/shape.h"

typedef struct {
    const hidden_shape *shape;
    const hidden_challenges *challenges;
    scalar *d, *a, *e_rest; /* 2^ν each; e_rest at 2^k: eq's factors of the k highest coordinates */
    scalar e_bound;
    scalar h0, h1, h2, q0, q1, q2; /* at 0, at 1, leading coefficients */
    scalar h_claim, q_claim;       /* e(0)·h(0) + e(1)·h(1) and q(0) + q(1), known beforehand */
} hidden_sumcheck;

/* τ and κ are drawn; d, a and the memory of e_rest are set.  The sum of a·d is `total`. */
void hidden_sumcheck_begin(hidden_sumcheck *c, const scalar *total);

/* p_j(0), p_j(2), p_j(3), j = 1 … ν in turn; then the round's coordinate is bound to x.  False when
 * τ_{j-1} is zero. */
bool hidden_sumcheck_message(scalar p[3], hidden_sumcheck *c, unsigned j);
void hidden_sumcheck_bind(hidden_sumcheck *c, unsigned j, const scalar *x);

#endif
