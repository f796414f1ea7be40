/*
 * The portable kernel: sums of table entries, many at a time.
 *
 * Look-up by look-up, all items of a block add their entry in one batch, so that one window's table
 * is hot and one inversion serves the block.  The blinding comes first: most sums are then never
 * infinite.  A few items do better with Jacobian additions.
 */
#include "kernels/kernel.h"

#include "kernels/msm.h"
#include "kernels/portable.h"
#include "kernels/portable_sumcheck.h"

#include <string.h>

/* Below this many items an inversion a term costs more than Jacobian additions. */
#define FEW 8
#define PREFETCH 16
#define HALF (1u << (WINDOW_BITS - 1)) /* the first digit of the upper half of a window */

/* One look-up of every item: the digit, `shift` bits up in the eight bytes at `bytes`, `loaded` of
 * which are the item's. */
typedef struct {
    table_window window;
    unsigned mask, shift;
    const uint8_t *bytes;
    size_t loaded, stride;
} sum_term;

static sum_term describe_term(const table_sums *s, size_t i)
{
    const table_summand *of = &s->summand[0];
    if (i >= of->count) i -= of++->count;
    const unsigned bit = WINDOW_BITS * (unsigned)i;
    sum_term r = {.window = of->windows[i], .mask = 2 * HALF - 1, .stride = of->length};
    r.loaded = of->length < 8 ? of->length : 8;
    const size_t last = of->length - r.loaded, at = bit / 8 < last ? bit / 8 : last;
    r.bytes = of->numbers + at;
    r.shift = bit - 8 * (unsigned)at;
    if (r.shift > 63) r.shift = r.mask = 0; /* the number ends before */
    return r;
}

static inline unsigned term_digit(const sum_term *term, size_t item)
{
    uint64_t word = 0;
    if (term->loaded == 8)
        memcpy(&word, term->bytes + item * term->stride, 8);
    else
        memcpy(&word, term->bytes + item * term->stride, term->loaded);
    return (unsigned)(word >> term->shift) & term->mask;
}

/* Where a digit's entry is: outside lead windows a digit of the lower half has the entry of its
 * mirror image. */
static inline const packed *term_entry(const sum_term *term, unsigned digit)
{
    const unsigned negative = 0u - (digit < HALF);
    return &term->window.entry[term->window.lead ? digit : (digit ^ negative) & (HALF - 1)];
}

/* The entry itself; its sign is random, so it is taken without a branch. */
static inline void load_entry(affine *r, const sum_term *term, unsigned digit)
{
    packed_load(r, term_entry(term, digit));
    if (!term->window.lead) {
        const uint64_t keep = 0 - (uint64_t)(digit >= HALF);
        field opposite;
        field_neg(&opposite, &r->y);
        for (int i = 0; i < 4; i++)
            r->y.limb[i] = (r->y.limb[i] & keep) | (opposite.limb[i] & ~keep);
    }
}

static void sum_few(affine *out, const table_sums *s, size_t n)
{
    jacobian sum[FEW];
    for (size_t item = 0; item < n; item++) sum[item] = JACOBIAN_INFINITY;
    const size_t terms = table_sums_terms(s);
    for (size_t i = 0; i < terms; i++) {
        const sum_term term = describe_term(s, i);
        for (size_t item = 0; item < n; item++) {
            affine entry;
            load_entry(&entry, &term, term_digit(&term, item));
            jacobian_add_affine_var(&sum[item], &sum[item], &entry);
        }
    }
    affine_from_jacobian_batch_var(out, sum, n);
}

/* slot[item] is a sum, slot[BATCH_SIZE + item] what is added to it. */
static void add_term(const sum_term *term, size_t first, size_t n, batch_queue *queue)
{
    affine *slot = queue->slot;
    uint16_t digit[BATCH_SIZE];
    for (size_t i = 0; i < n; i++) digit[i] = (uint16_t)term_digit(term, first + i);
    for (size_t i = 0; i < n; i++) {
        if (i + PREFETCH < n) __builtin_prefetch(term_entry(term, digit[i + PREFETCH]));
        affine *addend = &slot[BATCH_SIZE + i];
        load_entry(addend, term, digit[i]);
        if (affine_is_infinity(&slot[i]))
            slot[i] = *addend;
        else if (!affine_is_infinity(addend))
            batch_add_var(queue, i, BATCH_SIZE + i);
    }
    batch_flush_var(queue);
}

void portable_sum_terms(affine *out, const table_sums *s, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    batch_queue *queue = arena_take(&next, sizeof(batch_queue));
    affine *slot = arena_take(&next, 2 * BATCH_SIZE * sizeof(affine));
    if (n <= FEW) {
        sum_few(out, s, n);
        return;
    }
    batch_begin(queue, slot);
    const size_t terms = table_sums_terms(s);
    for (size_t first = 0; first < n; first += BATCH_SIZE) {
        const size_t block = n - first < BATCH_SIZE ? n - first : BATCH_SIZE;
        for (size_t i = 0; i < block; i++) slot[i] = AFFINE_INFINITY;
        for (size_t i = 0; i < terms; i++) {
            const sum_term term = describe_term(s, i);
            add_term(&term, first, block, queue);
        }
        memcpy(out + first, slot, block * sizeof *out);
    }
}

/* Vectors that combine_vectors takes together, and the rows of each. */
#define VECTOR_BLOCK 64
#define VECTOR_ROWS 4

/* What sum_terms takes, and the rows and row sums of combine, 256 of them, or of combine_vectors.
 */
static size_t portable_scratch_size(size_t n)
{
    (void)n;
    _Static_assert(VECTOR_BLOCK * VECTOR_ROWS == 256 && 8 * VECTOR_BYTES >= Q_COUNT, "room");
    return ARENA_SIZE(sizeof(batch_queue)) + ARENA_SIZE(2 * BATCH_SIZE * sizeof(affine)) +
           ARENA_SIZE(256 * VECTOR_BYTES) + ARENA_SIZE(256 * sizeof(affine));
}

static void portable_commit(affine *out, const uint64_t *values, size_t value_words,
                            const words *blindings, size_t n, const tables *t, void *scratch)
{
    REQUIRE(value_words == 1 || value_words == 2 || value_words == 4);
    const table_sums s = table_sums_of_values(t, values, value_words, blindings);
    portable_sum_terms(out, &s, n, scratch);
}

static void portable_commit_rows(affine *out, const uint8_t *rows, size_t row_bytes,
                                 const words *blindings, size_t n, const tables *t, void *scratch)
{
    REQUIRE(8 * row_bytes <= Q_COUNT);
    const table_sums s = table_sums_of_rows(t, rows, row_bytes, blindings);
    portable_sum_terms(out, &s, n, scratch);
}

static void portable_commit_vectors(affine *out, const uint64_t *amounts, const words *blindings,
                                    size_t n, const tables *t, void *scratch)
{
    const table_sums s = table_sums_of_vectors(t, amounts, blindings);
    portable_sum_terms(out, &s, n, scratch);
}

/* Row k holds bit k of every scalar; Σ_k 2^k·row_k, by Horner's rule from the top. */
static void combine_one(affine *out, const words *z, size_t n, const tables *t, void *scratch)
{
    uint8_t *next = scratch;
    uint8_t *rows = arena_take(&next, 256 * Q_COUNT / 8);
    affine *sums = arena_take(&next, 256 * sizeof(affine));
    const size_t row_bytes = (n + 7) / 8;
    memset(rows, 0, 256 * row_bytes);
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < 256; k++)
            rows[k * row_bytes + j / 8] |=
                (uint8_t)((z[j].word[k / 64] >> (k % 64) & 1) << (j % 8));
    portable_commit_rows(sums, rows, row_bytes, NULL, 256, t, next);
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t k = 256; k-- > 0;) {
        jacobian_double_var(&sum, &sum);
        jacobian_add_affine_var(&sum, &sum, &sums[k]);
    }
    affine_from_jacobian_var(out, &sum);
}

static void portable_combine(affine *out, const words *z, size_t n, size_t count, const tables *t,
                             void *scratch)
{
    REQUIRE(n <= Q_COUNT && (uintptr_t)scratch % 64 == 0);
    for (size_t i = 0; i < count; i++) combine_one(&out[i], z + n * i, n, t, scratch);
}

/* Row k of a vector holds word k of every scalar; Σ_k 2^(64k)·row_k. */
static void portable_combine_vectors(affine *out, const words *z, size_t count, const tables *t,
                                     void *scratch)
{
    uint8_t *next = scratch;
    uint64_t *rows = arena_take(&next, 256 * VECTOR_BYTES);
    affine *sums = arena_take(&next, 256 * sizeof(affine));
    for (size_t first = 0; first < count; first += VECTOR_BLOCK) {
        const size_t n = count - first < VECTOR_BLOCK ? count - first : VECTOR_BLOCK;
        jacobian sum[VECTOR_BLOCK];
        for (size_t i = 0; i < VECTOR_ROWS * n; i++)
            for (size_t k = 0; k < W_COUNT; k++)
                rows[W_COUNT * i + k] =
                    z[W_COUNT * (first + i / VECTOR_ROWS) + k].word[i % VECTOR_ROWS];
        portable_commit_vectors(sums, rows, NULL, VECTOR_ROWS * n, t, next);
        for (size_t i = 0; i < n; i++) {
            sum[i] = JACOBIAN_INFINITY;
            for (size_t row = VECTOR_ROWS; row-- > 0;) {
                for (size_t k = 0; k < 64; k++) jacobian_double_var(&sum[i], &sum[i]);
                jacobian_add_affine_var(&sum[i], &sum[i], &sums[VECTOR_ROWS * i + row]);
            }
        }
        affine_from_jacobian_batch_var(out + first, sum, n);
    }
}

static size_t portable_decompress(affine *out, const uint8_t *bytes, size_t n, void *scratch)
{
    (void)scratch;
    size_t i = 0;
    for (; i + 1 < n; i += 2) {
        bool valid[2];
        affine_decompress_pair(&out[i], valid, bytes + 33 * i, bytes + 33 * (i + 1));
        if (!valid[0]) return i;
        if (!valid[1]) return i + 1;
    }
    return i < n && affine_decompress(&out[i], bytes + 33 * i) ? n : i;
}

static void portable_decompress_each(affine *out, const uint8_t *bytes, size_t n, void *scratch)
{
    (void)scratch;
    for (size_t i = 0; i < n; i += 2) {
        const size_t second = i + 1 < n ? i + 1 : i;
        affine both[2];
        bool valid[2];
        affine_decompress_pair(both, valid, bytes + 33 * i, bytes + 33 * second);
        out[second] = valid[1] ? both[1] : AFFINE_INFINITY;
        out[i] = valid[0] ? both[0] : AFFINE_INFINITY;
    }
}

static void portable_compress(uint8_t *bytes, size_t stride, const affine *a, size_t n)
{
    for (size_t i = 0; i < n; i++) affine_compress(bytes + stride * i, &a[i]);
}

/* Two beside each other, by the instructions of SHA-256 where the processor has them. */
static void portable_absorb(uint32_t (*state)[8], const uint8_t *data, size_t stride, size_t n)
{
    size_t i = 0;
    for (; i + 1 < n; i += 2)
        sha256_pair()(state[i], data + stride * i, state[i + 1], data + stride * (i + 1), 1);
    if (i < n) sha256_blocks()(state[i], data + stride * i, 1);
}

/* What only provers call is left out of a build with ASSAY_CHECKS_ALONE, such as the page's. */
const assay_kernel KERNEL_PORTABLE = {
    .name = "portable",
    .scratch_size = portable_scratch_size,
#ifndef ASSAY_CHECKS_ALONE
    .commit = portable_commit,
    .commit_rows = portable_commit_rows,
    .commit_vectors = portable_commit_vectors,
    .combine = portable_combine,
    .combine_vectors = portable_combine_vectors,
    .vector_multiple = vector_multiple,
    .sum_pairs = portable_sum_pairs,
    .sum_byte_pairs = portable_sum_byte_pairs,
    .fold_pairs = portable_fold_pairs,
    .gather_bytes = portable_gather_bytes,
    .fold_rows = portable_fold_rows,
#endif
    .msm_scratch_size = msm_scratch_size,
    .msm = msm_var,
    .sum_scratch_size = points_sum_scratch_size,
    .sum = points_sum_var,
    .decompress = portable_decompress,
    .decompress_each = portable_decompress_each,
    .compress = portable_compress,
    .absorb = portable_absorb,
    .inner = portable_inner,
    .expand = portable_expand,
};
