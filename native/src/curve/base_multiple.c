/* Constant-time multiples of V; base_multiple.h has the method. */
#include "curve/base_multiple.h"

#include "hash/sha256.h"

#define TOP_BIT (MULTIPLE_BITS * MULTIPLE_WINDOWS) /* 260 */
#define MAGNITUDE (MULTIPLE_ENTRIES - 1u)
#define CURVE_3B 21

/* (X : Y : Z), the point (X/Z, Y/Z); infinity is (0 : 1 : 0). */
typedef struct {
    field x, y, z;
} projective;

void multiples_build(multiples *m)
{
    static const words half = {
        {0xDFE92F46681B20A1, 0x5D576E7357A4501D, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF}};
    jacobian entry[MULTIPLE_ENTRIES], power;
    affine halved, doubled;
    affine_mul_var(&halved, &half, &BASE_POINT);
    jacobian_from_affine(&power, &halved);
    for (size_t i = 0; i < MULTIPLE_WINDOWS; i++) {
        entry[0] = power;
        jacobian_double_var(&power, &power);
        affine_from_jacobian_var(&doubled, &power);
        for (size_t j = 1; j < MULTIPLE_ENTRIES; j++)
            jacobian_add_affine_var(&entry[j], &entry[j - 1], &doubled);
        for (size_t k = 1; k < MULTIPLE_BITS; k++) jacobian_double_var(&power, &power);
        affine_from_jacobian_batch_var(m->entry[i], entry, MULTIPLE_ENTRIES);
    }
    affine_neg(&halved, &halved);
    jacobian_add_affine_var(&power, &power, &halved);
    affine_from_jacobian_var(&m->lift, &power);
}

/* The five bits of k from bit 5·window on. */
static unsigned read_digit(const words *k, size_t window)
{
    const size_t bit = MULTIPLE_BITS * window, index = bit / 64, shift = bit % 64;
    uint64_t digit = k->word[index] >> shift;
    if (shift + MULTIPLE_BITS > 64 && index < 3) digit |= k->word[index + 1] << (64 - shift);
    return (unsigned)digit & (2 * MULTIPLE_ENTRIES - 1);
}

/* ± the entry of a digit u: (2u - 31)·2^(5i)·H. */
static void select_entry(affine *r, const affine entry[MULTIPLE_ENTRIES], unsigned digit)
{
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

/* r = a + b for finite b; algorithm 8 of the paper, in its order. */
static void add(projective *r, const projective *a, const affine *b)
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

/* r = a^(p - 2): the exponent is public. */
static void invert(field *r, const field *a)
{
    static const uint64_t exponent[4] = {0xFFFFFFFEFFFFFC2D, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    field power = FIELD_ONE;
    for (int bit = 256; bit-- > 0;) {
        field_sqr(&power, &power);
        if (exponent[bit / 64] >> (bit % 64) & 1) field_mul(&power, &power, a);
    }
    *r = power;
}

void multiples_of_base(affine *out, const words *k, size_t n, const multiples *m)
{
    projective sum[MULTIPLE_BLOCK];
    field product = FIELD_ONE, inverse;
    affine entry;
    for (size_t i = 0; i < n; i++) {
        sum[i] = (projective){m->lift.x, m->lift.y, FIELD_ONE};
        for (size_t w = 0; w < MULTIPLE_WINDOWS; w++) {
            select_entry(&entry, m->entry[w], read_digit(&k[i], w));
            add(&sum[i], &sum[i], &entry);
        }
        out[i].x = product;
        field_mul(&product, &product, &sum[i].z);
    }
    invert(&product, &product);
    for (size_t i = n; i-- > 0;) {
        field_mul(&inverse, &product, &out[i].x);
        field_mul(&product, &product, &sum[i].z);
        field_mul(&out[i].x, &sum[i].x, &inverse);
        field_mul(&out[i].y, &sum[i].y, &inverse);
        field_normalise(&out[i].x);
        field_normalise(&out[i].y);
    }
    clear_secret(sum, sizeof sum);
    clear_secret(&entry, sizeof entry);
}
