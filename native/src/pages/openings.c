/*
 * Making openings, spec/transcript.md 5: for a few leaves in time and with memory accesses that do
 * not depend on amounts, blinding factors or masks, or for many by tables.
 *
 * Every path is climbed, and every opening checked as a verifier does: its equation holds only if
 * the amounts and the blinding factor are those of the page's vector.  What fails leaves nothing.
 */
#include "hash/secret.h"
#include "hash/tags.h"
#include "pages/check.h"
#include "range/prove.h"

#include <string.h>

#define BLOCK 256
#define TABLES_ROOM 256       /* what combine_vectors and a block's commitments take */
#define FACTORS (W_COUNT + 1) /* of W_0 … W_15 and B */

/* A page of a block's leaves. */
typedef struct {
    const assay_opened_page *given;
    page_layout layout;
    transcript statement; /* after item 4 */
} opened_page;

/* One leaf. */
typedef struct {
    words amounts[FACTORS]; /* the vector's, and ρ_b */
    words factors[FACTORS]; /* the masks, zero in the opened slot */
    transcript transcript;  /* before the announcement */
    uint32_t page;          /* its page's number in the block */
    uint32_t leaf;
} leaf_state;

/* A block of leaves and of their pages: arrays with one item a leaf, and no more pages than leaves.
 */
typedef struct {
    leaf_state *leaf;
    affine *points;
    assay_checked_opening *openings;
    opened_page *pages;
    assay_checked_page *checked;
    uint8_t (*ids)[32];
    /* For sums by tables. */
    words (*slots)[W_COUNT], *blindings;
    affine *sums;
    void *kernel;
} workspace;

/* What is the same for all openings of a call, and how far it has come. */
typedef struct {
    const assay_opened_page *pages;
    size_t count;
    const uint8_t *secret, *salt;
    const bases *bases;
    const tables *tables; /* NULL: constant time */
    workspace w;
    sha256_context node;
    size_t page, leaf;       /* the next leaf, and its page */
    uint8_t *opening, *path; /* where they go */
} job;

static size_t block_size(size_t n)
{
    return n < BLOCK ? n : BLOCK;
}

size_t assay_openings_make_scratch_size(size_t n)
{
    const size_t block = block_size(n), check = check_openings_scratch_size(block),
                 most = kernel()->scratch_size(TABLES_ROOM);
    return ARENA_SIZE(block * sizeof(leaf_state)) + 2 * ARENA_SIZE(block * sizeof(affine)) +
           ARENA_SIZE(block * sizeof(assay_checked_opening)) +
           ARENA_SIZE(block * sizeof(opened_page)) +
           ARENA_SIZE(block * sizeof(assay_checked_page)) + ARENA_SIZE(32 * block) +
           ARENA_SIZE(W_COUNT * block * sizeof(words)) + ARENA_SIZE(block * sizeof(words)) +
           (check > most ? check : most);
}

static workspace lay_out(size_t n, void *scratch)
{
    const size_t block = block_size(n);
    uint8_t *next = scratch;
    workspace w;
    w.leaf = arena_take(&next, block * sizeof *w.leaf);
    w.points = arena_take(&next, block * sizeof *w.points);
    w.openings = arena_take(&next, block * sizeof *w.openings);
    w.pages = arena_take(&next, block * sizeof *w.pages);
    w.checked = arena_take(&next, block * sizeof *w.checked);
    w.ids = arena_take(&next, block * sizeof *w.ids);
    w.slots = arena_take(&next, block * sizeof *w.slots);
    w.blindings = arena_take(&next, block * sizeof *w.blindings);
    w.sums = arena_take(&next, block * sizeof *w.sums);
    w.kernel = next;
    return w;
}

static size_t path_bytes(const assay_opened_page *page)
{
    return 32 * (size_t)path_height(page->tree->page_size);
}

size_t assay_paths_length(const assay_opened_page *pages, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) length += pages[i].count * path_bytes(&pages[i]);
    return length;
}

/* Page `number` of the block: its id, and where what it says stands. */
static int begin_page(const job *j, uint32_t number, const assay_opened_page *given)
{
    opened_page *page = &j->w.pages[number];
    uint8_t header[PAGE_HEADER];
    if (!page_layout_init(&page->layout, given->tree, 0, given->index)) return ASSAY_BAD_COUNT;
    page_header(header, &page->layout);
    if (memcmp(header, given->page, sizeof header) != 0) return ASSAY_DAMAGED;
    page->given = given;
    sha256(j->w.ids[number], given->page, page->layout.length);
    tree_transcript(&page->statement, given->tree, KIND_OPENING);
    page_statement(&page->statement, given->tree, &page->layout);
    j->w.checked[number] =
        (assay_checked_page){.tree = given->tree, .page = given->page, .index = given->index};
    return ASSAY_OK;
}

/* The identity nodes that the paths of one page's leaves are cut from. */
typedef struct {
    uint8_t rows[IDENTITY_ROWS];
    uint32_t page, number;
} subtree;

/* The path of a leaf; whether it leads to the page's node. */
static bool write_path(const job *j, subtree *s, uint8_t *path, const leaf_state *state)
{
    const assay_opened_page *given = j->w.pages[state->page].given;
    const unsigned height = path_height(given->tree->page_size);
    const uint32_t number = state->leaf >> height;
    if (state->page != s->page || number != s->number) {
        const uint8_t *identities = given->identities + (32 * (size_t)number << height);
        identity_rows(s->rows, &j->node, identities, height);
        s->page = state->page;
        s->number = number;
    }
    const uint8_t *node = identity_siblings(path, s->rows, state->leaf, height);
    return memcmp(node, given->page + PAGE_HEADER + 32 * (size_t)number, 32) == 0;
}

static size_t vector_of(const leaf_state *state)
{
    return state->leaf / W_COUNT;
}

static const uint64_t *amounts_of(const job *j, const leaf_state *state)
{
    return j->w.pages[state->page].given->amounts + W_COUNT * vector_of(state);
}

/* out[i] = Σ_t mask_t·W_t + mask_B·B of n leaves, in constant time. */
static void multiply_masks(const job *j, affine *out, size_t n)
{
    projective sums[BLOCK];
    for (size_t i = 0; i < n; i++)
        kernel()->vector_multiple(&sums[i], j->w.leaf[i].factors, &j->bases->multiples);
    complete_to_affine(out, sums, n);
    clear_secret(sums, n * sizeof *sums);
}

/* The same, in constant time or by tables. */
static void commit_masks(const job *j, affine *out, size_t n)
{
    static const uint64_t ZEROS[BLOCK];
    const workspace *w = &j->w;
    jacobian sum[BLOCK];
    if (j->tables == NULL) {
        multiply_masks(j, out, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(w->slots[i], w->leaf[i].factors, sizeof w->slots[i]);
        w->blindings[i] = w->leaf[i].factors[W_COUNT];
    }
    kernel()->combine_vectors(w->sums, w->slots[0], n, j->tables, w->kernel);
    kernel()->commit(out, ZEROS, 1, w->blindings, n, j->tables, w->kernel);
    for (size_t i = 0; i < n; i++) {
        jacobian_from_affine(&sum[i], &out[i]);
        jacobian_add_affine_var(&sum[i], &sum[i], &w->sums[i]);
    }
    affine_from_jacobian_batch_var(out, sum, n);
    clear_secret(sum, n * sizeof *sum);
}

/* The amounts and ρ_b of a leaf's vector; whether ρ_b is below the group order. */
static bool read_vector(const job *j, leaf_state *state)
{
    const uint64_t *given = amounts_of(j, state);
    const uint8_t *blindings = j->w.pages[state->page].given->blindings;
    for (size_t t = 0; t < W_COUNT; t++) state->amounts[t] = (words){{given[t], 0, 0, 0}};
    const bool below =
        words_from_bytes(&state->amounts[W_COUNT], blindings + 32 * vector_of(state));
    declassify(&below, sizeof below); /* known from the status */
    return below;
}

/* The masks of a leaf: of the slots but its own, ascending, then of B. */
static void draw_masks(const job *j, leaf_state *state)
{
    static const char TAG[] = TAG_WITNESS;
    const assay_opened_page *given = j->w.pages[state->page].given;
    const size_t slot = state->leaf % W_COUNT;
    const uint64_t *amounts = amounts_of(j, state);
    uint8_t witness[32];
    sha256_context c;
    stream nonces;
    scalar mask;
    uint64_t drawn = 0;
    state->transcript = j->w.pages[state->page].statement;
    opening_absorb(&state->transcript, j->w.ids[state->page], state->leaf, amounts[slot],
                   given->identities + 32 * (size_t)state->leaf);
    sha256_begin_tag(&c, TAG, sizeof TAG - 1);
    for (size_t t = 0; t < W_COUNT; t++)
        if (t != slot) update_u64(&c, amounts[t]);
    sha256_update(&c, given->blindings + 32 * vector_of(state), 32);
    sha256_end(witness, &c);
    nonces_begin(&nonces, j->secret, TAG_OPENING_NONCE, NO_ARGUMENT_VERSION,
                 state->transcript.state, witness, j->salt);
    memset(&state->factors[slot], 0, sizeof state->factors[slot]);
    for (size_t t = 0; t < FACTORS; t++) {
        if (t == slot) continue;
        stream_scalar(&mask, &nonces, drawn++);
        scalar_to_words(&state->factors[t], &mask);
    }
    clear_secret(&c, sizeof c);
    clear_secret(&nonces, sizeof nonces);
    clear_secret(&mask, sizeof mask);
    clear_secret(witness, sizeof witness);
}

/* R ‖ z. */
static void respond(leaf_state *state, const affine *announcement, uint8_t *out)
{
    scalar c;
    words z[2]; /* mask, c·value */
    affine_compress(out, announcement);
    transcript_absorb(&state->transcript, LABEL_ANNOUNCEMENT, out, 33);
    transcript_challenge(&c, &state->transcript, LABEL_C);
    out += 33;
    for (size_t t = 0; t < FACTORS; t++) {
        if (t == state->leaf % W_COUNT) continue;
        words sum;
        z[0] = state->factors[t];
        scalar_mul_words(&z[1], &c, &state->amounts[t]);
        words_sum(&sum, z, 2);
        words_to_bytes(out, &sum);
        out += 32;
    }
    clear_secret(z, sizeof z);
}

/* The next n <= BLOCK leaves, with their pages, paths and vectors; *bad is the first that has no
 * path to its page, or a blinding factor that is none. */
static int begin_block(job *j, size_t *bad, size_t n)
{
    subtree s = {.page = UINT32_MAX};
    uint32_t number = UINT32_MAX; /* of the page in the block */
    for (size_t i = 0; i < n; i++) {
        leaf_state *state = &j->w.leaf[i];
        while (j->leaf == j->pages[j->page].count) {
            j->page++;
            j->leaf = 0;
        }
        const assay_opened_page *given = &j->pages[j->page];
        *bad = i;
        if (i == 0 || j->leaf == 0) {
            const int status = begin_page(j, ++number, given);
            if (status != ASSAY_OK) return status;
        }
        state->page = number;
        state->leaf = given->leaves[j->leaf++];
        if (state->leaf >= given->tree->page_size) return ASSAY_BAD_COUNT;
        if (!write_path(j, &s, j->path, state) || !read_vector(j, state)) return ASSAY_DAMAGED;
        j->w.openings[i] =
            (assay_checked_opening){.identity = given->identities + 32 * (size_t)state->leaf,
                                    .path = j->path,
                                    .opening = j->opening + OPENING_LENGTH * i,
                                    .amount = given->amounts[state->leaf],
                                    .page = number,
                                    .leaf = state->leaf};
        j->path += path_bytes(given);
    }
    return ASSAY_OK;
}

/* n <= BLOCK leaves. */
static NOINLINE int make_block(job *j, size_t *bad, size_t n, const uint8_t *weights)
{
    const workspace *w = &j->w;
    const int status = begin_block(j, bad, n);
    if (status != ASSAY_OK) return status;
    for (size_t i = 0; i < n; i++) draw_masks(j, &w->leaf[i]);
    commit_masks(j, w->points, n);
    declassify(w->points, n * sizeof *w->points); /* R is given out */
    for (size_t i = 0; i < n; i++) {
        uint8_t *made = j->opening + OPENING_LENGTH * i;
        *bad = i;
        if (affine_is_infinity(&w->points[i])) return ASSAY_INFINITE_POINT;
        respond(&w->leaf[i], &w->points[i], made);
        declassify(made, OPENING_LENGTH); /* uniform, but for what the package says */
        declassify(&w->openings[i].amount, sizeof(uint64_t)); /* it meets a random weight */
    }
    j->opening += OPENING_LENGTH * n;
    return check_openings(w->ids[0], bad, w->checked, w->leaf[n - 1].page + 1, w->openings, n,
                          weights, j->bases, w->kernel) == ASSAY_OK
               ? ASSAY_OK
               : ASSAY_DAMAGED;
}

/* Of the kernel's share, the most of it, what met secrets: tables do.  A check does not, if the
 * openings hold that it is of. */
static void clear_scratch(const job *j, int status, size_t n, void *scratch)
{
    const size_t own = (size_t)((uint8_t *)j->w.kernel - (uint8_t *)scratch),
                 met = j->tables == NULL ? 0 : kernel()->scratch_size(TABLES_ROOM);
    clear_secret(scratch, status == ASSAY_OK ? own + met : assay_openings_make_scratch_size(n));
}

static int make(job *j, uint8_t *openings, uint8_t *paths, size_t *bad, size_t n,
                const uint8_t *weights, void *scratch)
{
    int status = ASSAY_OK;
    *bad = 0;
    j->w = lay_out(n, scratch);
    j->page = j->leaf = 0;
    j->opening = openings;
    j->path = paths;
    identity_node_begin(&j->node);
    for (size_t done = 0; status == ASSAY_OK && done < n; done += BLOCK) {
        status = make_block(j, bad, block_size(n - done), weights + 32 * done);
        *bad += done;
    }
    if (status != ASSAY_OK) {
        clear_secret(openings, OPENING_LENGTH * n);
        clear_secret(paths, assay_paths_length(j->pages, j->count));
    }
    clear_scratch(j, status, n, scratch);
    clear_stack();
    return status;
}

int assay_openings_make(uint8_t *openings, uint8_t *paths, size_t *bad,
                        const assay_opened_page *pages, size_t count, size_t n,
                        const uint8_t *secret, const uint8_t *salt, const uint8_t *weights,
                        const assay_bases *fixed_base, void *scratch)
{
    job j = {.pages = pages, .count = count, .secret = secret, .salt = salt, .bases = fixed_base};
    return make(&j, openings, paths, bad, n, weights, scratch);
}

int assay_openings_make_var(uint8_t *openings, uint8_t *paths, size_t *bad,
                            const assay_opened_page *pages, size_t count, size_t n,
                            const uint8_t *secret, const uint8_t *salt, const uint8_t *weights,
                            const assay_tables *fixed_base, void *scratch)
{
    job j = {.pages = pages,
             .count = count,
             .secret = secret,
             .salt = salt,
             .bases = &fixed_base->bases,
             .tables = fixed_base};
    return make(&j, openings, paths, bad, n, weights, scratch);
}
