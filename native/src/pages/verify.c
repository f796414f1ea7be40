/*
 * Checking whole pages, spec/errors.md section 3, rows 3 to 6: header, entries, argument, sum.
 *
 * Pages go in batches.
 * 1. Header, points and scalars of each page, in order, and its transcript, until a page has a
 * fault.
 * 2. The arguments of all pages before that one, as one sum.  If it is not infinity, each alone, in
 * order.
 * 3. The sums of the same pages, in order.
 * The fault reported is thus that of the lowest page, and the first of that page.
 */
#include "pages/page.h"

#include <string.h>

/* Points of a batch: the more, the fewer additions each takes; and each takes some 180 bytes of
 * memory. */
#define BATCH_POINTS 176128

typedef struct {
    const assay_page_place *place;
    const tables *tables;
    const uint8_t *pages, *seed;
    size_t n, count_last;
    uint8_t *ids, *sums;
    page_layout full, last; /* of all pages but the last, of the last */
    /* Scratch.  Terms: S + 2 of the generators, then a page's C_i and the points of its argument,
     * page after page. */
    affine *points;
    words *scalars;
    range_replay *replays;
    uint8_t *entries; /* commitments of a page above level 0, side by side */
    void *kernel;
} job;

static size_t page_terms(const page_layout *l)
{
    return l->shape.m + range_points(&l->shape);
}

static size_t batch_pages(const page_layout *full)
{
    const size_t pages = BATCH_POINTS / page_terms(full);
    return pages == 0 ? 1 : pages;
}

static size_t batch_terms(const page_layout *full)
{
    return full->shape.columns + 2 + batch_pages(full) * page_terms(full);
}

static size_t largest(size_t a, size_t b, size_t c)
{
    const size_t d = a > b ? a : b;
    return c > d ? c : d;
}

static size_t kernel_size(const page_layout *full)
{
    return largest(kernel()->scratch_size(page_terms(full)),
                   kernel()->sum_scratch_size(full->shape.m),
                   kernel()->msm_scratch_size(batch_terms(full), 256));
}

size_t assay_pages_verify_scratch_size(uint32_t page_size)
{
    const assay_page_place place = {.level = 1, .page_size = page_size};
    page_layout full;
    if (!page_layout_init(&full, &place, page_size)) return 0;
    const size_t terms = batch_terms(&full);
    return ARENA_SIZE(terms * sizeof(affine)) + ARENA_SIZE(terms * sizeof(words)) +
           ARENA_SIZE(batch_pages(&full) * sizeof(range_replay)) + ARENA_SIZE(33 * full.shape.m) +
           kernel_size(&full);
}

static void lay_out(job *j, void *scratch)
{
    const size_t terms = batch_terms(&j->full);
    uint8_t *next = scratch;
    j->points = arena_take(&next, terms * sizeof *j->points);
    j->scalars = arena_take(&next, terms * sizeof *j->scalars);
    j->replays = arena_take(&next, batch_pages(&j->full) * sizeof *j->replays);
    j->entries = arena_take(&next, 33 * j->full.shape.m);
    j->kernel = next;
}

static const page_layout *layout_of(const job *j, size_t page)
{
    return page + 1 == j->n ? &j->last : &j->full;
}

static const uint8_t *page_at(const job *j, size_t page)
{
    return j->pages + page * j->full.length;
}

static const uint8_t *range_at(const job *j, size_t page)
{
    return page_at(j, page) + PAGE_HEADER + layout_of(j, page)->entries;
}

/* Terms of page i of a batch begin here. */
static size_t term_at(const job *j, size_t i)
{
    return j->full.shape.columns + 2 + i * page_terms(&j->full);
}

/* Step 1 for one page: the faults that it has by itself. */
static int read_page(const job *j, size_t page, affine *points, range_replay *replay)
{
    const page_layout *l = layout_of(j, page);
    const size_t m = l->shape.m;
    const uint8_t *bytes = page_at(j, page), *entries = bytes + PAGE_HEADER,
                  *argument = entries + l->entries;
    const uint32_t index = j->place->first_index + (uint32_t)page;
    uint8_t header[PAGE_HEADER];
    page_header(header, j->place, index, l->shape.m);
    if (memcmp(bytes, header, sizeof header) != 0) return ASSAY_BAD_HEADER;
    const uint8_t *commitments = entries;
    if (l->entry > 33) {
        for (size_t i = 0; i < m; i++)
            memcpy(j->entries + 33 * i, entries + l->entry * i + l->entry - 33, 33);
        commitments = j->entries;
    }
    if (kernel()->decompress(points, commitments, m, j->kernel) != m) return ASSAY_BAD_ENTRY;
    const size_t n = range_points(&l->shape);
    if (kernel()->decompress(points + m, argument, n, j->kernel) != n)
        return ASSAY_BAD_ARGUMENT_POINT;
    if (!range_scalars_valid(&l->shape, argument)) return ASSAY_BAD_ARGUMENT_SCALAR;
    transcript t;
    page_transcript(&t, j->place, l, index, entries);
    range_replay_items(replay, &t, &l->shape, argument);
    return ASSAY_OK;
}

/* Whether the arguments of n pages hold: page `page`, the i-th of its batch, and those after it.
 * Their points are moved to the front. */
static bool arguments_hold(const job *j, size_t page, size_t i, size_t n)
{
    uint8_t key[32];
    range_fixed fixed;
    size_t terms = term_at(j, 0);
    memset(&fixed, 0, sizeof fixed);
    range_weight_key(key, j->seed, j->replays + i, n);
    if (i != 0)
        memcpy(j->points + terms, j->points + term_at(j, i),
               page_terms(&j->full) * sizeof *j->points);
    for (size_t k = 0; k < n; k++) {
        const page_layout *l = layout_of(j, page + k);
        scalar weights[ARGUMENT_EQUATIONS];
        range_weights(weights, key, k);
        range_coefficients(j->scalars + terms, &fixed, &l->shape, &j->replays[i + k],
                           range_at(j, page + k), weights);
        terms += page_terms(l);
    }
    range_fixed_terms(j->scalars, j->points, &fixed, &j->full.shape, j->tables);
    affine sum;
    kernel()->msm(&sum, j->scalars, j->points, terms, 256, j->kernel);
    return affine_is_infinity(&sum);
}

/* Step 3 for one page whose commitments are at points. */
static int finish_page(const job *j, size_t page, const affine *points)
{
    const page_layout *l = layout_of(j, page);
    affine sum;
    kernel()->sum(&sum, points, l->shape.m, j->kernel);
    if (affine_is_infinity(&sum)) return ASSAY_INFINITE_SUM;
    affine_compress(j->sums + 33 * page, &sum);
    sha256(j->ids + 32 * page, page_at(j, page), l->length);
    return ASSAY_OK;
}

/* Pages first … first + n - 1; *bad is the page at fault. */
static int verify_batch(size_t *bad, const job *j, size_t first, size_t n)
{
    int fault = ASSAY_OK, status = ASSAY_OK;
    size_t read = 0;
    while (read < n) {
        fault = read_page(j, first + read, j->points + term_at(j, read), &j->replays[read]);
        if (fault != ASSAY_OK) break;
        read++;
    }
    const bool all_hold = read == 0 || arguments_hold(j, first, 0, read);
    for (size_t i = 0; i < read; i++) {
        *bad = first + i;
        if (!all_hold && (read == 1 || !arguments_hold(j, first + i, i, 1))) return ASSAY_REJECTED;
        status = finish_page(j, first + i, j->points + term_at(j, all_hold ? i : 0));
        if (status != ASSAY_OK) return status;
    }
    *bad = first + read;
    return fault;
}

int assay_pages_verify_var(uint8_t *ids, uint8_t *sums, size_t *bad, const assay_page_place *place,
                           const uint8_t *pages, size_t n, size_t count_last, const uint8_t *seed,
                           const assay_tables *fixed_base, void *scratch)
{
    job j = {.place = place,
             .tables = fixed_base,
             .pages = pages,
             .seed = seed,
             .n = n,
             .ids = ids,
             .sums = sums};
    if (n == 0 || !page_range_valid(place, (n - 1) * place->page_size + 1) ||
        !page_layout_init(&j.last, place, count_last))
        return ASSAY_BAD_COUNT;
    page_layout_init(&j.full, place, place->page_size);
    lay_out(&j, scratch);
    const size_t most = batch_pages(&j.full);
    int status = ASSAY_OK;
    for (size_t first = 0; status == ASSAY_OK && first < n; first += most)
        status = verify_batch(bad, &j, first, n - first < most ? n - first : most);
    return status;
}
