/*
 * What the core does with private keys and other secrets, run with all of them marked undefined:
 * under valgrind, every branch and every address that depends on one is an error.  Built from the
 * core's sources with ASSAY_CHECK_TIME and run by test_constant_time.py; the portable kernel, since
 * valgrind knows no AVX-512, and what the other does behind a door with its instructions emulated.
 *
 * A secret-handling function gets a check of its own: make its inputs with secret_bytes(), call it,
 * and add it to CHECKS. Arguments name the checks to run; without any, all run but the leaks.
 */
#include "assay.h"
#include "curve/base_multiple.h"
#include "hash/secret.h"
#include "kernels/avx512ifma/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 5
#define LEAVES 16

static void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(2);
}

/* Memory that lasts as long as the program. */
static void *take(size_t size)
{
    void *taken = aligned_alloc(64, ARENA_SIZE(size));
    if (taken == NULL) fail("no memory");
    return taken;
}

/* Fixed bytes of a label, below the order, undefined. */
static void secret_bytes(uint8_t bytes[32], const char *label)
{
    sha256(bytes, label, strlen(label));
    bytes[0] &= 0x7F;
    classify(bytes, 32);
}

static void check_hashes(void)
{
    uint8_t key[32], out[96];
    const uint64_t offsets[3] = {0, 5, 9};
    secret_bytes(key, "hashes");
    assay_sha256(out, key, 32);
    assay_tagged_hash(out, (const uint8_t *)"tag", 3, key, 32);
    assay_hmac_sha256(out, key, 32, key, 32);
    assay_stream_blocks(out, key, 7, 3);
    if (assay_account_keys(out, key, (const uint8_t *)"alicebob1", 9, offsets, 2) != ASSAY_OK)
        fail("account keys");
}

static void check_scalars(void)
{
    uint8_t bytes[64];
    scalar a, b, r;
    scalar_sum sum;
    words w;
    secret_bytes(bytes, "a");
    secret_bytes(bytes + 32, "b");
    const bool valid = scalar_from_bytes(&a, bytes);
    declassify(&valid, sizeof valid);
    if (!valid) fail("a scalar");
    scalar_from_bytes_wide(&b, bytes);
    scalar_from_bytes_reduced(&r, bytes + 32);
    scalar_add(&b, &b, &r);
    scalar_sub(&b, &b, &a);
    scalar_neg(&b, &b);
    scalar_mul(&r, &a, &b);
    scalar_sqr(&r, &r);
    scalar_sum_zero(&sum);
    scalar_sum_mul(&sum, &a, &r);
    scalar_sum_reduce(&r, &sum);
    scalar_inner(&r, &r, &b, 1);
    scalar_from_u128(&a, r.limb[0], r.limb[1]);
    scalar_to_words(&w, &a);
    scalar_from_words(&a, &w);
    scalar_to_bytes(bytes, &a);
}

static void check_base_multiple(void)
{
    uint8_t bytes[32];
    multiples *m = take(sizeof *m);
    scalar k;
    words w[2];
    affine out[2], expected;
    for (int i = 0; i < 2; i++) {
        secret_bytes(bytes, i == 0 ? "first" : "second");
        scalar_from_bytes_reduced(&k, bytes);
        scalar_to_words(&w[i], &k);
    }
    multiples_build(m);
    multiples_of_base(out, w, 2, m);
    declassify(w, sizeof w);
    declassify(out, sizeof out);
    affine_mul_var(&expected, &w[1], &BASE_POINT);
    if (!field_equal(&expected.x, &out[1].x) || !field_equal(&expected.y, &out[1].y))
        fail("a multiple");
}

/* From the text of private keys to an argument that verifies. */
static void check_hidden_keys(void)
{
    uint8_t text[64 * KEYS], secrets[32 * KEYS], public[33 * KEYS], amounts[16 * KEYS] = {0},
                                                                                 total[16];
    uint8_t blinding[32], fresh[32], commitment[33], state[32] = {1};
    const uint8_t weights[32 * ASSAY_HIDDEN_WEIGHTS] = {
        [31] = 1, [63] = 2, [95] = 3, [127] = 4, [159] = 5};
    size_t bad;
    for (size_t i = 0; i < KEYS; i++) {
        char label[2] = {(char)('0' + i), 0};
        secret_bytes(secrets + 32 * i, label);
        for (size_t j = 0; j < 64; j++) {
            const unsigned digit = secrets[32 * i + j / 2] >> (j % 2 ? 0 : 4) & 15;
            text[64 * i + j] = (uint8_t)(digit + '0' + (('a' - '0' - 10) & (0u - (digit > 9))));
        }
        amounts[16 * i + 15] = (uint8_t)(i + 1);
    }
    if (assay_secrets_read(secrets, &bad, text, 64, KEYS) != ASSAY_OK) fail("texts");
    if (assay_public_keys(public, &bad, secrets, KEYS, take(assay_public_keys_scratch_size())) !=
        ASSAY_OK)
        fail("public keys");
    memset(secrets + 32, 0, 32); /* the second and the last are not owned */
    memset(secrets + 32 * (KEYS - 1), 0, 32);
    classify(secrets, sizeof secrets);
    if (assay_hidden_total(total, amounts, secrets, KEYS) != ASSAY_OK) fail("total");
    secret_bytes(blinding, "blinding");
    secret_bytes(fresh, "fresh");

    uint8_t *keys = take(64 * KEYS), *generators = take(64 * KEYS),
            *argument = take(assay_hidden_length(KEYS));
    const assay_tables *tables =
        assay_tables_build(take(assay_tables_size()), take(assay_tables_scratch_size()));
    if (assay_points_decode_var(keys, &bad, public, KEYS,
                                take(assay_points_decode_scratch_size(KEYS))) != ASSAY_OK)
        fail("decoding");
    assay_generators_var(generators, 0, KEYS, take(assay_generators_scratch_size()));
    const assay_hidden_keys listed = {
        .keys = keys, .amounts = amounts, .generators = generators, .k = KEYS};
    if (assay_hidden_prove(argument, state, &listed, secrets, blinding, fresh, weights, tables,
                           take(assay_hidden_prove_scratch_size(KEYS))) != ASSAY_OK)
        fail("proving");

    declassify(argument, assay_hidden_length(KEYS));
    declassify(blinding, 32);
    declassify(total, sizeof total);
    const uint64_t value[1] = {total[15]};
    if (assay_commit_var(commitment, &bad, value, 1, blinding, 1, tables,
                         take(assay_commit_scratch_size(1))) != ASSAY_OK)
        fail("the commitment");
    if (assay_hidden_verify_var(
            state, &listed, commitment, argument, assay_hidden_length(KEYS), weights,
            assay_bases_build(take(assay_bases_size()), take(assay_bases_scratch_size())),
            take(assay_hidden_verify_scratch_size(KEYS))) != ASSAY_OK)
        fail("verifying");
}

static const bases *build_bases(void)
{
    return assay_bases_build(take(assay_bases_size()), take(assay_bases_scratch_size()));
}

/* Openings, as they are made behind a door: of a page that is committed to first. */
static void check_openings_made(void)
{
    const uint8_t asset[1] = {0}, entries[32] = {0};
    const assay_tree tree = {
        .asset = asset, .asset_length = sizeof asset, .capacity = 1, .page_size = LEAVES};
    uint8_t identities[32 * LEAVES], secret[32], salt[32], id[32], sum[33], r[32], rho[32];
    uint8_t page[113], openings[2 * ASSAY_OPENING_LENGTH], paths[2 * 32 * 4], weights[2 * 32];
    uint64_t amounts[LEAVES], total[2];
    const uint32_t leaves[2] = {3, 15};
    size_t bad;
    assay_committed made = {.pages = page,
                            .ids = id,
                            .sums = sum,
                            .sum_blindings = r,
                            .vector_blindings = rho,
                            .sum_values = total};
    memset(weights, 7, sizeof weights);
    for (size_t i = 0; i < LEAVES; i++) {
        uint8_t drawn[32];
        const char label[2] = {(char)('A' + i), 0};
        secret_bytes(identities + 32 * i, label); /* public: known to mates */
        secret_bytes(drawn, label);
        memcpy(&amounts[i], drawn, 8);
    }
    secret_bytes(secret, "secret");
    secret_bytes(salt, "salt");
    declassify(identities, sizeof identities);
    declassify(amounts, sizeof amounts);
    if (assay_page_length(&tree, 0, 0) != sizeof page) fail("the page's length");
    const assay_tables *tables =
        assay_tables_build(take(assay_tables_size()), take(assay_tables_scratch_size()));
    if (assay_leaves_commit_var(&made, &tree, 0, 1, amounts, identities, entries, entries, tables,
                                take(assay_leaves_commit_scratch_size(LEAVES))) != ASSAY_OK)
        fail("committing");
    declassify(page, sizeof page);
    classify(amounts, sizeof amounts);
    classify(rho, sizeof rho);
    const assay_opened_page opened = {.tree = &tree,
                                      .page = page,
                                      .identities = identities,
                                      .blindings = rho,
                                      .amounts = amounts,
                                      .leaves = leaves,
                                      .count = 2,
                                      .index = 0};
    if (assay_openings_make(openings, paths, &bad, &opened, 1, 2, secret, salt, weights,
                            build_bases(), take(assay_openings_make_scratch_size(2))) != ASSAY_OK)
        fail("opening");
}

/* Secret factors in lanes: 0, n - 1, 2^256 - 1, and drawn ones. */
static void secret_factors(words k[VECTOR_SLOTS + 1])
{
    uint8_t bytes[32];
    scalar one, negative;
    scalar_from_u64(&one, 1);
    scalar_neg(&negative, &one);
    for (size_t t = 0; t <= VECTOR_SLOTS; t++) {
        const char label[2] = {(char)('a' + t), 0};
        scalar drawn;
        secret_bytes(bytes, label);
        scalar_from_bytes_reduced(&drawn, bytes);
        scalar_to_words(&k[t], &drawn);
    }
    memset(&k[3], 0, sizeof k[3]);
    memset(&k[7], 0xFF, sizeof k[7]);
    scalar_to_words(&k[12], &negative);
    classify(k, (VECTOR_SLOTS + 1) * sizeof *k);
}

static void check_vector_multiple(void)
{
    words k[VECTOR_SLOTS + 1];
    projective sum[2];
    affine out[2];
    const bases *b = build_bases();
    secret_factors(k);
    avx512ifma_vector_multiple(&sum[0], k, &b->multiples);
    vector_multiple(&sum[1], k, &b->multiples);
    complete_to_affine(out, sum, 2);
    declassify(out, sizeof out);
    if (memcmp(&out[0], &out[1], sizeof *out) != 0) fail("a sum in lanes");
}

/* A branch on what came out of lanes, which must be found. */
static void check_leak_of_lanes(void)
{
    words k[VECTOR_SLOTS + 1];
    projective sum;
    const bases *b = build_bases();
    secret_factors(k);
    avx512ifma_vector_multiple(&sum, k, &b->multiples);
    if (sum.x.limb[0] % 2 != 0) printf("odd\n");
}

/* Variable-time code, which must be found. */
static void check_leak(void)
{
    uint8_t bytes[32];
    scalar k;
    words w;
    affine r;
    secret_bytes(bytes, "leak");
    scalar_from_bytes_reduced(&k, bytes);
    scalar_to_words(&w, &k);
    affine_mul_var(&r, &w, &BASE_POINT);
}

static const struct {
    const char *name;
    void (*run)(void);
} CHECKS[] = {
    {"hashes", check_hashes},
    {"scalars", check_scalars},
    {"base-multiple", check_base_multiple},
    {"hidden-keys", check_hidden_keys},
    {"openings", check_openings_made},
    {"vector-multiple", check_vector_multiple},
    {"leak", check_leak},
    {"leak-of-lanes", check_leak_of_lanes},
};

int main(int argc, char **argv)
{
    const size_t count = sizeof CHECKS / sizeof *CHECKS;
    if (assay_init() != ASSAY_OK) fail("no such kernel");
    for (size_t i = 0; i < count; i++) {
        bool wanted = argc < 2 && strncmp(CHECKS[i].name, "leak", 4) != 0;
        for (int k = 1; k < argc; k++) wanted |= strcmp(argv[k], CHECKS[i].name) == 0;
        if (wanted) CHECKS[i].run();
    }
    return 0;
}
