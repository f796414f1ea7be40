/* The field: canonical forms, inversion, square roots, bytes.  field.h has the contract. */
#include "curve/field.h"

#include "curve/inverse.h"

const field FIELD_ZERO = {{0, 0, 0, 0}};
const field FIELD_ONE = {{1, 0, 0, 0}};

static const inverse_modulus FIELD_MODULUS = {
    {0x3FFFFFFEFFFFFC2F, 0x3FFFFFFFFFFFFFFF, 0x3FFFFFFFFFFFFFFF, 0x3FFFFFFFFFFFFFFF, 0xFF},
    0x27C7F6E22DDACACF,
};

void field_inverse_var(field *r, const field *a)
{
    uint64_t words[4];
    field_to_words(words, a);
    inverse_mod_var(words, words, &FIELD_MODULUS);
    field_from_words(r, words);
}

/* Two chains at once: one alone waits for its own carries a third of the time. */
typedef struct {
    field_factor lane[2];
} factor_pair;

static void multiply_pair(factor_pair *r, const factor_pair *a, const factor_pair *b)
{
    factor_mul(&r->lane[0], &a->lane[0], &b->lane[0]);
    factor_mul(&r->lane[1], &a->lane[1], &b->lane[1]);
}

/* r = a^(2^n), n >= 1. */
static void square_times(factor_pair *r, const factor_pair *a, int n)
{
    field_factor x = a->lane[0], y = a->lane[1];
    while (n-- > 0) {
        factor_sqr(&x, &x);
        factor_sqr(&y, &y);
    }
    r->lane[0] = x;
    r->lane[1] = y;
}

/* (p + 1)/4 in binary: 223 ones, 0, 22 ones, 0000, 11, 00.  x_k below is a^(2^k - 1). */
static void power_of_root(factor_pair *r, const factor_pair *a)
{
    factor_pair x2, x3, x6, x9, x11, x22, x44, x88, x176, x220, t;
    square_times(&t, a, 1);
    multiply_pair(&x2, &t, a);
    square_times(&t, &x2, 1);
    multiply_pair(&x3, &t, a);
    square_times(&t, &x3, 3);
    multiply_pair(&x6, &t, &x3);
    square_times(&t, &x6, 3);
    multiply_pair(&x9, &t, &x3);
    square_times(&t, &x9, 2);
    multiply_pair(&x11, &t, &x2);
    square_times(&t, &x11, 11);
    multiply_pair(&x22, &t, &x11);
    square_times(&t, &x22, 22);
    multiply_pair(&x44, &t, &x22);
    square_times(&t, &x44, 44);
    multiply_pair(&x88, &t, &x44);
    square_times(&t, &x88, 88);
    multiply_pair(&x176, &t, &x88);
    square_times(&t, &x176, 44);
    multiply_pair(&x220, &t, &x44);
    square_times(&t, &x220, 3);
    multiply_pair(&t, &t, &x3);
    square_times(&t, &t, 23);
    multiply_pair(&t, &t, &x22);
    square_times(&t, &t, 6);
    multiply_pair(&t, &t, &x2);
    square_times(r, &t, 2);
}

void field_sqrt_pair(field r[2], bool is_square[2], const field a[2])
{
    factor_pair from, root;
    for (int i = 0; i < 2; i++) field_to_factor(&from.lane[i], &a[i]);
    power_of_root(&root, &from);
    for (int i = 0; i < 2; i++) {
        const field of = a[i];
        field square;
        field_from_factor(&r[i], &root.lane[i]);
        field_sqr(&square, &r[i]);
        is_square[i] = field_equal(&square, &of);
    }
}

bool field_from_bytes(field *r, const uint8_t bytes[32])
{
    for (int i = 0; i < 4; i++) {
        uint64_t word = 0;
        for (int j = 0; j < 8; j++) word = word << 8 | bytes[8 * (3 - i) + j];
        r->limb[i] = word;
    }
    field t = *r;
    field_normalise(&t);
    return t.limb[0] == r->limb[0];
}

void field_to_bytes(uint8_t bytes[32], const field *a)
{
    uint64_t words[4];
    field_to_words(words, a);
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(words[3 - i / 8] >> (56 - 8 * (i % 8)));
}
