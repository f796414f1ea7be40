/* What prover and verifier of the argument share: shape, transcript items, public polynomials. */
#include "range/shape.h"
#include "hash/tags.h"

static unsigned ceil_log2(size_t a)
{
    unsigned bits = 0;
    while (((size_t)1 << bits) < a) bits++;
    return bits;
}

static void fill(range_shape *s, size_t m, size_t b, size_t vectors)
{
    s->m = (uint32_t)m;
    s->b = (uint32_t)b;
    s->log_b = ceil_log2(b);
    s->mu = ceil_log2(m);
    s->nu = s->mu + s->log_b;
    s->column_bits = (s->nu + 1) / 2;
    s->columns = 1u << s->column_bits;
    s->rows = 1u << (s->nu - s->column_bits);
    s->vectors = (uint32_t)vectors;
}

bool range_shape_entries(range_shape *s, size_t m, size_t b)
{
    if ((b != 64 && b != 128) || m == 0 || m > ARGUMENT_ENTRIES_MAX) return false;
    fill(s, m, b, 0);
    return true;
}

bool range_shape_leaves(range_shape *s, size_t m)
{
    if (m != 16 && m != 256 && m != 4096) return false;
    fill(s, m, 64, m / W_COUNT);
    return true;
}

size_t range_value_words(const range_shape *s)
{
    return (size_t)1 << (s->nu - 6);
}

size_t range_commitments(const range_shape *s)
{
    return s->vectors > 0 ? 1 + (size_t)s->vectors : s->m;
}

size_t range_openings(const range_shape *s)
{
    return ARGUMENT_OPENINGS + (s->vectors > 0);
}

size_t range_points(const range_shape *s)
{
    return s->rows + 3 * s->nu + range_openings(s);
}

size_t range_scalars(const range_shape *s)
{
    return s->columns + ARGUMENT_RESPONSES + (s->vectors > 0 ? W_COUNT + 1 : 0);
}

size_t range_equations(const range_shape *s)
{
    return ARGUMENT_EQUATIONS + (s->vectors > 0);
}

size_t range_length(const range_shape *s)
{
    return 33 * range_points(s) + 32 * range_scalars(s);
}

void range_absorb_shape(transcript *t, const range_shape *s)
{
    const uint32_t number[7] = {s->m, s->b, W_COUNT, s->nu, s->mu, s->rows, s->columns};
    uint8_t data[4 * 7];
    size_t length = 0;
    for (int i = 0; i < 7; i++) {
        if (i == 2 && s->vectors == 0) continue;
        put_u32(data + length, number[i]);
        length += 4;
    }
    transcript_absorb(t, LABEL_SHAPE, data, length);
}

void range_absorb_rows(range_challenges *c, transcript *t, const range_shape *s,
                       const uint8_t *rows)
{
    transcript_absorb(t, LABEL_ROWS, rows, 33 * (size_t)s->rows);
    for (unsigned j = 0; j < s->nu; j++) transcript_challenge(&c->tau[j], t, LABEL_TAU);
    for (unsigned j = 0; j < s->mu; j++) transcript_challenge(&c->sigma[j], t, LABEL_SIGMA);
    transcript_challenge(&c->kappa, t, LABEL_KAPPA);
    c->omega = SCALAR_ZERO;
    if (s->vectors > 0) transcript_challenge(&c->omega, t, LABEL_OMEGA);
}

void range_absorb_round(scalar *x, transcript *t, unsigned j, const uint8_t points[3 * 33])
{
    sha256_context context;
    const uint8_t number[4] = {0, 0, 0, (uint8_t)j};
    transcript_absorb_begin(&context, t, LABEL_ROUND, 4 + 3 * 33);
    sha256_update(&context, number, 4);
    sha256_update(&context, points, 3 * 33);
    transcript_absorb_end(t, &context);
    transcript_challenge(x, t, LABEL_X);
}

void range_absorb_openings(range_challenges *c, transcript *t, const range_shape *s,
                           const uint8_t *points)
{
    transcript_absorb(t, LABEL_ANNOUNCEMENTS, points, 33 * range_openings(s));
    transcript_challenge(&c->e, t, LABEL_E);
}

void linear_at(scalar *r, const linear *f, const scalar *x)
{
    scalar slope;
    scalar_sub(&slope, &f->at1, &f->at0);
    scalar_mul(&slope, &slope, x);
    scalar_add(r, &f->at0, &slope);
}

static void eq_factor(linear *f, const scalar *a)
{
    scalar_sub(&f->at0, &SCALAR_ONE, a);
    f->at1 = *a;
}

void range_eq_factor(linear *f, const range_challenges *c, unsigned t)
{
    eq_factor(f, &c->tau[t]);
}

void range_weight_factor(linear *f, const range_challenges *c, const range_shape *s, unsigned t)
{
    if (t >= s->log_b) {
        eq_factor(f, &c->sigma[t - s->log_b]);
        return;
    }
    f->at0 = SCALAR_ONE;
    scalar_from_u128(&f->at1, t == 6, t == 6 ? 0 : (uint64_t)1 << (1u << t)); /* 2^(2^t) */
}

void range_eq_table(scalar *out, const scalar *start, const scalar *point, unsigned n)
{
    out[0] = *start;
    for (unsigned t = n; t-- > 0;) {
        linear f;
        eq_factor(&f, &point[t]);
        kernel()->expand(out, out, &f.at0, &f.at1, (size_t)1 << (n - 1 - t));
    }
}

/*
 * With a = x(x - 3) and b = (x - 1)(x - 2):  ℓ_0 = -b(x - 3)/6, ℓ_1 = a(x - 2)/2, ℓ_2 = -a(x -
 * 1)/2, ℓ_3 = xb/6.
 */
void range_lagrange(scalar basis[4], const scalar *x)
{
    static const words SIXTH = {
        {0x1FD9F975582D3661, 0x463C62C03CBC8587, 0x5555555555555554, 0xD555555555555555}};
    scalar sixth, half, x1, x2, x3, a, b;
    scalar_from_words(&sixth, &SIXTH);
    scalar_add(&half, &sixth, &sixth);
    scalar_add(&half, &half, &sixth);
    scalar_sub(&x1, x, &SCALAR_ONE);
    scalar_sub(&x2, &x1, &SCALAR_ONE);
    scalar_sub(&x3, &x2, &SCALAR_ONE);
    scalar_mul(&a, x, &x3);
    scalar_mul(&a, &a, &half);
    scalar_mul(&b, &x1, &x2);
    scalar_mul(&b, &b, &sixth);
    scalar_mul(&basis[0], &b, &x3);
    scalar_neg(&basis[0], &basis[0]);
    scalar_mul(&basis[1], &a, &x2);
    scalar_mul(&basis[2], &a, &x1);
    scalar_neg(&basis[2], &basis[2]);
    scalar_mul(&basis[3], &b, x);
}

void range_fold(scalar *claim, const scalar p[3], const scalar *x)
{
    scalar basis[4], t;
    range_lagrange(basis, x);
    scalar_sub(&t, claim, &p[0]);
    scalar_mul(claim, &basis[1], &t);
    for (int i = 0; i < 3; i++) {
        scalar_mul(&t, &basis[i == 0 ? 0 : i + 1], &p[i]);
        scalar_add(claim, claim, &t);
    }
}
