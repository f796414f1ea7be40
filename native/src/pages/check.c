/*
 * Checking pages, spec/errors.md section 3, and openings, section 4.
 *
 * The members of a check are its pages and then its openings, taken in batches.  Each is read in
 * order, for the faults that it has by itself, and what it proves joins the batch's equation, until
 * the batch is full or a member has a fault.  If the equation does not hold, every member of the
 * batch is done again alone, in order.  Infinite sums come last.  So the fault reported is that of
 * the first member that has one, and the first of that member.
 */
#include "pages/check.h"
#include "hash/tags.h"

#include <string.h>

/* Points of a batch: the more, the fewer additions each takes; and each takes some 180 bytes of
 * memory. */
#define BATCH_POINTS 176128

/* Openings whose points are decoded together. */
#define DECODED 64

typedef struct {
    const assay_checked_page *pages;
    const assay_checked_opening *openings;
    size_t n, count;
    const bases *bases;
    uint8_t *ids, *sums;
    /* The tree met last, and the transcripts after item 3. */
    const assay_tree *tree;
    transcript leaves, sums_above, opening;
    /* The batch: terms of its members, then of the generators. */
    affine *points;
    words *scalars;
    size_t terms;
    range_fixed fixed;
    /* R and U_b of the openings from number decoded_from on. */
    size_t decoded_from, decoded;
    affine opened[OPENING_POINTS * DECODED];
    uint8_t encoded[33 * OPENING_POINTS * DECODED];
    void *kernel;
} job;

size_t check_points(const page_layout *l)
{
    return range_commitments(&l->shape) + range_points(&l->shape);
}

/* Zero for a place that is none. */
static size_t page_points(const assay_checked_page *p)
{
    page_layout l;
    return page_layout_init(&l, p->tree, p->level, p->index) ? check_points(&l) : 0;
}

static size_t member_points(const job *j, size_t i)
{
    return i < j->n ? page_points(&j->pages[i]) : OPENING_POINTS;
}

static size_t member_weights(const assay_checked_page *p)
{
    page_layout l;
    if (p->argument == NULL || !page_layout_init(&l, p->tree, p->level, p->index)) return 0;
    return range_equations(&l.shape);
}

size_t assay_check_weights(const assay_checked_page *pages, size_t n, size_t openings)
{
    size_t weights = openings;
    for (size_t i = 0; i < n; i++) weights += member_weights(&pages[i]);
    return weights;
}

/* Terms of the largest batch beside those of the generators. */
static size_t batch_room(const assay_checked_page *pages, size_t n, size_t openings)
{
    size_t all = OPENING_POINTS * openings, most = BATCH_POINTS;
    for (size_t i = 0; i < n; i++) {
        const size_t points = page_points(&pages[i]);
        all += points;
        if (points > most) most = points;
    }
    return all < most ? all : most;
}

static size_t scratch_size(size_t terms)
{
    const size_t few = kernel()->scratch_size(terms + OPENING_POINTS * DECODED),
                 sum = kernel()->sum_scratch_size(PAGE_FAN),
                 msm = kernel()->msm_scratch_size(terms, 256);
    const size_t most = few > sum ? few : sum;
    return ARENA_SIZE(sizeof(job)) + ARENA_SIZE(terms * sizeof(affine)) +
           ARENA_SIZE(terms * sizeof(words)) + (most > msm ? most : msm);
}

size_t check_scratch_size(size_t points)
{
    return scratch_size(points + RANGE_FIXED_TERMS);
}

size_t check_openings_scratch_size(size_t count)
{
    return scratch_size(OPENING_POINTS * count + OPENING_FIXED_TERMS);
}

size_t assay_check_scratch_size(const assay_checked_page *pages, size_t n, size_t openings)
{
    return check_scratch_size(batch_room(pages, n, openings));
}

static void begin_batch(job *j)
{
    j->terms = 0;
    memset(&j->fixed, 0, sizeof j->fixed);
}

static bool batch_holds(job *j)
{
    affine sum;
    if (j->terms == 0) return true;
    const size_t n = j->terms + range_fixed_terms(j->scalars + j->terms, j->points + j->terms,
                                                  &j->fixed, j->bases);
    kernel()->msm(&sum, j->scalars, j->points, n, 256, j->kernel);
    return affine_is_infinity(&sum);
}

static void meet_tree(job *j, const assay_tree *tree)
{
    if (j->tree == tree) return;
    j->tree = tree;
    tree_transcript(&j->leaves, tree, KIND_LEAVES);
    tree_transcript(&j->sums_above, tree, KIND_SUMS);
    tree_transcript(&j->opening, tree, KIND_OPENING);
}

/* The commitments of a page's entries to the batch's points; false when one is none. */
static bool read_commitments(const job *j, const page_layout *l, const uint8_t *entries)
{
    uint8_t sums[33 * PAGE_FAN];
    const size_t n = range_commitments(&l->shape);
    const uint8_t *bytes = entries + 32 * l->nodes;
    if (l->level > 0) {
        for (size_t k = 0; k < n; k++) memcpy(sums + 33 * k, entries + PAGE_CHILD * k + 32, 33);
        bytes = sums;
    }
    return kernel()->decompress(j->points + j->terms, bytes, n, j->kernel) == n;
}

/* The page's own sum, 33 zero bytes for infinity. */
static void write_sum(const job *j, size_t i, const page_layout *l, const uint8_t *entries)
{
    uint8_t *out = j->sums + 33 * i;
    affine sum;
    if (l->level == 0) {
        memcpy(out, entries + 32 * l->nodes, 33);
        return;
    }
    kernel()->sum(&sum, j->points + j->terms, l->shape.m, j->kernel);
    affine_compress(out, &sum);
}

/* Reads a page; a fault that it has by itself, or its share of the batch's equation. */
static int add_page(job *j, size_t i, const uint8_t *weight_bytes)
{
    const assay_checked_page *p = &j->pages[i];
    const uint8_t *entries = p->page + PAGE_HEADER;
    page_layout l;
    uint8_t header[PAGE_HEADER];
    if (!page_layout_init(&l, p->tree, p->level, p->index)) return ASSAY_BAD_COUNT;
    const range_shape *s = &l.shape;
    const size_t commitments = range_commitments(s), own = range_points(s);
    page_header(header, &l);
    if (memcmp(p->page, header, sizeof header) != 0) return ASSAY_BAD_HEADER;
    if (!read_commitments(j, &l, entries)) return ASSAY_BAD_ENTRY;
    if (p->argument != NULL) {
        affine *points = j->points + j->terms + commitments;
        if (kernel()->decompress(points, p->argument, own, j->kernel) != own)
            return ASSAY_BAD_ARGUMENT_POINT;
        if (!range_scalars_valid(s, p->argument)) return ASSAY_BAD_ARGUMENT_SCALAR;
    }
    sha256(j->ids + 32 * i, p->page, l.length);
    write_sum(j, i, &l, entries);
    if (p->argument == NULL) return ASSAY_OK;

    range_challenges c;
    scalar weights[ARGUMENT_EQUATIONS_MAX];
    meet_tree(j, p->tree);
    transcript t = l.level == 0 ? j->leaves : j->sums_above;
    page_transcript(&t, p->tree, &l, entries);
    range_replay(&c, &t, s, p->argument);
    range_weights(weights, weight_bytes, range_equations(s));
    range_coefficients(j->scalars + j->terms, &j->fixed, s, &c, p->argument, weights);
    j->terms += commitments + own;
    return ASSAY_OK;
}

void opening_absorb(transcript *t, const uint8_t *page_id, uint32_t leaf, uint64_t amount,
                    const uint8_t *identity)
{
    uint8_t data[32 + 4 + 8 + 32];
    memcpy(data, page_id, 32);
    put_u32(data + 32, leaf);
    put_u32(data + 36, (uint32_t)(amount >> 32));
    put_u32(data + 40, (uint32_t)amount);
    memcpy(data + 44, identity, 32);
    transcript_absorb(t, LABEL_OPENING, data, sizeof data);
    clear_secret(data, sizeof data);
}

/* Whether the path leads to the node of its leaf. */
static bool identity_found(const assay_checked_page *p, const assay_checked_opening *o)
{
    sha256_context tagged;
    uint8_t node[32];
    const unsigned height = path_height(p->tree->page_size);
    identity_node_begin(&tagged);
    identity_climb(node, &tagged, o->identity, o->leaf, o->path, height);
    return memcmp(node, p->page + PAGE_HEADER + 32 * (size_t)(o->leaf >> height), 32) == 0;
}

/* α·( Σ_{s≠t} z_s·W_s + c·v·W_t + z_B·B - R - c·U_b ). */
bool opening_coefficients(words out[OPENING_POINTS], range_fixed *fixed, const uint8_t *responses,
                          uint32_t slot, uint64_t amount, const scalar *c, const scalar *weight)
{
    words response[W_COUNT], opened;
    scalar t;
    for (size_t k = 0; k < W_COUNT; k++)
        if (!words_from_bytes(&response[k], responses + 32 * k)) return false;
    scalar_from_u64(&t, amount);
    scalar_mul(&t, &t, c);
    scalar_to_words(&opened, &t);
    for (size_t k = 0; k < W_COUNT; k++)
        words_add_product(&fixed->w[k], weight,
                          k == slot ? &opened : &response[k < slot ? k : k - 1]);
    words_add_product(&fixed->b, weight, &response[W_COUNT - 1]);
    fixed->slots = W_COUNT;
    scalar_neg(&t, weight);
    scalar_to_words(&out[0], &t);
    scalar_mul(&t, &t, c);
    scalar_to_words(&out[1], &t);
    return true;
}

/* The layout of an opening's page; false when there is no such leaf. */
static bool opened_layout(page_layout *l, const job *j, size_t i)
{
    const assay_checked_opening *o = &j->openings[i];
    if (o->page >= j->n) return false;
    const assay_checked_page *p = &j->pages[o->page];
    return p->level == 0 && page_layout_init(l, p->tree, 0, p->index) &&
           o->leaf < p->tree->page_size;
}

/* Decodes the points of openings i, i + 1, …; what is none is infinity. */
static void decode_openings(job *j, size_t i)
{
    size_t n = 0;
    for (; n < DECODED && i + n < j->count; n++) {
        const assay_checked_opening *o = &j->openings[i + n];
        uint8_t *bytes = j->encoded + 33 * OPENING_POINTS * n;
        page_layout l;
        if (!opened_layout(&l, j, i + n)) break;
        memcpy(bytes, o->opening, 33);
        memcpy(bytes + 33, j->pages[o->page].page + vector_offset(&l, o->leaf), 33);
    }
    kernel()->decompress_each(j->opened, j->encoded, OPENING_POINTS * n, j->kernel);
    j->decoded_from = i;
    j->decoded = n;
}

static int add_opening(job *j, size_t i, const uint8_t *weight_bytes)
{
    const assay_checked_opening *o = &j->openings[i];
    page_layout l;
    if (!opened_layout(&l, j, i)) return ASSAY_BAD_COUNT;
    const assay_checked_page *p = &j->pages[o->page];
    if (!identity_found(p, o)) return ASSAY_WRONG_IDENTITY;
    if (i < j->decoded_from || i - j->decoded_from >= j->decoded) decode_openings(j, i);
    affine *points = j->points + j->terms;
    memcpy(points, j->opened + OPENING_POINTS * (i - j->decoded_from),
           OPENING_POINTS * sizeof *points);
    if (affine_is_infinity(&points[0])) return ASSAY_BAD_OPENING_POINT;
    if (affine_is_infinity(&points[1])) return ASSAY_BAD_ENTRY;
    scalar c, weight;
    meet_tree(j, p->tree);
    transcript t = j->opening;
    page_statement(&t, p->tree, &l);
    opening_absorb(&t, j->ids + 32 * (size_t)o->page, o->leaf, o->amount, o->identity);
    transcript_absorb(&t, LABEL_ANNOUNCEMENT, o->opening, 33);
    transcript_challenge(&c, &t, LABEL_C);
    range_weights(&weight, weight_bytes, 1);
    if (!opening_coefficients(j->scalars + j->terms, &j->fixed, o->opening + 33, o->leaf % W_COUNT,
                              o->amount, &c, &weight))
        return ASSAY_BAD_OPENING_SCALAR;
    j->terms += OPENING_POINTS;
    return ASSAY_OK;
}

/* Member i; *weights goes on behind its own. */
static int add_member(job *j, size_t i, const uint8_t **weights)
{
    const uint8_t *own = *weights;
    if (i >= j->n) {
        *weights += 32;
        return add_opening(j, i - j->n, own);
    }
    *weights += 32 * member_weights(&j->pages[i]);
    return add_page(j, i, own);
}

/* Members first … end - 1, which have no fault by themselves. */
static int find_fault(size_t *bad, job *j, size_t first, size_t end, const uint8_t *weights,
                      bool all_hold)
{
    static const uint8_t INFINITE[33] = {0};
    for (size_t i = first; i < end; i++) {
        *bad = i;
        if (!all_hold) {
            begin_batch(j);
            add_member(j, i, &weights);
            if (!batch_holds(j)) return i < j->n ? ASSAY_REJECTED : ASSAY_WRONG_AMOUNT;
        }
        if (i < j->n && memcmp(j->sums + 33 * i, INFINITE, 33) == 0) return ASSAY_INFINITE_SUM;
    }
    return ASSAY_OK;
}

static int check_members(size_t *bad, job *j, size_t first, size_t room, const uint8_t *weights)
{
    int fault = ASSAY_OK;
    while (fault == ASSAY_OK && first < j->n + j->count) {
        const uint8_t *begun = weights;
        size_t end = first;
        begin_batch(j);
        while (end < j->n + j->count &&
               (end == first || j->terms + member_points(j, end) <= room)) {
            fault = add_member(j, end, &weights);
            if (fault != ASSAY_OK) break;
            end++;
        }
        const int before = find_fault(bad, j, first, end, begun, batch_holds(j));
        if (before != ASSAY_OK) return before;
        *bad = end;
        first = end;
    }
    return fault;
}

/* `terms` of a batch, those of the generators included. */
static job *begin(size_t terms, const assay_checked_page *pages, size_t n,
                  const assay_checked_opening *openings, size_t count, const bases *fixed_base,
                  void *scratch)
{
    uint8_t *next = scratch;
    job *j = arena_take(&next, sizeof *j);
    j->pages = pages;
    j->n = n;
    j->openings = openings;
    j->count = count;
    j->bases = fixed_base;
    j->tree = NULL;
    j->decoded_from = j->decoded = 0;
    j->points = arena_take(&next, terms * sizeof *j->points);
    j->scalars = arena_take(&next, terms * sizeof *j->scalars);
    j->kernel = next;
    return j;
}

int assay_check_var(uint8_t *ids, uint8_t *sums, size_t *bad, const assay_checked_page *pages,
                    size_t n, const assay_checked_opening *openings, size_t count,
                    const uint8_t *weights, const assay_bases *fixed_base, void *scratch)
{
    const size_t room = batch_room(pages, n, count);
    job *j = begin(room + RANGE_FIXED_TERMS, pages, n, openings, count, fixed_base, scratch);
    j->ids = ids;
    j->sums = sums;
    return check_members(bad, j, 0, room, weights);
}

int check_openings(const uint8_t *ids, size_t *bad, const assay_checked_page *pages, size_t n,
                   const assay_checked_opening *openings, size_t count, const uint8_t *weights,
                   const bases *fixed_base, void *scratch)
{
    const size_t room = OPENING_POINTS * count; /* no page is a member of the batch */
    job *j = begin(room + OPENING_FIXED_TERMS, pages, n, openings, count, fixed_base, scratch);
    j->ids = (uint8_t *)ids;
    const int status = check_members(bad, j, n, room, weights);
    *bad -= n;
    return status;
}
