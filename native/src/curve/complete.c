/* Constant-time additions and look-ups; complete.h has the method. */
#include "curve/complete.h"

#define MAGNITUDE (MULTIPLE_ENTRIES - 1u)
#define CURVE_3B 21

/* Algorithm 8 of the paper, in its order. */
void complete_add(projective *r, const projective *a, const affine *b)
{
    field t0, t1, t2, t3, t4, x, y, z;
    field_mul(&t0, &a->x, &b->x);
    field_mul(&t1, &a->y, &b->y);
    field_add(&t3, &b->x, &b->y);
    field_add(&t4, &a->x, &a->y);
    field_mul(&t3, &t3, &t4);
    field_add(&t4, &t0, &t1);
    field_sub(&t3, &t3, &t4);
    field_mul(&t4, &b->y, &a->z);
    field_add(&t4, &t4, &a->y);
    field_mul(&y, &b->x, &a->z);
    field_add(&y, &y, &a->x);
    field_scale(&t0, &t0, 3);
    field_scale(&t2, &a->z, CURVE_3B);
    field_add(&z, &t1, &t2);
    field_sub(&t1, &t1, &t2);
    field_scale(&y, &y, CURVE_3B);
    field_mul(&x, &t4, &y);
    field_mul(&t2, &t3, &t1);
    field_sub(&x, &t2, &x);
    field_mul(&y, &y, &t0);
    field_mul(&t1, &t1, &z);
    field_add(&y, &t1, &y);
    field_mul(&t0, &t0, &t3);
    field_mul(&z, &z, &t4);
    field_add(&z, &z, &t0);
    *r = (projective){x, y, z};
}

/* Algorithm 9: with s = 3b·z², x' = 2xy·(y² - 3s), y' = (y² - 3s)(y² + s) + 8y²·s, z' = 8y³·z. */
void complete_double(projective *r, const projective *a)
{
    field yy, yz, s, xy, eight, low, high, t;
    field_sqr(&yy, &a->y);
    field_mul(&yz, &a->y, &a->z);
    field_sqr(&s, &a->z);
    field_scale(&s, &s, CURVE_3B);
    field_mul(&xy, &a->x, &a->y);
    field_scale(&eight, &yy, 8);
    field_scale(&t, &s, 3);
    field_sub(&low, &yy, &t);
    field_add(&high, &yy, &s);
    field_mul(&t, &low, &xy);
    field_add(&r->x, &t, &t);
    field_mul(&t, &low, &high);
    field_mul(&high, &eight, &s);
    field_add(&r->y, &t, &high);
    field_mul(&r->z, &eight, &yz);
}

/* *power = power^(2^n)·factor. */
static void raise(field *power, unsigned n, const field *factor)
{
    for (unsigned i = 0; i < n; i++) field_sqr(power, power);
    field_mul(power, power, factor);
}

/* r = a^(p - 2): the exponent, which is public, has runs of 223, 22, 1, 2 and 1 ones. */
static void invert(field *r, const field *a)
{
    field one = *a, two = one, power, twenty_two;
    raise(&two, 1, &one); /* a^(2^2 - 1), a run of two ones */
    power = two;
    raise(&power, 1, &one); /* 3 ones */
    const field three = power;
    raise(&power, 3, &three); /* 6 */
    raise(&power, 3, &three); /* 9 */
    raise(&power, 2, &two);   /* 11 */
    const field eleven = power;
    raise(&power, 11, &eleven);
    twenty_two = power;
    raise(&power, 22, &twenty_two); /* 44 */
    const field forty_four = power;
    raise(&power, 44, &forty_four); /* 88 */
    const field eighty_eight = power;
    raise(&power, 88, &eighty_eight); /* 176 */
    raise(&power, 44, &forty_four);   /* 220 */
    raise(&power, 3, &three);         /* 223 */
    raise(&power, 23, &twenty_two);
    raise(&power, 5, &one);
    raise(&power, 3, &two);
    raise(&power, 2, &one);
    *r = power;
}

void complete_to_affine(affine *out, const projective *a, size_t n)
{
    field product = FIELD_ONE, inverse;
    for (size_t i = 0; i < n; i++) {
        out[i].x = product;
        field_mul(&product, &product, &a[i].z);
    }
    invert(&product, &product);
    for (size_t i = n; i-- > 0;) {
        field_mul(&inverse, &product, &out[i].x);
        field_mul(&product, &product, &a[i].z);
        field_mul(&out[i].x, &a[i].x, &inverse);
        field_mul(&out[i].y, &a[i].y, &inverse);
        field_normalise(&out[i].x);
        field_normalise(&out[i].y);
    }
}

void half_of_point_var(affine *r, const affine *a)
{
    static const words half = {
        {0xDFE92F46681B20A1, 0x5D576E7357A4501D, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF}};
    affine_mul_var(r, &half, a);
}

void multiple_entries_var(affine entry[MULTIPLE_ENTRIES], jacobian *power)
{
    jacobian multiple[MULTIPLE_ENTRIES];
    affine doubled;
    multiple[0] = *power;
    jacobian_double_var(power, power);
    affine_from_jacobian_var(&doubled, power);
    for (size_t j = 1; j < MULTIPLE_ENTRIES; j++)
        jacobian_add_affine_var(&multiple[j], &multiple[j - 1], &doubled);
    for (size_t k = 1; k < MULTIPLE_BITS; k++) jacobian_double_var(power, power);
    affine_from_jacobian_batch_var(entry, multiple, MULTIPLE_ENTRIES);
}

/* The five bits of k from bit 5·window on. */
static unsigned read_digit(const words *k, size_t window)
{
    const size_t bit = MULTIPLE_BITS * window, index = bit / 64, shift = bit % 64;
    uint64_t digit = k->word[index] >> shift;
    if (shift + MULTIPLE_BITS > 64 && index < 3) digit |= k->word[index + 1] << (64 - shift);
    return (unsigned)digit & (2 * MULTIPLE_ENTRIES - 1);
}

void multiple_select(affine *r, const affine entry[MULTIPLE_ENTRIES], const words *k, size_t window)
{
    const unsigned digit = read_digit(k, window);
    const uint64_t negative = (uint64_t)(digit >> (MULTIPLE_BITS - 1)) - 1;
    const unsigned wanted = (digit ^ (unsigned)negative) & MAGNITUDE;
    affine found = {{{0}}, {{0}}};
    for (unsigned j = 0; j < MULTIPLE_ENTRIES; j++) {
        const uint64_t mask = 0 - (((uint64_t)(j ^ wanted) - 1) >> 63);
        for (int i = 0; i < 4; i++) {
            found.x.limb[i] |= entry[j].x.limb[i] & mask;
            found.y.limb[i] |= entry[j].y.limb[i] & mask;
        }
    }
    field opposite;
    field_neg(&opposite, &found.y);
    for (int i = 0; i < 4; i++) found.y.limb[i] ^= (found.y.limb[i] ^ opposite.limb[i]) & negative;
    *r = found;
}
