/* The public functions over the low level: bytes in, status out.  assay.h has the contract. */
#include "assay.h"
#include "kernels/kernel.h"
#include "range/transcript.h"

#include <string.h>

void assay_sha256(uint8_t *digest, const uint8_t *data, size_t length)
{
    sha256(digest, data, length);
}

void assay_tagged_hash(uint8_t *digest, const uint8_t *tag, size_t tag_length, const uint8_t *data,
                       size_t length)
{
    sha256_context c;
    sha256_begin_tag(&c, (const char *)tag, tag_length);
    sha256_update(&c, data, length);
    sha256_end(digest, &c);
}

void assay_hmac_sha256(uint8_t *digest, const uint8_t *key, size_t key_length, const uint8_t *data,
                       size_t length)
{
    hmac_key k;
    hmac_key_init(&k, key, key_length);
    hmac(digest, &k, data, length);
    clear_secret(&k, sizeof k);
}

void assay_transcript_begin(uint8_t *state)
{
    transcript t;
    transcript_begin(&t);
    memcpy(state, t.state, 32);
}

/* A label as the C string that transcript.h takes; false when it is too long or holds a NUL. */
static int read_label(char *text, const uint8_t *label, size_t length)
{
    if (length > 255 || (length > 0 && memchr(label, 0, length) != NULL)) return 0;
    if (length > 0) memcpy(text, label, length);
    text[length] = 0;
    return 1;
}

int assay_transcript_absorb(uint8_t *state, const uint8_t *label, size_t label_length,
                            const uint8_t *data, size_t length)
{
    char text[256];
    transcript t;
    if (!read_label(text, label, label_length)) return ASSAY_BAD_COUNT;
    transcript_begin(&t);
    memcpy(t.state, state, 32);
    transcript_absorb(&t, text, data, length);
    memcpy(state, t.state, 32);
    return ASSAY_OK;
}

int assay_transcript_challenge(uint8_t *challenge, uint8_t *state, const uint8_t *label,
                               size_t label_length)
{
    char text[256];
    transcript t;
    scalar r;
    if (!read_label(text, label, label_length)) return ASSAY_BAD_COUNT;
    transcript_begin(&t);
    memcpy(t.state, state, 32);
    transcript_challenge(&r, &t, text);
    scalar_to_bytes(challenge, &r);
    memcpy(state, t.state, 32);
    return ASSAY_OK;
}

void assay_generator_var(uint8_t *point, const uint8_t *name, size_t name_length, uint32_t index)
{
    affine generator;
    derive_generator(&generator, (const char *)name, name_length, index);
    affine_compress(point, &generator);
}

size_t assay_bases_size(void)
{
    return sizeof(bases);
}

size_t assay_bases_scratch_size(void)
{
    return bases_scratch_size();
}

const assay_bases *assay_bases_build(void *memory, void *scratch)
{
    bases *b = memory;
    bases_build(b, scratch);
    return b;
}

size_t assay_tables_size(void)
{
    return tables_size();
}

size_t assay_tables_scratch_size(void)
{
    return tables_scratch_size();
}

const assay_tables *assay_tables_build(void *memory, void *scratch)
{
    return tables_build(memory, scratch);
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

size_t assay_points_scratch_size(size_t n)
{
    return ARENA_SIZE(n * sizeof(affine)) +
           larger(kernel()->sum_scratch_size(n), kernel()->scratch_size(n));
}

static int decode_points(affine *decoded, size_t *bad, const uint8_t *points, size_t n,
                         void *scratch)
{
    *bad = kernel()->decompress(decoded, points, n, scratch);
    return *bad == n ? ASSAY_OK : ASSAY_BAD_POINT;
}

int assay_points_check_var(size_t *bad, const uint8_t *points, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    affine *decoded = arena_take(&next, n * sizeof(affine));
    return decode_points(decoded, bad, points, n, next);
}

static int decode_scalars(words *decoded, size_t *bad, const uint8_t *scalars, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *bad = i;
        if (!words_from_bytes(&decoded[i], scalars + 32 * i)) return ASSAY_BAD_SCALAR;
    }
    return ASSAY_OK;
}

#define MSM_COUNT_MAX (((size_t)1 << 31) - 1)

size_t assay_msm_scratch_size(size_t n)
{
    if (n > MSM_COUNT_MAX) return 0;
    return ARENA_SIZE(n * sizeof(words)) + ARENA_SIZE(n * sizeof(affine)) +
           larger(kernel()->msm_scratch_size(n, 256), kernel()->scratch_size(n));
}

int assay_msm_var(uint8_t *point, size_t *bad, const uint8_t *scalars, const uint8_t *points,
                  size_t n, void *scratch)
{
    uint8_t *next = scratch;
    if (n > MSM_COUNT_MAX) return ASSAY_BAD_COUNT;
    words *k = arena_take(&next, n * sizeof(words));
    affine *decoded = arena_take(&next, n * sizeof(affine));
    affine sum;
    int status = decode_scalars(k, bad, scalars, n);
    if (status == ASSAY_OK) status = decode_points(decoded, bad, points, n, next);
    if (status != ASSAY_OK) return status;
    kernel()->msm(&sum, k, decoded, n, 256, next);
    affine_compress(point, &sum);
    return ASSAY_OK;
}

size_t assay_commit_scratch_size(size_t n)
{
    return ARENA_SIZE(n * sizeof(words)) + ARENA_SIZE(n * sizeof(affine)) +
           kernel()->scratch_size(n);
}

int assay_commit_var(uint8_t *points, size_t *bad, const uint64_t *values, size_t value_words,
                     const uint8_t *blindings, size_t n, const assay_tables *t, void *scratch)
{
    uint8_t *next = scratch;
    if (value_words != 1 && value_words != 2 && value_words != 4) return ASSAY_BAD_COUNT;
    words *r = arena_take(&next, n * sizeof(words));
    affine *sums = arena_take(&next, n * sizeof(affine));
    const int status = decode_scalars(r, bad, blindings, n);
    if (status == ASSAY_OK) {
        kernel()->commit(sums, values, value_words, r, n, t, next);
        kernel()->compress(points, 33, sums, n);
    }
    clear_secret(scratch, assay_commit_scratch_size(n));
    return status;
}
