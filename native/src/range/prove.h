/*
 * Proving, spec/transcript.md 4.5.
 *
 * Several arguments of one shape advance together, a batch of commitments a step, because additions
 * in a batch share an inversion.  The bytes of each are those it would have alone.
 */
#ifndef ASSAY_RANGE_PROVE_H
#define ASSAY_RANGE_PROVE_H

#include "leaves/derive.h"
#include "range/opening.h"
#include "range/sumcheck.h"

typedef struct {
    /* Given by the caller. */
    transcript transcript; /* after item 6, or item 5 for solvency */
    const uint64_t
        *values; /* N/64 little-endian words, zero where absent; the next prover's follow */
    const uint8_t *blindings;     /* of C_0 … C_(m-1): 32 bytes each, below n */
    const words *openings;        /* the same as integers */
    const uint8_t *secret, *salt; /* 32 bytes each */
    uint8_t *argument;            /* range_length() bytes, written */
    /* The prover's own. */
    uint8_t *next; /* where the next part goes */
    uint8_t witness_hash[32];
    range_challenges challenges;
    scalar row_blinding[ARGUMENT_SIDE_MAX], round_blinding[ARGUMENT_NU_MAX][3];
    scalar claim_blinding; /* of K_j */
    scalar mask[ARGUMENT_SIDE_MAX];
    opening opening;
    scalar side[ARGUMENT_SIDE_MAX], z[ARGUMENT_SIDE_MAX]; /* a table of L or P; the vector z */
    sumcheck sumcheck;
} range_prover;

/* The stream of nonces under HMAC(secret, lp(tag) ‖ u16 argument version ‖ state ‖ witness hash ‖
 * salt); a tag is shorter than 256 bytes, and without a salt (NULL) nothing stands in its place. */
void nonces_begin(stream *nonces, const uint8_t secret[32], const char *tag,
                  const uint8_t state[32], const uint8_t witness_hash[32], const uint8_t *salt);

/* Scratch of range_prove for `count` arguments. */
size_t range_prove_scratch_size(const range_shape *s, size_t count);

/* Prove `count` >= 1 statements of one shape.  False when an infinite point would have to be
 * written, or a challenge whose inverse is needed is zero: probability about 2^-256 each.  Provers
 * and scratch are left full of secrets. */
bool range_prove(range_prover *provers, size_t count, const range_shape *s, const tables *t,
                 void *scratch);

#endif
