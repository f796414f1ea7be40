/* What the prover of hidden keys needs of its private keys before it proves; constant-time in them.
 */
#include "assay.h"
#include "curve/base_multiple.h"
#include "hash/secret.h"
#include "hidden/shape.h"

int assay_hidden_total(uint8_t *value, const uint8_t *amounts, const uint8_t *secrets, size_t count)
{
    uint64_t total[2] = {0, 0};
    unsigned char over = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t mask = hidden_owned(secrets, i);
        uint64_t word[2] = {0, 0};
        for (size_t j = 0; j < 16; j++) word[j / 8] = word[j / 8] << 8 | amounts[16 * i + j];
        unsigned char carry = add_carry(&total[0], total[0], word[1] & mask, 0);
        over |= add_carry(&total[1], total[1], word[0] & mask, carry);
    }
    for (size_t j = 0; j < 16; j++) value[j] = (uint8_t)(total[1 - j / 8] >> (56 - 8 * (j % 8)));
    declassify(&over, sizeof over); /* known from the status */
    return over ? ASSAY_TOO_LARGE : ASSAY_OK;
}

#define PUBLIC_KEYS_SCRATCH                                                                        \
    (ARENA_SIZE(sizeof(multiples)) + ARENA_SIZE(MULTIPLE_BLOCK * sizeof(words)))

size_t assay_public_keys_scratch_size(void)
{
    return PUBLIC_KEYS_SCRATCH;
}

int assay_public_keys(uint8_t *points, size_t *bad, const uint8_t *secrets, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    multiples *m = arena_take(&next, sizeof *m);
    words *k = arena_take(&next, MULTIPLE_BLOCK * sizeof *k);
    int status = ASSAY_OK;
    multiples_build(m);
    for (size_t first = 0; first < n && status == ASSAY_OK; first += MULTIPLE_BLOCK) {
        const size_t block = n - first < MULTIPLE_BLOCK ? n - first : MULTIPLE_BLOCK;
        affine point[MULTIPLE_BLOCK];
        for (size_t i = 0; i < block && status == ASSAY_OK; i++) {
            scalar x;
            *bad = first + i;
            const bool valid =
                scalar_from_bytes(&x, secrets + 32 * *bad) & (hidden_owned(secrets, *bad) != 0);
            declassify(&valid, sizeof valid); /* known from the status */
            if (!valid) status = ASSAY_BAD_SCALAR;
            scalar_to_words(&k[i], &x);
        }
        if (status != ASSAY_OK) break;
        multiples_of_base(point, k, block, m);
        declassify(point, sizeof point); /* public keys */
        for (size_t i = 0; i < block; i++) affine_compress(points + 33 * (first + i), &point[i]);
    }
    clear_secret(scratch, PUBLIC_KEYS_SCRATCH);
    return status;
}

/* The value of a hexadecimal digit, above 15 if it is none; no table, no branch. */
static unsigned digit_value(unsigned c)
{
    const unsigned decimal = c - '0', letter = (c | 32) - 'a';
    const unsigned is_decimal = ((decimal | (9 - decimal)) >> 31) - 1,
                   is_letter = ((letter | (5 - letter)) >> 31) - 1;
    return (decimal & is_decimal) | ((letter + 10) & is_letter) | (16 & ~(is_decimal | is_letter));
}

int assay_secrets_read(uint8_t *secrets, size_t *bad, const uint8_t *text, size_t stride, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *digits = text + stride * i;
        unsigned refused = 0;
        for (size_t j = 0; j < 32; j++) {
            const unsigned high = digit_value(digits[2 * j]), low = digit_value(digits[2 * j + 1]);
            refused |= high | low;
            secrets[32 * i + j] = (uint8_t)(high << 4 | low);
        }
        *bad = i;
        refused = refused > 15;
        declassify(&refused, sizeof refused); /* known from the status */
        if (refused) return ASSAY_BAD_SCALAR;
    }
    return ASSAY_OK;
}
