/* What prover and verifier of hidden keys share: shape, transcript items, generators, points in
 * bulk. */
#include "hidden/shape.h"
#include "hash/tags.h"

#include <string.h>

bool hidden_shape_init(hidden_shape *s, size_t k)
{
    if (k == 0 || k > (size_t)1 << HIDDEN_NU_MAX) return false;
    s->k = (uint32_t)k;
    for (s->nu = 0; (size_t)1 << s->nu < k;) s->nu++;
    return true;
}

size_t hidden_points(const hidden_shape *s)
{
    return 1 + 3 * s->nu + HIDDEN_ANNOUNCEMENTS;
}

size_t hidden_length(const hidden_shape *s)
{
    return 33 * hidden_points(s) + 32 * (s->k + (size_t)HIDDEN_RESPONSES);
}

size_t assay_hidden_length(size_t k)
{
    hidden_shape s;
    return hidden_shape_init(&s, k) ? hidden_length(&s) : 0;
}

void hidden_begin(transcript *t, const uint8_t state[32], const hidden_shape *s)
{
    const range_shape shape = {
        .m = s->k, .b = 1, .mu = s->nu, .nu = s->nu, .rows = 1, .columns = (uint32_t)1 << s->nu};
    transcript_begin(t);
    memcpy(t->state, state, 32);
    range_absorb_shape(t, &shape);
}

void hidden_absorb_row(hidden_challenges *c, transcript *t, const hidden_shape *s,
                       const uint8_t row[33])
{
    transcript_absorb(t, LABEL_ROWS, row, 33);
    for (unsigned j = 0; j < s->nu; j++) transcript_challenge(&c->tau[j], t, LABEL_TAU);
    transcript_challenge(&c->kappa, t, LABEL_KAPPA);
    transcript_challenge(&c->rho, t, LABEL_RHO);
}

void hidden_absorb_round(hidden_challenges *c, transcript *t, unsigned j,
                         const uint8_t points[3 * 33])
{
    range_absorb_round(&c->x[j - 1], t, j, points);
}

void hidden_absorb_announcements(hidden_challenges *c, transcript *t, const uint8_t *points)
{
    transcript_absorb(t, LABEL_ANNOUNCEMENTS, points, 33 * HIDDEN_ANNOUNCEMENTS);
    transcript_challenge(&c->e, t, LABEL_E);
}

void hidden_amount(words *r, const uint8_t *amounts, size_t i)
{
    uint64_t word[2] = {0, 0};
    for (size_t j = 0; j < 16; j++) word[j / 8] = word[j / 8] << 8 | amounts[16 * i + j];
    *r = (words){{word[1], word[0], 0, 0}};
}

size_t hidden_block(const hidden_shape *s)
{
    return s->k < HIDDEN_BLOCK ? s->k : HIDDEN_BLOCK;
}

size_t hidden_block_at(const hidden_shape *s, size_t first)
{
    return s->k - first < HIDDEN_BLOCK ? s->k - first : HIDDEN_BLOCK;
}

size_t assay_generators_scratch_size(void)
{
    return bases_scratch_size();
}

void assay_generators_var(uint8_t *generators, uint32_t first, size_t n, void *scratch)
{
    derive_generators((affine *)(void *)generators, 'Q', first, n, scratch);
}

size_t assay_points_decode_scratch_size(size_t n)
{
    return kernel()->scratch_size(n);
}

int assay_points_decode_var(uint8_t *decoded, size_t *bad, const uint8_t *points, size_t n,
                            void *scratch)
{
    *bad = kernel()->decompress((affine *)(void *)decoded, points, n, scratch);
    return *bad == n ? ASSAY_OK : ASSAY_BAD_POINT;
}

void assay_points_coordinates(uint8_t *coordinates, const uint8_t *decoded, size_t n)
{
    const affine *point = (const affine *)(const void *)decoded;
    for (size_t i = 0; i < n; i++) {
        field_to_bytes(coordinates + 64 * i, &point[i].x);
        field_to_bytes(coordinates + 64 * i + 32, &point[i].y);
    }
}
