/* Identities of leaves and the trees over them; spec/protocol.md 2.2. */
#include "hash/tags.h"
#include "leaves/derive.h"
#include "pages/page.h"

#include <string.h>

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

/* Two nodes over four children side by side. */
static void node_pair(uint8_t *nodes, const sha256_context *tagged, const uint8_t *children)
{
    uint32_t first[8], second[8];
    memcpy(first, tagged->state, sizeof first);
    memcpy(second, tagged->state, sizeof second);
    sha256_pair()(first, children, second, children + 64, 1);
    sha256_pair()(first, END, second, END, 1);
    write_digest(nodes, first);
    write_digest(nodes + 32, second);
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
        uint8_t *above = rows + 32 * n;
        for (size_t k = 0; k + 1 < n / 2; k += 2) node_pair(above + 32 * k, tagged, rows + 64 * k);
        if (n == 2) identity_node(above, tagged, rows, rows + 32);
        rows = above;
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
    uint8_t rows[IDENTITY_ROWS];
    for (size_t i = 0; i << height < m; i++) {
        identity_rows(rows, tagged, identities + (32 * i << height), height);
        memcpy(nodes + 32 * i, rows + ((size_t)64 << height) - 64, 32);
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
