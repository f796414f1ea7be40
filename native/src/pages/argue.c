/*
 * Proving pages: their arguments, over entries that are there; spec/transcript.md 4.5.
 *
 * Pages of one shape go in groups, so that their commitments share inversions.  Then all are
 * checked by the verifier's rules.
 */
#include "pages/check.h"
#include "range/prove.h"

#include <string.h>

/* Rows of a group, and pages at most: more rows share an inversion, fewer pages stay in the cache.
 */
#define GROUP_ROWS 4096
#define GROUP_MAX 16

/* Points that are checked together. */
#define CHECK_POINTS 65536

/* The arguments of a call. */
typedef struct {
    const assay_tree *tree;
    const assay_page_witness *witness;
    const uint8_t *secret, *salt, *weights;
    const tables *tables;
    transcript begun; /* after item 3 */
} job;

/* `count` pages of one shape.  The first has index `index`, and what the call has for it begins
 * there: */
typedef struct {
    page_layout layout; /* of the page at hand */
    uint32_t index;
    size_t count, value, blinding; /* its first value and blinding factor */
    const uint8_t *pages, *sum_blindings;
    uint8_t *arguments;
    /* Scratch. */
    range_prover *provers;
    uint64_t *values;   /* N/64 words a page above level 0 */
    words *openings;    /* blinding factors, commitments but C a page */
    uint8_t *witnesses; /* 32 bytes a page */
    void *rest;
} group;

static size_t group_size(const range_shape *s)
{
    const size_t n = GROUP_ROWS / s->rows;
    return n < GROUP_MAX ? n : GROUP_MAX;
}

/* Blinding factors that a page's witness has, but that of its sum. */
static size_t opening_count(const range_shape *s)
{
    return s->vectors > 0 ? s->vectors : s->m;
}

static size_t proving_size(const range_shape *s)
{
    const size_t n = group_size(s);
    return ARENA_SIZE(n * sizeof(range_prover)) +
           ARENA_SIZE(n * range_value_words(s) * sizeof(uint64_t)) +
           ARENA_SIZE(n * opening_count(s) * sizeof(words)) + ARENA_SIZE(32 * n) +
           range_prove_scratch_size(s, n);
}

/* Pages that are checked together, and the scratch that it takes. */
static size_t check_size(const page_layout *l)
{
    return CHECK_POINTS / check_points(l);
}

static size_t checking_size(const page_layout *l)
{
    const size_t n = check_size(l);
    return ARENA_SIZE(n * sizeof(assay_checked_page)) + ARENA_SIZE(32 * n) + ARENA_SIZE(33 * n) +
           check_scratch_size(n * check_points(l));
}

size_t assay_pages_argue_scratch_size(const assay_tree *tree, uint32_t level)
{
    page_layout l;
    if (!page_layout_init(&l, tree, level, 0)) return 0;
    const size_t proving = proving_size(&l.shape), checking = checking_size(&l);
    return proving > checking ? proving : checking;
}

static void lay_out(group *g, void *scratch)
{
    const range_shape *s = &g->layout.shape;
    const size_t n = g->count;
    uint8_t *next = scratch;
    g->provers = arena_take(&next, n * sizeof *g->provers);
    g->values = arena_take(&next, n * range_value_words(s) * sizeof *g->values);
    g->openings = arena_take(&next, n * opening_count(s) * sizeof *g->openings);
    g->witnesses = arena_take(&next, 32 * n);
    g->rest = next;
}

/* The values as the prover takes them: those of absent entries are zero. */
static const uint64_t *page_values(const job *j, const group *g, size_t i)
{
    const range_shape *s = &g->layout.shape;
    const size_t n = range_value_words(s);
    const uint64_t *given = j->witness->values + g->value + s->m * i;
    if (s->vectors > 0) return given;
    uint64_t *values = g->values + n * i;
    memset(values, 0, n * sizeof *values);
    memcpy(values, given, s->m * sizeof *values);
    return values;
}

/* Prepares page i of a group; false when a blinding factor is none. */
static bool prepare_page(const job *j, group *g, size_t i)
{
    const range_shape *s = &g->layout.shape;
    const size_t n = opening_count(s);
    const uint8_t *entries = g->pages + g->layout.length * i + PAGE_HEADER,
                  *blindings = j->witness->blindings + 32 * (g->blinding + n * i);
    range_prover *p = &g->provers[i];
    words *openings = g->openings + n * i;
    uint8_t *witness = g->witnesses + 32 * i;
    page_layout_init(&g->layout, j->tree, g->layout.level, g->index + (uint32_t)i);
    for (size_t k = 0; k < n; k++)
        if (!words_from_bytes(&openings[k], blindings + 32 * k)) return false;
    p->transcript = j->begun;
    page_transcript(&p->transcript, j->tree, &g->layout, entries);
    p->values = page_values(j, g, i);
    p->openings = openings;
    if (s->vectors > 0) {
        if (!words_from_bytes(&p->sum_opening, g->sum_blindings + 32 * i)) return false;
        leaves_witness(witness, entries, g->layout.nodes, p->values, s->m);
    } else {
        range_witness_hash(witness, s, p->values, blindings);
    }
    p->witness = witness;
    p->secret = j->secret;
    p->salt = j->salt;
    p->argument = g->arguments + g->layout.argument * i;
    return true;
}

static int prove_group(const job *j, group *g, size_t *bad, void *scratch)
{
    lay_out(g, scratch);
    for (size_t i = 0; i < g->count; i++) {
        *bad = i;
        if (!prepare_page(j, g, i)) return ASSAY_DAMAGED;
    }
    return range_prove(g->provers, g->count, &g->layout.shape, j->tables, g->rest)
               ? ASSAY_OK
               : ASSAY_INFINITE_POINT;
}

static int prove_all(const job *j, uint8_t *arguments, size_t *bad, uint32_t level, uint32_t first,
                     size_t n, void *scratch)
{
    group g = {.index = first,
               .pages = j->witness->pages,
               .sum_blindings = j->witness->sum_blindings,
               .arguments = arguments};
    int status = ASSAY_OK;
    for (size_t done = 0; status == ASSAY_OK && done < n; done += g.count) {
        page_layout other;
        page_layout_init(&g.layout, j->tree, level, g.index);
        const size_t most = group_size(&g.layout.shape), left = n - done;
        g.count = left < most ? left : most;
        /* The last page of a level may be shorter, and then stands alone. */
        page_layout_init(&other, j->tree, level, g.index + (uint32_t)g.count - 1);
        if (other.shape.m != g.layout.shape.m && g.count > 1) g.count--;
        status = prove_group(j, &g, bad, scratch);
        *bad += done;
        g.index += (uint32_t)g.count;
        g.value += g.count * g.layout.shape.m;
        g.blinding += g.count * opening_count(&g.layout.shape);
        g.pages += g.count * g.layout.length;
        g.sum_blindings += level == 0 ? 32 * g.count : 0;
        g.arguments += g.count * g.layout.argument;
    }
    return status;
}

/* Whether the verifier accepts n pages, all but the last of the first one's layout; *bad is the
 * first that it does not. */
static bool check_all(const job *j, const uint8_t *arguments, size_t *bad, uint32_t level,
                      uint32_t first, size_t n, void *scratch)
{
    page_layout l;
    uint8_t *next = scratch;
    page_layout_init(&l, j->tree, level, first);
    const size_t most = check_size(&l);
    assay_checked_page *pages = arena_take(&next, most * sizeof *pages);
    uint8_t *ids = arena_take(&next, 32 * most), *sums = arena_take(&next, 33 * most);
    for (size_t done = 0; done < n; done += most) {
        const size_t count = n - done < most ? n - done : most;
        for (size_t i = 0; i < count; i++)
            pages[i] = (assay_checked_page){.tree = j->tree,
                                            .page = j->witness->pages + l.length * (done + i),
                                            .argument = arguments + l.argument * (done + i),
                                            .level = level,
                                            .index = first + (uint32_t)(done + i)};
        const uint8_t *weights = j->weights + 32 * range_equations(&l.shape) * done;
        const int status = assay_check_var(ids, sums, bad, pages, count, NULL, 0, weights,
                                           &j->tables->bases, next);
        *bad += done;
        if (status != ASSAY_OK) return false;
    }
    return true;
}

int assay_pages_argue_var(uint8_t *arguments, size_t *bad, const assay_tree *tree, uint32_t level,
                          uint32_t first, size_t n, const assay_page_witness *witness,
                          const uint8_t *secret, const uint8_t *salt, const uint8_t *weights,
                          const assay_tables *fixed_base, void *scratch)
{
    if (!pages_valid(tree, level, first, n)) return ASSAY_BAD_COUNT;
    job j = {.tree = tree,
             .witness = witness,
             .secret = secret,
             .salt = salt,
             .weights = weights,
             .tables = fixed_base};
    tree_transcript(&j.begun, tree, level == 0 ? KIND_LEAVES : KIND_SUMS);
    int status = prove_all(&j, arguments, bad, level, first, n, scratch);
    if (status == ASSAY_OK && !check_all(&j, arguments, bad, level, first, n, scratch))
        status = ASSAY_DAMAGED;
    for (size_t i = 0; status != ASSAY_OK && i < n; i++) {
        const size_t length = assay_argument_length(tree, level, first + (uint32_t)i);
        clear_secret(arguments, length);
        arguments += length;
    }
    clear_secret(scratch, assay_pages_argue_scratch_size(tree, level));
    return status;
}
