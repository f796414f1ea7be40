/*
 * Pages: spec/wire.md section 5, spec/protocol.md 2.3.  What their prover and verifier share.
 */
#ifndef ASSAY_PAGE_H
#define ASSAY_PAGE_H

#include "assay.h"
#include "range/shape.h"

#define PAGE_HEADER 15
#define PAGE_WIDTH 64 /* bits of a value */

/* Where things are in a page of m entries. */
typedef struct {
    range_shape shape;
    size_t entry, entries, length; /* bytes of an entry, of all, of the page */
} page_layout;

/* False when the place or m is out of range. */
bool page_layout_init(page_layout *l, const assay_page_place *place, size_t m);

/* Whether n >= 1 entries from place->first_index on are pages of a level. */
bool page_range_valid(const assay_page_place *place, size_t n);

/* Bytes of a full page. */
size_t page_stride(const assay_page_place *place);

void page_header(uint8_t header[PAGE_HEADER], const assay_page_place *place, uint32_t index,
                 uint32_t m);

/* The transcript after item 6. */
void page_transcript(transcript *t, const assay_page_place *place, const page_layout *l,
                     uint32_t index, const uint8_t *entries);

#endif
