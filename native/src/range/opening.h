/*
 * The openings that end all provers, of pages, solvency and hidden keys; spec/transcript.md 4.5: T̄,
 * Ȳ, Ȳ2 and Δ̄, and the responses to e.  Constant time in all that it is given.
 */
#ifndef ASSAY_RANGE_OPENING_H
#define ASSAY_RANGE_OPENING_H

#include "curve/group.h"
#include "leaves/derive.h"
#include "range/shape.h"

#define OPENING_RESPONSES 4

typedef struct {
    scalar y_blinding, y2_blinding;             /* ρ_Y, ρ_2 */
    scalar t_mask, y_mask, y2_mask, delta_mask; /* t̄, ȳ, ȳ2, δ̄ */
} opening;

/* What is opened: d*, the blinding of T (Σ_a L_a·s_a) and of K_ν, e*, w* (with κ). */
typedef struct {
    const scalar *value, *row_blinding, *claim_blinding, *e_bound, *weighted_bound;
} opened;

/* Draw the two blindings, or the four masks, from a stream; returns the index behind the last. */
uint64_t opening_draw_blindings(opening *o, const stream *nonces, uint64_t index);
uint64_t opening_draw_masks(opening *o, const stream *nonces, uint64_t index);

/* What Y, Y2, T̄, Ȳ, Ȳ2 and Δ̄ commit to: T̄ as t̄·B alone, Ȳ2 as (d̄·d*)·V + (d̄·ρ_Y + ȳ2)·B, Δ̄ as
 * delta·V + δ̄·B. */
void opening_commitments(words *values, words *blindings, const opening *o, const scalar *value,
                         const scalar *masked, const scalar *delta);

/* out = mask + e·secret, 32 bytes. */
void opening_response(uint8_t *out, const scalar *e, const scalar *mask, const scalar *secret);

/* u_T ‖ u_Y ‖ u_2 ‖ u_Δ. */
void opening_respond(uint8_t *out, const opening *o, const scalar *e, const opened *of);

/* Write n points, 33 bytes each; false when one is infinite. */
bool opening_write_points(uint8_t *out, const affine *points, size_t n);

#endif
