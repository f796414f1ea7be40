/* Scalars: products, sums of products, conversions, inversion.  scalar.h has the contract. */
#include "curve/scalar.h"

#include "curve/inverse.h"

const scalar SCALAR_ZERO = {{0, 0, 0, 0}};
const scalar SCALAR_ONE = {{ORDER_C0, ORDER_C1, 1, 0}}; /* 2^256 mod n */

/* 2^512 and 2^768 mod n: scalar_mul by them gives a·2^256 and a·2^512. */
static const scalar R2 = {
    {0x896CF21467D7D140, 0x741496C20E7CF878, 0xE697F5E45BCD07C6, 0x9D671CD581C69BC5}};
static const scalar R3 = {
    {0x7BC0CFE0E9FF41ED, 0x0017648444D4322C, 0xB1B31347F1D0B2DA, 0x555D800C18EF116D}};

static const inverse_modulus ORDER_MODULUS = {
    {0x3FD25E8CD0364141, 0x2ABB739ABD2280EE, 0x3FFFFFFFFFFFFFEB, 0x3FFFFFFFFFFFFFFF, 0xFF},
    0x34F20099AA774EC1,
};

#define COMPLEMENT_INVERSE 0x4B0DFF665588B13Fu /* 1/c mod 2^64, where n = 2^256 - c */

/*
 * r = t / 2^256 mod n for t < n·2^256.  The multiple m·n of n that makes the low four words zero is
 * m·2^256 - m·c, and m's words are such that m·c has t's low words: one at a time, each is t's
 * lowest word left, over c.  As c = 2^128 + c1·2^64 + c0, m·c takes two products a word, and of the
 * first the high half alone.  The high words, m added, are below 2n.
 */
static void scalar_reduce(scalar *r, uint64_t t[8])
{
    uint64_t m[4], owed = 0; /* a borrow from word i + 3, 0 or 1 */
    unsigned char borrow, carry = 0;
    for (int i = 0; i < 4; i++) {
        m[i] = t[i] * COMPLEMENT_INVERSE;
        const uint128 product =
            (uint128)m[i] * ORDER_C1 + (uint64_t)((uint128)m[i] * ORDER_C0 >> 64);
        const uint128 above = (uint128)m[i] + (uint64_t)(product >> 64);
        borrow = sub_borrow(&t[i + 1], t[i + 1], (uint64_t)product, 0);
        borrow = sub_borrow(&t[i + 2], t[i + 2], (uint64_t)above, borrow);
        owed = sub_borrow(&t[i + 3], t[i + 3], (uint64_t)(above >> 64) + owed, borrow);
    }
    borrow = sub_borrow(&t[7], t[7], owed, 0);
    for (int i = 0; i < 4; i++) carry = add_carry(&t[i + 4], t[i + 4], m[i], carry);
    scalar_subtract_order(r, t + 4, (uint64_t)(carry - borrow));
}

void scalar_mul(scalar *r, const scalar *a, const scalar *b)
{
    REQUIRE(scalar_is_reduced(a) || scalar_is_reduced(b)); /* conversions have one that is not */
    uint64_t t[8];
    multiply_words(t, a->limb, b->limb);
    scalar_reduce(r, t);
}

void scalar_add_product(scalar *acc, const scalar *a, const scalar *b)
{
    scalar t;
    scalar_mul(&t, a, b);
    scalar_add(acc, acc, &t);
}

void scalar_sum_mul(scalar_sum *acc, const scalar *a, const scalar *b)
{
    REQUIRE(scalar_is_reduced(a) && scalar_is_reduced(b));
    uint64_t t[8];
    multiply_words(t, a->limb, b->limb);
    for (int i = 0; i < 8; i++) acc->column[i] += t[i];
}

void scalar_sum_mul_u64(scalar_sum *acc, const scalar *a, uint64_t b)
{
    REQUIRE(scalar_is_reduced(a));
    uint64_t high = 0;
    for (int i = 0; i < 4; i++) {
        const uint128 t = (uint128)a->limb[i] * b + high;
        acc->column[i] += (uint64_t)t;
        high = (uint64_t)(t >> 64);
    }
    acc->column[4] += high;
}

/* Below n exactly if adding c = 2^256 - n does not reach 2^256. */
bool words_from_bytes(words *r, const uint8_t bytes[32])
{
    static const uint64_t complement[4] = {ORDER_C0, ORDER_C1, ORDER_C2, 0};
    unsigned char carry = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t word = 0, sum;
        for (int k = 0; k < 8; k++) word = word << 8 | bytes[8 * (3 - i) + k];
        carry = add_carry(&sum, word, complement[i], carry);
        r->word[i] = word;
    }
    return carry == 0;
}

/* a·b/2^256, a scalar times what is none: a·b < n·2^256, which is what the reduction takes. */
static scalar multiply_by_words(const scalar *a, const words *b)
{
    uint64_t t[8];
    scalar product;
    multiply_words(t, a->limb, b->word);
    scalar_reduce(&product, t);
    return product;
}

static void words_from_limbs(words *r, const scalar *a)
{
    for (int i = 0; i < 4; i++) r->word[i] = a->limb[i];
}

void scalar_mul_words(words *r, const scalar *a, const words *b)
{
    REQUIRE(scalar_is_reduced(a));
    const scalar product = multiply_by_words(a, b);
    words_from_limbs(r, &product);
}

/* Addition is the same whatever the form. */
void words_add_product(words *acc, const scalar *a, const words *b)
{
    scalar sum = {{acc->word[0], acc->word[1], acc->word[2], acc->word[3]}};
    const scalar product = multiply_by_words(a, b);
    scalar_add(&sum, &sum, &product);
    words_from_limbs(acc, &sum);
}

/* a·2^256 mod n for any a < 2^256: a·R2 < 2^256·n, which is what the reduction takes. */
void scalar_from_words(scalar *r, const words *a)
{
    const scalar t = {{a->word[0], a->word[1], a->word[2], a->word[3]}};
    scalar_mul(r, &t, &R2);
}

void scalar_to_words(words *r, const scalar *a)
{
    REQUIRE(scalar_is_reduced(a));
    uint64_t t[8] = {a->limb[0], a->limb[1], a->limb[2], a->limb[3], 0, 0, 0, 0};
    scalar plain;
    scalar_reduce(&plain, t);
    words_from_limbs(r, &plain);
}

bool scalar_from_bytes(scalar *r, const uint8_t bytes[32])
{
    words a;
    const bool valid = words_from_bytes(&a, bytes);
    const uint64_t mask = 0 - (uint64_t)valid;
    for (int i = 0; i < 4; i++) a.word[i] &= mask;
    scalar_from_words(r, &a);
    return valid;
}

void scalar_from_bytes_reduced(scalar *r, const uint8_t bytes[32])
{
    words a;
    words_from_bytes(&a, bytes);
    scalar_from_words(r, &a);
}

void scalar_from_bytes_wide(scalar *r, const uint8_t bytes[64])
{
    words a;
    words_from_bytes(&a, bytes);
    scalar high = {{a.word[0], a.word[1], a.word[2], a.word[3]}};
    scalar_mul(&high, &high, &R3);
    scalar_from_bytes_reduced(r, bytes + 32);
    scalar_add(r, r, &high);
}

void scalar_from_u64(scalar *r, uint64_t a)
{
    scalar_from_u128(r, 0, a);
}

void scalar_from_u128(scalar *r, uint64_t high, uint64_t low)
{
    const words a = {{low, high, 0, 0}};
    scalar_from_words(r, &a);
}

void scalar_to_bytes(uint8_t bytes[32], const scalar *a)
{
    words plain;
    scalar_to_words(&plain, a);
    words_to_bytes(bytes, &plain);
}

void words_to_bytes(uint8_t bytes[32], const words *a)
{
    for (int i = 0; i < 4; i++) {
        const uint64_t word = a->word[3 - i];
        for (int k = 0; k < 8; k++) bytes[8 * i + k] = (uint8_t)(word >> (56 - 8 * k));
    }
}

void words_sum(words *r, const words *a, size_t count)
{
    scalar sum = SCALAR_ZERO;
    for (size_t i = 0; i < count; i++) {
        const scalar t = {{a[i].word[0], a[i].word[1], a[i].word[2], a[i].word[3]}};
        scalar_add(&sum, &sum, &t);
    }
    words_from_limbs(r, &sum);
}

void scalar_inverse_var(scalar *r, const scalar *a)
{
    words plain;
    scalar_to_words(&plain, a);
    inverse_mod_var(plain.word, plain.word, &ORDER_MODULUS);
    scalar_from_words(r, &plain);
}

/*
 * A sum of products, its columns carried, is L + 2^256·H + 2^512·t, t one limb; divided by 2^256
 * that is L/2^256 + H + t·c mod n, where c = 2^256 mod n has 129 bits, so t·c < 2^193 < n, and H <
 * 2^256 < 2n.
 */
void scalar_sum_reduce(scalar *r, const scalar_sum *acc)
{
    uint64_t low[8], limb[4];
    uint128 s = 0;
    for (int i = 0; i < 8; i++) {
        REQUIRE(acc->column[i] >> 99 == 0);
        s += acc->column[i];
        if (i < 4)
            low[i] = (uint64_t)s;
        else
            limb[i - 4] = (uint64_t)s;
        s >>= 64;
    }
    for (int i = 4; i < 8; i++) low[i] = 0;
    const uint64_t t = (uint64_t)s;
    scalar high, top;
    scalar_reduce(r, low);
    scalar_subtract_order(&high, limb, 0);
    scalar_add(r, r, &high);
    s = (uint128)t * ORDER_C0;
    top.limb[0] = (uint64_t)s;
    s = (uint128)t * ORDER_C1 + (uint64_t)(s >> 64);
    top.limb[1] = (uint64_t)s;
    s = (uint128)t + (uint64_t)(s >> 64);
    top.limb[2] = (uint64_t)s;
    top.limb[3] = (uint64_t)(s >> 64);
    scalar_add(r, r, &top);
}

/* The reduction has divided the form of a scalar by 2^256, and left its integer. */
void scalar_sum_reduce_integers(scalar *r, const scalar_sum *acc)
{
    words plain;
    scalar_sum_reduce(r, acc);
    for (int i = 0; i < 4; i++) plain.word[i] = r->limb[i];
    scalar_from_words(r, &plain);
}

void scalar_inner(scalar *r, const scalar *a, const scalar *b, size_t n)
{
    scalar_sum acc;
    REQUIRE(n >> 32 == 0);
    scalar_sum_zero(&acc);
    for (size_t i = 0; i < n; i++) scalar_sum_mul(&acc, &a[i], &b[i]);
    scalar_sum_reduce(r, &acc);
}
