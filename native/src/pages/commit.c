/*
 * Committing to pages: the entries, without any argument; spec/protocol.md 2.
 *
 * Pages go in groups, so that their commitments share inversions.
 */
#include "hash/tags.h"
#include "pages/page.h"
#include "range/prove.h"

#include <string.h>

/* Vectors of a group. */
#define GROUP_VECTORS 2048

/* `count` pages of one tree, being made. */
typedef struct {
    const assay_tree *tree;
    const tables *tables;
    page_layout layout; /* of the page at hand */
    sha256_context node;
    /* Scratch. */
    words *vector_blindings, *sum_blindings;
    uint64_t *sum_values; /* two words a page */
    affine *points;
    uint8_t *pages; /* of leaves_open alone */
    void *kernel;
} group;

static size_t vector_count(const assay_tree *tree)
{
    return tree->page_size / W_COUNT;
}

static size_t group_pages(const assay_tree *tree)
{
    return GROUP_VECTORS / vector_count(tree);
}

size_t assay_leaves_commit_scratch_size(uint32_t page_size)
{
    const assay_tree tree = {.capacity = 1, .page_size = page_size};
    if (!tree_valid(&tree)) return 0;
    const size_t pages = group_pages(&tree);
    return ARENA_SIZE(GROUP_VECTORS * sizeof(words)) + ARENA_SIZE(pages * sizeof(words)) +
           ARENA_SIZE(2 * pages * sizeof(uint64_t)) + ARENA_SIZE(GROUP_VECTORS * sizeof(affine)) +
           ARENA_SIZE(pages * assay_page_length(&tree, 0, 0)) +
           kernel()->scratch_size(GROUP_VECTORS);
}

static void begin(group *g, const assay_tree *tree, const tables *t, void *scratch)
{
    const size_t pages = group_pages(tree);
    uint8_t *next = scratch;
    g->tree = tree;
    g->tables = t;
    identity_node_begin(&g->node);
    g->vector_blindings = arena_take(&next, GROUP_VECTORS * sizeof(words));
    g->sum_blindings = arena_take(&next, pages * sizeof(words));
    g->sum_values = arena_take(&next, 2 * pages * sizeof(uint64_t));
    g->points = arena_take(&next, GROUP_VECTORS * sizeof(affine));
    g->pages = arena_take(&next, pages * assay_page_length(tree, 0, 0));
    g->kernel = next;
}

/* Header and identity nodes. */
static void write_nodes(group *g, uint8_t *page, uint32_t index, const uint8_t *identities)
{
    page_layout_init(&g->layout, g->tree, 0, index);
    page_header(page, &g->layout);
    identity_nodes(page + PAGE_HEADER, &g->node, identities, g->tree->page_size,
                   path_height(g->tree->page_size));
}

/* The first that is infinite; n if all are finite. */
static size_t first_infinite(const affine *points, size_t n)
{
    size_t i = 0;
    while (i < n && !affine_is_infinity(&points[i])) i++;
    return i;
}

/* C and the U_b of `count` pages, whose blinding factors are in the group; returns the first page
 * that has an infinite point, `count` if none has. */
static size_t write_points(const group *g, uint8_t *pages, const uint64_t *amounts, size_t count)
{
    const page_layout *l = &g->layout;
    const size_t m = g->tree->page_size, vectors = vector_count(g->tree),
                 at = PAGE_HEADER + 32 * l->nodes;
    kernel()->commit_vectors(g->points, amounts, g->vector_blindings, vectors * count, g->tables,
                             g->kernel);
    const size_t by_vectors = first_infinite(g->points, vectors * count) / vectors;
    for (size_t i = 0; i < count; i++)
        kernel()->compress(pages + l->length * i + at + 33, 33, g->points + vectors * i, vectors);
    for (size_t i = 0; i < count; i++) {
        uint64_t *sum = &g->sum_values[2 * i];
        sum[0] = sum[1] = 0;
        for (size_t k = 0; k < m; k++)
            sum[1] += __builtin_add_overflow(sum[0], amounts[m * i + k], &sum[0]);
    }
    kernel()->commit(g->points, g->sum_values, 2, g->sum_blindings, count, g->tables, g->kernel);
    const size_t by_sums = first_infinite(g->points, count);
    kernel()->compress(pages + at, l->length, g->points, count);
    return by_vectors < by_sums ? by_vectors : by_sums;
}

/* The blinding factors of the page at hand: ρ_0 … ρ_{G-1}, r. */
static void draw_blindings(const group *g, words *vectors, words *sum, const transcript *begun,
                           const uint8_t *page, const uint64_t *amounts, const uint8_t *secret,
                           const uint8_t *salt)
{
    transcript t = *begun;
    stream nonces;
    scalar blinding;
    uint8_t witness[32];
    const size_t count = vector_count(g->tree);
    page_statement(&t, g->tree, &g->layout);
    leaves_witness(witness, page + PAGE_HEADER, g->layout.nodes, amounts, g->tree->page_size);
    nonces_begin(&nonces, secret, TAG_ENTRIES_NONCE, NO_VERSION, t.state, witness, salt);
    for (size_t b = 0; b <= count; b++) {
        stream_scalar(&blinding, &nonces, b);
        scalar_to_words(b < count ? &vectors[b] : sum, &blinding);
    }
    clear_secret(&nonces, sizeof nonces);
    clear_secret(&blinding, sizeof blinding);
    clear_secret(witness, sizeof witness);
}

int assay_leaves_commit_var(assay_committed *made, const assay_tree *tree, uint32_t first, size_t n,
                            const uint64_t *amounts, const uint8_t *identities,
                            const uint8_t *secret, const uint8_t *salt,
                            const assay_tables *fixed_base, void *scratch)
{
    group g;
    transcript begun;
    if (!pages_valid(tree, 0, first, n)) return ASSAY_BAD_COUNT;
    const size_t m = tree->page_size, vectors = vector_count(tree);
    int status = ASSAY_OK;
    begin(&g, tree, fixed_base, scratch);
    tree_transcript(&begun, tree, KIND_ENTRIES);
    for (size_t done = 0; status == ASSAY_OK && done < n; done += group_pages(tree)) {
        const size_t count = n - done < group_pages(tree) ? n - done : group_pages(tree);
        const size_t length = assay_page_length(tree, 0, 0);
        uint8_t *pages = made->pages + length * done;
        for (size_t i = 0; i < count; i++) {
            const size_t page = done + i;
            words *own = g.vector_blindings + vectors * i;
            write_nodes(&g, pages + length * i, first + (uint32_t)page, identities + 32 * m * page);
            draw_blindings(&g, own, &g.sum_blindings[i], &begun, pages + length * i,
                           amounts + m * page, secret, salt);
            for (size_t b = 0; b < vectors; b++)
                words_to_bytes(made->vector_blindings + 32 * (vectors * page + b), &own[b]);
            words_to_bytes(made->sum_blindings + 32 * page, &g.sum_blindings[i]);
        }
        if (write_points(&g, pages, amounts + m * done, count) < count)
            status = ASSAY_INFINITE_POINT;
        memcpy(made->sum_values + 2 * done, g.sum_values, 2 * count * sizeof *g.sum_values);
        for (size_t i = 0; i < count; i++) {
            const uint8_t *page = pages + length * i;
            memcpy(made->sums + 33 * (done + i), page + PAGE_HEADER + 32 * g.layout.nodes, 33);
            sha256(made->ids + 32 * (done + i), page, length);
        }
    }
    clear_secret(scratch, assay_leaves_commit_scratch_size(tree->page_size));
    return status;
}

/* The first of `count` pages, of a group, that is not what was made; `count` if all are. */
static size_t first_difference(const group *g, const uint8_t *pages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(pages + g->layout.length * i, g->pages + g->layout.length * i,
                   g->layout.length) != 0)
            return i;
    return count;
}

int assay_leaves_open_var(size_t *bad, const assay_tree *tree, uint32_t first, size_t n,
                          const assay_page_witness *witness, const uint8_t *identities,
                          const assay_tables *fixed_base, void *scratch)
{
    group g;
    if (!pages_valid(tree, 0, first, n)) return ASSAY_BAD_COUNT;
    const size_t m = tree->page_size, vectors = vector_count(tree),
                 length = assay_page_length(tree, 0, 0);
    int status = ASSAY_OK;
    begin(&g, tree, fixed_base, scratch);
    for (size_t done = 0; status == ASSAY_OK && done < n; done += group_pages(tree)) {
        const size_t count = n - done < group_pages(tree) ? n - done : group_pages(tree);
        size_t valid = count;
        for (size_t i = count; i-- > 0;) {
            const size_t page = done + i;
            bool below = words_from_bytes(&g.sum_blindings[i], witness->sum_blindings + 32 * page);
            for (size_t b = 0; b < vectors; b++)
                below &= words_from_bytes(&g.vector_blindings[vectors * i + b],
                                          witness->blindings + 32 * (vectors * page + b));
            if (!below) valid = i;
            write_nodes(&g, g.pages + length * i, first + (uint32_t)page,
                        identities + 32 * m * page);
        }
        const size_t finite = write_points(&g, g.pages, witness->values + m * done, count);
        if (finite < valid) valid = finite;
        const size_t same = first_difference(&g, witness->pages + length * done, valid);
        if (same == count) continue;
        *bad = done + same;
        status = ASSAY_DAMAGED;
    }
    clear_secret(scratch, assay_leaves_commit_scratch_size(tree->page_size));
    return status;
}

size_t assay_sums_commit_scratch_size(void)
{
    return kernel()->scratch_size(1);
}

/* One page above level 0; `at` is its first child. */
static int commit_sums(assay_committed *made, size_t *bad, const page_layout *l, size_t page,
                       size_t at, const assay_children *children, uint8_t *bytes, const tables *t,
                       void *scratch)
{
    const size_t m = l->shape.m;
    words blindings[PAGE_FAN], total;
    uint64_t *sum = made->sum_values + 2 * page;
    int status = ASSAY_OK;
    sum[0] = sum[1] = 0;
    page_header(bytes, l);
    for (size_t k = 0; status == ASSAY_OK && k < m; k++) {
        uint8_t *entry = bytes + PAGE_HEADER + PAGE_CHILD * k;
        memcpy(entry, children->ids + 32 * (at + k), 32);
        memcpy(entry + 32, children->sums + 33 * (at + k), 33);
        sum[1] += __builtin_add_overflow(sum[0], children->values[at + k], &sum[0]);
        *bad = at + k;
        if (!words_from_bytes(&blindings[k], children->blindings + 32 * (at + k)))
            status = ASSAY_BAD_SCALAR;
    }
    if (status == ASSAY_OK) {
        affine point;
        words_sum(&total, blindings, m);
        words_to_bytes(made->sum_blindings + 32 * page, &total);
        kernel()->commit(&point, sum, 2, &total, 1, t, scratch);
        affine_compress(made->sums + 33 * page, &point);
        sha256(made->ids + 32 * page, bytes, l->length);
        if (affine_is_infinity(&point)) status = ASSAY_INFINITE_POINT;
    }
    clear_secret(blindings, sizeof blindings);
    clear_secret(&total, sizeof total);
    return status;
}

int assay_sums_commit_var(assay_committed *made, size_t *bad, const assay_tree *tree,
                          uint32_t level, uint32_t first, size_t n, const assay_children *children,
                          const assay_tables *fixed_base, void *scratch)
{
    if (level == 0 || !pages_valid(tree, level, first, n)) return ASSAY_BAD_COUNT;
    uint8_t *bytes = made->pages;
    int status = ASSAY_OK;
    for (size_t i = 0; status == ASSAY_OK && i < n; i++) {
        page_layout l;
        page_layout_init(&l, tree, level, first + (uint32_t)i);
        status = commit_sums(made, bad, &l, i, PAGE_FAN * i, children, bytes, fixed_base, scratch);
        bytes += l.length;
    }
    clear_secret(scratch, assay_sums_commit_scratch_size());
    return status;
}
