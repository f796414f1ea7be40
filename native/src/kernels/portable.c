/*
 * The portable kernel: sums of table entries, many at a time.
 *
 * An item is a sum of terms, one look-up each: the 20 windows of its blinding factor, then the windows
 * of its value, or the bytes of its row.  Term by term, all items of a block add their entry in one batch, so that one window's
 * table is hot and one inversion serves the block.  The blinding comes first: most sums are then never
 * infinite.  A few items do better with Jacobian additions.
 */
#include "../kernel.h"

#include "../msm.h"

#include <string.h>

/* Below this many items an inversion a term costs more than Jacobian additions. */
#define FEW 8

typedef struct {
    const tables *t;
    const words *blindings;                    /* or NULL */
    const uint64_t *values;                    /* commitments: value_words each */
    size_t value_words;
    const uint8_t *rows;                       /* rows: row_bytes each */
    size_t row_bytes;
} table_sums;

/* Windows that carry a value of 1, 2 or 4 words. */
static size_t value_windows(size_t value_words)
{
    return value_words == 4 ? WINDOWS : 5 * value_words;
}

static unsigned window_digit(const uint64_t *word, size_t word_count, size_t window)
{
    const size_t bit = WINDOW_BITS * window, index = bit / 64, shift = bit % 64;
    if (index >= word_count) return 0;
    uint64_t digit = word[index] >> shift;
    if (shift > 64 - WINDOW_BITS && index + 1 < word_count) digit |= word[index + 1] << (64 - shift);
    return (unsigned)digit & ((1u << WINDOW_BITS) - 1);
}

/* The entry of a half window: for a digit below 2^12 the opposite of its mirror image. */
static inline void load_half(affine *r, const packed *window, unsigned digit)
{
    const unsigned half = 1u << (WINDOW_BITS - 1);
    const bool negative = digit < half;
    packed_load(r, &window[negative ? half - 1 - digit : digit - half]);
    if (negative) field_neg(&r->y, &r->y, 1);
}

static size_t blinding_terms(const table_sums *s)
{
    return s->blindings == NULL ? 0 : WINDOWS;
}

static size_t term_count(const table_sums *s)
{
    return blinding_terms(s) + (s->rows == NULL ? value_windows(s->value_words) : s->row_bytes);
}

/* r = term number `term` of an item; false when it is infinity. */
static inline bool load_term(affine *r, const table_sums *s, size_t item, size_t term)
{
    const size_t blinding = blinding_terms(s);
    if (term < blinding) {
        const unsigned digit = window_digit(s->blindings[item].word, 4, term);
        if (term == 0) packed_load(r, &s->t->b[0][digit]);
        else load_half(r, s->t->b[term], digit);
        return true;
    }
    const size_t i = term - blinding;
    if (s->rows != NULL) {
        const uint8_t byte = s->rows[item * s->row_bytes + i];
        packed_load(r, &s->t->q[256 * i + byte]);
        return byte != 0;
    }
    const unsigned digit = window_digit(s->values + item * s->value_words, s->value_words, i);
    if (i == 0 || i == 5 || i == 10) packed_load(r, &s->t->v[i][digit]);
    else load_half(r, s->t->v[i], digit);
    return true;
}

static void sum_few(affine *out, const table_sums *s, size_t n)
{
    jacobian sum[FEW];
    const size_t terms = term_count(s);
    for (size_t item = 0; item < n; item++) {
        sum[item] = JACOBIAN_INFINITY;
        for (size_t term = 0; term < terms; term++) {
            affine p;
            if (load_term(&p, s, item, term)) jacobian_add_affine_var(&sum[item], &sum[item], &p);
        }
    }
    affine_from_jacobian_batch_var(out, sum, n);
}

/* slot[0 .. BATCH_SIZE) are the sums, slot[BATCH_SIZE + i] what is added to sum i. */
static void sum_block(affine *out, const table_sums *s, size_t first, size_t n, batch_queue *queue, affine *slot)
{
    const size_t terms = term_count(s);
    for (size_t i = 0; i < n; i++) slot[i] = AFFINE_INFINITY;
    batch_begin(queue, slot);
    for (size_t term = 0; term < terms; term++) {
        for (size_t i = 0; i < n; i++) {
            affine *addend = &slot[BATCH_SIZE + i];
            if (!load_term(addend, s, first + i, term)) continue;
            if (affine_is_infinity(&slot[i])) slot[i] = *addend;
            else batch_add_var(queue, i, BATCH_SIZE + i);
        }
        batch_flush_var(queue);
    }
    memcpy(out, slot, n * sizeof *out);
}

static void sum_terms(affine *out, const table_sums *s, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    batch_queue *queue = arena_take(&next, sizeof(batch_queue));
    affine *slot = arena_take(&next, 2 * BATCH_SIZE * sizeof(affine));
    if (n <= FEW) {
        sum_few(out, s, n);
        return;
    }
    for (size_t first = 0; first < n; first += BATCH_SIZE)
        sum_block(out + first, s, first, n - first < BATCH_SIZE ? n - first : BATCH_SIZE, queue, slot);
}

/* What sum_terms takes, and the rows and row sums of combine. */
static size_t portable_scratch_size(size_t n)
{
    (void)n;
    return ARENA_SIZE(sizeof(batch_queue)) + ARENA_SIZE(2 * BATCH_SIZE * sizeof(affine))
           + ARENA_SIZE(256 * Q_COUNT_MAX / 8) + ARENA_SIZE(256 * sizeof(affine));
}

static void portable_commit(affine *out, const uint64_t *values, size_t value_words, const words *blindings, size_t n,
                            const tables *t, void *scratch)
{
    const table_sums s = {.t = t, .blindings = blindings, .values = values, .value_words = value_words};
    sum_terms(out, &s, n, scratch);
}

static void portable_commit_rows(affine *out, const uint8_t *rows, size_t row_bytes, const words *blindings, size_t n,
                                 const tables *t, void *scratch)
{
    const table_sums s = {.t = t, .blindings = blindings, .rows = rows, .row_bytes = row_bytes};
    sum_terms(out, &s, n, scratch);
}

/* Row k holds bit k of every scalar; Σ_k 2^k·row_k, by Horner's rule from the top. */
static void portable_combine(affine *out, const words *z, size_t n, const tables *t, void *scratch)
{
    uint8_t *next = scratch;
    uint8_t *rows = arena_take(&next, 256 * Q_COUNT_MAX / 8);
    affine *sums = arena_take(&next, 256 * sizeof(affine));
    const size_t row_bytes = (n + 7) / 8;
    memset(rows, 0, 256 * row_bytes);
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < 256; k++)
            rows[k * row_bytes + j / 8] |= (uint8_t)((z[j].word[k / 64] >> (k % 64) & 1) << (j % 8));
    portable_commit_rows(sums, rows, row_bytes, NULL, 256, t, next);
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t k = 256; k-- > 0;) {
        jacobian_double_var(&sum, &sum);
        jacobian_add_affine_var(&sum, &sum, &sums[k]);
    }
    affine_from_jacobian_var(out, &sum);
}

static size_t portable_decompress(affine *out, const uint8_t *bytes, size_t n, void *scratch)
{
    (void)scratch;
    size_t i = 0;
    while (i < n && affine_decompress(&out[i], bytes + 33 * i)) i++;
    return i;
}

const assay_kernel KERNEL_PORTABLE = {
    .name = "portable",
    .scratch_size = portable_scratch_size,
    .commit = portable_commit,
    .commit_rows = portable_commit_rows,
    .combine = portable_combine,
    .msm_scratch_size = msm_scratch_size,
    .msm = msm_var,
    .sum_scratch_size = points_sum_scratch_size,
    .sum = points_sum_var,
    .decompress = portable_decompress,
};
