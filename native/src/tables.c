/*
 * Building the fixed-base tables.  tables.h has the layout and its algebra.
 *
 * All entries come from doublings 2^k·H of the halved base H = P/2, by batches "every entry plus one constant".
 */
#include "tables.h"

#include "kernel.h"

#define HALF_WINDOW ((size_t)1 << (WINDOW_BITS - 1))
#define DOUBLINGS (WINDOW_BITS * WINDOWS + 1)
#define SUBSETS 256

typedef struct {
    batch_queue *queue;
    affine *slot;     /* BATCH_SIZE entries and the constant */
    jacobian *chain;  /* DOUBLINGS */
    affine *doubling; /* doubling[k] = 2^k·H */
} workspace;

/* The windows at which a run that may be used alone begins, and where the run ends. */
typedef struct {
    size_t begin, end;
} window_run;

static const window_run V_RUNS[] = {{0, 5}, {5, 10}, {10, WINDOWS}};
static const window_run B_RUNS[] = {{0, WINDOWS}};
#define V_RUN_COUNT (sizeof V_RUNS / sizeof *V_RUNS)
#define B_RUN_COUNT (sizeof B_RUNS / sizeof *B_RUNS)

void packed_store(packed *r, const affine *a)
{
    field_to_words(r->x, &a->x);
    field_to_words(r->y, &a->y);
}

/* out[i] = in[i] + constant, i < n. */
static void add_constant(packed *out, const packed *in, size_t n, const affine *constant, const workspace *w)
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

/* entry[k] = (2k + 1)·2^(13 window)·H: each doubling of the table adds the next doubling of H. */
static void fill_odd_multiples(packed *entry, size_t window, const workspace *w)
{
    const affine *base = &w->doubling[WINDOW_BITS * window];
    packed_store(&entry[0], base);
    for (size_t j = 0, filled = 1; filled < HALF_WINDOW; j++, filled *= 2)
        add_constant(entry + filled, entry, filled, base + j + 1, w);
}

/* The lead window of a run: all 2^13 entries, the run's constant 2^(13 end)·H - 2^(13 begin)·H added. */
static void fill_lead(packed *entry, window_run run, const workspace *w)
{
    fill_odd_multiples(entry + HALF_WINDOW, run.begin, w);
    for (size_t u = 0; u < HALF_WINDOW; u++) {
        affine p;
        packed_load(&p, &entry[2 * HALF_WINDOW - 1 - u]);
        affine_neg(&p, &p);
        packed_store(&entry[u], &p);
    }
    affine lowest;
    affine_neg(&lowest, &w->doubling[WINDOW_BITS * run.begin]);
    add_constant(entry, entry, 2 * HALF_WINDOW, &w->doubling[WINDOW_BITS * run.end], w);
    add_constant(entry, entry, 2 * HALF_WINDOW, &lowest, w);
}

/* Fill the windows of one base at `next`; return what follows them. */
static packed *fill_windows(const packed **windows, packed *next, const affine *base, const window_run *runs,
                            size_t run_count, const workspace *w)
{
    const words half = {{0xDFE92F46681B20A1, 0x5D576E7357A4501D, 0xFFFFFFFFFFFFFFFF, 0x7FFFFFFFFFFFFFFF}};
    affine halved;
    affine_mul_var(&halved, &half, base);
    jacobian_from_affine(&w->chain[0], &halved);
    for (size_t k = 1; k < DOUBLINGS; k++) jacobian_double_var(&w->chain[k], &w->chain[k - 1]);
    affine_from_jacobian_batch_var(w->doubling, w->chain, DOUBLINGS);
    for (size_t i = 0, run = 0; i < WINDOWS; i++) {
        windows[i] = next;
        if (run < run_count && runs[run].begin == i) {
            fill_lead(next, runs[run++], w);
            next += 2 * HALF_WINDOW;
        } else {
            fill_odd_multiples(next, i, w);
            next += HALF_WINDOW;
        }
    }
    return next;
}

static void fill_subsets(packed *entry, const affine *q, const workspace *w)
{
    packed_store(&entry[0], &AFFINE_INFINITY);
    for (size_t j = 0; j < 8; j++) add_constant(entry + ((size_t)1 << j), entry, (size_t)1 << j, &q[j], w);
}

static size_t whole_groups(size_t q_count)
{
    return (q_count + 7) / 8;
}

size_t tables_size(size_t q_count)
{
    const size_t windows = (2 * WINDOWS + V_RUN_COUNT + B_RUN_COUNT) * HALF_WINDOW;
    return ARENA_SIZE(sizeof(tables)) + (windows + whole_groups(q_count) * SUBSETS) * sizeof(packed);
}

size_t tables_scratch_size(void)
{
    return ARENA_SIZE(sizeof(batch_queue)) + ARENA_SIZE((BATCH_SIZE + 1) * sizeof(affine)) +
           ARENA_SIZE(DOUBLINGS * sizeof(jacobian)) + ARENA_SIZE(DOUBLINGS * sizeof(affine));
}

const tables *tables_build(void *memory, size_t q_count, void *scratch)
{
    uint8_t *next_scratch = scratch, *next_memory = memory;
    workspace w;
    w.queue = arena_take(&next_scratch, sizeof(batch_queue));
    w.slot = arena_take(&next_scratch, (BATCH_SIZE + 1) * sizeof(affine));
    w.chain = arena_take(&next_scratch, DOUBLINGS * sizeof(jacobian));
    w.doubling = arena_take(&next_scratch, DOUBLINGS * sizeof(affine));

    tables *t = arena_take(&next_memory, sizeof(tables));
    packed *next = (packed *)(void *)next_memory;
    t->q_count = 8 * whole_groups(q_count);
    t->v_point = BASE_POINT;
    derive_generator(&t->b_point, "B", 1, 0);
    for (size_t j = 0; j < t->q_count; j++) derive_generator(&t->q_point[j], "Q", 1, (uint32_t)j);
    next = fill_windows(t->v, next, &t->v_point, V_RUNS, V_RUN_COUNT, &w);
    next = fill_windows(t->b, next, &t->b_point, B_RUNS, B_RUN_COUNT, &w);
    t->q = next;
    for (size_t g = 0; g < whole_groups(q_count); g++) fill_subsets(next + g * SUBSETS, &t->q_point[8 * g], &w);
    return t;
}
