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
    const words *openings;        /* the blinding factors: of entries C_i, or of vectors U_b */
    words sum_opening;            /* of leaves: of C */
    const uint8_t *witness;       /* 32 bytes, the hash of the witness */
    const uint8_t *secret, *salt; /* 32 bytes each */
    uint8_t *argument;            /* range_length() bytes, written */
    /* The prover's own. */
    uint8_t *next; /* where the next part goes */
    range_challenges challenges;
    scalar row_blinding[ARGUMENT_SIDE_MAX], round_blinding[ARGUMENT_NU_MAX][3];
    scalar claim_blinding; /* of K_j */
    scalar basis_product;  /* Π ℓ_1(x) of the rounds so far */
    scalar mask[ARGUMENT_SIDE_MAX];
    opening opening;
    scalar slot_mask[W_COUNT], vector_mask;               /* of leaves: w̄_t, ū */
    scalar side[ARGUMENT_SIDE_MAX], z[ARGUMENT_SIDE_MAX]; /* a table of L or P; the vector z */
    sumcheck sumcheck;
} range_prover;

#define NO_VERSION (-1)

/* The stream of nonces under HMAC(secret, lp(tag) ‖ u16 version ‖ state ‖ witness hash ‖ salt); a
 * tag is shorter than 256 bytes; nothing stands in the place of NO_VERSION and of a salt NULL. */
void nonces_begin(stream *nonces, const uint8_t secret[32], const char *tag, int version,
                  const uint8_t state[32], const uint8_t witness_hash[32], const uint8_t *salt);

/* H_witness of entries, v_0 ‖ r_0 ‖ …, from their words and from 32 bytes of each r_i. */
void range_witness_hash(uint8_t hash[32], const range_shape *s, const uint64_t *values,
                        const uint8_t *blindings);

/* Scratch of range_prove for `count` arguments. */
size_t range_prove_scratch_size(const range_shape *s, size_t count);

/* Prove `count` >= 1 statements of one shape.  False when an infinite point would have to be
 * written, or a challenge whose inverse is needed is zero: probability about 2^-256 each.  Provers
 * and scratch are left full of secrets. */
bool range_prove(range_prover *provers, size_t count, const range_shape *s, const tables *t,
                 void *scratch);

#endif
