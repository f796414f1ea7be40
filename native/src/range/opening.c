/* The openings of all provers.  opening.h has the contract. */
#include "range/opening.h"
#include "kernels/kernel.h"

uint64_t opening_draw_blindings(opening *o, const stream *nonces, uint64_t index)
{
    stream_scalar(&o->y_blinding, nonces, index++);
    stream_scalar(&o->y2_blinding, nonces, index++);
    return index;
}

uint64_t opening_draw_masks(opening *o, const stream *nonces, uint64_t index)
{
    stream_scalar(&o->t_mask, nonces, index++);
    stream_scalar(&o->y_mask, nonces, index++);
    stream_scalar(&o->y2_mask, nonces, index++);
    stream_scalar(&o->delta_mask, nonces, index++);
    return index;
}

void opening_commitments(words *values, words *blindings, const opening *o, const scalar *value,
                         const scalar *masked, const scalar *delta)
{
    scalar square, product, blinding;
    scalar_sqr(&square, value);
    scalar_mul(&product, masked, value);
    scalar_mul(&blinding, masked, &o->y_blinding);
    scalar_add(&blinding, &blinding, &o->y2_mask);
    const scalar *committed[ARGUMENT_OPENINGS] = {value,  &square,  &SCALAR_ZERO,
                                                  masked, &product, delta};
    const scalar *rho[ARGUMENT_OPENINGS] = {&o->y_blinding, &o->y2_blinding, &o->t_mask,
                                            &o->y_mask,     &blinding,       &o->delta_mask};
    for (int i = 0; i < ARGUMENT_OPENINGS; i++) {
        scalar_to_words(&values[i], committed[i]);
        scalar_to_words(&blindings[i], rho[i]);
    }
}

void opening_response(uint8_t *out, const scalar *e, const scalar *mask, const scalar *secret)
{
    scalar t;
    scalar_mul(&t, e, secret);
    scalar_add(&t, &t, mask);
    scalar_to_bytes(out, &t);
    clear_secret(&t, sizeof t);
}

void opening_respond(uint8_t *out, const opening *o, const scalar *e, const opened *of)
{
    scalar secret, t;
    opening_response(out, e, &o->t_mask, of->row_blinding);
    opening_response(out + 32, e, &o->y_mask, &o->y_blinding);
    scalar_mul(&t, of->value, &o->y_blinding);
    scalar_sub(&secret, &o->y2_blinding, &t);
    opening_response(out + 64, e, &o->y2_mask, &secret);
    /* blinding(K_ν) - e*·ρ_2 + (e* - w*)·ρ_Y */
    scalar_mul(&t, of->e_bound, &o->y2_blinding);
    scalar_sub(&secret, of->claim_blinding, &t);
    scalar_sub(&t, of->e_bound, of->weighted_bound);
    scalar_mul(&t, &t, &o->y_blinding);
    scalar_add(&secret, &secret, &t);
    opening_response(out + 96, e, &o->delta_mask, &secret);
    clear_secret(&secret, sizeof secret);
    clear_secret(&t, sizeof t);
}

bool opening_write_points(uint8_t *out, const affine *points, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (affine_is_infinity(&points[i])) return false;
    kernel()->compress(out, 33, points, n);
    return true;
}
