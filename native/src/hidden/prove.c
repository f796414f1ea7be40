/*
 * The prover of hidden keys; spec/transcript.md 6.5 has the equations, in this order.
 *
 * Private keys, and x̄ which masks them, meet constant-time code alone: SHA-256, scalar.h,
 * base_multiple.h.  The bits o_i ("this key is owned") are read from the private keys (zero: not
 * owned) without a branch, and choose nothing but masks; what depends on them through z̄ and through
 * sums of points, the threat model says.
 */
#include "range/prove.h"
#include "assay.h"
#include "curve/base_multiple.h"
#include "hash/secret.h"
#include "hash/tags.h"
#include "hidden/sumcheck.h"

#include <string.h>

#define COMMITMENTS_MAX HIDDEN_ANNOUNCEMENTS

typedef struct {
    /* The statement and the witness. */
    const hidden_shape *shape;
    const uint8_t *secrets, *blinding, *fresh;
    const affine *keys, *generators;
    const tables *fixed_base;
    /* The prover's own. */
    transcript transcript;
    uint8_t *next, *responses; /* where the next point goes; masks first, then the responses */
    uint8_t witness_hash[32];
    hidden_challenges challenges;
    hidden_sumcheck sumcheck;
    scalar row_blinding, round_blinding[HIDDEN_NU_MAX][3], claim_blinding;
    opening opening;
    scalar key_mask;         /* x̄ */
    scalar masked, key_sum;  /* d̄ = Σ z̄_j·P_j; X = Σ o_i·ρ_i·x_i */
    affine t_bar, ownership; /* Σ z̄_j·Q_j; Ā */
    words values[COMMITMENTS_MAX], blindings[COMMITMENTS_MAX];
    affine points[COMMITMENTS_MAX];
    multiples multiples;
} prover;

/* Beside the prover: three arrays of the sum-check, of which e_rest serves P after the rounds; a
 * block of points and scalars. */
typedef struct {
    scalar *d, *a, *e_rest;
    affine *block;
    words *scalars;
    void *kernel;
} workspace;

static size_t kernel_scratch(size_t block)
{
    const size_t msm = kernel()->msm_scratch_size(block, 256),
                 sum = kernel()->sum_scratch_size(block);
    const size_t commit = kernel()->scratch_size(COMMITMENTS_MAX), most = msm > sum ? msm : sum;
    return most > commit ? most : commit;
}

size_t assay_hidden_prove_scratch_size(size_t k)
{
    hidden_shape s;
    if (!hidden_shape_init(&s, k)) return 0;
    const size_t all = ARENA_SIZE(((size_t)1 << s.nu) * sizeof(scalar)), block = hidden_block(&s),
                 proving = ARENA_SIZE(sizeof(prover)) + 3 * all +
                           ARENA_SIZE(block * sizeof(affine)) + ARENA_SIZE(block * sizeof(words)) +
                           kernel_scratch(block),
                 checking = hidden_verify_scratch_size(&s);
    return proving > checking ? proving : checking;
}

static workspace lay_out(const hidden_shape *s, uint8_t *next)
{
    const size_t all = ((size_t)1 << s->nu) * sizeof(scalar);
    workspace w;
    w.d = arena_take(&next, all);
    w.a = arena_take(&next, all);
    w.e_rest = arena_take(&next, all);
    w.block = arena_take(&next, hidden_block(s) * sizeof(affine));
    w.scalars = arena_take(&next, hidden_block(s) * sizeof(words));
    w.kernel = next;
    return w;
}

/* 1 if the key is owned, else 0. */
static void owned_bit(scalar *r, const uint8_t *secrets, size_t i)
{
    const uint64_t mask = hidden_owned(secrets, i);
    for (int j = 0; j < 4; j++) r->limb[j] = SCALAR_ONE.limb[j] & mask;
}

static bool secrets_valid(const uint8_t *secrets, size_t n)
{
    scalar t;
    bool valid = true;
    for (size_t i = 0; i < n; i++) valid &= scalar_from_bytes(&t, secrets + 32 * i);
    clear_secret(&t, sizeof t);
    declassify(&valid, sizeof valid); /* known from the status */
    return valid;
}

static void hash_witness(prover *p)
{
    static const char TAG[] = TAG_WITNESS;
    sha256_context c;
    sha256_begin_tag(&c, TAG, sizeof TAG - 1);
    sha256_update(&c, p->secrets, 32 * (size_t)p->shape->k);
    sha256_update(&c, p->blinding, 32);
    sha256_end(p->witness_hash, &c);
    clear_secret(&c, sizeof c);
}

/* The stream of nonces under the present state of the transcript. */
static void begin_nonces(stream *nonces, const prover *p)
{
    nonces_begin(nonces, p->fresh, TAG_HIDDEN_NONCE, ARGUMENT_VERSION, p->transcript.state,
                 p->witness_hash, NULL);
    declassify(
        nonces,
        sizeof *nonces); /* a hash of the keys, and masks: they are digits of variable-time sums */
}

static void draw_blindings(prover *p)
{
    stream nonces;
    uint64_t i = 0;
    begin_nonces(&nonces, p);
    stream_scalar(&p->row_blinding, &nonces, i++);
    for (size_t j = 0; j < p->shape->nu; j++)
        for (size_t t = 0; t < 3; t++) stream_scalar(&p->round_blinding[j][t], &nonces, i++);
    opening_draw_blindings(&p->opening, &nonces, i);
    clear_secret(&nonces, sizeof nonces);
}

/* z̄_0 … z̄_{K-1} to the place of the responses. */
static void draw_masks(prover *p)
{
    stream nonces;
    scalar mask;
    uint64_t i = 0;
    begin_nonces(&nonces, p);
    for (; i < p->shape->k; i++) {
        stream_scalar(&mask, &nonces, i);
        scalar_to_bytes(p->responses + 32 * i, &mask);
    }
    i = opening_draw_masks(&p->opening, &nonces, i);
    stream_scalar(&p->key_mask, &nonces, i);
    classify(&p->key_mask, sizeof p->key_mask); /* all but this one */
    clear_secret(&nonces, sizeof nonces);
    clear_secret(&mask, sizeof mask);
}

/* Writes points; false when one is infinite. */
static bool write_points(prover *p, size_t n)
{
    if (!opening_write_points(p->next, p->points, n)) return false;
    p->next += 33 * n;
    return true;
}

static void commit(prover *p, size_t n, const workspace *w)
{
    declassify(p->values, n * sizeof *p->values); /* sums over all bits, digits of table look-ups */
    kernel()->commit(p->points, p->values[0].word, 4, p->blindings, n, p->fixed_base, w->kernel);
}

static void add_points(jacobian *sum, const affine *points, size_t n, const workspace *w)
{
    affine part;
    kernel()->sum(&part, points, n, w->kernel);
    jacobian_add_affine_var(sum, sum, &part);
}

/* Σ o_j·Q_j = (Σ Q_j + Σ ±Q_j)/2, plus where j is owned, minus else: every generator is read, and
 * none skipped. */
static void sum_owned(affine *r, const prover *p, const workspace *w)
{
    static const words half = {
        {0xDFE92F46681B20A1, 0x5D576E7357A4501D, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF}};
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t first = 0; first < p->shape->k; first += HIDDEN_BLOCK) {
        const size_t n = hidden_block_at(p->shape, first);
        for (size_t i = 0; i < n; i++) {
            const uint64_t owned = hidden_owned(p->secrets, first + i);
            affine *q = &w->block[i];
            field opposite;
            *q = p->generators[first + i];
            field_neg(&opposite, &q->y);
            for (int j = 0; j < 4; j++) q->y.limb[j] ^= (q->y.limb[j] ^ opposite.limb[j]) & ~owned;
        }
        declassify(w->block, n * sizeof *w->block); /* the time of the inversions they share */
        add_points(&sum, p->generators + first, n, w);
        add_points(&sum, w->block, n, w);
    }
    affine_from_jacobian_var(r, &sum);
    affine_mul_var(r, &half, r);
}

static bool commit_row(prover *p, const workspace *w)
{
    affine owned;
    jacobian sum;
    memset(&p->values[0], 0, sizeof p->values[0]);
    scalar_to_words(&p->blindings[0], &p->row_blinding);
    commit(p, 1, w);
    sum_owned(&owned, p, w);
    jacobian_from_affine(&sum, &owned);
    jacobian_add_affine_var(&sum, &sum, &p->points[0]);
    affine_from_jacobian_var(&p->points[0], &sum);
    const uint8_t *row = p->next;
    if (!write_points(p, 1)) return false;
    hidden_absorb_row(&p->challenges, &p->transcript, p->shape, row);
    return true;
}

static void begin_rounds(prover *p, const uint8_t *amounts, const workspace *w)
{
    const size_t k = p->shape->k, all = (size_t)1 << p->shape->nu;
    scalar total;
    for (size_t i = 0; i < k; i++) {
        words amount;
        hidden_amount(&amount, amounts, i);
        scalar_from_words(&w->a[i], &amount);
        owned_bit(&w->d[i], p->secrets, i);
    }
    memset(w->d + k, 0, (all - k) * sizeof(scalar));
    memset(w->a + k, 0, (all - k) * sizeof(scalar));
    scalar_inner(&total, w->a, w->d, k);
    p->sumcheck = (hidden_sumcheck){
        .shape = p->shape, .challenges = &p->challenges, .d = w->d, .a = w->a, .e_rest = w->e_rest};
    hidden_sumcheck_begin(&p->sumcheck, &total);
    scalar_from_bytes_reduced(&p->claim_blinding, p->blinding);
    scalar_mul(&p->claim_blinding, &p->claim_blinding, &p->challenges.kappa);
}

static bool prove_round(prover *p, unsigned j, const workspace *w)
{
    scalar message[3], *x = &p->challenges.x[j - 1];
    if (!hidden_sumcheck_message(message, &p->sumcheck, j)) return false;
    for (size_t i = 0; i < 3; i++) {
        scalar_to_words(&p->values[i], &message[i]);
        scalar_to_words(&p->blindings[i], &p->round_blinding[j - 1][i]);
    }
    commit(p, 3, w);
    const uint8_t *points = p->next;
    if (!write_points(p, 3)) return false;
    hidden_absorb_round(&p->challenges, &p->transcript, j, points);
    range_fold(&p->claim_blinding, p->round_blinding[j - 1], x);
    hidden_sumcheck_bind(&p->sumcheck, j, x);
    return true;
}

static void add_msm(jacobian *sum, const affine *points, size_t n, const workspace *w)
{
    affine part;
    kernel()->msm(&part, w->scalars, points, n, 256, w->kernel);
    jacobian_add_affine_var(sum, sum, &part);
}

/* d̄, Σ z̄_j·Q_j, Σ z̄_i·ρ_i·y_i and X, a block at a time. */
static void sum_masks(prover *p, const workspace *w)
{
    const scalar *column = w->e_rest;
    jacobian rows = JACOBIAN_INFINITY, keys = JACOBIAN_INFINITY;
    scalar_sum key_sum;
    scalar power = SCALAR_ONE, t;
    p->masked = SCALAR_ZERO;
    range_eq_table(w->e_rest, &SCALAR_ONE, p->challenges.x, p->shape->nu);
    scalar_sum_zero(&key_sum);
    for (size_t first = 0; first < p->shape->k; first += HIDDEN_BLOCK) {
        const size_t n = hidden_block_at(p->shape, first);
        for (size_t i = 0; i < n; i++)
            words_from_bytes(&w->scalars[i], p->responses + 32 * (first + i));
        kernel()->inner(&t, column + first, 1, w->scalars, n);
        scalar_add(&p->masked, &p->masked, &t);
        add_msm(&rows, p->generators + first, n, w);
        for (size_t i = 0; i < n; i++) {
            scalar_mul(&power, &power, &p->challenges.rho);
            scalar_mul_words(&w->scalars[i], &power, &w->scalars[i]);
            scalar_from_bytes_reduced(&t, p->secrets + 32 * (first + i));
            scalar_sum_mul(&key_sum, &t, &power);
        }
        add_msm(&keys, p->keys + first, n, w);
    }
    scalar_sum_reduce(&p->key_sum, &key_sum);
    affine_from_jacobian_var(&p->t_bar, &rows);
    words x;
    affine multiple;
    scalar_to_words(&x, &p->key_mask);
    multiples_of_base(&multiple, &x, 1, &p->multiples);
    declassify(&multiple, sizeof multiple); /* Ā without its public terms */
    affine_neg(&multiple, &multiple);
    jacobian_add_affine_var(&keys, &keys, &multiple);
    affine_from_jacobian_var(&p->ownership, &keys);
    clear_secret(&x, sizeof x);
    clear_secret(&t, sizeof t);
    clear_secret(&key_sum, sizeof key_sum);
}

/* T̄ gets Σ z̄_j·Q_j beside t̄·B. */
static bool announce(prover *p, const workspace *w)
{
    draw_masks(p);
    sum_masks(p, w);
    opening_commitments(p->values, p->blindings, &p->opening, &p->sumcheck.d[0], &p->masked,
                        &SCALAR_ZERO);
    commit(p, ARGUMENT_OPENINGS, w);
    jacobian sum;
    jacobian_from_affine(&sum, &p->t_bar);
    jacobian_add_affine_var(&sum, &sum, &p->points[2]);
    affine_from_jacobian_var(&p->points[2], &sum);
    p->points[ARGUMENT_OPENINGS] = p->ownership;
    const uint8_t *announcements = p->next;
    if (!write_points(p, HIDDEN_ANNOUNCEMENTS)) return false;
    hidden_absorb_announcements(&p->challenges, &p->transcript, announcements);
    return true;
}

static void respond(prover *p)
{
    const hidden_sumcheck *c = &p->sumcheck;
    const scalar *e = &p->challenges.e;
    uint8_t *out = p->responses;
    scalar mask, secret, weighted;
    for (size_t i = 0; i < p->shape->k; i++, out += 32) {
        scalar_from_bytes_reduced(&mask, out);
        owned_bit(&secret, p->secrets, i);
        opening_response(out, e, &mask, &secret);
    }
    scalar_mul(&weighted, &p->challenges.kappa, &c->a[0]);
    const opened of = {.value = &c->d[0],
                       .row_blinding = &p->row_blinding,
                       .claim_blinding = &p->claim_blinding,
                       .e_bound = &c->e_bound,
                       .weighted_bound = &weighted};
    opening_respond(out, &p->opening, e, &of);
    opening_response(out + 32 * OPENING_RESPONSES, e, &p->key_mask, &p->key_sum);
    clear_secret(&mask, sizeof mask);
    clear_secret(&secret, sizeof secret);
}

static bool prove(prover *p, const uint8_t *amounts, const workspace *w)
{
    multiples_build(&p->multiples);
    hash_witness(p);
    draw_blindings(p);
    if (!commit_row(p, w)) return false;
    begin_rounds(p, amounts, w);
    for (unsigned j = 1; j <= p->shape->nu; j++)
        if (!prove_round(p, j, w)) return false;
    if (!announce(p, w)) return false;
    respond(p);
    return true;
}

/* Whether the verifier accepts the argument, C_h being the commitment to the total. */
static int check(const hidden_shape *s, const uint8_t *argument, const uint8_t *state,
                 const assay_hidden_keys *listed, const uint8_t *secrets, const uint8_t *blinding,
                 const uint8_t *weights, const assay_tables *fixed_base, void *scratch)
{
    uint8_t total[16], commitment[33];
    words value, r;
    affine point;
    declassify(argument, hidden_length(s));
    int status = assay_hidden_total(total, listed->amounts, secrets, s->k);
    if (status == ASSAY_OK) {
        hidden_amount(&value, total, 0);
        words_from_bytes(&r, blinding);
        declassify(&value, sizeof value); /* as the digits of the rounds' commitments are */
        declassify(&r, sizeof r);
        kernel()->commit(&point, value.word, 2, &r, 1, fixed_base, scratch);
        affine_compress(commitment, &point);
        status = hidden_verify(s, state, listed, commitment, argument, weights, &fixed_base->bases,
                               scratch);
        if (status != ASSAY_OK) status = ASSAY_DAMAGED;
    }
    clear_secret(total, sizeof total);
    clear_secret(&value, sizeof value);
    clear_secret(&r, sizeof r);
    return status;
}

int assay_hidden_prove(uint8_t *argument, const uint8_t *state, const assay_hidden_keys *listed,
                       const uint8_t *secrets, const uint8_t *blinding, const uint8_t *fresh,
                       const uint8_t *weights, const assay_tables *fixed_base, void *scratch)
{
    const size_t count = listed->k;
    hidden_shape s;
    if (!hidden_shape_init(&s, count)) return ASSAY_BAD_COUNT;
    if (!secrets_valid(secrets, count) || !secrets_valid(blinding, 1)) return ASSAY_BAD_SCALAR;
    uint8_t *next = scratch;
    prover *p = arena_take(&next, sizeof *p);
    const workspace w = lay_out(&s, next);
    p->shape = &s;
    p->secrets = secrets;
    p->blinding = blinding;
    p->fresh = fresh;
    p->keys = (const affine *)(const void *)listed->keys;
    p->generators = (const affine *)(const void *)listed->generators;
    p->fixed_base = fixed_base;
    p->next = argument;
    p->responses = argument + 33 * hidden_points(&s);
    hidden_begin(&p->transcript, state, &s);
    int status = prove(p, listed->amounts, &w) ? ASSAY_OK : ASSAY_INFINITE_POINT;
    if (status == ASSAY_OK)
        status =
            check(&s, argument, state, listed, secrets, blinding, weights, fixed_base, scratch);
    if (status != ASSAY_OK) clear_secret(argument, hidden_length(&s));
    clear_secret(scratch, assay_hidden_prove_scratch_size(count));
    return status;
}
