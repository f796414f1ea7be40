/*
 * Sums of table entries, eight items a vector: commitments, rows of bits, and combinations of the Q generators.
 *
 * An item is a sum of terms, one look-up each: the 20 windows of its blinding factor, then the windows of its value or the bytes of its
 * row.  Step by step all items of a block add one entry, so one inversion serves a block.  Few items are cut into *parts*: part p of P adds
 * the terms p, p + P, p + 2P, …, and the parts are added up at the end; the steps are fewer and the batches fuller.  Since blinding
 * comes first, every part starts with some of it, and no sum on the way is infinite but by a chance of 2^-256, or by
 * a blinding factor chosen for that.  Without blinding, part p starts at a fixed point E_p, and part p + P/2 at its opposite.
 *
 * Whenever the formulas of a batch do not hold, the portable kernel does the whole block again.
 */
#include "avx512ifma.h"

#include <string.h>

#define PARTS_MAX 16

/* What a sum adds: blindings or NULL, and either values or rows. */
typedef struct {
    const tables *t;
    const words *blindings;
    const uint64_t *values; /* value_words each, or NULL */
    size_t value_words;
    const uint8_t *rows; /* row_bytes each */
    size_t row_bytes;
} table_sums;

/* One term of every item: where its digit is and which entries it selects. */
typedef struct {
    const packed *entries;
    bool half;             /* the entries are those of the digits from 2^12 up; the others are opposites */
    const uint64_t *words; /* of the first item; NULL: the digit is a byte */
    size_t word_count, bit, stride;
    const uint8_t *byte; /* of the first item, row_bytes apart */
} sum_term;

/* The entries that one step adds, vector by vector. */
typedef struct {
    size_t vectors;
    const packed *entry[BATCH_VECTORS * LANES];
    __mmask8 negative[BATCH_VECTORS]; /* the opposite is meant */
    __mmask8 idle[BATCH_VECTORS];     /* the entry is infinite, or there is no item */
} sum_step;

typedef struct {
    lane_batch *batch;
    point_lanes *sum; /* BATCH_VECTORS */
    sum_step *step;   /* this one and the next */
} workspace;

static size_t value_windows(size_t value_words)
{
    return value_words == 4 ? WINDOWS : 5 * value_words;
}

static size_t term_count(const table_sums *s)
{
    return (s->blindings != NULL ? WINDOWS : 0) + (s->values != NULL ? value_windows(s->value_words) : s->row_bytes);
}

static sum_term describe_term(const table_sums *s, size_t i)
{
    if (s->blindings != NULL && i < WINDOWS)
        return (sum_term){.entries = s->t->b[i],
                          .half = i != 0,
                          .words = s->blindings->word,
                          .word_count = 4,
                          .bit = WINDOW_BITS * i,
                          .stride = 4};
    if (s->blindings != NULL) i -= WINDOWS;
    if (s->values != NULL)
        return (sum_term){.entries = s->t->v[i],
                          .half = i != 0 && i != 5 && i != 10,
                          .words = s->values,
                          .word_count = s->value_words,
                          .bit = WINDOW_BITS * i,
                          .stride = s->value_words};
    return (sum_term){.entries = s->t->q + 256 * i, .byte = s->rows + i, .stride = s->row_bytes};
}

/* The windows of eight scalars, `stride` words apart: where its digit's entry is.  In a half window a digit below 2^12 has the opposite of
 * its mirror image's entry.  Returns the lanes of such. */
static inline __mmask8 window_entries(const packed *entry[LANES], const sum_term *term, size_t item, size_t used)
{
    const unsigned half = 1u << (WINDOW_BITS - 1), mask = term->half ? half - 1 : 2 * half - 1;
    const size_t stride = term->stride, shift = term->bit % 64;
    const uint64_t *word = term->words + item * stride + term->bit / 64;
    const bool crosses = shift > 64 - WINDOW_BITS && term->bit / 64 + 1 < term->word_count;
    const packed *const entries = term->entries;
    unsigned negative = 0;
    for (size_t k = 0; k < used; k++, word += stride) {
        const uint64_t high = crosses ? word[1] << (64 - shift) : 0;
        const unsigned digit = (unsigned)(word[0] >> shift | high) & (2 * half - 1),
                       below = term->half & (digit < half);
        entry[k] = entries + ((digit ^ (0u - below)) & mask);
        negative |= below << k;
    }
    return (__mmask8)negative;
}

/* The subset sums of eight rows' bytes; returns the lanes of the empty subset. */
static inline __mmask8 byte_entries(const packed *entry[LANES], const sum_term *term, size_t item, size_t used)
{
    const uint8_t *byte = term->byte + item * term->stride;
    const packed *const entries = term->entries;
    unsigned empty = 0;
    for (size_t k = 0; k < used; k++, byte += term->stride) {
        entry[k] = entries + *byte;
        empty |= (unsigned)(*byte == 0) << k;
    }
    return (__mmask8)empty;
}

/* A term of the items first … first + n - 1. */
static void append_term(sum_step *step, const table_sums *s, size_t i, size_t first, size_t n)
{
    const sum_term term = describe_term(s, i);
    for (size_t at = 0; at < n; at += LANES) {
        const size_t v = step->vectors++, used = n - at < LANES ? n - at : LANES;
        const packed **entry = step->entry + LANES * v;
        step->idle[v] = (__mmask8)(0xFF << used);
        step->negative[v] = 0;
        if (term.words == NULL)
            step->idle[v] |= byte_entries(entry, &term, first + at, used);
        else
            step->negative[v] = window_entries(entry, &term, first + at, used);
        for (size_t k = used; k < LANES; k++) entry[k] = term.entries;
    }
}

/* Terms i, i + 1, … of as many parts. */
static void prepare_step(sum_step *step, const table_sums *s, size_t i, size_t first, size_t n, size_t parts)
{
    step->vectors = 0;
    for (size_t end = i + parts, terms = term_count(s); i < end && i < terms; i++) append_term(step, s, i, first, n);
}

/* The entries of a vector, y of bound 2. */
static inline void load_entries(lanes *x, lanes *y, const sum_step *step, size_t v)
{
    lanes_load_packed(x, y, step->entry + LANES * v);
    const lanes minus = lanes_negated(y, 1);
    *y = lanes_select(y, &minus, step->negative[v]);
}

/* Where the sums of an unblinded part start. */
static point_lanes starting_point(const tables *t, size_t part, size_t parts)
{
    const packed *entry[LANES];
    point_lanes r;
    const bool negative = part >= parts / 2;
    for (size_t k = 0; k < LANES; k++) entry[k] = t->v[1] + (negative ? part - parts / 2 : part);
    lanes_load_packed(&r.x, &r.y, entry);
    if (negative) r.y = lanes_carry(lanes_negated(&r.y, 1));
    return r;
}

/* One block of n items, cut into parts, `vectors` each; false when the formulas do not hold. */
static bool sum_block(affine *out, const workspace *w, const table_sums *s, size_t first, size_t n, size_t parts)
{
    const size_t terms = term_count(s), vectors = (n + LANES - 1) / LANES;
    sum_step *step = &w->step[0], *next = &w->step[1];
    prepare_step(step, s, 0, first, n, parts);
    for (size_t v = 0; v < parts * vectors; v++) {
        if (s->blindings == NULL) {
            w->sum[v] = starting_point(s->t, v / vectors, parts);
            continue;
        }
        load_entries(&w->sum[v].x, &w->sum[v].y, step, v);
        w->sum[v].y = lanes_carry(w->sum[v].y);
    }
    size_t i = 0;
    if (s->blindings != NULL) {
        i = parts;
        prepare_step(step, s, i, first, n, parts);
    }
    for (; i < terms; i += parts) {
        prepare_step(next, s, i + parts, first, n, parts);
        batch_start(w->batch);
        for (size_t v = 0; v < step->vectors; v++) {
            lanes x, y;
            load_entries(&x, &y, step, v);
            batch_push(w->batch, &w->sum[v], &x, &y, step->idle[v]);
        }
        if (!batch_finish_ahead_var(w->batch, next->entry, LANES * next->vectors)) return false;
        sum_step *spent = step;
        step = next;
        next = spent;
    }
    for (size_t half = parts / 2; half > 0; half /= 2) {
        batch_start(w->batch);
        for (size_t v = 0; v < half * vectors; v++) {
            const point_lanes *other = &w->sum[half * vectors + v];
            const size_t left = n - v % vectors * LANES;
            batch_push(w->batch, &w->sum[v], &other->x, &other->y, left < LANES ? (__mmask8)(0xFF << left) : 0);
        }
        if (!batch_finish_var(w->batch)) return false;
    }
    for (size_t v = 0; v < vectors; v++) {
        const size_t left = n - LANES * v;
        lanes_store_affine(out + LANES * v, &w->sum[v], left < LANES ? left : LANES);
    }
    return true;
}

static void sum_block_exactly(affine *out, const table_sums *s, size_t first, size_t n, void *scratch)
{
    const words *blindings = s->blindings == NULL ? NULL : s->blindings + first;
    if (s->values != NULL)
        KERNEL_PORTABLE.commit(out, s->values + first * s->value_words, s->value_words, blindings, n, s->t, scratch);
    else
        KERNEL_PORTABLE.commit_rows(out, s->rows + first * s->row_bytes, s->row_bytes, blindings, n, s->t, scratch);
}

static void sum_terms(affine *out, const table_sums *s, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    workspace w;
    w.batch = arena_take(&next, sizeof *w.batch);
    w.sum = arena_take(&next, BATCH_VECTORS * sizeof *w.sum);
    w.step = arena_take(&next, 2 * sizeof *w.step);
    const size_t vectors = (n + LANES - 1) / LANES;
    size_t parts = s->blindings == NULL ? 2 : 1;
    while (2 * parts * vectors <= BATCH_VECTORS && parts < PARTS_MAX && parts < term_count(s)) parts *= 2;
    const size_t most = BATCH_VECTORS / parts * LANES;
    for (size_t first = 0; first < n; first += most) {
        const size_t block = n - first < most ? n - first : most;
        if (!sum_block(out + first, &w, s, first, block, parts))
            sum_block_exactly(out + first, s, first, block, scratch);
    }
}

/* What sum_terms takes, or the portable kernel instead; then the rows of combine and their sums. */
static size_t sums_size(void)
{
    const size_t own = ARENA_SIZE(sizeof(lane_batch)) + ARENA_SIZE(BATCH_VECTORS * sizeof(point_lanes)) +
                       ARENA_SIZE(2 * sizeof(sum_step)),
                 exact = KERNEL_PORTABLE.scratch_size(BATCH_VECTORS * LANES);
    return own > exact ? own : exact;
}

size_t avx512ifma_scratch_size(size_t n)
{
    (void)n;
    return sums_size() + ARENA_SIZE(256 * Q_COUNT_MAX / 8) + ARENA_SIZE(256 * sizeof(affine));
}

void avx512ifma_commit(affine *out, const uint64_t *values, size_t value_words, const words *blindings, size_t n,
                       const tables *t, void *scratch)
{
    const table_sums s = {.t = t, .blindings = blindings, .values = values, .value_words = value_words};
    sum_terms(out, &s, n, scratch);
}

void avx512ifma_commit_rows(affine *out, const uint8_t *rows, size_t row_bytes, const words *blindings, size_t n,
                            const tables *t, void *scratch)
{
    const table_sums s = {.t = t, .blindings = blindings, .rows = rows, .row_bytes = row_bytes};
    sum_terms(out, &s, n, scratch);
}

/* Row k holds bit k of every scalar; Σ_k 2^k·row_k, by Horner's rule from the top. */
void avx512ifma_combine(affine *out, const words *z, size_t n, const tables *t, void *scratch)
{
    uint8_t *next = scratch;
    uint8_t *rows = arena_take(&next, 256 * Q_COUNT_MAX / 8);
    affine *sums = arena_take(&next, 256 * sizeof(affine));
    const size_t row_bytes = (n + 7) / 8;
    memset(rows, 0, 256 * row_bytes);
    for (size_t j = 0; j < n; j++)
        for (size_t k = 0; k < 256; k++)
            rows[k * row_bytes + j / 8] |= (uint8_t)((z[j].word[k / 64] >> (k % 64) & 1) << (j % 8));
    avx512ifma_commit_rows(sums, rows, row_bytes, NULL, 256, t, next);
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t k = 256; k-- > 0;) {
        jacobian_double_var(&sum, &sum);
        jacobian_add_affine_var(&sum, &sum, &sums[k]);
    }
    affine_from_jacobian_var(out, &sum);
}
