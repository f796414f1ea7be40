/* The layout, header and statement of a page. */
#include "pages/page.h"
#include "hash/tags.h"

#include <string.h>

bool page_layout_init(page_layout *l, const assay_page_place *place, size_t m)
{
    if (m > place->page_size || !range_shape_init(&l->shape, m, PAGE_WIDTH)) return false;
    l->entry = place->level == 0 ? 33 : 65;
    l->entries = l->entry * m;
    l->length = PAGE_HEADER + l->entries + range_length(&l->shape);
    return true;
}

bool page_range_valid(const assay_page_place *place, size_t n)
{
    page_layout l;
    if (n == 0 || !page_layout_init(&l, place, place->page_size)) return false;
    return (n - 1) / place->page_size <= UINT32_MAX - place->first_index;
}

size_t page_stride(const assay_page_place *place)
{
    return assay_page_length(place->level, place->page_size);
}

void page_header(uint8_t header[PAGE_HEADER], const assay_page_place *place, uint32_t index,
                 uint32_t m)
{
    memcpy(header, "ASPG\x00\x01", 6);
    header[6] = place->level;
    put_u32(header + 7, index);
    put_u32(header + 11, m);
}

void page_transcript(transcript *t, const assay_page_place *place, const page_layout *l,
                     uint32_t index, const uint8_t *entries)
{
    uint8_t statement[14] = {place->level, place->levels};
    put_u32(statement + 2, index);
    put_u32(statement + 6, place->capacity);
    put_u32(statement + 10, place->page_size);
    transcript_begin(t);
    memcpy(t->state, place->asset_state, 32);
    transcript_absorb(t, LABEL_STATEMENT, statement, sizeof statement);
    range_absorb_shape(t, &l->shape);
    transcript_absorb(t, LABEL_ENTRIES, entries, l->entries);
}

size_t assay_page_length(uint32_t level, uint32_t count)
{
    const assay_page_place place = {.level = level != 0, .page_size = UINT32_MAX};
    page_layout l;
    return page_layout_init(&l, &place, count) ? l.length : 0;
}
