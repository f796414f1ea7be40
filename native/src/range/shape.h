/*
 * The arguments of spec/transcript.md, section 4: committed values lie in [0, 2^b).
 *
 * What prover and verifier share, and the verifier.  Names follow the spec: N = 2^ν bits, R rows by
 * S columns; challenges τ, σ, κ, ω, x, e.  There are two kinds.  Of *entries*, page sums or
 * solvency's difference, each value has a commitment of its own, C_i.  Of *leaves* sixteen share
 * one, U_b, and C is the sum of all; then Ū and the responses y' and u_U are there, and ω, which is
 * zero for entries.  Both begin with a transcript after item 6, or item 5 for solvency.
 */
#ifndef ASSAY_RANGE_SHAPE_H
#define ASSAY_RANGE_SHAPE_H

#include "curve/scalar.h"
#include "kernels/kernel.h"
#include "range/transcript.h"

#define ARGUMENT_NU_MAX 18 /* 2^18 bits: 4,096 leaves */
#define ARGUMENT_MU_MAX 12
#define ARGUMENT_SIDE_MAX 512 /* rows, columns */
#define ARGUMENT_ENTRIES_MAX 64
#define ARGUMENT_VECTORS_MAX 256
#define ARGUMENT_OPENINGS 6 /* Y, Y2, T̄, Ȳ, Ȳ2, Δ̄; then Ū of leaves */
#define ARGUMENT_OPENINGS_MAX 7
#define ARGUMENT_RESPONSES 4 /* u_T, u_Y, u_2, u_Δ, after z' and y'; then u_U of leaves */
#define ARGUMENT_EQUATIONS 4 /* of entries */
#define ARGUMENT_EQUATIONS_MAX 5
#define SLOT_BITS 4 /* W_COUNT = 2^4 */

/* Section 4.1, a function of m, b and the kind. */
typedef struct {
    uint32_t m, b, log_b, mu, nu;
    uint32_t column_bits;   /* c */
    uint32_t rows, columns; /* R, S */
    uint32_t vectors;       /* G of leaves, else 0 */
} range_shape;

typedef struct {
    scalar tau[ARGUMENT_NU_MAX], sigma[ARGUMENT_MU_MAX], kappa, omega, x[ARGUMENT_NU_MAX], e;
} range_challenges;

/* Entries: false unless b is 64 or 128 and 1 <= m <= ARGUMENT_ENTRIES_MAX. */
bool range_shape_entries(range_shape *s, size_t m, size_t b);

/* Leaves of 64 bits: false unless m is a page size, 16, 256 or 4096. */
bool range_shape_leaves(range_shape *s, size_t m);

/* Words that hold the N bits, those of absent entries included: N/64. */
size_t range_value_words(const range_shape *s);

/* What is committed to before the argument: C and the vectors, or the entries. */
size_t range_commitments(const range_shape *s);

/* Points after the rounds; points and scalars of an argument; bytes; equations. */
size_t range_openings(const range_shape *s);
size_t range_points(const range_shape *s);
size_t range_scalars(const range_shape *s);
size_t range_length(const range_shape *s);
size_t range_equations(const range_shape *s);

/* Item 5.  Items 7, 8 (j = 1 … ν, x_{j-1}) and 9, each with the challenges that follow it. */
void range_absorb_shape(transcript *t, const range_shape *s);
void range_absorb_rows(range_challenges *c, transcript *t, const range_shape *s,
                       const uint8_t *rows);
void range_absorb_round(scalar *x, transcript *t, unsigned j, const uint8_t points[3 * 33]);
void range_absorb_openings(range_challenges *c, transcript *t, const range_shape *s,
                           const uint8_t *points);

/* Section 4.2: eq(τ, ·), pow and eq(σ, ·) are products of one linear factor a coordinate. */
typedef struct {
    scalar at0, at1;
} linear;

void linear_at(scalar *r, const linear *f, const scalar *x);
void range_eq_factor(linear *f, const range_challenges *c, unsigned t);
/* Of pow for t < log₂b, else of eq(σ, ·). */
void range_weight_factor(linear *f, const range_challenges *c, const range_shape *s, unsigned t);

/* out[i] = start·eq(point, i) for i < 2^n. */
void range_eq_table(scalar *out, const scalar *start, const scalar *point, unsigned n);

/* ℓ_0(x) … ℓ_3(x) on the nodes 0, 1, 2, 3. */
void range_lagrange(scalar basis[4], const scalar *x);

/* From K_{j-1} and p_j(0), p_j(2), p_j(3) at x to K_j, rule 2 of section 4.4; of any one coordinate
 * of the commitments. */
void range_fold(scalar *claim, const scalar p[3], const scalar *x);

/*
 * Verifying.  The equations of every argument of a batch, each under its weight, are one sum that
 * must be infinity: of the argument's own points, and of V, B, the Q_j and the W_t, whose
 * coefficients the whole batch adds up.
 */
typedef struct {
    words v, b, q[ARGUMENT_SIDE_MAX], w[W_COUNT];
    size_t columns, slots; /* how many of q and of w are used */
} range_fixed;

#define RANGE_FIXED_TERMS (2 + ARGUMENT_SIDE_MAX + W_COUNT)

/* A weight of 32 random bytes. */
void range_weights(scalar *weights, const uint8_t *bytes, size_t n);

/* Whether all scalars of an argument are below n. */
bool range_scalars_valid(const range_shape *s, const uint8_t *argument);

/* Items 7 to 9 over the bytes of an argument. */
void range_replay(range_challenges *c, transcript *t, const range_shape *s,
                  const uint8_t *argument);

/* The coefficients of the rounds' commitments in k·K_ν; *product becomes that of K_0 in K_ν. */
void range_round_coefficients(words *out, scalar *product, const scalar *k, const scalar *x,
                              unsigned nu);

/* The coefficients of Y and Y2: delta is that of Δ, w_star is w*, d is d'. */
void range_opening_coefficients(scalar y[2], const scalar weights[ARGUMENT_EQUATIONS],
                                const scalar *delta, const scalar *minus_e, const scalar *e_star,
                                const scalar *w_star, const scalar *d);

/* Adds an argument's share to `fixed`, and writes the coefficients of what is committed to before
 * it, C ‖ U_0 … or C_0 …, and then of its points, in their order.  Its scalars are valid;
 * `weights` are range_equations(). */
void range_coefficients(words *out, range_fixed *fixed, const range_shape *s,
                        const range_challenges *c, const uint8_t *argument, const scalar *weights);

/* Writes the used ones of V, B, Q_j and W_t with their coefficients; returns how many. */
size_t range_fixed_terms(words *out, affine *points, const range_fixed *fixed, const bases *b);

#endif
