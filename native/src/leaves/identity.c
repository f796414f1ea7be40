/* Identities of leaves and the trees over them; spec/protocol.md 2.2. */
#include "hash/tags.h"
#include "kernels/kernel.h"
#include "leaves/derive.h"
#include "pages/page.h"

#include <string.h>

/* Nodes that are hashed side by side. */
#define BATCH 64

/* Subtrees whose rows are made together, so that the highest fills the hash's lanes too. */
#define SUBTREES 16

void identity_node_begin(sha256_context *tagged)
{
    static const char TAG[] = TAG_IDENTITY_NODE;
    sha256_begin_tag(tagged, TAG, sizeof TAG - 1);
}

/* A node is the hash of one block of data, and one that is the same for all: the end of a message
 * of 128 bytes. */
static const uint8_t END[64] = {[0] = 0x80, [62] = 0x04};

static void write_digest(uint8_t digest[32], const uint32_t state[8])
{
    for (int i = 0; i < 8; i++) put_u32(digest + 4 * i, state[i]);
}

void identity_node(uint8_t node[32], const sha256_context *tagged, const uint8_t *left,
                   const uint8_t *right)
{
    uint32_t state[8];
    uint8_t block[64];
    memcpy(block, left, 32);
    memcpy(block + 32, right, 32);
    memcpy(state, tagged->state, sizeof state);
    sha256_blocks()(state, block, 1);
    sha256_blocks()(state, END, 1);
    write_digest(node, state);
}

/* n nodes over 2n children; they may stand in the children's place. */
static void write_row(uint8_t *nodes, const sha256_context *tagged, const uint8_t *children,
                      size_t n)
{
    uint32_t state[BATCH][8];
    for (size_t done = 0; done < n; done += BATCH) {
        const size_t count = n - done < BATCH ? n - done : BATCH;
        for (size_t k = 0; k < count; k++) memcpy(state[k], tagged->state, sizeof state[k]);
        kernel()->absorb(state, children + 64 * done, 64, count);
        kernel()->absorb(state, END, 0, count);
        for (size_t k = 0; k < count; k++) write_digest(nodes + 32 * (done + k), state[k]);
    }
}

void identity_climb(uint8_t node[32], const sha256_context *tagged, const uint8_t *identity,
                    uint32_t i, const uint8_t *path, unsigned height)
{
    memcpy(node, identity, 32);
    for (unsigned t = 0; t < height; t++, path += 32) {
        const bool right = i >> t & 1; /* then the sibling is left */
        identity_node(node, tagged, right ? path : node, right ? node : path);
    }
}

void identity_rows(uint8_t rows[IDENTITY_ROWS], const sha256_context *tagged,
                   const uint8_t *identities, unsigned height)
{
    memcpy(rows, identities, (size_t)32 << height);
    for (size_t n = (size_t)1 << height; n > 1; n /= 2) {
        write_row(rows + 32 * n, tagged, rows, n / 2);
        rows += 32 * n;
    }
}

const uint8_t *identity_siblings(uint8_t *path, const uint8_t rows[IDENTITY_ROWS], uint32_t i,
                                 unsigned height)
{
    i &= ((uint32_t)1 << height) - 1;
    for (unsigned t = 0; t < height; t++, i >>= 1) {
        memcpy(path + 32 * t, rows + 32 * (size_t)(i ^ 1), 32);
        rows += (size_t)32 << (height - t);
    }
    return rows;
}

void identity_nodes(uint8_t *nodes, const sha256_context *tagged, const uint8_t *identities,
                    size_t m, unsigned height)
{
    uint8_t row[32 * (SUBTREES << PATH_HEIGHT) / 2];
    REQUIRE(height <= PATH_HEIGHT);
    for (size_t i = 0; i << height < m; i += SUBTREES) {
        const size_t left = (m >> height) - i, count = left < SUBTREES ? left : SUBTREES;
        const uint8_t *below = identities + (32 * i << height);
        for (size_t n = count << height; n > count; n /= 2, below = row)
            write_row(row, tagged, below, n / 2);
        memcpy(nodes + 32 * i, row, 32 * count);
    }
}

void assay_identity(uint8_t *identity, const uint8_t *account_key, const uint8_t *leaf_hash,
                    uint32_t part)
{
    static const char TAG[] = TAG_IDENTITY;
    sha256_context c;
    sha256_begin_tag(&c, TAG, sizeof TAG - 1);
    sha256_update(&c, account_key, 32);
    sha256_update(&c, leaf_hash, 32);
    update_u32(&c, part);
    sha256_end(identity, &c);
    clear_secret(&c, sizeof c);
}

int assay_identity_nodes(uint8_t *nodes, const uint8_t *identities, uint32_t page_size, size_t n)
{
    sha256_context tagged;
    range_shape s;
    if (!range_shape_leaves(&s, page_size)) return ASSAY_BAD_COUNT;
    identity_node_begin(&tagged);
    identity_nodes(nodes, &tagged, identities, page_size * n, path_height(page_size));
    return ASSAY_OK;
}

int assay_identity_path(uint8_t *path, const uint8_t *identities, uint32_t page_size, uint32_t leaf)
{
    sha256_context tagged;
    range_shape s;
    if (!range_shape_leaves(&s, page_size) || leaf >= page_size) return ASSAY_BAD_COUNT;
    const unsigned height = path_height(page_size);
    uint8_t rows[IDENTITY_ROWS];
    identity_node_begin(&tagged);
    identity_rows(rows, &tagged, identities + (32 * (size_t)(leaf >> height) << height), height);
    identity_siblings(path, rows, leaf, height);
    return ASSAY_OK;
}

int assay_identity_climb(uint8_t *node, const uint8_t *identity, uint32_t leaf, const uint8_t *path,
                         size_t height)
{
    sha256_context tagged;
    if (height > PATH_HEIGHT) return ASSAY_BAD_COUNT;
    identity_node_begin(&tagged);
    identity_climb(node, &tagged, identity, leaf, path, (unsigned)height);
    return ASSAY_OK;
}
