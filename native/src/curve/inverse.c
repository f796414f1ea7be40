/*
 * Modular inversion by division steps.
 *
 * Invariants, with x the input: f·1 = d·x and g = e·x mod m up to sign, f odd, |d|, |e| < 2m after
 * each update.  Numbers are five signed limbs of 62 bits: limbs 0-3 in [0, 2^62), limb 4 carries
 * the sign.
 */
#include "curve/inverse.h"

#include "curve/uint128.h"

#define MASK62 0x3FFFFFFFFFFFFFFF
#define LIMBS 5

typedef struct {
    int64_t limb[LIMBS];
} signed62;

/* 62 steps as a matrix: f' = (u·f + v·g)/2^62, g' = (q·f + r·g)/2^62; |u|+|v| <= 2^62, |q|+|r| <=
 * 2^62. */
typedef struct {
    int64_t u, v, q, r;
} step_matrix;

/*
 * 62 division steps on the low 62 bits of f and g; returns the new eta = -delta.  A step halves g
 * when it is even; when it is odd it first adds f to it, after exchanging (f, g) to (g, -f) if eta
 * < 0.  Zero bits of g are stripped together, and while eta stays non-negative a multiple w·f
 * clears up to six low bits of g at once: w = -g/f mod 2^k.
 */
static int64_t division_steps_var(step_matrix *t, int64_t eta, uint64_t f, uint64_t g)
{
    uint64_t u = 1, v = 0, q = 0, r = 1;
    int left = 62;
    for (;;) {
        const int zeros = __builtin_ctzll(g | UINT64_MAX << left);
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        eta -= zeros;
        left -= zeros;
        if (left == 0) break;
        if (eta < 0) {
            uint64_t swap = f;
            eta = -eta;
            f = g;
            g = 0 - swap;
            swap = u;
            u = q;
            q = 0 - swap;
            swap = v;
            v = r;
            r = 0 - swap;
        }
        const int steps = eta + 1 > left ? left : (int)eta + 1;
        const uint64_t mask = UINT64_MAX >> (64 - steps) & 63;
        /* f·(2 - f²) = 1/f mod 2^6: f² = 1 mod 8, so the error (1 - f²)² is 0 mod 64. */
        const uint64_t w = (g * f * (f * f - 2)) & mask;
        g += f * w;
        q += u * w;
        r += v * w;
    }
    t->u = (int64_t)u;
    t->v = (int64_t)v;
    t->q = (int64_t)q;
    t->r = (int64_t)r;
    return eta;
}

/* (f, g) = t·(f, g) / 2^62, exactly. */
static void update_fg(signed62 *f, signed62 *g, const step_matrix *t)
{
    int128 cf = 0, cg = 0;
    for (int i = 0; i < LIMBS; i++) {
        const int64_t fi = f->limb[i], gi = g->limb[i];
        cf += (int128)t->u * fi + (int128)t->v * gi;
        cg += (int128)t->q * fi + (int128)t->r * gi;
        if (i > 0) {
            f->limb[i - 1] = (int64_t)cf & MASK62;
            g->limb[i - 1] = (int64_t)cg & MASK62;
        }
        cf >>= 62;
        cg >>= 62;
    }
    f->limb[LIMBS - 1] = (int64_t)cf;
    g->limb[LIMBS - 1] = (int64_t)cg;
}

/*
 * (d, e) = t·(d, e) / 2^62 mod m.  A multiple of m makes the numerator divisible by 2^62; starting
 * from m times the row's entries for negative operands keeps both results in (-2m, m).
 */
static void update_de(signed62 *d, signed62 *e, const step_matrix *t, const inverse_modulus *m)
{
    const int64_t sign_d = d->limb[4] >> 63, sign_e = e->limb[4] >> 63;
    int64_t md = (t->u & sign_d) + (t->v & sign_e);
    int64_t me = (t->q & sign_d) + (t->r & sign_e);
    int128 cd = (int128)t->u * d->limb[0] + (int128)t->v * e->limb[0];
    int128 ce = (int128)t->q * d->limb[0] + (int128)t->r * e->limb[0];
    md -= (int64_t)((m->inverse * (uint64_t)cd + (uint64_t)md) & MASK62);
    me -= (int64_t)((m->inverse * (uint64_t)ce + (uint64_t)me) & MASK62);
    cd = (cd + (int128)m->limb[0] * md) >> 62;
    ce = (ce + (int128)m->limb[0] * me) >> 62;
    for (int i = 1; i < LIMBS; i++) {
        const int64_t di = d->limb[i], ei = e->limb[i];
        cd += (int128)t->u * di + (int128)t->v * ei + (int128)m->limb[i] * md;
        ce += (int128)t->q * di + (int128)t->r * ei + (int128)m->limb[i] * me;
        d->limb[i - 1] = (int64_t)cd & MASK62;
        e->limb[i - 1] = (int64_t)ce & MASK62;
        cd >>= 62;
        ce >>= 62;
    }
    d->limb[LIMBS - 1] = (int64_t)cd;
    e->limb[LIMBS - 1] = (int64_t)ce;
}

/* r += k·m, limbs brought back into range. */
static void add_multiple(signed62 *r, int64_t k, const inverse_modulus *m)
{
    int64_t carry = 0;
    for (int i = 0; i < LIMBS - 1; i++) {
        const int64_t s = r->limb[i] + k * m->limb[i] + carry;
        r->limb[i] = s & MASK62;
        carry = s >> 62;
    }
    r->limb[LIMBS - 1] += k * m->limb[LIMBS - 1] + carry;
}

/* r in (-2m, m) to [0, m), negated first when f = -1. */
static void finish(signed62 *r, int64_t sign_f, const inverse_modulus *m)
{
    if (r->limb[4] < 0) add_multiple(r, 1, m);
    if (sign_f < 0) {
        for (int i = 0; i < LIMBS; i++) r->limb[i] = -r->limb[i];
        add_multiple(r, 0, m);
    }
    if (r->limb[4] < 0) add_multiple(r, 1, m);
}

static int is_zero(const signed62 *g)
{
    return (g->limb[0] | g->limb[1] | g->limb[2] | g->limb[3] | g->limb[4]) == 0;
}

void inverse_mod_var(uint64_t r[4], const uint64_t a[4], const inverse_modulus *m)
{
    signed62 f, d = {{0, 0, 0, 0, 0}}, e = {{1, 0, 0, 0, 0}};
    signed62 g = {{
        (int64_t)(a[0] & MASK62),
        (int64_t)((a[0] >> 62 | a[1] << 2) & MASK62),
        (int64_t)((a[1] >> 60 | a[2] << 4) & MASK62),
        (int64_t)((a[2] >> 58 | a[3] << 6) & MASK62),
        (int64_t)(a[3] >> 56),
    }};
    for (int i = 0; i < LIMBS; i++) f.limb[i] = m->limb[i];
    int64_t eta = -1;
    while (!is_zero(&g)) {
        step_matrix t;
        const uint64_t low_f = (uint64_t)f.limb[0], low_g = (uint64_t)g.limb[0];
        eta = division_steps_var(&t, eta, low_f, low_g);
        update_de(&d, &e, &t, m);
        update_fg(&f, &g, &t);
    }
    finish(&d, f.limb[4], m);
    r[0] = (uint64_t)d.limb[0] | (uint64_t)d.limb[1] << 62;
    r[1] = (uint64_t)d.limb[1] >> 2 | (uint64_t)d.limb[2] << 60;
    r[2] = (uint64_t)d.limb[2] >> 4 | (uint64_t)d.limb[3] << 58;
    r[3] = (uint64_t)d.limb[3] >> 6 | (uint64_t)d.limb[4] << 56;
}
