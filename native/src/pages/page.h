/*
 * Pages: spec/wire.md section 5, spec/protocol.md 2.3.  What is shared by all that is done with
 * them: the shape of a tree, the layout of a page, and its transcripts.
 */
#ifndef ASSAY_PAGE_H
#define ASSAY_PAGE_H

#include "assay.h"
#include "range/shape.h"

#define PAGE_HEADER 15
#define PAGE_WIDTH 64 /* bits of a value */
#define PAGE_FAN 64   /* entries of a page above level 0 */
#define PAGE_CHILD 65 /* bytes of one: id ‖ sum */
#define PATH_HEIGHT 6 /* of the identity nodes in a page, or less where it is smaller */
#define CAPACITY_MAX ((uint32_t)1 << 20)
#define LEAVES_MAX ((uint64_t)1 << 30)
#define OPENING_LENGTH (33 + 32 * W_COUNT)

/* Where things are in one page. */
typedef struct {
    range_shape shape;
    uint32_t level, levels, index;
    size_t nodes;   /* N identity nodes, 0 above level 0 */
    size_t entries; /* bytes: at level 0 nodes ‖ C ‖ U_0 …, above it ids and sums */
    size_t length, argument;
} page_layout;

/* Levels of a tree, pages of a level; the tree is valid. */
bool tree_valid(const assay_tree *tree);
uint32_t tree_levels(const assay_tree *tree);
uint32_t tree_pages(const assay_tree *tree, uint32_t level);

/* False when the tree or the place in it is none. */
bool page_layout_init(page_layout *l, const assay_tree *tree, uint32_t level, uint32_t index);

/* Whether n >= 1 pages from `first` on are there. */
bool pages_valid(const assay_tree *tree, uint32_t level, uint32_t first, size_t n);

/* Siblings of a path. */
unsigned path_height(uint32_t page_size);

void page_header(uint8_t header[PAGE_HEADER], const page_layout *l);

/* The kinds of statement: their names, and the version that they absorb. */
typedef enum { KIND_LEAVES, KIND_SUMS, KIND_ENTRIES, KIND_OPENING } page_kind;

/* The transcript after item 3, and after item 4. */
void tree_transcript(transcript *t, const assay_tree *tree, page_kind kind);
void page_statement(transcript *t, const assay_tree *tree, const page_layout *l);

/* From item 4 on to the one after item 6; kind leaves at level 0, above it sums. */
void page_transcript(transcript *t, const assay_tree *tree, const page_layout *l,
                     const uint8_t *entries);

/* H_identity-node of two children. */
void identity_node_begin(sha256_context *tagged);
void identity_node(uint8_t node[32], const sha256_context *tagged, const uint8_t *left,
                   const uint8_t *right);

/* The node that `height` siblings lead to from leaf i, by i's low bits. */
void identity_climb(uint8_t node[32], const sha256_context *tagged, const uint8_t *identity,
                    uint32_t i, const uint8_t *path, unsigned height);

/* The nodes of a height over m identities. */
void identity_nodes(uint8_t *nodes, const sha256_context *tagged, const uint8_t *identities,
                    size_t m, unsigned height);

/* All rows of the tree over 2^height identities, themselves first; then the path of leaf i by its
 * low bits, and where the node is that it leads to. */
#define IDENTITY_ROWS (32 * ((2 << PATH_HEIGHT) - 1))
void identity_rows(uint8_t rows[IDENTITY_ROWS], const sha256_context *tagged,
                   const uint8_t *identities, unsigned height);
const uint8_t *identity_siblings(uint8_t *path, const uint8_t rows[IDENTITY_ROWS], uint32_t i,
                                 unsigned height);

/* H_witness of a page of leaves: nodes ‖ v_0 ‖ … */
void leaves_witness(uint8_t hash[32], const uint8_t *nodes, size_t count, const uint64_t *amounts,
                    size_t m);

#endif
