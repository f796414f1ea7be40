/* Checking pages and openings, shared with their provers; spec/errors.md sections 3 and 4. */
#ifndef ASSAY_CHECK_H
#define ASSAY_CHECK_H

#include "pages/page.h"

/* Commitments and points of a page with its argument; scratch of a check of so many, of all its
 * pages together. */
size_t check_points(const page_layout *l);
size_t check_scratch_size(size_t points);

/* assay_check_var, for openings alone: the pages, which hold, have these ids. */
size_t check_openings_scratch_size(size_t count);
int check_openings(const uint8_t *ids, size_t *bad, const assay_checked_page *pages, size_t n,
                   const assay_checked_opening *openings, size_t count, const uint8_t *weights,
                   const bases *fixed_base, void *scratch);

#define OPENING_POINTS 2                  /* R, U_b */
#define OPENING_FIXED_TERMS (2 + W_COUNT) /* what range_fixed_terms gives without columns */

/* Item `opening` of a transcript after item 4. */
void opening_absorb(transcript *t, const uint8_t *page_id, uint32_t leaf, uint64_t amount,
                    const uint8_t *identity);

/* The equation of an opening's responses under a weight, c its challenge: shares of W_t and B, and
 * the coefficients of its points.  False, and nothing done, when a response is not below n. */
bool opening_coefficients(words out[OPENING_POINTS], range_fixed *fixed, const uint8_t *responses,
                          uint32_t slot, uint64_t amount, const scalar *c, const scalar *weight);

/* Where U_b of leaf i stands in a page. */
static inline size_t vector_offset(const page_layout *l, uint32_t leaf)
{
    return PAGE_HEADER + 32 * l->nodes + 33 * (1 + (size_t)leaf / W_COUNT);
}

#endif
