/* The sum-check over hidden keys; hidden_sumcheck.h has the algebra. */
#include "hidden/sumcheck.h"

/* eq's factor of coordinate t. */
static linear factor_of(const hidden_sumcheck *c, unsigned t)
{
    linear f;
    scalar_sub(&f.at0, &SCALAR_ONE, &c->challenges->tau[t]);
    f.at1 = c->challenges->tau[t];
    return f;
}

void hidden_sumcheck_begin(hidden_sumcheck *c, const scalar *total)
{
    c->e_bound = SCALAR_ONE;
    c->h_claim = SCALAR_ZERO;
    c->q_claim = *total;
    if (c->shape->nu == 0) return;
    c->e_rest[1] = SCALAR_ONE;
    for (unsigned t = c->shape->nu; t-- > 1;) {
        const size_t size = (size_t)1 << (c->shape->nu - 1 - t);
        const linear f = factor_of(c, t);
        kernel()->expand(&c->e_rest[2 * size], &c->e_rest[size], &f.at0, &f.at1, size);
    }
}

/* q(0) and its leading coefficient over n pairs. */
static void sum_products(hidden_sumcheck *c, size_t n)
{
    scalar_sum q0, q2;
    scalar_sum_zero(&q0);
    scalar_sum_zero(&q2);
    for (size_t i = 0; i < 2 * n; i += 2) {
        scalar u, v;
        scalar_sum_mul(&q0, &c->a[i], &c->d[i]);
        scalar_sub(&u, &c->a[i + 1], &c->a[i]);
        scalar_sub(&v, &c->d[i + 1], &c->d[i]);
        scalar_sum_mul(&q2, &u, &v);
    }
    scalar_sum_reduce(&c->q0, &q0);
    scalar_sum_reduce(&c->q2, &q2);
}

/* f0 + x·(f1 - f0 + f2·(x - 1)). */
static void quadratic_at(scalar *r, const scalar *f0, const scalar *f1, const scalar *f2,
                         const scalar *x)
{
    scalar t;
    scalar_sub(&t, x, &SCALAR_ONE);
    scalar_mul(&t, &t, f2);
    scalar_add(&t, &t, f1);
    scalar_sub(&t, &t, f0);
    scalar_mul(&t, &t, x);
    scalar_add(r, f0, &t);
}

bool hidden_sumcheck_message(scalar p[3], hidden_sumcheck *c, unsigned j)
{
    static const unsigned AT[3] = {0, 2, 3};
    const size_t n = (size_t)1 << (c->shape->nu - j);
    const linear e = factor_of(c, j - 1);
    scalar sums[4], t;
    if (scalar_is_zero(&e.at1)) return false;
    kernel()->sum_pairs(sums, c->d, 1, c->e_rest + n, c->e_rest + n, n);
    c->h0 = sums[0];
    c->h2 = sums[1];
    scalar_mul(&t, &e.at0, &c->h0);
    scalar_sub(&c->h1, &c->h_claim, &t);
    scalar_inverse_var(&t, &e.at1);
    scalar_mul(&c->h1, &c->h1, &t);
    sum_products(c, n);
    scalar_sub(&c->q1, &c->q_claim, &c->q0);
    for (int i = 0; i < 3; i++) {
        scalar x, value, factor;
        scalar_from_u64(&x, AT[i]);
        linear_at(&factor, &e, &x);
        scalar_mul(&factor, &factor, &c->e_bound);
        quadratic_at(&value, &c->h0, &c->h1, &c->h2, &x);
        scalar_mul(&p[i], &factor, &value);
        quadratic_at(&value, &c->q0, &c->q1, &c->q2, &x);
        scalar_mul(&value, &value, &c->challenges->kappa);
        scalar_add(&p[i], &p[i], &value);
    }
    return true;
}

void hidden_sumcheck_bind(hidden_sumcheck *c, unsigned j, const scalar *x)
{
    const size_t n = (size_t)1 << (c->shape->nu - j);
    const linear e = factor_of(c, j - 1);
    scalar factor;
    quadratic_at(&c->h_claim, &c->h0, &c->h1, &c->h2, x);
    quadratic_at(&c->q_claim, &c->q0, &c->q1, &c->q2, x);
    linear_at(&factor, &e, x);
    scalar_mul(&c->e_bound, &c->e_bound, &factor);
    kernel()->fold_pairs(c->d, c->d, x, n);
    kernel()->fold_pairs(c->a, c->a, x, n);
}
