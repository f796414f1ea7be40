/*
 * The argument over hidden keys; spec/transcript.md, section 6.
 *
 * What prover and verifier share.  K keys y_i with amounts a_i; bits o_i, one row of S = 2^ν
 * columns.  Points, generators: an `affine` each.
 */
#ifndef ASSAY_HIDDEN_SHAPE_H
#define ASSAY_HIDDEN_SHAPE_H

#include "assay.h"
#include "range/shape.h"

#define HIDDEN_NU_MAX 20
#define HIDDEN_ANNOUNCEMENTS 7 /* Y, Y2, T̄, Ȳ, Ȳ2, Δ̄, Ā */
#define HIDDEN_RESPONSES 5     /* u_T, u_Y, u_2, u_Δ, X', after the K of z' */
#define HIDDEN_EQUATIONS 5

typedef struct {
    uint32_t k, nu;
} hidden_shape;

typedef struct {
    scalar tau[HIDDEN_NU_MAX], kappa, rho, x[HIDDEN_NU_MAX], e;
} hidden_challenges;

/* False unless 1 <= k <= 2^HIDDEN_NU_MAX. */
bool hidden_shape_init(hidden_shape *s, size_t k);

/* Points of an argument, 3ν + 8; bytes. */
size_t hidden_points(const hidden_shape *s);
size_t hidden_length(const hidden_shape *s);

/* Items 5, 7, 8 (j = 1 … ν) and 9, the last three with the challenges that follow them. */
void hidden_begin(transcript *t, const uint8_t state[32], const hidden_shape *s);
void hidden_absorb_row(hidden_challenges *c, transcript *t, const hidden_shape *s,
                       const uint8_t row[33]);
void hidden_absorb_round(hidden_challenges *c, transcript *t, unsigned j,
                         const uint8_t points[3 * 33]);
void hidden_absorb_announcements(hidden_challenges *c, transcript *t, const uint8_t *points);

/* a_i, from 16 big-endian bytes. */
void hidden_amount(words *r, const uint8_t *amounts, size_t i);

/* All ones if key i is owned, its private key being not zero; constant-time. */
static inline uint64_t hidden_owned(const uint8_t *secrets, size_t i)
{
    uint64_t any = 0;
    for (size_t j = 0; j < 32; j++) any |= secrets[32 * i + j];
    return 0 - (any + 255) / 256;
}

/* The check of an argument of the right length; `weights` are HIDDEN_EQUATIONS of 32 bytes. */
size_t hidden_verify_scratch_size(const hidden_shape *s);
int hidden_verify(const hidden_shape *s, const uint8_t *state, const assay_hidden_keys *listed,
                  const uint8_t *commitment, const uint8_t *argument, const uint8_t *weights,
                  const bases *fixed, void *scratch);

/* Keys are taken in blocks, so that scratch does not grow with K. */
#define HIDDEN_BLOCK_BITS 16
#define HIDDEN_BLOCK ((size_t)1 << HIDDEN_BLOCK_BITS)

/* min(K, HIDDEN_BLOCK), and how many keys the block that begins at `first` has. */
size_t hidden_block(const hidden_shape *s);
size_t hidden_block_at(const hidden_shape *s, size_t first);

#endif
