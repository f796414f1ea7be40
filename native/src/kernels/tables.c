/*
 * Building the fixed-base tables, by batches "every entry plus one constant"; what sums are made
 * of.  tables.h has the layout and its algebra.
 */
#include "kernels/tables.h"

#include "kernels/kernel.h"

#define HALF_WINDOW ((size_t)1 << (WINDOW_BITS - 1))
#define WEIGHTS (WINDOW_BITS * W_WINDOWS) /* the most of one base or family */

typedef struct {
    batch_queue *queue;
    affine *slot;    /* BATCH_SIZE entries and what is added to them */
    jacobian *chain; /* WEIGHTS */
    affine *weight;  /* WEIGHTS, those of one base */
} workspace;

/* The half of 1 mod n. */
static const words HALF = {
    {0xDFE92F46681B20A1, 0x5D576E7357A4501D, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF}};

void packed_store(packed *r, const affine *a)
{
    field_to_words(r->x, &a->x);
    field_to_words(r->y, &a->y);
}

/* out[i] = in[i] + constant, i < n. */
static void add_constant(packed *out, const packed *in, size_t n, const affine *constant,
                         const workspace *w)
{
    w->slot[BATCH_SIZE] = *constant;
    batch_begin(w->queue, w->slot);
    for (size_t done = 0; done < n; done += BATCH_SIZE) {
        const size_t block = n - done < BATCH_SIZE ? n - done : BATCH_SIZE;
        for (size_t i = 0; i < block; i++) packed_load(&w->slot[i], &in[done + i]);
        for (size_t i = 0; i < block; i++) batch_add_var(w->queue, i, BATCH_SIZE);
        batch_flush_var(w->queue);
        for (size_t i = 0; i < block; i++) packed_store(&out[done + i], &w->slot[i]);
    }
}

/* *r = Σ a[i]/2, i < n. */
static void half_sum(affine *r, const affine *a, size_t n)
{
    affine sum;
    jacobian total = JACOBIAN_INFINITY;
    for (size_t i = 0; i < n; i++) jacobian_add_affine_var(&total, &total, &a[i]);
    affine_from_jacobian_var(&sum, &total);
    affine_mul_var(r, &HALF, &sum);
}

/* The upper half of a window: its first entry, ½·(weight w-1) - ½·Σ (the others), and then each
 * weight added to all before. */
static void fill_half(packed *entry, const affine *weight, const workspace *w)
{
    affine lowest, first;
    jacobian sum;
    half_sum(&lowest, weight, WINDOW_BITS);
    affine_neg(&lowest, &lowest);
    jacobian_from_affine(&sum, &lowest);
    jacobian_add_affine_var(&sum, &sum, &weight[WINDOW_BITS - 1]);
    affine_from_jacobian_var(&first, &sum);
    packed_store(&entry[0], &first);
    for (size_t k = 0, filled = 1; filled < HALF_WINDOW; k++, filled *= 2)
        add_constant(entry + filled, entry, filled, &weight[k], w);
}

/* A lead window, `count` weights being those of its run. */
static void fill_lead(packed *entry, const affine *weight, size_t count, const workspace *w)
{
    affine constant;
    fill_half(entry + HALF_WINDOW, weight, w);
    for (size_t u = 0; u < HALF_WINDOW; u++) {
        affine p;
        packed_load(&p, &entry[2 * HALF_WINDOW - 1 - u]);
        affine_neg(&p, &p);
        packed_store(&entry[u], &p);
    }
    half_sum(&constant, weight, count);
    add_constant(entry, entry, 2 * HALF_WINDOW, &constant, w);
}

/* Fill `count` windows of w->weight at `next`, a run; return what follows them. */
static packed *fill_run(table_window *windows, packed *next, size_t first, size_t count,
                        const workspace *w)
{
    for (size_t i = first; i < first + count; i++) {
        const affine *weight = w->weight + WINDOW_BITS * i;
        windows[i] = (table_window){next, i == first};
        if (i == first)
            fill_lead(next, weight, WINDOW_BITS * count, w);
        else
            fill_half(next, weight, w);
        next += i == first ? 2 * HALF_WINDOW : HALF_WINDOW;
    }
    return next;
}

/* The weights 2^k·base, k < count, from weight `first` on. */
static void fill_weights(const affine *base, size_t first, size_t count, const workspace *w)
{
    jacobian_from_affine(&w->chain[0], base);
    for (size_t k = 1; k < count; k++) jacobian_double_var(&w->chain[k], &w->chain[k - 1]);
    affine_from_jacobian_batch_var(w->weight + first, w->chain, count);
}

/* Where the runs of Q begin, and the end of the last. */
static const size_t Q_RUNS[] = {0, 3, WORD_WINDOWS, 2 * WORD_WINDOWS, Q_WINDOWS};

#define Q_RUN_COUNT (sizeof Q_RUNS / sizeof *Q_RUNS - 1)
#define LEADS (3 + 1 + Q_RUN_COUNT + 1)

size_t tables_size(void)
{
    const size_t halves = 2 * WINDOWS + Q_WINDOWS + W_WINDOWS + LEADS;
    return ARENA_SIZE(sizeof(tables)) + halves * HALF_WINDOW * sizeof(packed);
}

static size_t building_size(void)
{
    return ARENA_SIZE(sizeof(batch_queue)) + ARENA_SIZE((BATCH_SIZE + 1) * sizeof(affine)) +
           ARENA_SIZE(WEIGHTS * sizeof(jacobian)) + ARENA_SIZE(WEIGHTS * sizeof(affine));
}

size_t tables_scratch_size(void)
{
    const size_t own = building_size(), of_bases = bases_scratch_size();
    return own > of_bases ? own : of_bases;
}

const tables *tables_build(void *memory, void *scratch)
{
    uint8_t *next_scratch = scratch, *next_memory = memory;
    tables *t = arena_take(&next_memory, sizeof(tables));
    packed *next = (packed *)(void *)next_memory;
    bases_build(&t->bases, scratch);

    workspace w;
    w.queue = arena_take(&next_scratch, sizeof(batch_queue));
    w.slot = arena_take(&next_scratch, (BATCH_SIZE + 1) * sizeof(affine));
    w.chain = arena_take(&next_scratch, WEIGHTS * sizeof(jacobian));
    w.weight = arena_take(&next_scratch, WEIGHTS * sizeof(affine));

    fill_weights(&t->bases.v, 0, WINDOW_BITS * WINDOWS, &w);
    next = fill_run(t->v, next, 0, WORD_WINDOWS, &w);
    next = fill_run(t->v, next, WORD_WINDOWS, WORD_WINDOWS, &w);
    next = fill_run(t->v, next, 2 * WORD_WINDOWS, WINDOWS - 2 * WORD_WINDOWS, &w);
    fill_weights(&t->bases.b, 0, WINDOW_BITS * WINDOWS, &w);
    next = fill_run(t->b, next, 0, WINDOWS, &w);
    for (size_t j = 0; j < WEIGHTS; j++)
        w.weight[j] = j < Q_COUNT ? t->bases.q[j] : AFFINE_INFINITY;
    for (size_t i = 0; i < Q_RUN_COUNT; i++)
        next = fill_run(t->q, next, Q_RUNS[i], Q_RUNS[i + 1] - Q_RUNS[i], &w);
    for (size_t j = 0; j < WEIGHTS; j++) w.weight[j] = AFFINE_INFINITY;
    for (size_t j = 0; j < W_COUNT; j++) fill_weights(&t->bases.w[j], 64 * j, 64, &w);
    fill_run(t->w, next, 0, W_WINDOWS, &w);
    return t;
}

static table_summand summand(const table_window *windows, size_t count, const void *numbers,
                             size_t length)
{
    return (table_summand){
        .windows = windows, .count = count, .numbers = numbers, .length = length};
}

static table_sums blinded(const tables *t, const words *blindings, table_summand own)
{
    table_sums s = {.count = 0};
    if (blindings != NULL)
        s.summand[s.count++] = summand(t->b, WINDOWS, blindings, sizeof *blindings);
    s.summand[s.count++] = own;
    return s;
}

table_sums table_sums_of_values(const tables *t, const uint64_t *values, size_t value_words,
                                const words *blindings)
{
    const size_t windows = value_words == 4 ? WINDOWS : value_words * WORD_WINDOWS;
    return blinded(t, blindings, summand(t->v, windows, values, 8 * value_words));
}

table_sums table_sums_of_rows(const tables *t, const uint8_t *rows, size_t row_bytes,
                              const words *blindings)
{
    size_t run = 1;
    while (WINDOW_BITS * Q_RUNS[run] < 8 * row_bytes) run++;
    return blinded(t, blindings, summand(t->q, Q_RUNS[run], rows, row_bytes));
}

table_sums table_sums_of_vectors(const tables *t, const uint64_t *amounts, const words *blindings)
{
    return blinded(t, blindings, summand(t->w, W_WINDOWS, amounts, VECTOR_BYTES));
}

table_sums table_sums_from(const table_sums *s, size_t first)
{
    table_sums r = *s;
    for (size_t i = 0; i < s->count; i++) r.summand[i].numbers += first * s->summand[i].length;
    return r;
}

size_t table_sums_terms(const table_sums *s)
{
    size_t terms = 0;
    for (size_t i = 0; i < s->count; i++) terms += s->summand[i].count;
    return terms;
}
