/*
 * What the core does for pages of 4,096 leaves, counted: field multiplications, points decoded and
 * encoded, blocks of SHA-256, bytes.  Built from the core's sources with ASSAY_COUNTING, the chosen
 * kernel and hash wrapped at link time, and run by test_counts.py.  Tables and bases are built
 * before anything is counted.  The output is JSON: totals of PAGES pages, and of LIGHT parts.
 */
#include "curve/count.h"
#include "assay.h"
#include "kernels/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES 4
#define LIGHT 3
#define SIZE 4096
#define HEIGHT 6

uint64_t assay_multiplications;
static uint64_t decoded, encoded, blocks_hashed;

const assay_kernel *__real_kernel(void);
const assay_kernel *__wrap_kernel(void);
sha256_blocks_function *__real_sha256_blocks(void);
sha256_blocks_function *__wrap_sha256_blocks(void);
sha256_pair_function *__real_sha256_pair(void);
sha256_pair_function *__wrap_sha256_pair(void);

static size_t decompress(affine *out, const uint8_t *bytes, size_t n, void *scratch)
{
    decoded += n;
    return __real_kernel()->decompress(out, bytes, n, scratch);
}

static void decompress_each(affine *out, const uint8_t *bytes, size_t n, void *scratch)
{
    decoded += n;
    __real_kernel()->decompress_each(out, bytes, n, scratch);
}

static void compress(uint8_t *bytes, size_t stride, const affine *a, size_t n)
{
    encoded += n;
    __real_kernel()->compress(bytes, stride, a, n);
}

/* However it hashes them. */
static void absorb(uint32_t (*state)[8], const uint8_t *data, size_t stride, size_t n)
{
    const uint64_t before = blocks_hashed;
    __real_kernel()->absorb(state, data, stride, n);
    blocks_hashed = before + n;
}

const assay_kernel *__wrap_kernel(void)
{
    static assay_kernel counting;
    counting = *__real_kernel();
    counting.decompress = decompress;
    counting.decompress_each = decompress_each;
    counting.compress = compress;
    counting.absorb = absorb;
    return &counting;
}

static void hash_blocks(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    blocks_hashed += blocks;
    __real_sha256_blocks()(state, data, blocks);
}

static void hash_pair(uint32_t first[8], const uint8_t *first_data, uint32_t second[8],
                      const uint8_t *second_data, size_t blocks)
{
    blocks_hashed += 2 * blocks;
    __real_sha256_pair()(first, first_data, second, second_data, blocks);
}

sha256_blocks_function *__wrap_sha256_blocks(void)
{
    return hash_blocks;
}

sha256_pair_function *__wrap_sha256_pair(void)
{
    return hash_pair;
}

static void require(int status, const char *what)
{
    if (status == ASSAY_OK) return;
    fprintf(stderr, "%s: status %d\n", what, status);
    exit(2);
}

/* Memory that lasts as long as the program. */
static void *take(size_t size)
{
    void *taken = aligned_alloc(64, ARENA_SIZE(size));
    if (taken == NULL) exit(2);
    return taken;
}

/* Bytes of a label, in words below the group order. */
static uint8_t *drawn(const char *label, size_t size)
{
    uint8_t *bytes = take(size + 32);
    for (size_t at = 0; at < size; at += 32) {
        char named[64];
        snprintf(named, sizeof named, "%s %zu", label, at);
        assay_sha256(bytes + at, (const uint8_t *)named, strlen(named));
        bytes[at] &= 0x7F;
    }
    return bytes;
}

static void begin(void)
{
    assay_multiplications = decoded = encoded = blocks_hashed = 0;
}

static void show(const char *name, size_t bytes, const char *after)
{
    printf("\"%s\": {\"multiplications\": %" PRIu64 ", \"points decoded\": %" PRIu64
           ", \"points encoded\": %" PRIu64 ", \"hash blocks\": %" PRIu64 ", \"bytes\": %zu}%s\n",
           name, assay_multiplications, decoded, encoded, blocks_hashed, bytes, after);
}

/* The leaves of PAGES pages from keys and ids on: half of them of an account with one part each,
 * the others padding. */
static void derive(const uint8_t *amounts, const uint8_t *key)
{
    enum { LEAVES = PAGES * SIZE, ACCOUNTS = LEAVES / 2, ID = 20 };
    uint8_t *ids = drawn("ids", ID * ACCOUNTS), *keys = take(32 * ACCOUNTS),
            *identities = take(32 * LEAVES);
    uint64_t *starts = take(8 * (ACCOUNTS + 1)), *first = take(8 * (ACCOUNTS + 1)),
             *values = take(8 * LEAVES), *sorted = take(8 * LEAVES);
    uint32_t *positions = take(4 * LEAVES), *ranks = take(4 * LEAVES),
             *numbers = take(4 * ACCOUNTS), all;
    for (uint32_t i = 0; i <= ACCOUNTS; i++) {
        starts[i] = (uint64_t)ID * i;
        first[i] = i;
        if (i < ACCOUNTS) numbers[i] = i;
    }
    const assay_leaves room = {.values = values, .identities = identities, .length = LEAVES};
    const assay_accounts accounts = {
        .keys = keys, .ids = ids, .offsets = starts, .ids_length = ID * ACCOUNTS, .n = ACCOUNTS};
    const assay_placed_parts parts = {.places = positions,
                                      .accounts = numbers,
                                      .amounts = (const uint64_t *)(const void *)amounts,
                                      .first = first,
                                      .count = ACCOUNTS,
                                      .holders = ACCOUNTS};
    begin();
    require(assay_account_keys(keys, key, ids, ID * ACCOUNTS, starts, ACCOUNTS), "keys");
    assay_sort_keys(sorted, &all, key, 0, LEAVES, 0, take(assay_sort_keys_scratch_size(LEAVES, 0)));
    assay_rank(ranks, sorted, LEAVES, 0, 0, take(assay_rank_scratch_size(LEAVES)));
    require(assay_take_ranks(positions, key, 0, LEAVES, 0, ranks, &all,
                             take(assay_take_ranks_scratch_size(0))),
            "order");
    require(assay_place_leaves(&room, &parts, &accounts, key, (const uint8_t *)"BTC", 3),
            "placing");
    require(
        assay_place_padding(identities, LEAVES, positions + ACCOUNTS, key, 0, LEAVES - ACCOUNTS),
        "padding");
    show("derive", 32 * LEAVES, ",");
}

int main(void)
{
    require(assay_init(), "no such kernel");
    const uint8_t asset[1] = {0};
    const assay_tree tree = {
        .asset = asset, .asset_length = sizeof asset, .capacity = PAGES, .page_size = SIZE};
    const size_t page_length = assay_page_length(&tree, 0, 0),
                 argument_length = assay_argument_length(&tree, 0, 0);
    const assay_tables *tables =
        assay_tables_build(take(assay_tables_size()), take(assay_tables_scratch_size()));
    const assay_bases *bases =
        assay_bases_build(take(assay_bases_size()), take(assay_bases_scratch_size()));
    uint8_t *identities = drawn("identities", 32 * PAGES * SIZE), *secret = drawn("secret", 32),
            *weights = drawn("weights", 32 * (5 * PAGES + LIGHT)),
            *arguments = take(PAGES * argument_length);
    uint64_t *amounts = (uint64_t *)(void *)drawn("amounts", 8 * PAGES * SIZE);
    for (size_t i = 0; i < PAGES * SIZE; i++) amounts[i] >>= 14; /* sums stay below 2^64 */
    size_t bad;
    assay_committed made = {.pages = take(PAGES * page_length),
                            .ids = take(32 * PAGES),
                            .sums = take(33 * PAGES),
                            .sum_blindings = take(32 * PAGES),
                            .vector_blindings = take(32 * PAGES * SIZE / 16),
                            .sum_values = take(16 * PAGES)};

    printf("{");
    derive((const uint8_t *)amounts, secret);
    begin();
    require(assay_leaves_commit_var(&made, &tree, 0, PAGES, amounts, identities, secret, secret,
                                    tables, take(assay_leaves_commit_scratch_size(SIZE))),
            "committing");
    show("commit", PAGES * page_length, ",");
    const assay_page_witness witness = {.pages = made.pages,
                                        .blindings = made.vector_blindings,
                                        .sum_blindings = made.sum_blindings,
                                        .values = amounts};
    begin();
    require(assay_pages_argue_var(arguments, &bad, &tree, 0, 0, PAGES, &witness, secret, secret,
                                  weights, tables, take(assay_pages_argue_scratch_size(&tree, 0))),
            "arguing");
    show("argue", PAGES * argument_length, ",");

    assay_checked_page pages[PAGES];
    for (uint32_t i = 0; i < PAGES; i++)
        pages[i] = (assay_checked_page){.tree = &tree,
                                        .page = made.pages + page_length * i,
                                        .argument = arguments + argument_length * i,
                                        .level = 0,
                                        .index = i};
    begin();
    require(assay_check_var(made.ids, made.sums, &bad, pages, PAGES, NULL, 0, weights, bases,
                            take(assay_check_scratch_size(pages, PAGES, 0))),
            "auditing");
    show("audit", PAGES * (page_length + argument_length), ",");

    uint8_t openings[LIGHT * ASSAY_OPENING_LENGTH], paths[LIGHT * 32 * HEIGHT];
    assay_checked_opening opened[LIGHT];
    begin();
    for (uint32_t i = 0; i < LIGHT; i++) {
        const uint32_t leaf = 1000 * i + 5;
        const size_t at = SIZE * i + leaf;
        const assay_opened_page page = {.tree = &tree,
                                        .leaves = &leaf,
                                        .count = 1,
                                        .page = pages[i].page,
                                        .identities = identities + 32 * SIZE * i,
                                        .blindings = made.vector_blindings + 32 * SIZE / 16 * i,
                                        .amounts = amounts + SIZE * i,
                                        .index = i};
        uint8_t *opening = openings + ASSAY_OPENING_LENGTH * i, *path = paths + 32 * HEIGHT * i;
        require(assay_openings_make(opening, path, &bad, &page, 1, 1, secret, secret, weights,
                                    bases, take(assay_openings_make_scratch_size(1))),
                "opening");
        opened[i] = (assay_checked_opening){.identity = identities + 32 * at,
                                            .path = path,
                                            .opening = opening,
                                            .amount = amounts[at],
                                            .page = i,
                                            .leaf = leaf};
    }
    show("openings", sizeof openings + sizeof paths, ",");
    begin();
    require(assay_check_var(made.ids, made.sums, &bad, pages, LIGHT, opened, LIGHT, weights, bases,
                            take(assay_check_scratch_size(pages, LIGHT, LIGHT))),
            "the light check");
    show("light check", LIGHT * (page_length + argument_length) + sizeof openings + sizeof paths,
         "}");
    return 0;
}
