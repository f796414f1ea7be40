/* The field: canonical forms, inversion, square roots, bytes.  field.h has the contract. */
#include "field.h"

#include "inverse.h"

#ifdef ASSAY_CHECK_BOUNDS
#include <stdlib.h>

void field_check(const field *a, unsigned bound)
{
    static const uint64_t p[5] = {FIELD_P0, FIELD_MASK, FIELD_MASK, FIELD_MASK, FIELD_P4};
    for (int i = 0; i < 5; i++)
        if (a->limb[i] > 2 * bound * p[i]) abort();
}
#endif

const field FIELD_ZERO = {{0, 0, 0, 0, 0}};
const field FIELD_ONE = {{1, 0, 0, 0, 0}};

static const inverse_modulus FIELD_MODULUS = {
    {0x3FFFFFFEFFFFFC2F, 0x3FFFFFFFFFFFFFFF, 0x3FFFFFFFFFFFFFFF, 0x3FFFFFFFFFFFFFFF, 0xFF},
    0x27C7F6E22DDACACF,
};

/* Limb 0 gains k·(2^256 - p), limb 4 loses k·2^256, and carries run through. */
static void fold_top(field *r, uint64_t k)
{
    uint64_t carry = k * (FIELD_FOLD >> 4);
    for (int i = 0; i < 4; i++) {
        carry += r->limb[i];
        r->limb[i] = carry & FIELD_MASK;
        carry >>= 52;
    }
    r->limb[4] += carry - (k << 48);
}

/*
 * After field_carry the value is below 2^256 + 2^216.  The first fold leaves limbs 0-3 in range and a value
 * below 2^256 + 2^216, the second subtracts p if and only if the value is not below p.
 */
void field_normalise(field *r)
{
    field_carry(r);
    fold_top(r, r->limb[4] >> 48);
    const uint64_t middle = r->limb[1] & r->limb[2] & r->limb[3];
    const bool is_high = r->limb[4] == FIELD_P4 && middle == FIELD_MASK && r->limb[0] >= FIELD_P0;
    fold_top(r, (r->limb[4] >> 48) | is_high);
}

bool field_is_zero(const field *a)
{
    field t = *a;
    field_normalise(&t);
    return (t.limb[0] | t.limb[1] | t.limb[2] | t.limb[3] | t.limb[4]) == 0;
}

bool field_equal(const field *a, const field *b)
{
    field t;
    field_sub(&t, a, b, 8);
    return field_is_zero(&t);
}

void field_to_words(uint64_t words[4], const field *a)
{
    field t = *a;
    field_normalise(&t);
    words[0] = t.limb[0] | t.limb[1] << 52;
    words[1] = t.limb[1] >> 12 | t.limb[2] << 40;
    words[2] = t.limb[2] >> 24 | t.limb[3] << 28;
    words[3] = t.limb[3] >> 36 | t.limb[4] << 16;
}

void field_inverse_var(field *r, const field *a)
{
    uint64_t words[4];
    field_to_words(words, a);
    inverse_mod_var(words, words, &FIELD_MODULUS);
    field_from_words(r, words);
}

static void square_times(field *r, const field *a, int n)
{
    field_sqr(r, a);
    while (--n > 0) field_sqr(r, r);
}

/* (p + 1)/4 in binary: 223 ones, 0, 22 ones, 0000, 11, 00.  x_k below is a^(2^k - 1). */
bool field_sqrt(field *r, const field *a)
{
    field x2, x3, x6, x9, x11, x22, x44, x88, x176, x220, t;
    field_sqr(&t, a);
    field_mul(&x2, &t, a);
    field_sqr(&t, &x2);
    field_mul(&x3, &t, a);
    square_times(&t, &x3, 3);
    field_mul(&x6, &t, &x3);
    square_times(&t, &x6, 3);
    field_mul(&x9, &t, &x3);
    square_times(&t, &x9, 2);
    field_mul(&x11, &t, &x2);
    square_times(&t, &x11, 11);
    field_mul(&x22, &t, &x11);
    square_times(&t, &x22, 22);
    field_mul(&x44, &t, &x22);
    square_times(&t, &x44, 44);
    field_mul(&x88, &t, &x44);
    square_times(&t, &x88, 88);
    field_mul(&x176, &t, &x88);
    square_times(&t, &x176, 44);
    field_mul(&x220, &t, &x44);
    square_times(&t, &x220, 3);
    field_mul(&t, &t, &x3);
    square_times(&t, &t, 23);
    field_mul(&t, &t, &x22);
    square_times(&t, &t, 6);
    field_mul(&t, &t, &x2);
    square_times(r, &t, 2);
    field_sqr(&t, r);
    return field_equal(a, &t);
}

bool field_from_bytes(field *r, const uint8_t bytes[32])
{
    uint64_t words[4] = {0, 0, 0, 0};
    for (int i = 0; i < 32; i++) words[3 - i / 8] = words[3 - i / 8] << 8 | bytes[i];
    field_from_words(r, words);
    const uint64_t middle = r->limb[1] & r->limb[2] & r->limb[3];
    return !(r->limb[4] == FIELD_P4 && middle == FIELD_MASK && r->limb[0] >= FIELD_P0);
}

void field_to_bytes(uint8_t bytes[32], const field *a)
{
    uint64_t words[4];
    field_to_words(words, a);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(words[3 - i / 8] >> (56 - 8 * (i % 8)));
}
