/*
 * The argument of spec/transcript.md, section 4: committed values lie in [0, 2^b).
 *
 * What prover and verifier share, and the verifier.  Names follow the spec: N = 2^ν bits, R rows by
 * S columns; challenges τ, σ, κ, x, e.  Both begin with a transcript after item 6 (item 5 for
 * solvency).
 */
#ifndef ASSAY_RANGE_SHAPE_H
#define ASSAY_RANGE_SHAPE_H

#include "curve/scalar.h"
#include "kernels/kernel.h"
#include "range/transcript.h"

#define ARGUMENT_NU_MAX 16 /* 2^16 bits: m = 1024 of 64 */
#define ARGUMENT_MU_MAX 10
#define ARGUMENT_SIDE_MAX 256 /* rows, columns */
#define ARGUMENT_OPENINGS 6   /* Y, Y2, T̄, Ȳ, Ȳ2, Δ̄ */
#define ARGUMENT_RESPONSES 4  /* u_T, u_Y, u_2, u_Δ, after the S of z' */
#define ARGUMENT_EQUATIONS 4

/* Section 4.1, a function of m and b. */
typedef struct {
    uint32_t m, b, log_b, mu, nu;
    uint32_t column_bits;   /* c */
    uint32_t rows, columns; /* R, S */
} range_shape;

typedef struct {
    scalar tau[ARGUMENT_NU_MAX], sigma[ARGUMENT_MU_MAX], kappa, x[ARGUMENT_NU_MAX], e;
} range_challenges;

/* False unless b is 64 or 128, m >= 1, and ν <= ARGUMENT_NU_MAX. */
bool range_shape_init(range_shape *s, size_t m, size_t b);

/* Words that hold the N bits, those of absent entries included: N/64. */
size_t range_value_words(const range_shape *s);

/* Points of an argument, R + 3ν + 6; scalars, S + 4; bytes. */
size_t range_points(const range_shape *s);
size_t range_scalars(const range_shape *s);
size_t range_length(const range_shape *s);

/* Item 5.  Items 7, 8 (j = 1 … ν, x_{j-1}) and 9, each with the challenges that follow it. */
void range_absorb_shape(transcript *t, const range_shape *s);
void range_absorb_rows(range_challenges *c, transcript *t, const range_shape *s,
                       const uint8_t *rows);
void range_absorb_round(scalar *x, transcript *t, unsigned j, const uint8_t points[3 * 33]);
void range_absorb_openings(range_challenges *c, transcript *t,
                           const uint8_t points[ARGUMENT_OPENINGS * 33]);

/* Section 4.2: eq(τ, ·) and w are products of one linear factor a coordinate. */
typedef struct {
    scalar at0, at1;
} linear;

void linear_at(scalar *r, const linear *f, const scalar *x);
void range_eq_factor(linear *f, const range_challenges *c, unsigned t);
void range_weight_factor(linear *f, const range_challenges *c, const range_shape *s, unsigned t);

/* out[i] = start·eq(point, i) for i < 2^n. */
void range_eq_table(scalar *out, const scalar *start, const scalar *point, unsigned n);

/* ℓ_0(x) … ℓ_3(x) on the nodes 0, 1, 2, 3. */
void range_lagrange(scalar basis[4], const scalar *x);

/* From K_{j-1} and p_j(0), p_j(2), p_j(3) at x to K_j, rule 2 of section 4.4; of any one coordinate
 * of the commitments. */
void range_fold(scalar *claim, const scalar p[3], const scalar *x);

/*
 * Verifying.  The four equations of every argument of a batch, each under its weight, are one sum
 * that must be infinity: of the argument's own points, and of V, B and the Q_j, whose coefficients
 * the whole batch adds up.
 */
typedef struct {
    range_challenges challenges;
    uint8_t final_state[32]; /* after item 10 */
} range_replay;

typedef struct {
    words v, b, q[ARGUMENT_SIDE_MAX];
} range_fixed;

/* Whether all scalars of an argument are below n. */
bool range_scalars_valid(const range_shape *s, const uint8_t *argument);

/* Items 7 to 10 over the bytes of an argument. */
void range_replay_items(range_replay *r, transcript *t, const range_shape *s,
                        const uint8_t *argument);

/* The key of a batch's weights, from 32 random bytes and every member's final state; the n-th
 * member's weights. */
void range_weight_key(uint8_t key[32], const uint8_t seed[32], const range_replay *replays,
                      size_t n);
void range_weights(scalar weights[ARGUMENT_EQUATIONS], const uint8_t key[32], uint64_t n);

/* The coefficients of the rounds' commitments in k·K_ν; k becomes that of K_0. */
void range_round_coefficients(words *out, scalar *k, const scalar *x, unsigned nu);

/* The coefficients of Y and Y2: delta is that of Δ, w_star is κ·w*, d is d'. */
void range_opening_coefficients(scalar y[2], const scalar weights[ARGUMENT_EQUATIONS],
                                const scalar *delta, const scalar *minus_e, const scalar *e_star,
                                const scalar *w_star, const scalar *d);

/* Adds an argument's share to `fixed`, and writes the coefficients of C_0 … C_(m-1) and then of its
 * points, in their order: m + R + 3ν + 6.  Its scalars are valid. */
void range_coefficients(words *out, range_fixed *fixed, const range_shape *s, const range_replay *r,
                        const uint8_t *argument, const scalar weights[ARGUMENT_EQUATIONS]);

/* Writes V, B and Q_j, j < S, with their coefficients: S + 2 terms. */
void range_fixed_terms(words *out, affine *points, const range_fixed *fixed, const range_shape *s,
                       const tables *t);

#endif
