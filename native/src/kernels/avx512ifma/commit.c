/*
 * Sums of table entries, eight items a vector: commitments and rows of bits.
 *
 * Step by step all items of a block look up one entry and add it, so one inversion serves a block.
 * Few items are cut into *parts*: part p of P adds the terms p, p + P, p + 2P, …, and the parts are
 * added up at the end; the steps are fewer and the batches fuller.  No entry is infinite, and no
 * sum on the way is but by a chance of 2^-256 or by numbers chosen for that; the last one may be.
 * Whenever the formulas of a batch do not hold, the portable kernel does the whole block again.
 *
 * A block of items that does not fill its last vector fills it with copies of its last item.
 */
#include "kernels/avx512ifma/kernel.h"
#include "kernels/portable.h"

#include <string.h>

#define PARTS_MAX 16
#define ITEMS (BATCH_VECTORS * LANES)
#define NUMBER_WORDS (W_COUNT + 1)
#define AHEAD 4 /* vectors between fetching entries and adding them */

/* The words of a summand's numbers, word k of all items side by side; zero where a number ends
 * before. */
typedef struct {
    _Alignas(64) uint64_t word[NUMBER_WORDS][ITEMS];
} number_columns;

/* The entries that one step adds, vector by vector. */
typedef struct {
    size_t vectors;
    _Alignas(64) const packed *entry[ITEMS];
    __mmask8 negative[BATCH_VECTORS]; /* the opposite is meant */
} sum_step;

typedef struct {
    lane_batch *batch;
    point_lanes *sum;        /* BATCH_VECTORS */
    number_columns *columns; /* of either summand */
    sum_step *step;          /* this one and the next */
} workspace;

/* Those words of n items that the windows read; the last vector is filled up with the last item. */
static void read_numbers(number_columns *c, const table_summand *s, size_t n)
{
    const size_t items = (n + LANES - 1) / LANES * LANES,
                 count = WINDOW_BITS * (s->count - 1) / 64 + 2;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *number = s->numbers + s->length * i;
        uint64_t word[NUMBER_WORDS] = {0};
        if (s->length == 32)
            memcpy(word, number, 32);
        else if (s->length == 8)
            memcpy(word, number, 8);
        else
            memcpy(word, number, s->length);
        for (size_t k = 0; k < count; k++) c->word[k][i] = word[k];
    }
    for (size_t k = 0; k < count; k++)
        for (size_t i = n; i < items; i++) c->word[k][i] = c->word[k][n - 1];
}

/* Term i of all items.  Outside lead windows a digit of the lower half has the opposite of its
 * mirror image's entry. */
static void append_term(sum_step *step, const workspace *w, const table_sums *s, size_t i,
                        size_t vectors)
{
    const bool second = i >= s->summand[0].count;
    const number_columns *columns = &w->columns[second];
    if (second) i -= s->summand[0].count;
    const table_window *window = &s->summand[second].windows[i];
    const size_t bit = WINDOW_BITS * i;
    const uint64_t *low = columns->word[bit / 64], *high = columns->word[bit / 64 + 1];
    const __m128i down = _mm_cvtsi64_si128((long long)(bit % 64)),
                  up = _mm_cvtsi64_si128((long long)(64 - bit % 64));
    const __m512i mask = lane_all(((uint64_t)1 << WINDOW_BITS) - 1),
                  half = lane_all((uint64_t)1 << (WINDOW_BITS - 1)),
                  base = lane_all((uint64_t)(uintptr_t)window->entry);
    for (size_t v = 0; v < vectors; v++) {
        const __m512i a = _mm512_load_si512(low + LANES * v),
                      b = _mm512_load_si512(high + LANES * v);
        __m512i digit = _mm512_and_si512(
            _mm512_or_si512(_mm512_srl_epi64(a, down), _mm512_sll_epi64(b, up)), mask);
        __mmask8 negative = 0;
        if (!window->lead) {
            negative = _mm512_cmplt_epu64_mask(digit, half);
            digit = _mm512_mask_xor_epi64(digit, negative, digit, mask);
            digit = _mm512_xor_si512(digit, half);
        }
        const __m512i entry = _mm512_add_epi64(base, _mm512_slli_epi64(digit, 6));
        _mm512_store_si512(step->entry + LANES * step->vectors, entry);
        step->negative[step->vectors++] = negative;
    }
}

/* Terms i, i + 1, … of as many parts. */
static void prepare_step(sum_step *step, const workspace *w, const table_sums *s, size_t i,
                         size_t vectors, size_t parts)
{
    step->vectors = 0;
    for (size_t end = i + parts, terms = table_sums_terms(s); i < end && i < terms; i++)
        append_term(step, w, s, i, vectors);
}

/* The entries of a vector, y of bound 2. */
static inline void load_entries(lanes *x, lanes *y, const sum_step *step, size_t v)
{
    lanes_load_packed(x, y, step->entry + LANES * v);
    *y = lanes_negate_some(y, step->negative[v]);
}

/* From the second cache to the first. */
static inline void fetch_entries(const sum_step *step, size_t v)
{
    if (v >= step->vectors) return;
    for (size_t i = 0; i < LANES; i++) __builtin_prefetch(step->entry[LANES * v + i]);
}

/* One block of n items, cut into parts, `vectors` each; false when the formulas do not hold. */
static bool sum_block(affine *out, const workspace *w, const table_sums *s, size_t n, size_t parts)
{
    const size_t terms = table_sums_terms(s), vectors = (n + LANES - 1) / LANES;
    sum_step *step = &w->step[0], *next = &w->step[1];
    for (size_t i = 0; i < s->count; i++) read_numbers(&w->columns[i], &s->summand[i], n);
    prepare_step(step, w, s, 0, vectors, parts);
    for (size_t v = 0; v < parts * vectors; v++) {
        load_entries(&w->sum[v].x, &w->sum[v].y, step, v);
        lanes_put(&w->sum[v].y, lanes_carry(w->sum[v].y));
    }
    prepare_step(step, w, s, parts, vectors, parts);
    for (size_t i = parts; i < terms; i += parts) {
        prepare_step(next, w, s, i + parts, vectors, parts);
        batch_start(w->batch);
        for (size_t v = 0; v < step->vectors; v++) {
            lanes x, y;
            fetch_entries(step, v + AHEAD);
            load_entries(&x, &y, step, v);
            batch_push(w->batch, &w->sum[v], &x, &y, 0);
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
            batch_push(w->batch, &w->sum[v], &other->x, &other->y, 0);
        }
        if (!batch_finish_var(w->batch)) return false;
    }
    for (size_t v = 0; v < vectors; v++) {
        const size_t left = n - LANES * v;
        lanes_store_affine(out + LANES * v, &w->sum[v], left < LANES ? left : LANES);
    }
    return true;
}

static void sum_terms(affine *out, const table_sums *s, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    workspace w;
    w.batch = arena_take(&next, sizeof *w.batch);
    w.sum = arena_take(&next, BATCH_VECTORS * sizeof *w.sum);
    w.columns = arena_take(&next, 2 * sizeof *w.columns);
    w.step = arena_take(&next, 2 * sizeof *w.step);
    const size_t vectors = (n + LANES - 1) / LANES;
    size_t parts = 1;
    while (2 * parts * vectors <= BATCH_VECTORS && parts < PARTS_MAX &&
           2 * parts < table_sums_terms(s))
        parts *= 2;
    const size_t most = BATCH_VECTORS / parts * LANES;
    for (size_t first = 0; first < n; first += most) {
        const size_t block = n - first < most ? n - first : most;
        const table_sums here = table_sums_from(s, first);
        if (!sum_block(out + first, &w, &here, block, parts))
            portable_sum_terms(out + first, &here, block, scratch);
    }
}

size_t avx512ifma_sums_size(void)
{
    const size_t own = ARENA_SIZE(sizeof(lane_batch)) +
                       ARENA_SIZE(BATCH_VECTORS * sizeof(point_lanes)) +
                       ARENA_SIZE(2 * sizeof(number_columns)) + ARENA_SIZE(2 * sizeof(sum_step)),
                 exact = KERNEL_PORTABLE.scratch_size(ITEMS);
    return own > exact ? own : exact;
}

void avx512ifma_commit(affine *out, const uint64_t *values, size_t value_words,
                       const words *blindings, size_t n, const tables *t, void *scratch)
{
    REQUIRE(value_words == 1 || value_words == 2 || value_words == 4);
    const table_sums s = table_sums_of_values(t, values, value_words, blindings);
    sum_terms(out, &s, n, scratch);
}

void avx512ifma_commit_rows(affine *out, const uint8_t *rows, size_t row_bytes,
                            const words *blindings, size_t n, const tables *t, void *scratch)
{
    REQUIRE(8 * row_bytes <= Q_COUNT);
    const table_sums s = table_sums_of_rows(t, rows, row_bytes, blindings);
    sum_terms(out, &s, n, scratch);
}

void avx512ifma_commit_vectors(affine *out, const uint64_t *amounts, const words *blindings,
                               size_t n, const tables *t, void *scratch)
{
    const table_sums s = table_sums_of_vectors(t, amounts, blindings);
    sum_terms(out, &s, n, scratch);
}
