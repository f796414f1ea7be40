/*
 * What the core leaves of secrets when it returns: nothing, on its stack or in its scratch.  Every
 * call runs on a stack of its own, which is searched afterwards for the words of the secrets that
 * it met.  Built from the core's sources and run by test_residue.py with the portable kernel; what
 * is left in registers, nothing here sees.
 *
 * A function that meets secrets gets a check of its own: tell of its secrets, call it by leave(),
 * and add it to CHECKS.  Arguments name the checks to run; without any, all run but the leak.  What
 * a call is given and gives out is static, so that no stack has it.
 */
#include "assay.h"
#include "hash/tags.h"
#include "pages/check.h"
#include "range/prove.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK (1 << 20)
#define UNUSED 0xCC
#define WORDS 2048 /* of secrets, at most */
#define LEAVES 16
#define IDS "alicebob"
#define CODE "btc"

static uint8_t stack[STACK];
static ucontext_t here, there;
static void (*running)(void);

/* The scratch of the call at hand. */
static uint8_t *scratch;
static size_t scratch_length;

static struct {
    const char *of;
    uint8_t bytes[8];
} words_of[WORDS];
static size_t count, found;

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

static void *take_scratch(size_t size)
{
    scratch_length = size;
    return scratch = take(size);
}

/* Each eight bytes of a secret are looked for as they are, and as the core may hold them: reversed,
 * and each half reversed. */
static void tell(const char *of, const void *secret, size_t length)
{
    for (size_t i = 0; i + 8 <= length; i += 8, count += 3) {
        if (count + 3 > WORDS) fail("too many secrets");
        for (size_t k = 0; k < 8; k++) {
            const uint8_t byte = ((const uint8_t *)secret)[i + k];
            words_of[count].bytes[k] = words_of[count + 1].bytes[7 - k] =
                words_of[count + 2].bytes[k ^ 3] = byte;
        }
        for (size_t k = 0; k < 3; k++) words_of[count + k].of = of;
    }
}

/* An integer mod n: its words, and those of its form in products. */
static void tell_scalar(const char *of, const uint8_t bytes[32])
{
    scalar form;
    words plain;
    if (!words_from_bytes(&plain, bytes)) fail("a scalar");
    scalar_from_words(&form, &plain);
    tell(of, &plain, sizeof plain);
    tell(of, &form, sizeof form);
}

/* A key of HMAC, and the states that it begins with. */
static void tell_hmac(const char *of, const uint8_t *key, size_t length)
{
    hmac_key keyed;
    hmac_key_init(&keyed, key, length);
    tell(of, key, length);
    tell(of, keyed.inner.state, 32);
    tell(of, keyed.outer.state, 32);
}

/* Fixed bytes of a label, below the group order. */
static void secret_bytes(uint8_t bytes[32], const char *label)
{
    sha256(bytes, label, strlen(label));
    bytes[0] &= 0x7F;
}

static void search(const char *call, const char *where, const uint8_t *memory, size_t length)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = memmem(memory, length, words_of[i].bytes, 8);
        if (at == NULL) continue;
        printf("%s left a word of %s in its %s, %zu bytes from the end\n", call, words_of[i].of,
               where, (size_t)(memory + length - at));
        found++;
    }
}

/* Runs a call, looks for what it left, and forgets the secrets. */
static void leave(const char *call, void (*run)(void))
{
    memset(stack, UNUSED, sizeof stack);
    running = run;
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    there.uc_link = &here;
    makecontext(&there, running, 0);
    swapcontext(&here, &there);
    search(call, "stack", stack, sizeof stack);
    search(call, "scratch", scratch, scratch_length);
    scratch_length = count = 0;
}

static int status; /* of the call at hand */

static void expect(int expected, const char *what)
{
    if (status != expected) fail(what);
}

/* Hashes. */

static uint8_t key[128], digest[32], blocks[96];
static size_t key_length;

static void run_hmac(void)
{
    assay_hmac_sha256(digest, key, key_length, (const uint8_t *)"message", 7);
}

static void run_stream(void)
{
    assay_stream_blocks(blocks, key, 7, 3);
}

static void check_hashes(void)
{
    for (size_t i = 0; i < 4; i++) secret_bytes(key + 32 * i, "hashed" + i);
    key_length = 32;
    tell_hmac("the key", key, key_length);
    leave("HMAC", run_hmac);
    key_length = sizeof key;
    sha256(digest, key, key_length);
    tell_hmac("the hash of the key", digest, 32);
    leave("HMAC under a long key", run_hmac);
    tell("the key", key, 32);
    leave("a stream", run_stream);
}

/* Accounts. */

static uint8_t account_keys[64];
static const uint64_t offsets[3] = {0, 5, 8};
static uint64_t balance[1], amounts_of_parts[8];
static uint32_t counts[1];
static assay_parts parts = {.counts = counts, .amounts = amounts_of_parts, .room = 8};

static void run_account_keys(void)
{
    status = assay_account_keys(account_keys, key, (const uint8_t *)IDS, 8, offsets, 2);
}

static void run_split(void)
{
    status = assay_split(&parts, key, balance, 1, (const uint8_t *)CODE, sizeof CODE - 1, 3, 5);
}

static void check_accounts(void)
{
    secret_bytes(key, "snapshot");
    run_account_keys();
    tell_hmac("the snapshot key", key, 32);
    tell("an account's key", account_keys, sizeof account_keys);
    leave("account keys", run_account_keys);
    expect(ASSAY_OK, "account keys");

    hmac_key keyed;
    sha256_context c;
    secret_bytes(digest, "balance");
    memcpy(balance, digest, sizeof balance);
    hmac_key_init(&keyed, key, 32);
    c = keyed.inner;
    update_prefixed(&c, TAG_SPLIT, sizeof TAG_SPLIT - 1);
    update_prefixed(&c, CODE, sizeof CODE - 1);
    hmac_end(digest, &keyed, &c);
    run_split();
    tell_hmac("an account's key", key, 32);
    tell("a stream's key", digest, 32);
    tell("a balance", balance, sizeof balance);
    tell("parts", amounts_of_parts, 8 * parts.made);
    leave("a split", run_split);
    expect(ASSAY_OK, "a split");
}

/* Pages of leaves. */

static const uint8_t asset[1];
static const assay_tree tree = {
    .asset = asset, .asset_length = sizeof asset, .capacity = 64, .page_size = LEAVES};
static const assay_tables *fixed_base;
static uint8_t identities[32 * LEAVES], secret[32], salt[32], page[113], id[32], sum[33], r[32],
    rho[32], *argument;
static uint64_t amounts[LEAVES], total[2];
static assay_committed made = {.pages = page,
                               .ids = id,
                               .sums = sum,
                               .sum_blindings = r,
                               .vector_blindings = rho,
                               .sum_values = total};
static uint8_t weights[32 * 5];
static size_t bad;

static void run_leaves_commit(void)
{
    status = assay_leaves_commit_var(&made, &tree, 0, 1, amounts, identities, secret, salt,
                                     fixed_base, scratch);
}

static void begin_page(void)
{
    static uint8_t drawn[32];
    for (size_t i = 0; i < LEAVES; i++) {
        const char label[2] = {(char)('A' + i), 0};
        secret_bytes(identities + 32 * i, label);
        sha256(drawn, identities + 32 * i, 32);
        memcpy(&amounts[i], drawn, 8);
    }
    secret_bytes(secret, "secret");
    secret_bytes(salt, "salt");
    memset(weights, 7, sizeof weights);
    if (assay_page_length(&tree, 0, 0) != sizeof page) fail("the page's length");
    if (fixed_base != NULL) return;
    fixed_base = assay_tables_build(take(assay_tables_size()), take(assay_tables_scratch_size()));
    take_scratch(assay_leaves_commit_scratch_size(LEAVES));
    run_leaves_commit();
    expect(ASSAY_OK, "committing");
}

static void tell_page(void)
{
    tell_hmac("the secret", secret, 32);
    tell_scalar("ρ", rho);
    tell_scalar("r", r);
    tell("amounts", amounts, sizeof amounts);
}

static void run_leaves_open(void)
{
    const assay_page_witness witness = {
        .pages = page, .blindings = rho, .sum_blindings = r, .values = amounts};
    status = assay_leaves_open_var(&bad, &tree, 0, 1, &witness, identities, fixed_base, scratch);
}

static void run_argue(void)
{
    const assay_page_witness witness = {
        .pages = page, .blindings = rho, .sum_blindings = r, .values = amounts};
    status = assay_pages_argue_var(argument, &bad, &tree, 0, 0, 1, &witness, secret, salt, weights,
                                   fixed_base, scratch);
}

static void check_leaves(void)
{
    begin_page();
    tell_page();
    take_scratch(assay_leaves_commit_scratch_size(LEAVES));
    leave("committing", run_leaves_commit);
    for (int k = 0; k < 2; k++) {
        tell_page();
        take_scratch(assay_leaves_commit_scratch_size(LEAVES));
        leave("checking a page", run_leaves_open);
        expect(k == 0 ? ASSAY_OK : ASSAY_DAMAGED, "checking a page");
        tell_page();
        argument = take(assay_argument_length(&tree, 0, 0));
        take_scratch(assay_pages_argue_scratch_size(&tree, 0));
        leave("an argument", run_argue);
        expect(k == 0 ? ASSAY_OK : ASSAY_DAMAGED, "an argument");
        rho[31] ^= 1;
    }
}

/* Openings. */

#define LEAF 3

static uint8_t opened_leaf[ASSAY_OPENING_LENGTH], path[32 * 4];
static bool bulk;

static void run_openings(void)
{
    static const uint32_t leaves[1] = {LEAF};
    const assay_opened_page opened = {.tree = &tree,
                                      .page = page,
                                      .identities = identities,
                                      .blindings = rho,
                                      .amounts = amounts,
                                      .leaves = leaves,
                                      .count = 1};
    status = bulk ? assay_openings_make_var(opened_leaf, path, &bad, &opened, 1, 1, secret, salt,
                                            weights, fixed_base, scratch)
                  : assay_openings_make(opened_leaf, path, &bad, &opened, 1, 1, secret, salt,
                                        weights, &fixed_base->bases, scratch);
}

/* c·ρ and c·v_t, and the masks that hide them: what the responses are made of. */
static void tell_responses(void)
{
    transcript t;
    page_layout l;
    scalar c, value, product, response;
    uint8_t bytes[32];
    page_layout_init(&l, &tree, 0, 0);
    tree_transcript(&t, &tree, KIND_OPENING);
    page_statement(&t, &tree, &l);
    opening_absorb(&t, id, LEAF, amounts[LEAF], identities + 32 * LEAF);
    transcript_absorb(&t, LABEL_ANNOUNCEMENT, opened_leaf, 33);
    transcript_challenge(&c, &t, LABEL_C);
    for (size_t k = 0, slot = 0; k < W_COUNT; k++, slot++) {
        slot += slot == LEAF;
        if (k == W_COUNT - 1)
            scalar_from_bytes(&value, rho);
        else
            scalar_from_u64(&value, amounts[slot]);
        scalar_mul(&product, &c, &value);
        scalar_from_bytes(&response, opened_leaf + 33 + 32 * k);
        scalar_sub(&response, &response, &product);
        scalar_to_bytes(bytes, &product);
        tell_scalar("a challenge's product", bytes);
        scalar_to_bytes(bytes, &response);
        tell_scalar("a mask", bytes);
    }
}

static void leave_openings(const char *call, int expected)
{
    take_scratch(assay_openings_make_scratch_size(1));
    leave(call, run_openings);
    expect(expected, call);
}

static void check_openings_made(void)
{
    static const size_t damaged[] = {0, PAGE_HEADER, sizeof page - 1}; /* header, node, U_0 */
    begin_page();
    for (int k = 0; k < 2; k++) {
        bulk = k == 1;
        take_scratch(assay_openings_make_scratch_size(1));
        run_openings();
        expect(ASSAY_OK, "an opening");
        tell_page();
        tell_responses();
        leave_openings(bulk ? "an opening by tables" : "an opening", ASSAY_OK);
        for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
            page[damaged[i]] ^= 1;
            tell_page();
            leave_openings("an opening of a damaged page", ASSAY_DAMAGED);
            page[damaged[i]] ^= 1;
        }
        rho[0] ^= 1;
        tell_page();
        leave_openings("an opening under another blinding factor", ASSAY_DAMAGED);
        rho[0] ^= 1;
    }
}

/* Pages above. */

static uint8_t child_ids[32 * PAGE_FAN], child_sums[33 * PAGE_FAN], blindings[32 * PAGE_FAN];
static uint64_t values[PAGE_FAN];
static uint8_t above[PAGE_HEADER + PAGE_CHILD * PAGE_FAN];

static void run_sums_commit(void)
{
    const assay_children children = {
        .ids = child_ids, .sums = child_sums, .blindings = blindings, .values = values};
    assay_committed made_above = made;
    made_above.pages = above;
    status =
        assay_sums_commit_var(&made_above, &bad, &tree, 1, 0, 1, &children, fixed_base, scratch);
}

static void check_sums(void)
{
    begin_page();
    for (size_t i = 0; i < PAGE_FAN; i++) {
        const char label[3] = {'s', (char)('A' + i), 0};
        secret_bytes(blindings + 32 * i, label);
        values[i] = i;
    }
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i + 1 < PAGE_FAN; i++)
            tell_scalar("a blinding factor", blindings + 32 * i);
        take_scratch(assay_sums_commit_scratch_size());
        leave("a page above", run_sums_commit);
        expect(k == 0 ? ASSAY_OK : ASSAY_BAD_SCALAR, "a page above");
        memset(blindings + 32 * (PAGE_FAN - 1), 0xFF, 32);
    }
}

/* What must be found. */

static void run_leak(void)
{
    volatile uint8_t copy[32];
    for (size_t i = 0; i < sizeof copy; i++) copy[i] = key[i];
}

static void check_leak(void)
{
    secret_bytes(key, "leak");
    tell("a copy", key, 32);
    leave("the leak", run_leak);
}

static const struct {
    const char *name;
    void (*run)(void);
} CHECKS[] = {
    {"hashes", check_hashes},          {"accounts", check_accounts}, {"leaves", check_leaves},
    {"openings", check_openings_made}, {"sums", check_sums},         {"leak", check_leak},
};

int main(int argc, char **argv)
{
    const size_t checks = sizeof CHECKS / sizeof *CHECKS;
    if (assay_init() != ASSAY_OK) fail("no such kernel");
    for (size_t i = 0; i < checks; i++) {
        bool wanted = argc < 2 && strcmp(CHECKS[i].name, "leak") != 0;
        for (int k = 1; k < argc; k++) wanted |= strcmp(argv[k], CHECKS[i].name) == 0;
        if (wanted) CHECKS[i].run();
    }
    return found > 0;
}
