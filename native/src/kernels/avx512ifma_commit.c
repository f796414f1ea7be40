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

#define PREFETCH 8 /* vectors ahead */
#define PARTS_MAX 16
#define NEGATIVE 0x8000u

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

typedef struct {
    lane_batch *batch;
    point_lanes *sum; /* BATCH_VECTORS */
    uint16_t *place;  /* BATCH_VECTORS × LANES */
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

/*
 * Where the entries of a term are, for n items: the index in term->entries, with NEGATIVE set where the opposite point is meant.  In a half
 * window a digit below 2^12 has the entry of its mirror image.
 */
static void read_digits(uint16_t *place, const sum_term *term, size_t first, size_t n)
{
    if (term->words == NULL) {
        for (size_t i = 0; i < n; i++) place[i] = term->byte[(first + i) * term->stride];
        return;
    }
    const size_t index = term->bit / 64, shift = term->bit % 64;
    const uint64_t *word = term->words + first * term->stride + index;
    const bool crosses = shift > 64 - WINDOW_BITS && index + 1 < term->word_count;
    for (size_t i = 0; i < n; i++, word += term->stride) {
        const uint64_t high = crosses ? word[1] << (64 - shift) : 0;
        place[i] = (uint16_t)((word[0] >> shift | high) & ((1u << WINDOW_BITS) - 1));
    }
    if (!term->half) return;
    const unsigned half = 1u << (WINDOW_BITS - 1);
    for (size_t i = 0; i < n; i++)
        place[i] = (uint16_t)(place[i] < half ? (half - 1 - place[i]) | NEGATIVE : place[i] - half);
}

/* The entries of eight items, y of bound 2; the lanes where the entry is infinite. */
static inline __mmask8 load_entries(lanes *x, lanes *y, const sum_term *term, const uint16_t place[LANES])
{
    const packed *entry[LANES];
    for (size_t k = 0; k < LANES; k++) entry[k] = term->entries + place[k] % NEGATIVE;
    lanes_load_packed(x, y, entry);
    const __m128i d = _mm_loadu_si128((const __m128i *)(const void *)place);
    if (term->words == NULL) return _mm_testn_epi16_mask(d, d);
    const lanes minus = lanes_negated(y, 1);
    *y = lanes_select(y, &minus, _mm_movepi16_mask(d));
    return 0;
}

static __mmask8 idle_lanes(size_t vector, size_t n)
{
    const size_t used = n - LANES * vector;
    return used >= LANES ? 0 : (__mmask8)(0xFF << used);
}

static inline void prefetch_entries(const sum_term *term, const uint16_t place[LANES])
{
    for (size_t k = 0; k < LANES; k++) __builtin_prefetch(term->entries + place[k] % NEGATIVE);
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

/* The first step: what every sum starts with. */
static void start_sums(const workspace *w, const table_sums *s, size_t first, size_t n, size_t parts)
{
    const size_t vectors = (n + LANES - 1) / LANES;
    for (size_t part = 0; part < parts; part++) {
        point_lanes *sum = w->sum + part * vectors;
        if (s->blindings == NULL) {
            const point_lanes start = starting_point(s->t, part, parts);
            for (size_t v = 0; v < vectors; v++) sum[v] = start;
            continue;
        }
        const sum_term term = describe_term(s, part);
        memset(w->place, 0, vectors * LANES * sizeof *w->place);
        read_digits(w->place, &term, first, n);
        for (size_t v = 0; v < vectors; v++) {
            load_entries(&sum[v].x, &sum[v].y, &term, w->place + LANES * v);
            sum[v].y = lanes_carry(sum[v].y);
        }
    }
}

static void push_term(const workspace *w, const table_sums *s, size_t i, size_t first, size_t n, point_lanes *sum)
{
    const sum_term term = describe_term(s, i);
    const size_t vectors = (n + LANES - 1) / LANES;
    memset(w->place + LANES * (vectors - 1), 0, LANES * sizeof *w->place);
    read_digits(w->place, &term, first, n);
    for (size_t v = 0; v < PREFETCH && v < vectors; v++) prefetch_entries(&term, w->place + LANES * v);
    for (size_t v = 0; v < vectors; v++) {
        if (v + PREFETCH < vectors) prefetch_entries(&term, w->place + LANES * (v + PREFETCH));
        lanes x, y;
        const __mmask8 infinite = load_entries(&x, &y, &term, w->place + LANES * v);
        batch_push(w->batch, &sum[v], &x, &y, infinite | idle_lanes(v, n));
    }
}

/* One block; false when the formulas do not hold. */
static bool sum_block(affine *out, const workspace *w, const table_sums *s, size_t first, size_t n, size_t parts)
{
    const size_t terms = term_count(s), vectors = (n + LANES - 1) / LANES;
    start_sums(w, s, first, n, parts);
    for (size_t i = s->blindings != NULL ? parts : 0; i < terms; i += parts) {
        batch_start(w->batch);
        for (size_t part = 0; part < parts && i + part < terms; part++)
            push_term(w, s, i + part, first, n, w->sum + part * vectors);
        if (!batch_finish_var(w->batch)) return false;
    }
    for (size_t half = parts / 2; half > 0; half /= 2) {
        batch_start(w->batch);
        for (size_t v = 0; v < half * vectors; v++) {
            const point_lanes *other = &w->sum[half * vectors + v];
            batch_push(w->batch, &w->sum[v], &other->x, &other->y, idle_lanes(v % vectors, n));
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
    w.place = arena_take(&next, BATCH_VECTORS * LANES * sizeof *w.place);
    const size_t vectors = (n + LANES - 1) / LANES;
    size_t parts = s->blindings == NULL ? 2 : 1;
    while (2 * parts * vectors <= BATCH_VECTORS && parts < PARTS_MAX && parts < term_count(s)) parts *= 2;
    const size_t most = BATCH_VECTORS / parts * LANES;
    for (size_t first = 0; first < n; first += most) {
        const size_t block = n - first < most ? n - first : most;
        if (!sum_block(out + first, &w, s, first, block, parts)) sum_block_exactly(out + first, s, first, block, scratch);
    }
}

/* What sum_terms takes, or the portable kernel instead; then the rows of combine and their sums. */
static size_t sums_size(void)
{
    const size_t own = ARENA_SIZE(sizeof(lane_batch)) + ARENA_SIZE(BATCH_VECTORS * sizeof(point_lanes)) +
                       ARENA_SIZE(BATCH_VECTORS * LANES * sizeof(uint16_t)),
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
