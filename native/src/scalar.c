/* Scalars: products, sums of products, conversions, inversion.  scalar.h has the contract. */
#include "scalar.h"

#include "inverse.h"

const scalar SCALAR_ZERO = {{0, 0, 0, 0}};
const scalar SCALAR_ONE = {{ORDER_C0, ORDER_C1, 1, 0}}; /* 2^256 mod n */

/* 2^512 and 2^768 mod n: scalar_mul by them gives a·2^256 and a·2^512. */
static const scalar R2 = {{0x896CF21467D7D140, 0x741496C20E7CF878, 0xE697F5E45BCD07C6, 0x9D671CD581C69BC5}};
static const scalar R3 = {{0x7BC0CFE0E9FF41ED, 0x0017648444D4322C, 0xB1B31347F1D0B2DA, 0x555D800C18EF116D}};

static const inverse_modulus ORDER_MODULUS = {
    {0x3FD25E8CD0364141, 0x2ABB739ABD2280EE, 0x3FFFFFFFFFFFFFEB, 0x3FFFFFFFFFFFFFFF, 0xFF},
    0x34F20099AA774EC1,
};

static const uint64_t ORDER[4] = {0xBFD25E8CD0364141, 0xBAAEDCE6AF48A03B, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF};
#define ORDER_INVERSE 0x4B0DFF665588B13Fu /* -1/n mod 2^64 */

/* r = t / 2^256 mod n for t < n·2^256: multiples of n make the low four words zero; the high ones are then below 2n. */
static void scalar_reduce(scalar *r, uint64_t t[8])
{
    unsigned char top = 0;
    for (int i = 0; i < 4; i++) {
        uint64_t row[5] = {t[i], t[i + 1], t[i + 2], t[i + 3]};
        multiply_row(row, t[i] * ORDER_INVERSE, ORDER);
        t[i + 1] = row[1];
        t[i + 2] = row[2];
        t[i + 3] = row[3];
        top = add_carry(&t[i + 4], t[i + 4], row[4], top);
    }
    scalar_subtract_order(r, t + 4, top);
}

void scalar_mul(scalar *r, const scalar *a, const scalar *b)
{
    uint64_t t[8];
    multiply_words(t, a->limb, b->limb);
    scalar_reduce(r, t);
}

/* low and high take the halves of a product. */
static inline void scalar_column_add(uint128 *low, uint128 *high, uint64_t a, uint64_t b)
{
    const uint128 product = (uint128)a * b;
    *low += (uint64_t)product;
    *high += (uint64_t)(product >> 64);
}

/* Ends column k with its sum, below 2^67; the next begins with the high halves. */
static inline void scalar_column_end(scalar_sum *acc, int k, uint128 *low, uint128 *high)
{
    acc->column[k] += *low;
    *low = *high;
    *high = 0;
}

/* Written out: compilers keep the loop. */
void scalar_sum_mul(scalar_sum *acc, const scalar *a, const scalar *b)
{
    const uint64_t a0 = a->limb[0], a1 = a->limb[1], a2 = a->limb[2], a3 = a->limb[3];
    const uint64_t b0 = b->limb[0], b1 = b->limb[1], b2 = b->limb[2], b3 = b->limb[3];
    uint128 low = 0, high = 0;
    scalar_column_add(&low, &high, a0, b0);
    scalar_column_end(acc, 0, &low, &high);
    scalar_column_add(&low, &high, a0, b1);
    scalar_column_add(&low, &high, a1, b0);
    scalar_column_end(acc, 1, &low, &high);
    scalar_column_add(&low, &high, a0, b2);
    scalar_column_add(&low, &high, a1, b1);
    scalar_column_add(&low, &high, a2, b0);
    scalar_column_end(acc, 2, &low, &high);
    scalar_column_add(&low, &high, a0, b3);
    scalar_column_add(&low, &high, a1, b2);
    scalar_column_add(&low, &high, a2, b1);
    scalar_column_add(&low, &high, a3, b0);
    scalar_column_end(acc, 3, &low, &high);
    scalar_column_add(&low, &high, a1, b3);
    scalar_column_add(&low, &high, a2, b2);
    scalar_column_add(&low, &high, a3, b1);
    scalar_column_end(acc, 4, &low, &high);
    scalar_column_add(&low, &high, a2, b3);
    scalar_column_add(&low, &high, a3, b2);
    scalar_column_end(acc, 5, &low, &high);
    scalar_column_add(&low, &high, a3, b3);
    scalar_column_end(acc, 6, &low, &high);
    acc->column[7] += low;
}

static void words_from_bytes(uint64_t word[4], const uint8_t bytes[32])
{
    for (int i = 0; i < 4; i++) {
        uint64_t w = 0;
        for (int j = 0; j < 8; j++) w = w << 8 | bytes[8 * (3 - i) + j];
        word[i] = w;
    }
}

/* a·2^256 mod n for any a < 2^256: a·R2 < 2^256·n, which is what the reduction takes. */
void scalar_from_words(scalar *r, const words *a)
{
    const scalar t = {{a->word[0], a->word[1], a->word[2], a->word[3]}};
    scalar_mul(r, &t, &R2);
}

void scalar_to_words(words *r, const scalar *a)
{
    uint64_t t[8] = {a->limb[0], a->limb[1], a->limb[2], a->limb[3], 0, 0, 0, 0};
    scalar plain;
    scalar_reduce(&plain, t);
    for (int i = 0; i < 4; i++) r->word[i] = plain.limb[i];
}

bool scalar_from_bytes(scalar *r, const uint8_t bytes[32])
{
    words a;
    scalar reduced;
    words_from_bytes(a.word, bytes);
    scalar_subtract_order(&reduced, a.word, 0);
    const uint64_t difference = (reduced.limb[0] ^ a.word[0]) | (reduced.limb[1] ^ a.word[1]) |
                                (reduced.limb[2] ^ a.word[2]) | (reduced.limb[3] ^ a.word[3]);
    if (difference != 0) {
        *r = SCALAR_ZERO;
        return false;
    }
    scalar_from_words(r, &a);
    return true;
}

void scalar_from_bytes_reduced(scalar *r, const uint8_t bytes[32])
{
    words a;
    words_from_bytes(a.word, bytes);
    scalar_from_words(r, &a);
}

void scalar_from_bytes_wide(scalar *r, const uint8_t bytes[64])
{
    scalar high;
    words_from_bytes(high.limb, bytes);
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
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(plain.word[3 - i / 8] >> (56 - 8 * (i % 8)));
}

void scalar_inverse_var(scalar *r, const scalar *a)
{
    words plain;
    scalar_to_words(&plain, a);
    inverse_mod_var(plain.word, plain.word, &ORDER_MODULUS);
    scalar_from_words(r, &plain);
}

/*
 * A sum of products, its columns carried, is L + 2^256·H + 2^512·t, t one limb; divided by 2^256 that is L/2^256 + H + t·c mod n,
 * where c = 2^256 mod n has 129 bits, so t·c < 2^193 < n, and H < 2^256 < 2n.
 */
void scalar_sum_reduce(scalar *r, const scalar_sum *acc)
{
    uint64_t low[8], limb[4];
    uint128 s = 0;
    for (int i = 0; i < 8; i++) {
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

void scalar_inner(scalar *r, const scalar *a, const scalar *b, size_t n)
{
    scalar_sum acc;
    scalar_sum_zero(&acc);
    for (size_t i = 0; i < n; i++) scalar_sum_mul(&acc, &a[i], &b[i]);
    scalar_sum_reduce(r, &acc);
}
