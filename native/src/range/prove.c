/* The prover of the argument; spec/transcript.md 4.5 has the equations, in this order. */
#include "range/prove.h"
#include "hash/tags.h"

#include "assay.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "rows of bits are read from words as bytes");

_Static_assert(sizeof(words) * ARGUMENT_SIDE_MAX <= BUCKET_BYTES, "a bucket holds a side's words");

/* What a batch of commitments is gathered in. */
typedef struct {
    words *values, *blindings;
    affine *points;
    scalar *sumcheck; /* memory of the first prover's; the others' follow */
    void *kernel;
} workspace;

static size_t batch_size(const range_shape *s, size_t count)
{
    /* R <= S; the openings and the sums of masks are at most 9, where S >= 32, or 7, where S >= 8.
     */
    return s->columns * count;
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

void range_witness_hash(uint8_t hash[32], const range_shape *s, const uint64_t *values,
                        const uint8_t *blindings)
{
    static const char TAG[] = TAG_WITNESS;
    const size_t words_each = s->b / 64;
    sha256_context c;
    sha256_begin_tag(&c, TAG, sizeof TAG - 1);
    for (size_t i = 0; i < s->m; i++) {
        for (size_t k = words_each; k-- > 0;) update_u64(&c, values[i * words_each + k]);
        sha256_update(&c, blindings + 32 * i, 32);
    }
    sha256_end(hash, &c);
    clear_secret(&c, sizeof c);
}

void nonces_begin(stream *nonces, const uint8_t secret[32], const char *tag, int version,
                  const uint8_t state[32], const uint8_t witness_hash[32], const uint8_t *salt)
{
    const uint8_t number[2] = {0, (uint8_t)version};
    hmac_key keyed;
    uint8_t key[32];
    hmac_key_init(&keyed, secret, 32);
    sha256_context c = keyed.inner;
    update_prefixed(&c, tag, strlen(tag));
    if (version != NO_VERSION) sha256_update(&c, number, sizeof number);
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
static void begin_nonces(stream *nonces, const range_prover *p, const range_shape *s)
{
    nonces_begin(nonces, p->secret, s->vectors > 0 ? TAG_LEAVES_NONCE : TAG_ARGUMENT_NONCE,
                 ARGUMENT_VERSION, p->transcript.state, p->witness, p->salt);
}

static void draw_blindings(range_prover *p, const range_shape *s)
{
    stream nonces;
    begin_nonces(&nonces, p, s);
    stream_scalars(p->row_blinding, &nonces, 0, s->rows);
    stream_scalars(p->round_blinding[0], &nonces, s->rows, 3 * s->nu);
    opening_draw_blindings(&p->opening, &nonces, s->rows + 3 * s->nu);
    clear_secret(&nonces, sizeof nonces);
}

static void draw_masks(range_prover *p, const range_shape *s)
{
    stream nonces;
    uint64_t k = s->columns;
    begin_nonces(&nonces, p, s);
    stream_scalars(p->mask, &nonces, 0, s->columns);
    if (s->vectors > 0) {
        stream_scalars(p->slot_mask, &nonces, k, W_COUNT);
        k += W_COUNT;
    }
    k = opening_draw_masks(&p->opening, &nonces, k);
    if (s->vectors > 0) stream_scalar(&p->vector_mask, &nonces, k);
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

/* The sum-check begins; the blinding of K_0, κ·Σ eq(σ,i)·r_i of entries, ω·r of leaves. */
static bool begin_rounds(range_prover *p, const range_shape *s, scalar *memory)
{
    const range_challenges *c = &p->challenges;
    if (!sumcheck_begin(&p->sumcheck, s, c, p->values, memory)) return false;
    if (s->vectors > 0) {
        scalar_from_words(&p->claim_blinding, &p->sum_opening);
        scalar_mul(&p->claim_blinding, &p->claim_blinding, &c->omega);
    } else {
        sumcheck_select(&p->claim_blinding, &p->sumcheck, p->openings);
    }
    p->basis_product = SCALAR_ONE;
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
        scalar *x = &p->challenges.x[j - 1], basis[4];
        range_absorb_round(x, &p->transcript, j, points);
        range_fold(&p->claim_blinding, p->round_blinding[j - 1], x);
        range_lagrange(basis, x);
        scalar_mul(&p->basis_product, &p->basis_product, &basis[1]);
        sumcheck_bind(&p->sumcheck, j, x);
    }
    return true;
}

/* Σ_j a_j·b_j of secret b, j < n, by the kernel; the prover's bucket is left full of them. */
static void inner(scalar *r, range_prover *p, const scalar *a, const scalar *b, size_t n)
{
    words *plain = (words *)(void *)p->sumcheck.bucket;
    for (size_t j = 0; j < n; j++) scalar_to_words(&plain[j], &b[j]);
    kernel()->inner(r, a, 1, plain, n);
}

/* -a·f̄, what Δ̄ of leaves commits to: f̄ = Σ eq(σ_lo,t)·w̄_t, a = κ·Π ℓ_1(x). */
static void masked_selection(scalar *r, range_prover *p)
{
    range_eq_table(p->side, &SCALAR_ONE, p->challenges.sigma, SLOT_BITS);
    scalar_inner(r, p->side, p->slot_mask, W_COUNT);
    scalar_mul(r, r, &p->challenges.kappa);
    scalar_mul(r, r, &p->basis_product);
    scalar_neg(r, r);
}

static void prepare_openings(range_prover *p, const range_shape *s, words *values, words *blindings)
{
    scalar masked, delta = SCALAR_ZERO; /* d̄ */
    draw_masks(p, s);
    if (s->vectors > 0) {
        masked_selection(&delta, p);
        scalar_to_words(&values[ARGUMENT_OPENINGS], &SCALAR_ZERO);
        scalar_to_words(&blindings[ARGUMENT_OPENINGS], &p->vector_mask); /* Ū's ū·B */
    }
    range_eq_table(p->side, &SCALAR_ONE, p->challenges.x, s->column_bits);
    inner(&masked, p, p->side, p->mask, s->columns);
    opening_commitments(values, blindings, &p->opening, &p->sumcheck.dense[0], &masked, &delta);
    clear_secret(&masked, sizeof masked);
    clear_secret(&delta, sizeof delta);
}

/* y'_t = w̄_t + e·Σ_b eq(σ_hi,b)·v_(16b + t). */
static void respond_slots(range_prover *p, const range_shape *s)
{
    scalar_sum y[W_COUNT];
    memset(y, 0, sizeof y);
    range_eq_table(p->side, &SCALAR_ONE, p->challenges.sigma + SLOT_BITS, s->mu - SLOT_BITS);
    for (size_t i = 0; i < s->m; i++)
        scalar_sum_mul_u64(&y[i % W_COUNT], &p->side[i / W_COUNT], p->values[i]);
    for (size_t t = 0; t < W_COUNT; t++, p->next += 32) {
        scalar slot;
        scalar_sum_reduce_integers(&slot, &y[t]);
        opening_response(p->next, &p->challenges.e, &p->slot_mask[t], &slot);
        clear_secret(&slot, sizeof slot);
    }
    clear_secret(y, sizeof y);
}

/* u_U = ū + e·Σ_b eq(σ_hi,b)·ρ_b. */
static void respond_vectors(range_prover *p, const range_shape *s)
{
    scalar sum;
    range_eq_table(p->side, &SCALAR_ONE, p->challenges.sigma + SLOT_BITS, s->mu - SLOT_BITS);
    kernel()->inner(&sum, p->side, 1, p->openings, s->vectors);
    opening_response(p->next, &p->challenges.e, &p->vector_mask, &sum);
    p->next += 32;
    clear_secret(&sum, sizeof sum);
}

static void respond(range_prover *p, const range_shape *s)
{
    scalar row_blinding, weight;
    const opened of = {.value = &p->sumcheck.dense[0],
                       .row_blinding = &row_blinding,
                       .claim_blinding = &p->claim_blinding,
                       .e_bound = &p->sumcheck.e_bound,
                       .weighted_bound = &weight};
    sumcheck_weight(&weight, &p->sumcheck);
    range_eq_table(p->side, &SCALAR_ONE, p->challenges.x + s->column_bits, s->nu - s->column_bits);
    /* z_j = Σ_a L_a·d[a,j]. */
    kernel()->fold_rows(p->z, (const uint8_t *)p->values, s->columns / 8, p->side, s->rows,
                        p->sumcheck.bucket);
    for (size_t j = 0; j < s->columns; j++, p->next += 32)
        opening_response(p->next, &p->challenges.e, &p->mask[j], &p->z[j]);
    inner(&row_blinding, p, p->side, p->row_blinding, s->rows);
    if (s->vectors > 0) respond_slots(p, s);
    opening_respond(p->next, &p->opening, &p->challenges.e, &of);
    p->next += 32 * OPENING_RESPONSES;
    if (s->vectors > 0) respond_vectors(p, s);
    clear_secret(&row_blinding, sizeof row_blinding);
}

static void add_to(affine *point, const affine *other)
{
    jacobian sum;
    jacobian_from_affine(&sum, other);
    jacobian_add_affine_var(&sum, &sum, point);
    affine_from_jacobian_var(point, &sum);
}

/* T̄ gets Σ_j z̄_j·Q_j, and Ū of leaves Σ_t w̄_t·W_t, beside their blinding. */
static void add_masks(range_prover *provers, size_t count, const range_shape *s, const tables *t,
                      const workspace *w)
{
    const size_t n = range_openings(s);
    affine *sums = w->points + n * count;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < s->columns; j++)
            scalar_to_words(&w->values[s->columns * i + j], &provers[i].mask[j]);
    kernel()->combine(sums, w->values, s->columns, count, t, w->kernel);
    for (size_t i = 0; i < count; i++) add_to(&w->points[n * i + 2], &sums[i]);
    if (s->vectors == 0) return;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < W_COUNT; k++)
            scalar_to_words(&w->values[W_COUNT * i + k], &provers[i].slot_mask[k]);
    kernel()->combine_vectors(sums, w->values, count, t, w->kernel);
    for (size_t i = 0; i < count; i++) add_to(&w->points[n * i + ARGUMENT_OPENINGS], &sums[i]);
}

static bool prove_openings(range_prover *provers, size_t count, const range_shape *s,
                           const tables *t, const workspace *w)
{
    const size_t n = range_openings(s);
    for (size_t i = 0; i < count; i++)
        prepare_openings(&provers[i], s, w->values + n * i, w->blindings + n * i);
    kernel()->commit(w->points, w->values[0].word, 4, w->blindings, n * count, t, w->kernel);
    add_masks(provers, count, s, t, w);
    for (size_t i = 0; i < count; i++) {
        range_prover *p = &provers[i];
        const uint8_t *written = p->next;
        if (!write_points(p, w->points + n * i, n)) return false;
        range_absorb_openings(&p->challenges, &p->transcript, s, written);
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
        draw_blindings(p, s);
    }
    if (!commit_rows(provers, count, s, t, &w)) return false;
    for (size_t i = 0; i < count; i++)
        if (!begin_rounds(&provers[i], s, w.sumcheck + i * sumcheck_elements(s))) return false;
    for (unsigned j = 1; j <= s->nu; j++)
        if (!prove_round(provers, count, j, t, &w)) return false;
    return prove_openings(provers, count, s, t, &w);
}
