/* Checking pages and openings, shared with their provers; spec/errors.md sections 3 and 4. */
#ifndef ASSAY_CHECK_H
#define ASSAY_CHECK_H

#include "pages/page.h"

/* Commitments and points of a page with its argument; scratch of a check of so many, of all its
 * pages together. */
size_t check_points(const page_layout *l);
size_t check_scratch_size(size_t points);

/* assay_check_var, for openings alone: the pages, which hold, have these ids. */
int check_openings(const uint8_t *ids, size_t *bad, const assay_checked_page *pages, size_t n,
                   const assay_checked_opening *openings, size_t count, const uint8_t *weights,
                   const bases *fixed_base, void *scratch);

/* The transcript of the opening of leaf i, from item 3 up to the announcement. */
void opening_transcript(transcript *t, const assay_tree *tree, const page_layout *l,
                        const uint8_t *page_id, uint32_t leaf, uint64_t amount,
                        const uint8_t *identity);

/* Where U_b of leaf i stands in a page. */
static inline size_t vector_offset(const page_layout *l, uint32_t leaf)
{
    return PAGE_HEADER + 32 * l->nodes + 33 * (1 + (size_t)leaf / W_COUNT);
}

#endif
