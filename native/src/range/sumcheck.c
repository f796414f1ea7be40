/* The prover's sum-check; sumcheck.h has the algebra. */
#include "range/sumcheck.h"

#include <string.h>

/* Rounds that stay inside a byte; the round that joins two; coordinates inside a word. */
#define BYTE_ROUNDS 3
#define PAIR_ROUND 4
#define WORD_BITS 6

/* Where the patterns of rounds 1, 2, 3 begin. */
static const size_t PATTERNS_AT[BYTE_ROUNDS + 1] = {0, 0, 4, 20};

/* Elements of the dense vector before round j > PAIR_ROUND. */
static size_t dense_count(const range_shape *s, unsigned j)
{
    return (size_t)1 << (s->nu - (j - 1));
}

/* Values, those of absent entries included. */
static size_t value_count(const range_shape *s)
{
    return (size_t)1 << s->mu;
}

size_t sumcheck_elements(const range_shape *s)
{
    return 4 * range_value_words(s) + 2 * value_count(s) + dense_count(s, PAIR_ROUND + 1);
}

void sumcheck_select(scalar *sum, const sumcheck *c, const words *a)
{
    kernel()->inner(sum, c->w_rest + value_count(c->shape), 1, a, c->shape->m);
}

/* out[i] = Π_t factor[t](bit t of i), i < 2^n. */
static void factor_table(scalar *out, const linear *factor, unsigned n)
{
    out[0] = SCALAR_ONE;
    for (unsigned t = 0; t < n; t++) {
        const size_t size = (size_t)1 << t;
        for (size_t i = 0; i < size; i++) {
            scalar_mul(&out[size + i], &out[i], &factor[t].at1);
            scalar_mul(&out[i], &out[i], &factor[t].at0);
        }
    }
}

/* The tables of the coordinates from the highest down to t >= lowest, each from the one before by a
 * new lowest coordinate, the first from `start`. */
static void rest_tables(scalar *rest, const scalar *start, const linear *factor,
                        const range_shape *s, unsigned lowest)
{
    rest[1] = *start;
    for (unsigned t = s->nu; t-- > lowest;) {
        const size_t size = (size_t)1 << (s->nu - 1 - t);
        kernel()->expand(&rest[2 * size], &rest[size], &factor[t].at0, &factor[t].at1, size);
    }
}

/* The table of κ·eq(σ, i) + ω, and where a value has two words, that of words. */
static void word_weights(sumcheck *c)
{
    const range_shape *s = c->shape;
    const size_t n = value_count(s);
    scalar *w = c->w_word + n;
    for (size_t i = 0; i < n; i++) scalar_add(&w[i], &c->w_rest[n + i], &c->omega);
    for (unsigned t = s->log_b; t-- > WORD_BITS;)
        kernel()->expand(c->w_word + 2 * n, w, &c->w_factor[t].at0, &c->w_factor[t].at1, n);
}

/* The weight of every byte at even and at odd positions in its word, but for the factor of
 * coordinate 3. */
static void gather_bytes(scalar bytes[2][256], sumcheck *c, const linear *factor,
                         const scalar *weights)
{
    const size_t n = range_value_words(c->shape);
    scalar position[4];
    factor_table(position, factor + BYTE_ROUNDS + 1, WORD_BITS - BYTE_ROUNDS - 1);
    kernel()->gather_bytes(bytes, c->values, weights, n, position, c->bucket);
}

/* The weight of every pattern: of bytes for round 3, then for rounds 2 and 1 by the halves of the
 * round after. */
static void gather_patterns(scalar *pattern, scalar bytes[2][256], const linear *factor,
                            scalar products[2 * 256])
{
    scalar *out = pattern + PATTERNS_AT[BYTE_ROUNDS];
    const linear *own = &factor[BYTE_ROUNDS];
    kernel()->expand(products, bytes[0], &own->at0, &own->at1, 256);
    for (unsigned i = 0; i < 256; i++) out[i] = products[2 * i];
    kernel()->expand(products, bytes[1], &own->at0, &own->at1, 256);
    for (unsigned i = 0; i < 256; i++) scalar_add(&out[i], &out[i], &products[2 * i + 1]);
    for (unsigned r = BYTE_ROUNDS; r > 1; r--) {
        const scalar *from = pattern + PATTERNS_AT[r];
        const size_t half = (size_t)1 << (1u << (r - 1)); /* patterns of half the bits */
        out = pattern + PATTERNS_AT[r - 1];
        for (size_t i = 0; i < half; i++) {
            scalar low = SCALAR_ZERO, high = SCALAR_ZERO;
            for (size_t k = 0; k < half; k++) {
                scalar_add(&low, &low, &from[k * half + i]);
                scalar_add(&high, &high, &from[i * half + k]);
            }
            scalar_mul(&low, &low, &factor[r - 1].at0);
            scalar_mul(&high, &high, &factor[r - 1].at1);
            scalar_add(&out[i], &low, &high);
        }
    }
}

/* Inverses of the factors at 1, by one inversion; false when one is zero. */
static bool invert_factors(sumcheck *c, unsigned nu)
{
    scalar *inverse[2 * ARGUMENT_NU_MAX], prefix[2 * ARGUMENT_NU_MAX], all = SCALAR_ONE;
    for (unsigned i = 0; i < 2 * nu; i++) {
        const unsigned t = i / 2;
        inverse[i] = i % 2 == 0 ? &c->e_inverse[t] : &c->w_inverse[t];
        *inverse[i] = i % 2 == 0 ? c->e_factor[t].at1 : c->w_factor[t].at1;
        prefix[i] = all;
        scalar_mul(&all, &all, inverse[i]);
    }
    if (scalar_is_zero(&all)) return false;
    scalar_inverse_var(&all, &all);
    for (unsigned i = 2 * nu; i-- > 0;) {
        const scalar factor = *inverse[i];
        scalar_mul(inverse[i], &all, &prefix[i]);
        scalar_mul(&all, &all, &factor);
    }
    return true;
}

bool sumcheck_begin(sumcheck *c, const range_shape *s, const range_challenges *challenges,
                    const uint64_t *values, scalar *memory)
{
    c->shape = s;
    c->values = values;
    c->e_rest = memory;
    c->w_rest = c->e_rest + 2 * range_value_words(s);
    c->w_word = c->w_rest + 2 * value_count(s);
    c->dense = c->w_word + 2 * range_value_words(s);
    c->omega = challenges->omega;
    for (unsigned t = 0; t < s->nu; t++) {
        range_eq_factor(&c->e_factor[t], challenges, t);
        range_weight_factor(&c->w_factor[t], challenges, s, t);
    }
    if (!invert_factors(c, s->nu)) return false;
    rest_tables(c->e_rest, &SCALAR_ONE, c->e_factor, s, WORD_BITS);
    rest_tables(c->w_rest, &challenges->kappa, c->w_factor, s, s->log_b);
    word_weights(c);
    gather_bytes(c->e_byte, c, c->e_factor, c->e_rest + range_value_words(s));
    gather_bytes(c->w_byte, c, c->w_factor, c->w_word + range_value_words(s));
    gather_patterns(c->e_pattern, c->e_byte, c->e_factor, (scalar *)(void *)c->bucket);
    gather_patterns(c->w_pattern, c->w_byte, c->w_factor, (scalar *)(void *)c->bucket);
    c->e_bound = c->w_bound = SCALAR_ONE;
    c->s_bound = SCALAR_ZERO;
    c->s.at0 = c->s.at1 = SCALAR_ZERO;
    c->form[0] = SCALAR_ZERO;
    c->form[1] = SCALAR_ONE;
    return true;
}

/* h and l of round j <= BYTE_ROUNDS: h(0) and l(0) from the pairs of forms, h(1) and l(1) from the
 * same the other way round. */
static void sum_patterns(sumcheck *c, unsigned j)
{
    const scalar *e = c->e_pattern + PATTERNS_AT[j], *w = c->w_pattern + PATTERNS_AT[j];
    const size_t half = (size_t)1 << (1u << (j - 1));
    scalar *pair = (scalar *)(void *)c->bucket, sums[4];
    for (size_t i = 0; i < half * half; i++) {
        pair[2 * i] = c->form[i % half];
        pair[2 * i + 1] = c->form[i / half];
    }
    kernel()->sum_pairs(sums, pair, 1, e, w, half * half);
    c->h0 = sums[0];
    c->h2 = sums[1];
    c->l.at0 = sums[2];
    for (size_t i = 0; i < half * half; i++) {
        const scalar low = pair[2 * i];
        pair[2 * i] = pair[2 * i + 1];
        pair[2 * i + 1] = low;
    }
    kernel()->sum_pairs(sums, pair, 1, e, w, half * half);
    c->h1 = sums[0];
    c->l.at1 = sums[2];
}

/* h and l of the round that joins the bytes of a pair.  Only h's leading coefficient depends on
 * both. */
static void sum_byte_pairs(sumcheck *c)
{
    const size_t n = range_value_words(c->shape);
    scalar position[4], sums[4], t, *pair = (scalar *)(void *)c->bucket;
    for (unsigned i = 0; i < 256; i++) pair[2 * i] = pair[2 * i + 1] = c->form[i];
    kernel()->sum_pairs(sums, pair, 1, c->e_byte[0], c->w_byte[0], 256);
    c->h0 = sums[0];
    c->l.at0 = sums[2];
    kernel()->sum_pairs(sums, pair, 1, c->e_byte[1], c->w_byte[1], 256);
    c->h1 = sums[0];
    c->l.at1 = sums[2];
    factor_table(position, c->e_factor + BYTE_ROUNDS + 1, WORD_BITS - BYTE_ROUNDS - 1);
    c->h2 = SCALAR_ZERO;
    for (unsigned q = 0; q < 4; q++) {
        kernel()->sum_byte_pairs(&t, c->form, c->values, 16 * q, c->e_rest + n, n);
        scalar_mul(&t, &t, &position[q]);
        scalar_add(&c->h2, &c->h2, &t);
    }
}

/* r = (claim - f(0)·at0)/f(1), the value at 1. */
static void value_at_1(scalar *r, const scalar *claim, const linear *f, const scalar *inverse,
                       const scalar *at0)
{
    scalar t;
    scalar_mul(&t, &f->at0, at0);
    scalar_sub(&t, claim, &t);
    scalar_mul(r, &t, inverse);
}

/* Adds to h0, h2, l(0) and s(0) the pairs p = q + k·stride, k < n, under weight e_q·e[k], w_q·w[k]
 * and 1. */
static void sum_pairs(sumcheck *c, size_t q, size_t stride, size_t n, const scalar *e_q,
                      const scalar *w_q, const scalar *w)
{
    scalar *total[4] = {&c->h0, &c->h2, &c->l.at0, &c->s.at0}, sums[4];
    kernel()->sum_pairs(sums, &c->dense[2 * q], stride, c->e_rest + n, w, n);
    for (int i = 0; i < 3; i++) scalar_mul(&sums[i], &sums[i], i == 2 ? w_q : e_q);
    for (int i = 0; i < 4; i++) scalar_add(total[i], total[i], &sums[i]);
}

/* h, l and s of round j > PAIR_ROUND.  The rest of a word's coordinates are weighed outside the
 * sums over words. */
static void sum_dense(sumcheck *c, unsigned j)
{
    const unsigned t = j - 1, inside = j < WORD_BITS ? WORD_BITS - j : 0;
    const size_t stride = (size_t)1 << inside, pairs = dense_count(c->shape, j) / 2;
    const scalar *w = (j <= c->shape->log_b ? c->w_word : c->w_rest) + pairs / stride;
    scalar e_q[4], w_q[4];
    factor_table(e_q, c->e_factor + j, inside);
    factor_table(w_q, c->w_factor + j, inside);
    c->h0 = c->h2 = c->l.at0 = c->s.at0 = SCALAR_ZERO;
    for (size_t q = 0; q < stride; q++)
        sum_pairs(c, q, stride, pairs / stride, &e_q[q], &w_q[q], w);
    value_at_1(&c->h1, &c->h_claim, &c->e_factor[t], &c->e_inverse[t], &c->h0);
    value_at_1(&c->l.at1, &c->l.claim, &c->w_factor[t], &c->w_inverse[t], &c->l.at0);
    scalar_sub(&c->s.at1, &c->s.claim, &c->s.at0);
}

static void form_at(scalar *r, const sumcheck_form *f, const scalar *x)
{
    const linear through = {f->at0, f->at1};
    linear_at(r, &through, x);
}

/* h(x) = h0 + x·(h1 - h0 + h2·(x - 1)). */
static void h_at(scalar *h, const sumcheck *c, const scalar *x)
{
    scalar t;
    scalar_sub(&t, x, &SCALAR_ONE);
    scalar_mul(&t, &t, &c->h2);
    scalar_add(&t, &t, &c->h1);
    scalar_sub(&t, &t, &c->h0);
    scalar_mul(&t, &t, x);
    scalar_add(h, &c->h0, &t);
}

/* r = bound·factor(x)·value. */
static void weigh(scalar *r, const scalar *bound, const linear *factor, const scalar *x,
                  const scalar *value)
{
    scalar t;
    linear_at(&t, factor, x);
    scalar_mul(&t, &t, bound);
    scalar_mul(r, &t, value);
}

void sumcheck_message(scalar p[3], sumcheck *c, unsigned j)
{
    static const unsigned AT[3] = {0, 2, 3};
    if (j <= BYTE_ROUNDS)
        sum_patterns(c, j);
    else if (j == PAIR_ROUND)
        sum_byte_pairs(c);
    else
        sum_dense(c, j);
    for (int i = 0; i < 3; i++) {
        scalar x, value;
        scalar_from_u64(&x, AT[i]);
        h_at(&value, c, &x);
        weigh(&p[i], &c->e_bound, &c->e_factor[j - 1], &x, &value);
        form_at(&value, &c->l, &x);
        weigh(&value, &c->w_bound, &c->w_factor[j - 1], &x, &value);
        scalar_add(&p[i], &p[i], &value);
        form_at(&value, &c->s, &x);
        scalar_add_product(&p[i], &c->s_bound, &value);
    }
}

/* The forms of twice the bits. */
static void bind_forms(sumcheck *c, unsigned j, const scalar *x)
{
    const size_t half = (size_t)1 << (1u << (j - 1));
    scalar *doubled = (scalar *)(void *)c->bucket;
    for (size_t i = 0; i < half * half; i++) {
        const linear through = {c->form[i % half], c->form[i / half]};
        linear_at(&doubled[i], &through, x);
    }
    memcpy(c->form, doubled, half * half * sizeof *doubled);
}

/* The first dense vector: a byte's form times 1 - x or x, by its place in its pair. */
static void bind_byte_pairs(sumcheck *c, const scalar *x)
{
    scalar *at = (scalar *)(void *)c->bucket, low;
    scalar_sub(&low, &SCALAR_ONE, x);
    kernel()->expand(at, c->form, &low, x, 256);
    for (size_t i = 0; i < dense_count(c->shape, PAIR_ROUND + 1); i++) {
        const uint64_t pair = c->values[i / 4] >> (16 * (i % 4));
        scalar_add(&c->dense[i], &at[2 * (pair & 255)], &at[2 * (pair >> 8 & 255) + 1]);
    }
}

static void bind_dense(sumcheck *c, unsigned j, const scalar *x)
{
    kernel()->fold_pairs(c->dense, c->dense, x, dense_count(c->shape, j + 1));
}

/* The coordinates of pow are bound: l = (the next l) + ω·s. */
static void split_weight(sumcheck *c)
{
    scalar t;
    c->s.claim = SCALAR_ZERO;
    for (size_t i = 0; i < value_count(c->shape); i++)
        scalar_add(&c->s.claim, &c->s.claim, &c->dense[i]);
    scalar_mul(&t, &c->omega, &c->s.claim);
    scalar_sub(&c->l.claim, &c->l.claim, &t);
    scalar_mul(&c->s_bound, &c->w_bound, &c->omega);
}

void sumcheck_bind(sumcheck *c, unsigned j, const scalar *x)
{
    scalar factor;
    h_at(&c->h_claim, c, x);
    form_at(&c->l.claim, &c->l, x);
    form_at(&c->s.claim, &c->s, x);
    linear_at(&factor, &c->e_factor[j - 1], x);
    scalar_mul(&c->e_bound, &c->e_bound, &factor);
    linear_at(&factor, &c->w_factor[j - 1], x);
    scalar_mul(&c->w_bound, &c->w_bound, &factor);
    if (j <= BYTE_ROUNDS)
        bind_forms(c, j, x);
    else if (j == PAIR_ROUND)
        bind_byte_pairs(c, x);
    else
        bind_dense(c, j, x);
    if (j == c->shape->log_b) split_weight(c);
}

void sumcheck_weight(scalar *w_star, const sumcheck *c)
{
    scalar_mul(w_star, &c->w_bound, &c->w_rest[1]); /* κ */
    scalar_add(w_star, w_star, &c->s_bound);
}
