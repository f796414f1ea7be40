/*
 * Making openings, spec/transcript.md 5: for a few leaves in time and with memory accesses that do
 * not depend on amounts, blinding factors or masks, or for many by tables.
 *
 * Before, every vector is committed to again and compared with the page, and every path climbed;
 * after, the openings are checked as a verifier does.  What fails leaves nothing.
 */
#include "hash/secret.h"
#include "hash/tags.h"
#include "pages/check.h"
#include "range/prove.h"

#include <string.h>

#define BLOCK 256
#define FACTORS (W_COUNT + 1) /* of W_0 … W_15 and B */

/* What is the same for all openings of a call. */
typedef struct {
    const assay_tree *tree;
    const assay_opened_page *page;
    const uint8_t *secret, *salt;
    const bases *bases;
    const tables *tables; /* NULL: constant time */
    page_layout layout;
    uint8_t id[32];
    transcript begun; /* after item 3 */
    sha256_context node;
    uint32_t subtree; /* that `rows` are of: the number of its node */
    uint8_t rows[IDENTITY_ROWS];
} job;

/* One leaf. */
typedef struct {
    words amounts[FACTORS]; /* the vector's, and ρ_b */
    words factors[FACTORS]; /* the masks, zero in the opened slot */
    transcript transcript;  /* before the announcement */
} leaf_state;

/* A block of leaves, each array with one item a leaf. */
typedef struct {
    leaf_state *leaf;
    affine *points;
    assay_checked_opening *openings;
    /* For sums by tables. */
    uint64_t (*vector)[W_COUNT];
    words (*slots)[W_COUNT], *blindings;
    affine *sums;
    void *kernel;
} workspace;

static size_t block_size(size_t n)
{
    return n < BLOCK ? n : BLOCK;
}

size_t assay_openings_make_scratch_size(size_t n)
{
    const size_t block = block_size(n), check = check_scratch_size(2 * block),
                 most = kernel()->scratch_size(256);
    return ARENA_SIZE(block * sizeof(leaf_state)) + 2 * ARENA_SIZE(block * sizeof(affine)) +
           ARENA_SIZE(block * sizeof(assay_checked_opening)) +
           ARENA_SIZE(W_COUNT * block * sizeof(uint64_t)) +
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
    w.vector = arena_take(&next, block * sizeof *w.vector);
    w.slots = arena_take(&next, block * sizeof *w.slots);
    w.blindings = arena_take(&next, block * sizeof *w.blindings);
    w.sums = arena_take(&next, block * sizeof *w.sums);
    w.kernel = next;
    return w;
}

static unsigned height_of(const job *j)
{
    return path_height(j->tree->page_size);
}

/* The path of a leaf; whether it leads to the page's node. */
static bool write_path(job *j, uint8_t *path, uint32_t leaf)
{
    const unsigned height = height_of(j);
    const uint32_t number = leaf >> height;
    if (number != j->subtree) {
        const uint8_t *identities = j->page->identities + (32 * (size_t)number << height);
        identity_rows(j->rows, &j->node, identities, height);
        j->subtree = number;
    }
    const uint8_t *node = identity_siblings(path, j->rows, leaf, height);
    return memcmp(node, j->page->page + PAGE_HEADER + 32 * (size_t)number, 32) == 0;
}

/* out[i] = Σ_t v_t·W_t + ρ·B for the vectors of n leaves; neighbours may share one. */
static void commit_vectors(const job *j, const workspace *w, affine *out, const uint32_t *leaves,
                           size_t n)
{
    size_t made = 0;
    if (j->tables == NULL) {
        for (size_t i = 0; i < n; i++)
            vector_multiple(&out[i], w->leaf[i].amounts, false, &j->bases->multiples);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const words *amounts = w->leaf[i].amounts;
        if (i > 0 && leaves[i] / W_COUNT == leaves[i - 1] / W_COUNT) continue;
        for (size_t t = 0; t < W_COUNT; t++) w->vector[made][t] = amounts[t].word[0];
        w->blindings[made++] = amounts[W_COUNT];
    }
    kernel()->commit_vectors(w->sums, w->vector[0], w->blindings, made, j->tables, w->kernel);
    made = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && leaves[i] / W_COUNT != leaves[i - 1] / W_COUNT) made++;
        out[i] = w->sums[made];
    }
}

/* out[i] = Σ_t mask_t·W_t + mask_B·B of n leaves. */
static void commit_masks(const job *j, const workspace *w, affine *out, size_t n)
{
    static const uint64_t ZEROS[BLOCK];
    jacobian sum[BLOCK];
    if (j->tables == NULL) {
        for (size_t i = 0; i < n; i++)
            vector_multiple(&out[i], w->leaf[i].factors, true, &j->bases->multiples);
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
}

/* Whether the vectors of n leaves are the page's; *bad is the first that is not. */
static bool vectors_match(const job *j, const workspace *w, size_t *bad, const uint32_t *leaves,
                          size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const size_t vector = leaves[i] / W_COUNT;
        const uint64_t *given = j->page->amounts + W_COUNT * vector;
        words *amounts = w->leaf[i].amounts;
        for (size_t t = 0; t < W_COUNT; t++) amounts[t] = (words){{given[t], 0, 0, 0}};
        const bool below = words_from_bytes(&amounts[W_COUNT], j->page->blindings + 32 * vector);
        declassify(&below, sizeof below); /* known from the status */
        *bad = i;
        if (!below) return false;
    }
    commit_vectors(j, w, w->points, leaves, n);
    declassify(w->points, n * sizeof *w->points); /* the page's, or nothing is made */
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[33];
        affine_compress(bytes, &w->points[i]);
        *bad = i;
        if (memcmp(bytes, j->page->page + vector_offset(&j->layout, leaves[i]), 33) != 0)
            return false;
    }
    return true;
}

/* The masks of a leaf: of the slots but its own, ascending, then of B. */
static void draw_masks(const job *j, leaf_state *state, uint32_t leaf)
{
    static const char TAG[] = TAG_WITNESS;
    const size_t vector = leaf / W_COUNT, slot = leaf % W_COUNT;
    const uint64_t *amounts = j->page->amounts + W_COUNT * vector;
    uint8_t witness[32];
    sha256_context c;
    stream nonces;
    scalar mask;
    uint64_t drawn = 0;
    state->transcript = j->begun;
    page_statement(&state->transcript, j->tree, &j->layout);
    opening_absorb(&state->transcript, j->id, leaf, amounts[slot],
                   j->page->identities + 32 * (size_t)leaf);
    sha256_begin_tag(&c, TAG, sizeof TAG - 1);
    for (size_t t = 0; t < W_COUNT; t++)
        if (t != slot) update_u64(&c, amounts[t]);
    sha256_update(&c, j->page->blindings + 32 * vector, 32);
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
static void respond(leaf_state *state, const affine *announcement, uint8_t *out, uint32_t leaf)
{
    scalar c;
    words z[2]; /* mask, c·value */
    affine_compress(out, announcement);
    transcript_absorb(&state->transcript, LABEL_ANNOUNCEMENT, out, 33);
    transcript_challenge(&c, &state->transcript, LABEL_C);
    out += 33;
    for (size_t t = 0; t < FACTORS; t++) {
        if (t == leaf % W_COUNT) continue;
        words sum;
        z[0] = state->factors[t];
        scalar_mul_words(&z[1], &c, &state->amounts[t]);
        words_sum(&sum, z, 2);
        words_to_bytes(out, &sum);
        out += 32;
    }
    clear_secret(z, sizeof z);
}

/* n <= BLOCK leaves. */
static int make_block(job *j, uint8_t *openings, uint8_t *paths, size_t *bad,
                      const uint32_t *leaves, size_t n, const uint8_t *weights, const workspace *w)
{
    const size_t path_bytes = 32 * (size_t)height_of(j);
    for (size_t i = 0; i < n; i++) {
        *bad = i;
        if (leaves[i] >= j->tree->page_size) return ASSAY_BAD_COUNT;
        if (!write_path(j, paths + path_bytes * i, leaves[i])) return ASSAY_DAMAGED;
    }
    if (!vectors_match(j, w, bad, leaves, n)) return ASSAY_DAMAGED;
    for (size_t i = 0; i < n; i++) draw_masks(j, &w->leaf[i], leaves[i]);
    commit_masks(j, w, w->points, n);
    declassify(w->points, n * sizeof *w->points); /* R is given out */
    for (size_t i = 0; i < n; i++) {
        uint8_t *made = openings + OPENING_LENGTH * i;
        if (affine_is_infinity(&w->points[i])) return ASSAY_INFINITE_POINT;
        respond(&w->leaf[i], &w->points[i], made, leaves[i]);
        w->openings[i] =
            (assay_checked_opening){.identity = j->page->identities + 32 * (size_t)leaves[i],
                                    .path = paths + path_bytes * i,
                                    .opening = made,
                                    .amount = j->page->amounts[leaves[i]],
                                    .leaf = leaves[i]};
        declassify(made, OPENING_LENGTH); /* uniform, but for what the package says */
        declassify(&w->openings[i].amount, sizeof(uint64_t)); /* it meets a random weight */
    }
    const assay_checked_page page = {
        .tree = j->tree, .page = j->page->page, .index = j->page->index};
    return check_openings(j->id, bad, &page, 1, w->openings, n, weights, j->bases, w->kernel) ==
                   ASSAY_OK
               ? ASSAY_OK
               : ASSAY_DAMAGED;
}

static int make(job *j, uint8_t *openings, uint8_t *paths, size_t *bad, const uint32_t *leaves,
                size_t n, const uint8_t *weights, void *scratch)
{
    uint8_t header[PAGE_HEADER];
    *bad = 0;
    if (!page_layout_init(&j->layout, j->tree, 0, j->page->index)) return ASSAY_BAD_COUNT;
    const workspace w = lay_out(n, scratch);
    const size_t path_bytes = 32 * (size_t)height_of(j);
    page_header(header, &j->layout);
    int status = memcmp(header, j->page->page, sizeof header) == 0 ? ASSAY_OK : ASSAY_DAMAGED;
    sha256(j->id, j->page->page, j->layout.length);
    tree_transcript(&j->begun, j->tree, KIND_OPENING);
    identity_node_begin(&j->node);
    j->subtree = UINT32_MAX;
    for (size_t done = 0; status == ASSAY_OK && done < n; done += BLOCK) {
        const size_t block = block_size(n - done);
        status = make_block(j, openings + OPENING_LENGTH * done, paths + path_bytes * done, bad,
                            leaves + done, block, weights + 32 * done, &w);
        *bad += done;
    }
    if (status != ASSAY_OK) {
        clear_secret(openings, OPENING_LENGTH * n);
        clear_secret(paths, path_bytes * n);
    }
    clear_secret(scratch, assay_openings_make_scratch_size(n));
    return status;
}

int assay_openings_make(uint8_t *openings, uint8_t *paths, size_t *bad, const assay_tree *tree,
                        const assay_opened_page *page, const uint32_t *leaves, size_t n,
                        const uint8_t *secret, const uint8_t *salt, const uint8_t *weights,
                        const assay_bases *fixed_base, void *scratch)
{
    job j = {.tree = tree, .page = page, .secret = secret, .salt = salt, .bases = fixed_base};
    return make(&j, openings, paths, bad, leaves, n, weights, scratch);
}

int assay_openings_make_var(uint8_t *openings, uint8_t *paths, size_t *bad, const assay_tree *tree,
                            const assay_opened_page *page, const uint32_t *leaves, size_t n,
                            const uint8_t *secret, const uint8_t *salt, const uint8_t *weights,
                            const assay_tables *fixed_base, void *scratch)
{
    job j = {.tree = tree,
             .page = page,
             .secret = secret,
             .salt = salt,
             .bases = &fixed_base->bases,
             .tables = fixed_base};
    return make(&j, openings, paths, bad, leaves, n, weights, scratch);
}
