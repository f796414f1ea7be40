/*
 * Proving whole pages: commitments, entries, arguments, ids and sums.
 *
 * Pages of one shape go in groups, so that their commitments share inversions.
 */
#include "pages/page.h"

#include "range/prove.h"

#include <string.h>

/* More pages share an inversion, fewer stay in the cache: one takes half a megabyte. */
#define GROUP 16

/* The arguments of a call. */
typedef struct {
    const assay_page_place *place;
    const assay_page_entries *entries;
    const uint8_t *secret, *salt;
    const tables *tables;
    assay_proved_pages *proved;
} job;

/* `count` pages of one layout, the first being page `page` and entry `entry` of the call. */
typedef struct {
    page_layout layout;
    size_t page, entry, count;
    range_prover *provers;
    uint64_t *values; /* N/64 words a page */
    words *blindings; /* m a page, and one of its sum */
    affine *points;   /* m a page */
    void *rest;       /* scratch of the kernel, of range_prove */
} group;

static size_t group_size(const range_shape *s, size_t count)
{
    const size_t points = count * s->m, kernel_size = kernel()->scratch_size(points),
                 range_size = range_prove_scratch_size(s, count);
    return ARENA_SIZE(count * sizeof(range_prover)) +
           ARENA_SIZE(count * range_value_words(s) * sizeof(uint64_t)) +
           ARENA_SIZE((points + count) * sizeof(words)) + ARENA_SIZE(points * sizeof(affine)) +
           (kernel_size > range_size ? kernel_size : range_size);
}

static void lay_out(group *g, void *scratch)
{
    const range_shape *s = &g->layout.shape;
    const size_t points = g->count * s->m;
    uint8_t *next = scratch;
    g->provers = arena_take(&next, g->count * sizeof *g->provers);
    g->values = arena_take(&next, g->count * range_value_words(s) * sizeof *g->values);
    g->blindings = arena_take(&next, (points + g->count) * sizeof *g->blindings);
    g->points = arena_take(&next, points * sizeof *g->points);
    g->rest = next;
}

size_t assay_pages_prove_scratch_size(uint32_t page_size)
{
    const assay_page_place place = {.page_size = page_size};
    page_layout l;
    return page_layout_init(&l, &place, page_size) ? group_size(&l.shape, GROUP) : 0;
}

static uint8_t *page_at(const job *j, const group *g, size_t i)
{
    return j->proved->pages + (g->page + i) * page_stride(j->place);
}

/* The commitments of all entries, in place in the pages. */
static int write_entries(const job *j, const group *g)
{
    const page_layout *l = &g->layout;
    const size_t m = l->shape.m, n = g->count * m;
    for (size_t i = 0; i < n; i++) {
        if (words_from_bytes(&g->blindings[i], j->entries->blindings + 32 * (g->entry + i)))
            continue;
        j->proved->bad = g->entry + i;
        return ASSAY_BAD_SCALAR;
    }
    kernel()->commit(g->points, j->entries->values + g->entry, 1, g->blindings, n, j->tables,
                     g->rest);
    for (size_t i = 0; i < n; i++)
        if (affine_is_infinity(&g->points[i])) return ASSAY_INFINITE_POINT;
    for (size_t i = 0; i < g->count; i++) {
        uint8_t *entries = page_at(j, g, i) + PAGE_HEADER;
        kernel()->compress(entries + l->entry - 33, l->entry, g->points + i * m, m);
        if (l->entry == 33) continue;
        for (size_t k = 0; k < m; k++)
            memcpy(entries + l->entry * k, j->entries->child_ids + 32 * (g->entry + i * m + k), 32);
    }
    return ASSAY_OK;
}

static int write_arguments(const job *j, const group *g)
{
    const page_layout *l = &g->layout;
    const size_t m = l->shape.m, padded = range_value_words(&l->shape);
    memset(g->values, 0, g->count * padded * sizeof *g->values);
    for (size_t i = 0; i < g->count; i++) {
        range_prover *p = &g->provers[i];
        uint8_t *page = page_at(j, g, i);
        const uint32_t index = j->place->first_index + (uint32_t)(g->page + i);
        memcpy(g->values + i * padded, j->entries->values + g->entry + i * m,
               m * sizeof *g->values);
        page_header(page, j->place, index, (uint32_t)m);
        page_transcript(&p->transcript, j->place, l, index, page + PAGE_HEADER);
        p->values = g->values + i * padded;
        p->blindings = j->entries->blindings + 32 * (g->entry + i * m);
        p->openings = g->blindings + i * m;
        p->secret = j->secret;
        p->salt = j->salt;
        p->argument = page + PAGE_HEADER + l->entries;
    }
    return range_prove(g->provers, g->count, &l->shape, j->tables, g->rest) ? ASSAY_OK
                                                                            : ASSAY_INFINITE_POINT;
}

/* A page's sum is the commitment to the sums of its values and of its blinding factors. */
static int write_sums(const job *j, const group *g)
{
    const size_t m = g->layout.shape.m;
    for (size_t i = 0; i < g->count; i++) {
        const size_t page = g->page + i;
        uint64_t *value = &j->proved->sum_values[page];
        words *blinding = &g->blindings[g->count * m + i];
        *value = 0;
        for (size_t k = g->entry + i * m; k < g->entry + (i + 1) * m; k++) {
            if (__builtin_add_overflow(*value, j->entries->values[k], value)) {
                j->proved->bad = page;
                return ASSAY_TOO_LARGE;
            }
        }
        words_sum(blinding, g->blindings + i * m, m);
        words_to_bytes(j->proved->sum_blindings + 32 * page, blinding);
    }
    kernel()->commit(g->points, j->proved->sum_values + g->page, 1, g->blindings + g->count * m,
                     g->count, j->tables, g->rest);
    for (size_t i = 0; i < g->count; i++) {
        if (affine_is_infinity(&g->points[i])) return ASSAY_INFINITE_POINT;
        affine_compress(j->proved->sums + 33 * (g->page + i), &g->points[i]);
    }
    return ASSAY_OK;
}

static int prove_group(const job *j, group *g, void *scratch)
{
    lay_out(g, scratch);
    int status = write_entries(j, g);
    if (status == ASSAY_OK) status = write_sums(j, g);
    if (status == ASSAY_OK) status = write_arguments(j, g);
    for (size_t i = 0; status == ASSAY_OK && i < g->count; i++)
        sha256(j->proved->ids + 32 * (g->page + i), page_at(j, g, i), g->layout.length);
    return status;
}

int assay_pages_prove_var(assay_proved_pages *proved, const assay_page_place *place,
                          const assay_page_entries *entries, const uint8_t *secret,
                          const uint8_t *salt, const assay_tables *fixed_base, void *scratch)
{
    const size_t n = entries->n;
    const job j = {place, entries, secret, salt, fixed_base, proved};
    group g = {.page = 0};
    int status = page_range_valid(place, n) ? ASSAY_OK : ASSAY_BAD_COUNT;
    while (status == ASSAY_OK && g.entry < n) {
        const size_t left = n - g.entry, full = left / place->page_size;
        g.count = full == 0 ? 1 : full < GROUP ? full : GROUP;
        page_layout_init(&g.layout, place, full == 0 ? left : place->page_size);
        status = prove_group(&j, &g, scratch);
        g.page += g.count;
        g.entry += g.count * g.layout.shape.m;
    }
    clear_secret(scratch, assay_pages_prove_scratch_size(place->page_size));
    return status;
}
