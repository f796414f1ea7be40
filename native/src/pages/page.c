/* The shape of a tree; the layout, header and statement of a page. */
#include "pages/page.h"
#include "hash/tags.h"
#include "leaves/derive.h"

#include <string.h>

bool tree_valid(const assay_tree *tree)
{
    range_shape s;
    return range_shape_leaves(&s, tree->page_size) && tree->capacity >= 1 &&
           tree->capacity <= CAPACITY_MAX &&
           (uint64_t)tree->capacity * tree->page_size <= LEAVES_MAX;
}

uint32_t tree_pages(const assay_tree *tree, uint32_t level)
{
    uint32_t n = tree->capacity;
    for (uint32_t l = 0; l < level && n > 1; l++) n = (n + PAGE_FAN - 1) / PAGE_FAN;
    return n;
}

uint32_t tree_levels(const assay_tree *tree)
{
    uint32_t levels = 1;
    while (tree_pages(tree, levels - 1) > 1) levels++;
    return levels;
}

unsigned path_height(uint32_t page_size)
{
    unsigned height = 0;
    while (height < PATH_HEIGHT && (uint32_t)2 << height <= page_size) height++;
    return height;
}

bool page_layout_init(page_layout *l, const assay_tree *tree, uint32_t level, uint32_t index)
{
    if (!tree_valid(tree)) return false;
    l->levels = tree_levels(tree);
    l->level = level;
    l->index = index;
    if (level >= l->levels || index >= tree_pages(tree, level)) return false;
    if (level == 0) {
        range_shape_leaves(&l->shape, tree->page_size);
        l->nodes = tree->page_size >> path_height(tree->page_size);
        l->entries = 32 * l->nodes + 33 * range_commitments(&l->shape);
    } else {
        const uint32_t left = tree_pages(tree, level - 1) - PAGE_FAN * index;
        range_shape_entries(&l->shape, left < PAGE_FAN ? left : PAGE_FAN, PAGE_WIDTH);
        l->nodes = 0;
        l->entries = PAGE_CHILD * (size_t)l->shape.m;
    }
    l->length = PAGE_HEADER + l->entries;
    l->argument = range_length(&l->shape);
    return true;
}

bool pages_valid(const assay_tree *tree, uint32_t level, uint32_t first, size_t n)
{
    page_layout l;
    return n > 0 && page_layout_init(&l, tree, level, first) &&
           n <= tree_pages(tree, level) - first;
}

void page_header(uint8_t header[PAGE_HEADER], const page_layout *l)
{
    memcpy(header, "ASPG\x00\x01", 6);
    header[6] = (uint8_t)l->level;
    put_u32(header + 7, l->index);
    put_u32(header + 11, l->shape.m);
}

void tree_transcript(transcript *t, const assay_tree *tree, page_kind kind)
{
    static const char GENERATORS[] = TAG_GENERATOR, GROUP[] = "secp256k1";
    static const char *const NAMES[] = {"leaves", "sums", "entries", "opening"};
    const char *name = NAMES[kind];
    const uint8_t versions[4] = {0, PROTOCOL_VERSION, 0,
                                 kind <= KIND_SUMS ? ARGUMENT_VERSION : NO_ARGUMENT_VERSION};
    sha256_context c;
    transcript_begin(t);
    transcript_absorb_begin(&c, t, LABEL_ARGUMENT,
                            4 + 4 + sizeof GROUP - 1 + 4 + sizeof GENERATORS - 1 + 4 +
                                strlen(name));
    sha256_update(&c, versions, sizeof versions);
    update_prefixed(&c, GROUP, sizeof GROUP - 1);
    update_prefixed(&c, GENERATORS, sizeof GENERATORS - 1);
    update_prefixed(&c, name, strlen(name));
    transcript_absorb_end(t, &c);
    transcript_absorb(t, LABEL_CONTEXT, tree->context, sizeof tree->context);
    transcript_absorb(t, LABEL_ASSET, tree->asset, tree->asset_length);
}

void page_statement(transcript *t, const assay_tree *tree, const page_layout *l)
{
    uint8_t statement[14] = {(uint8_t)l->level, (uint8_t)l->levels};
    put_u32(statement + 2, l->index);
    put_u32(statement + 6, tree->capacity);
    put_u32(statement + 10, tree->page_size);
    transcript_absorb(t, LABEL_STATEMENT, statement, sizeof statement);
}

void page_transcript(transcript *t, const assay_tree *tree, const page_layout *l,
                     const uint8_t *entries)
{
    page_statement(t, tree, l);
    range_absorb_shape(t, &l->shape);
    transcript_absorb(t, LABEL_ENTRIES, entries, l->entries);
}

void leaves_witness(uint8_t hash[32], const uint8_t *nodes, size_t count, const uint64_t *amounts,
                    size_t m)
{
    static const char TAG[] = TAG_WITNESS;
    sha256_context c;
    sha256_begin_tag(&c, TAG, sizeof TAG - 1);
    sha256_update(&c, nodes, 32 * count);
    for (size_t i = 0; i < m; i++) update_u64(&c, amounts[i]);
    sha256_end(hash, &c);
    clear_secret(&c, sizeof c);
}

size_t assay_page_length(const assay_tree *tree, uint32_t level, uint32_t index)
{
    page_layout l;
    return page_layout_init(&l, tree, level, index) ? l.length : 0;
}

size_t assay_argument_length(const assay_tree *tree, uint32_t level, uint32_t index)
{
    page_layout l;
    return page_layout_init(&l, tree, level, index) ? l.argument : 0;
}

uint32_t assay_tree_levels(const assay_tree *tree)
{
    return tree_valid(tree) ? tree_levels(tree) : 0;
}

uint32_t assay_tree_pages(const assay_tree *tree, uint32_t level)
{
    return tree_valid(tree) && level < tree_levels(tree) ? tree_pages(tree, level) : 0;
}
