/*
 * The group: Jacobian formulas with every exceptional case, encodings, generators, and batches of
 * affine additions.  group.h has the contract.
 */
#include "curve/group.h"
#include "hash/tags.h"

#include "hash/sha256.h"

#include <string.h>

const affine AFFINE_INFINITY = {{{0, 0, 0, 0}}, {{0, 0, 0, 0}}};
const affine BASE_POINT = {
    {{0x59F2815B16F81798, 0x029BFCDB2DCE28D9, 0x55A06295CE870B07, 0x79BE667EF9DCBBAC}},
    {{0x9C47D08FFB10D4B8, 0xFD17B448A6855419, 0x5DA4FBFC0E1108A8, 0x483ADA7726A3C465}},
};
const jacobian JACOBIAN_INFINITY = {{{0, 0, 0, 0}}, {{0, 0, 0, 0}}, {{0, 0, 0, 0}}};

static const field CURVE_B = {{7, 0, 0, 0}};

void affine_neg(affine *r, const affine *a)
{
    const bool infinite = affine_is_infinity(a);
    r->x = a->x;
    if (infinite)
        r->y = FIELD_ZERO;
    else
        field_neg(&r->y, &a->y);
}

void jacobian_from_affine(jacobian *r, const affine *a)
{
    r->x = a->x;
    r->y = a->y;
    r->z = affine_is_infinity(a) ? FIELD_ZERO : FIELD_ONE;
}

/* With s = 4XY², m = 3X²: X' = m² - 2s, Y' = m(s - X') - 8Y⁴, Z' = 2YZ.  No point has y = 0, so Z'
 * = 0 only for Z = 0; infinity is returned as such, because its limbs must stay zero. */
void jacobian_double_var(jacobian *r, const jacobian *a)
{
    if (jacobian_is_infinity(a)) {
        *r = JACOBIAN_INFINITY;
        return;
    }
    field yy, s, m, t, u;
    field_sqr(&yy, &a->y);
    field_mul(&s, &a->x, &yy);
    field_scale(&s, &s, 4);
    field_sqr(&m, &a->x);
    field_scale(&m, &m, 3);
    field_mul(&t, &a->y, &a->z);
    field_scale(&r->z, &t, 2);
    field_sqr(&t, &m);
    field_scale(&u, &s, 2);
    field_sub(&r->x, &t, &u);
    field_sub(&s, &s, &r->x);
    field_mul(&t, &m, &s);
    field_sqr(&yy, &yy);
    field_scale(&u, &yy, 8);
    field_sub(&r->y, &t, &u);
}

/*
 * The sum of (x1, y1, z1) and a point that, scaled to the same Z, is (u2, s2) where the first is
 * (u1, s1); z = Z1·Z2.  With h = u2 - u1, d = s2 - s1, v = u1·h²: X' = d² - h³ - 2v, Y' = d(v - X')
 * - s1·h³, Z' = z·h.
 */
static void add_scaled(jacobian *r, const field *u1, const field *s1, const field *u2,
                       const field *s2, const field *z, const jacobian *first)
{
    field h, d, hh, hhh, v, t, w;
    field_sub(&h, u2, u1);
    field_sub(&d, s2, s1);
    if (field_is_zero(&h)) {
        if (field_is_zero(&d))
            jacobian_double_var(r, first);
        else
            *r = JACOBIAN_INFINITY;
        return;
    }
    field_sqr(&hh, &h);
    field_mul(&hhh, &h, &hh);
    field_mul(&v, u1, &hh);
    field_mul(&w, s1, &hhh);
    field_mul(&r->z, z, &h);
    field_sqr(&t, &d);
    field_sub(&t, &t, &hhh);
    field_sub(&t, &t, &v);
    field_sub(&r->x, &t, &v);
    field_sub(&t, &v, &r->x);
    field_mul(&t, &d, &t);
    field_sub(&r->y, &t, &w);
}

void jacobian_add_affine_var(jacobian *r, const jacobian *a, const affine *b)
{
    if (jacobian_is_infinity(a)) {
        jacobian_from_affine(r, b);
        return;
    }
    if (affine_is_infinity(b)) {
        *r = *a;
        return;
    }
    const jacobian first = *a;
    field zz1, u2, s2;
    field_sqr(&zz1, &first.z);
    field_mul(&u2, &b->x, &zz1);
    field_mul(&s2, &b->y, &first.z);
    field_mul(&s2, &s2, &zz1);
    add_scaled(r, &first.x, &first.y, &u2, &s2, &first.z, &first);
}

/* r = (x·z⁻², y·z⁻³) for the inverse of z. */
static void scale_to_affine(affine *r, const jacobian *a, const field *inverse)
{
    field square;
    field_sqr(&square, inverse);
    field_mul(&r->x, &a->x, &square);
    field_mul(&square, &square, inverse);
    field_mul(&r->y, &a->y, &square);
}

void affine_from_jacobian_var(affine *r, const jacobian *a)
{
    if (jacobian_is_infinity(a)) {
        *r = AFFINE_INFINITY;
        return;
    }
    field inverse;
    field_inverse_var(&inverse, &a->z);
    scale_to_affine(r, a, &inverse);
}

/* r[i].x first keeps the product of the finite Z before i. */
void affine_from_jacobian_batch_var(affine *r, const jacobian *a, size_t n)
{
    field product = FIELD_ONE, inverse;
    for (size_t i = 0; i < n; i++) {
        r[i].x = product;
        if (!jacobian_is_infinity(&a[i])) field_mul(&product, &product, &a[i].z);
    }
    field_inverse_var(&product, &product);
    for (size_t i = n; i-- > 0;) {
        if (jacobian_is_infinity(&a[i])) {
            r[i] = AFFINE_INFINITY;
        } else {
            field_mul(&inverse, &product, &r[i].x);
            field_mul(&product, &product, &a[i].z);
            scale_to_affine(&r[i], &a[i], &inverse);
        }
    }
}

void affine_mul_var(affine *r, const words *k, const affine *a)
{
    jacobian sum = JACOBIAN_INFINITY;
    for (int bit = 256; bit-- > 0;) {
        jacobian_double_var(&sum, &sum);
        if (k->word[bit / 64] >> (bit % 64) & 1) jacobian_add_affine_var(&sum, &sum, a);
    }
    affine_from_jacobian_var(r, &sum);
}

void affine_compress(uint8_t bytes[33], const affine *a)
{
    if (affine_is_infinity(a)) {
        memset(bytes, 0, 33);
        return;
    }
    field y = a->y;
    field_normalise(&y);
    bytes[0] = (uint8_t)(2 + (y.limb[0] & 1));
    field_to_bytes(bytes + 1, &a->x);
}

/* Gives two points their y of the given parity, canonical; valid[i] becomes false when r[i].x is no
 * abscissa. */
static void lift_pair(affine r[2], bool valid[2], const unsigned odd[2])
{
    field square[2], root[2];
    bool is_square[2];
    for (int i = 0; i < 2; i++) {
        field_sqr(&square[i], &r[i].x);
        field_mul(&square[i], &square[i], &r[i].x);
        field_add(&square[i], &square[i], &CURVE_B);
    }
    field_sqrt_pair(root, is_square, square);
    for (int i = 0; i < 2; i++) {
        field_normalise(&root[i]);
        if ((root[i].limb[0] & 1) != odd[i]) {
            field_neg(&root[i], &root[i]);
            field_normalise(&root[i]);
        }
        r[i].y = root[i];
        valid[i] &= is_square[i];
    }
}

void affine_decompress_pair(affine r[2], bool valid[2], const uint8_t *first, const uint8_t *second)
{
    const uint8_t *const bytes[2] = {first, second};
    unsigned odd[2];
    for (int i = 0; i < 2; i++) {
        odd[i] = bytes[i][0] & 1;
        valid[i] = (bytes[i][0] == 2 || bytes[i][0] == 3) & field_from_bytes(&r[i].x, bytes[i] + 1);
    }
    lift_pair(r, valid, odd);
}

bool affine_decompress(affine *r, const uint8_t bytes[33])
{
    affine both[2];
    bool valid[2];
    affine_decompress_pair(both, valid, bytes, bytes);
    *r = both[0];
    return valid[0];
}

void derive_generator(affine *r, const char *name, size_t name_length, uint32_t index)
{
    static const char tag[] = TAG_GENERATOR;
    sha256_context tagged;
    sha256_begin_tag(&tagged, tag, sizeof tag - 1);
    for (uint32_t counter = 0;; counter++) {
        const uint64_t tail = (uint64_t)index << 32 | counter;
        uint8_t bytes[33] = {2};
        for (int i = 0; i < 8; i++) bytes[1 + i] = (uint8_t)(tail >> (56 - 8 * i));
        sha256_context c = tagged;
        sha256_update(&c, name, name_length);
        sha256_update(&c, bytes + 1, 8);
        sha256_end(bytes + 1, &c);
        if (affine_decompress(r, bytes)) return;
    }
}

/* What an operation of a batch comes to. */
enum { ADD, DOUBLE, KEEP, TAKE, CANCEL };

void batch_begin(batch_queue *queue, affine *slot)
{
    queue->slot = slot;
    queue->n = 0;
}

/*
 * Sort out operation i and return the kind; `difference` is what its slope is divided by, 1 where
 * there is no slope.  Differences of equal abscissae are looked for only when `exact`.
 */
static inline uint8_t classify(field *difference, const affine *a, const affine *b, bool exact)
{
    *difference = FIELD_ONE;
    if (affine_is_infinity(b)) return KEEP;
    if (affine_is_infinity(a)) return TAKE;
    field_sub(difference, &b->x, &a->x);
    if (!exact || !field_is_zero(difference)) return ADD;
    *difference = FIELD_ONE;
    if (!field_equal(&a->y, &b->y)) return CANCEL;
    field_scale(difference, &a->y, 2);
    return DOUBLE;
}

/* Fill kind, difference and prefix (the product of the differences before i); return the whole
 * product. */
static field multiply_differences(batch_queue *queue, bool exact)
{
    field product = FIELD_ONE;
    for (size_t i = 0; i < queue->n; i++) {
        const affine *a = &queue->slot[queue->operation[i].destination];
        const affine *b = &queue->slot[queue->operation[i].source];
        queue->kind[i] = classify(&queue->difference[i], a, b, exact);
        queue->prefix[i] = product;
        field_mul(&product, &product, &queue->difference[i]);
    }
    return product;
}

/* a += b, given the slope: x' = slope² - x_a - x_b, y' = slope·(x_a - x') - y_a. */
static inline void add_by_slope(affine *a, const affine *b, const field *slope)
{
    field x, t;
    field_sqr(&x, slope);
    field_sub(&x, &x, &a->x);
    field_sub(&x, &x, &b->x);
    field_sub(&t, &a->x, &x);
    field_mul(&t, &t, slope);
    field_sub(&a->y, &t, &a->y);
    a->x = x;
}

/*
 * One inversion for the batch.  The first pass takes no notice of equal abscissae; if there are
 * any, the product of differences is zero, and it is repeated with an exact look at each: whoever
 * chooses the points gains a slower batch and nothing else.
 */
void batch_flush_var(batch_queue *queue)
{
    if (queue->n == 0) return;
    field inverse = multiply_differences(queue, false);
    if (field_is_zero(&inverse)) inverse = multiply_differences(queue, true);
    field_inverse_var(&inverse, &inverse);
    for (size_t i = queue->n; i-- > 0;) {
        affine *a = &queue->slot[queue->operation[i].destination];
        const affine *b = &queue->slot[queue->operation[i].source];
        field slope, t;
        field_mul(&slope, &inverse, &queue->prefix[i]);
        field_mul(&inverse, &inverse, &queue->difference[i]);
        switch (queue->kind[i]) {
        case ADD:
            field_sub(&t, &b->y, &a->y);
            field_mul(&slope, &slope, &t);
            add_by_slope(a, b, &slope);
            break;
        case DOUBLE:
            field_sqr(&t, &a->x);
            field_scale(&t, &t, 3);
            field_mul(&slope, &slope, &t);
            add_by_slope(a, b, &slope);
            break;
        case TAKE:
            *a = *b;
            break;
        case CANCEL:
            *a = AFFINE_INFINITY;
            break;
        default: /* KEEP */
            break;
        }
    }
    queue->n = 0;
}
