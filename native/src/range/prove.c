/* The prover of the argument; spec/transcript.md 4.5 has the equations, in this order. */
#include "range/prove.h"
#include "hash/tags.h"

#include "assay.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "rows of bits are read from words as bytes");

#define ARGUMENT_VERSION 1

/* What a batch of commitments is gathered in. */
typedef struct {
    words *values, *blindings;
    affine *points;
    scalar *sumcheck; /* memory of the first prover's; the others' follow */
    void *kernel;
} workspace;

static size_t batch_size(const range_shape *s, size_t count)
{
    return s->columns *
           count; /* R <= S; the openings with the sums of the masks, 7, are fewer: S >= 8 */
}

size_t range_prove_scratch_size(const range_shape *s, size_t count)
{
    const size_t n = batch_size(s, count);
    return 2 * ARENA_SIZE(n * sizeof(words)) + ARENA_SIZE(n * sizeof(affine)) +
           ARENA_SIZE(count * sumcheck_elements(s) * sizeof(scalar)) +
           kernel()->scratch_size(n > 256 ? n : 256);
}

static workspace lay_out(const range_shape *s, size_t count, void *scratch)
{
    const size_t n = batch_size(s, count);
    uint8_t *next = scratch;
    workspace w;
    w.values = arena_take(&next, n * sizeof(words));
    w.blindings = arena_take(&next, n * sizeof(words));
    w.points = arena_take(&next, n * sizeof(affine));
    w.sumcheck = arena_take(&next, count * sumcheck_elements(s) * sizeof(scalar));
    w.kernel = next;
    return w;
}

/* Writes points; false when one is infinite. */
static bool write_points(range_prover *p, const affine *points, size_t n)
{
    if (!opening_write_points(p->next, points, n)) return false;
    p->next += 33 * n;
    return true;
}

static void hash_witness(range_prover *p, const range_shape *s)
{
    static const char TAG[] = TAG_WITNESS;
    const size_t words_each = s->b / 64;
    sha256_context c;
    sha256_begin_tag(&c, TAG, sizeof TAG - 1);
    for (size_t i = 0; i < s->m; i++) {
        for (size_t k = words_each; k-- > 0;) {
            uint8_t bytes[8];
            const uint64_t word = p->values[i * words_each + k];
            for (int j = 0; j < 8; j++) bytes[j] = (uint8_t)(word >> (56 - 8 * j));
            sha256_update(&c, bytes, 8);
        }
        sha256_update(&c, p->blindings + 32 * i, 32);
    }
    sha256_end(p->witness_hash, &c);
    clear_secret(&c, sizeof c);
}

void nonces_begin(stream *nonces, const uint8_t secret[32], const char *tag,
                  const uint8_t state[32], const uint8_t witness_hash[32], const uint8_t *salt)
{
    static const uint8_t VERSION[2] = {0, ARGUMENT_VERSION};
    const size_t tag_length = strlen(tag);
    const uint8_t head[4] = {0, 0, 0, (uint8_t)tag_length};
    hmac_key keyed;
    uint8_t key[32];
    hmac_key_init(&keyed, secret, 32);
    sha256_context c = keyed.inner;
    sha256_update(&c, head, sizeof head);
    sha256_update(&c, tag, tag_length);
    sha256_update(&c, VERSION, sizeof VERSION);
    sha256_update(&c, state, 32);
    sha256_update(&c, witness_hash, 32);
    if (salt != NULL) sha256_update(&c, salt, 32);
    hmac_end(key, &keyed, &c);
    stream_begin(nonces, key);
    clear_secret(&keyed, sizeof keyed);
    clear_secret(&c, sizeof c);
    clear_secret(key, sizeof key);
}

/* The stream of nonces under the present state of the transcript. */
static void begin_nonces(stream *nonces, const range_prover *p)
{
    nonces_begin(nonces, p->secret, TAG_ARGUMENT_NONCE, p->transcript.state, p->witness_hash,
                 p->salt);
}

static void draw_blindings(range_prover *p, const range_shape *s)
{
    stream nonces;
    uint64_t k = 0;
    begin_nonces(&nonces, p);
    for (size_t a = 0; a < s->rows; a++) stream_scalar(&p->row_blinding[a], &nonces, k++);
    for (size_t j = 0; j < s->nu; j++)
        for (size_t i = 0; i < 3; i++) stream_scalar(&p->round_blinding[j][i], &nonces, k++);
    opening_draw_blindings(&p->opening, &nonces, k);
    clear_secret(&nonces, sizeof nonces);
}

static void draw_masks(range_prover *p, const range_shape *s)
{
    stream nonces;
    uint64_t k = 0;
    begin_nonces(&nonces, p);
    for (size_t j = 0; j < s->columns; j++) stream_scalar(&p->mask[j], &nonces, k++);
    opening_draw_masks(&p->opening, &nonces, k);
    clear_secret(&nonces, sizeof nonces);
}

static bool commit_rows(range_prover *provers, size_t count, const range_shape *s, const tables *t,
                        const workspace *w)
{
    for (size_t i = 0; i < count; i++)
        for (size_t a = 0; a < s->rows; a++)
            scalar_to_words(&w->blindings[s->rows * i + a], &provers[i].row_blinding[a]);
    kernel()->commit_rows(w->points, (const uint8_t *)provers->values, s->columns / 8, w->blindings,
                          s->rows * count, t, w->kernel);
    for (size_t i = 0; i < count; i++) {
        range_prover *p = &provers[i];
        const uint8_t *rows = p->next;
        if (!write_points(p, w->points + s->rows * i, s->rows)) return false;
        range_absorb_rows(&p->challenges, &p->transcript, s, rows);
    }
    return true;
}

/* The sum-check begins; the blinding of K_0 = κ·Σ eq(σ,i)·C_i. */
static bool begin_rounds(range_prover *p, const range_shape *s, scalar *memory)
{
    if (!sumcheck_begin(&p->sumcheck, s, &p->challenges, p->values, memory)) return false;
    sumcheck_select(&p->claim_blinding, &p->sumcheck, p->openings);
    scalar_mul(&p->claim_blinding, &p->claim_blinding, &p->challenges.kappa);
    return true;
}

/* Round j of all provers. */
static bool prove_round(range_prover *provers, size_t count, unsigned j, const tables *t,
                        const workspace *w)
{
    for (size_t i = 0; i < count; i++) {
        scalar p[3];
        sumcheck_message(p, &provers[i].sumcheck, j);
        for (size_t k = 0; k < 3; k++) {
            scalar_to_words(&w->values[3 * i + k], &p[k]);
            scalar_to_words(&w->blindings[3 * i + k], &provers[i].round_blinding[j - 1][k]);
        }
    }
    kernel()->commit(w->points, w->values[0].word, 4, w->blindings, 3 * count, t, w->kernel);
    for (size_t i = 0; i < count; i++) {
        range_prover *p = &provers[i];
        const uint8_t *points = p->next;
        if (!write_points(p, &w->points[3 * i], 3)) return false;
        scalar *x = &p->challenges.x[j - 1];
        range_absorb_round(x, &p->transcript, j, points);
        range_fold(&p->claim_blinding, p->round_blinding[j - 1], x);
        sumcheck_bind(&p->sumcheck, j, x);
    }
    return true;
}

static void prepare_openings(range_prover *p, const range_shape *s, words *values, words *blindings)
{
    scalar masked; /* d̄ */
    draw_masks(p, s);
    range_eq_table(p->side, &SCALAR_ONE, p->challenges.x, s->column_bits);
    scalar_inner(&masked, p->mask, p->side, s->columns);
    opening_commitments(values, blindings, &p->opening, &p->sumcheck.dense[0], &masked);
}

static void respond(range_prover *p, const range_shape *s)
{
    scalar row_blinding;
    const opened of = {.value = &p->sumcheck.dense[0],
                       .row_blinding = &row_blinding,
                       .claim_blinding = &p->claim_blinding,
                       .e_bound = &p->sumcheck.e_bound,
                       .weighted_bound = &p->sumcheck.w_bound};
    range_eq_table(p->side, &SCALAR_ONE, p->challenges.x + s->column_bits, s->nu - s->column_bits);
    /* z_j = Σ_a L_a·d[a,j]. */
    kernel()->fold_rows(p->z, (const uint8_t *)p->values, s->columns / 8, p->side, s->rows,
                        p->sumcheck.bucket);
    for (size_t j = 0; j < s->columns; j++, p->next += 32)
        opening_response(p->next, &p->challenges.e, &p->mask[j], &p->z[j]);
    scalar_inner(&row_blinding, p->side, p->row_blinding, s->rows);
    opening_respond(p->next, &p->opening, &p->challenges.e, &of);
    p->next += 32 * OPENING_RESPONSES;
}

/* points[i] += Σ_j mask_j·Q_j of prover i, `stride` points apart. */
static void add_masks(range_prover *provers, size_t count, const range_shape *s, affine *points,
                      size_t stride, const tables *t, const workspace *w)
{
    affine *sums = w->points + stride * count;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < s->columns; j++)
            scalar_to_words(&w->values[s->columns * i + j], &provers[i].mask[j]);
    kernel()->combine(sums, w->values, s->columns, count, t, w->kernel);
    for (size_t i = 0; i < count; i++) {
        jacobian sum;
        jacobian_from_affine(&sum, &sums[i]);
        jacobian_add_affine_var(&sum, &sum, &points[stride * i]);
        affine_from_jacobian_var(&points[stride * i], &sum);
    }
}

static bool prove_openings(range_prover *provers, size_t count, const range_shape *s,
                           const tables *t, const workspace *w)
{
    const size_t n = ARGUMENT_OPENINGS;
    for (size_t i = 0; i < count; i++)
        prepare_openings(&provers[i], s, w->values + n * i, w->blindings + n * i);
    kernel()->commit(w->points, w->values[0].word, 4, w->blindings, n * count, t, w->kernel);
    add_masks(provers, count, s, w->points + 2, n, t, w);
    for (size_t i = 0; i < count; i++) {
        range_prover *p = &provers[i];
        const uint8_t *written = p->next;
        if (!write_points(p, w->points + n * i, n)) return false;
        range_absorb_openings(&p->challenges, &p->transcript, written);
        respond(p, s);
    }
    return true;
}

bool range_prove(range_prover *provers, size_t count, const range_shape *s, const tables *t,
                 void *scratch)
{
    const workspace w = lay_out(s, count, scratch);
    for (size_t i = 0; i < count; i++) {
        range_prover *p = &provers[i];
        p->next = p->argument;
        hash_witness(p, s);
        draw_blindings(p, s);
    }
    if (!commit_rows(provers, count, s, t, &w)) return false;
    for (size_t i = 0; i < count; i++)
        if (!begin_rounds(&provers[i], s, w.sumcheck + i * sumcheck_elements(s))) return false;
    for (unsigned j = 1; j <= s->nu; j++)
        if (!prove_round(provers, count, j, t, &w)) return false;
    return prove_openings(provers, count, s, t, &w);
}
