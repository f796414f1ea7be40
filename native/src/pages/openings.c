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

#define BLOCK 64
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
} job;

typedef struct {
    words amounts[BLOCK][FACTORS]; /* the vector's, and ρ_b */
    words factors[BLOCK][FACTORS]; /* the masks, zero in the opened slot */
    affine points[BLOCK];
    transcript transcript[BLOCK]; /* before the announcement */
    assay_checked_opening openings[BLOCK];
    /* For sums by tables. */
    uint64_t vector[BLOCK][W_COUNT];
    words slots[BLOCK][W_COUNT], blindings[BLOCK];
    affine sums[BLOCK];
} workspace;

static size_t checking_size(void)
{
    const assay_tree tree = {.capacity = 1, .page_size = 4096};
    const assay_checked_page page = {.tree = &tree};
    return assay_check_scratch_size(&page, 1, BLOCK);
}

size_t assay_openings_make_scratch_size(void)
{
    const size_t check = checking_size(), most = kernel()->scratch_size(256);
    return ARENA_SIZE(sizeof(workspace)) + (check > most ? check : most);
}

static unsigned height_of(const job *j)
{
    return path_height(j->tree->page_size);
}

/* The path of a leaf; whether it leads to the page's node. */
static bool write_path(const job *j, uint8_t *path, uint32_t leaf)
{
    const unsigned height = height_of(j);
    const uint8_t *subtree = j->page->identities + (32 * (size_t)(leaf >> height) << height);
    uint8_t node[32];
    identity_path(path, &j->node, subtree, leaf & (((uint32_t)1 << height) - 1), height);
    identity_climb(node, &j->node, j->page->identities + 32 * (size_t)leaf, leaf, path, height);
    return memcmp(node, j->page->page + PAGE_HEADER + 32 * (size_t)(leaf >> height), 32) == 0;
}

/* out[i] = Σ_t k_t·W_t + r·B for n <= BLOCK rows of k and r. */
static void commit(const job *j, workspace *w, affine *out, const words rows[][FACTORS], size_t n,
                   bool full, void *scratch)
{
    static const uint64_t ZEROS[BLOCK];
    if (j->tables == NULL) {
        for (size_t i = 0; i < n; i++)
            vector_multiple(&out[i], rows[i], full, &j->bases->multiples);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(w->slots[i], rows[i], sizeof w->slots[i]);
        for (size_t t = 0; t < W_COUNT; t++) w->vector[i][t] = rows[i][t].word[0];
        w->blindings[i] = rows[i][W_COUNT];
    }
    if (!full) {
        kernel()->commit_vectors(out, w->vector[0], w->blindings, n, j->tables, scratch);
        return;
    }
    jacobian sum[BLOCK];
    kernel()->combine_vectors(w->sums, w->slots[0], n, j->tables, scratch);
    kernel()->commit(out, ZEROS, 1, w->blindings, n, j->tables, scratch);
    for (size_t i = 0; i < n; i++) {
        jacobian_from_affine(&sum[i], &out[i]);
        jacobian_add_affine_var(&sum[i], &sum[i], &w->sums[i]);
    }
    affine_from_jacobian_batch_var(out, sum, n);
}

/* Whether the vectors of n leaves are the page's; *bad is the first that is not. */
static bool vectors_match(const job *j, workspace *w, size_t *bad, const uint32_t *leaves, size_t n,
                          void *scratch)
{
    for (size_t i = 0; i < n; i++) {
        const size_t vector = leaves[i] / W_COUNT;
        const uint64_t *amounts = j->page->amounts + W_COUNT * vector;
        for (size_t t = 0; t < W_COUNT; t++) w->amounts[i][t] = (words){{amounts[t], 0, 0, 0}};
        const bool below =
            words_from_bytes(&w->amounts[i][W_COUNT], j->page->blindings + 32 * vector);
        declassify(&below, sizeof below); /* known from the status */
        *bad = i;
        if (!below) return false;
    }
    commit(j, w, w->points, w->amounts, n, false, scratch);
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
static void draw_masks(const job *j, workspace *w, size_t i, uint32_t leaf)
{
    static const char TAG[] = TAG_WITNESS;
    const size_t vector = leaf / W_COUNT, slot = leaf % W_COUNT;
    const uint64_t *amounts = j->page->amounts + W_COUNT * vector;
    uint8_t witness[32];
    sha256_context c;
    stream nonces;
    scalar mask;
    uint64_t drawn = 0;
    w->transcript[i] = j->begun;
    opening_transcript(&w->transcript[i], j->tree, &j->layout, j->id, leaf, amounts[slot],
                       j->page->identities + 32 * (size_t)leaf);
    sha256_begin_tag(&c, TAG, sizeof TAG - 1);
    for (size_t t = 0; t < W_COUNT; t++)
        if (t != slot) update_u64(&c, amounts[t]);
    sha256_update(&c, j->page->blindings + 32 * vector, 32);
    sha256_end(witness, &c);
    nonces_begin(&nonces, j->secret, TAG_OPENING_NONCE, NO_ARGUMENT_VERSION, w->transcript[i].state,
                 witness, j->salt);
    memset(&w->factors[i][slot], 0, sizeof w->factors[i][slot]);
    for (size_t t = 0; t < FACTORS; t++) {
        if (t == slot) continue;
        stream_scalar(&mask, &nonces, drawn++);
        scalar_to_words(&w->factors[i][t], &mask);
    }
    clear_secret(&c, sizeof c);
    clear_secret(&nonces, sizeof nonces);
    clear_secret(&mask, sizeof mask);
    clear_secret(witness, sizeof witness);
}

/* R ‖ z. */
static void respond(workspace *w, size_t i, uint8_t *out, uint32_t leaf)
{
    scalar c, mask, value;
    affine_compress(out, &w->points[i]);
    transcript_absorb(&w->transcript[i], LABEL_ANNOUNCEMENT, out, 33);
    transcript_challenge(&c, &w->transcript[i], LABEL_C);
    out += 33;
    for (size_t t = 0; t < FACTORS; t++) {
        if (t == leaf % W_COUNT) continue;
        scalar_from_words(&mask, &w->factors[i][t]);
        scalar_from_words(&value, &w->amounts[i][t]);
        opening_response(out, &c, &mask, &value);
        out += 32;
    }
    clear_secret(&mask, sizeof mask);
    clear_secret(&value, sizeof value);
}

/* n <= BLOCK leaves. */
static int make_block(const job *j, uint8_t *openings, uint8_t *paths, size_t *bad,
                      const uint32_t *leaves, size_t n, const uint8_t *weights, workspace *w,
                      void *scratch)
{
    const size_t path_bytes = 32 * (size_t)height_of(j);
    for (size_t i = 0; i < n; i++) {
        *bad = i;
        if (leaves[i] >= j->tree->page_size) return ASSAY_BAD_COUNT;
        if (!write_path(j, paths + path_bytes * i, leaves[i])) return ASSAY_DAMAGED;
    }
    if (!vectors_match(j, w, bad, leaves, n, scratch)) return ASSAY_DAMAGED;
    for (size_t i = 0; i < n; i++) draw_masks(j, w, i, leaves[i]);
    commit(j, w, w->points, w->factors, n, true, scratch);
    declassify(w->points, n * sizeof *w->points); /* R is given out */
    for (size_t i = 0; i < n; i++) {
        uint8_t *made = openings + OPENING_LENGTH * i;
        if (affine_is_infinity(&w->points[i])) return ASSAY_INFINITE_POINT;
        respond(w, i, made, leaves[i]);
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
    return check_openings(j->id, bad, &page, 1, w->openings, n, weights, j->bases, scratch) ==
                   ASSAY_OK
               ? ASSAY_OK
               : ASSAY_DAMAGED;
}

static int make(job *j, uint8_t *openings, uint8_t *paths, size_t *bad, const uint32_t *leaves,
                size_t n, const uint8_t *weights, void *scratch)
{
    uint8_t header[PAGE_HEADER], *next = scratch;
    *bad = 0;
    if (!page_layout_init(&j->layout, j->tree, 0, j->page->index)) return ASSAY_BAD_COUNT;
    workspace *w = arena_take(&next, sizeof *w);
    const size_t path_bytes = 32 * (size_t)height_of(j);
    page_header(header, &j->layout);
    int status = memcmp(header, j->page->page, sizeof header) == 0 ? ASSAY_OK : ASSAY_DAMAGED;
    sha256(j->id, j->page->page, j->layout.length);
    tree_transcript(&j->begun, j->tree, KIND_OPENING);
    identity_node_begin(&j->node);
    for (size_t done = 0; status == ASSAY_OK && done < n; done += BLOCK) {
        const size_t block = n - done < BLOCK ? n - done : BLOCK;
        status = make_block(j, openings + OPENING_LENGTH * done, paths + path_bytes * done, bad,
                            leaves + done, block, weights + 32 * done, w, next);
        *bad += done;
    }
    if (status != ASSAY_OK) {
        clear_secret(openings, OPENING_LENGTH * n);
        clear_secret(paths, path_bytes * n);
    }
    clear_secret(scratch, assay_openings_make_scratch_size());
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
