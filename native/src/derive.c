/* Streams, account keys, the split of balances, blinding factors; spec/protocol.md 2.2 and 2.4. */
#include "derive.h"

#include "assay.h"

#include <string.h>

static void update_u32(sha256_context *c, uint32_t a)
{
    uint8_t bytes[4];
    put_u32(bytes, a);
    sha256_update(c, bytes, 4);
}

/* Absorbs lp(data). */
static void update_prefixed(sha256_context *c, const void *data, size_t length)
{
    update_u32(c, (uint32_t)length);
    sha256_update(c, data, length);
}

void stream_begin(stream *s, const uint8_t key[32])
{
    static const char TAG[] = "assay/v1/stream";
    sha256_begin_tag(&s->keyed, TAG, sizeof TAG - 1);
    sha256_update(&s->keyed, key, 32);
}

void stream_block(uint8_t block[32], const stream *s, uint64_t i)
{
    sha256_context c = s->keyed;
    update_u32(&c, (uint32_t)(i >> 32));
    update_u32(&c, (uint32_t)i);
    sha256_end(block, &c);
}

void stream_scalar(scalar *r, const stream *s, uint64_t k)
{
    uint8_t wide[64];
    stream_block(wide, s, 2 * k);
    stream_block(wide + 32, s, 2 * k + 1);
    scalar_from_bytes_wide(r, wide);
}

void assay_stream_blocks(uint8_t *blocks, const uint8_t *key, uint64_t first, size_t n)
{
    stream s;
    stream_begin(&s, key);
    for (size_t i = 0; i < n; i++) stream_block(blocks + 32 * i, &s, first + i);
    clear_secret(&s, sizeof s);
}

static void reduce_in_place(uint8_t bytes[32])
{
    scalar t;
    scalar_from_bytes_reduced(&t, bytes);
    scalar_to_bytes(bytes, &t);
}

void assay_padding_blindings(uint8_t *blindings, const uint8_t *key, uint64_t first, size_t n)
{
    assay_stream_blocks(blindings, key, first, n);
    for (size_t i = 0; i < n; i++) reduce_in_place(blindings + 32 * i);
}

/* Id i is ids[offsets[i] … offsets[i + 1]): the offsets ascend and stay inside. */
static bool offsets_valid(const uint64_t *offsets, size_t n, size_t ids_length)
{
    for (size_t i = 0; i < n; i++)
        if (offsets[i] > offsets[i + 1] || offsets[i + 1] - offsets[i] > UINT32_MAX) return false;
    return offsets[n] <= ids_length;
}

int assay_account_keys(uint8_t *account_keys, const uint8_t *snapshot_key, const uint8_t *ids, size_t ids_length,
                       const uint64_t *offsets, size_t n)
{
    static const char TAG[] = "assay/v1/account-key";
    if (!offsets_valid(offsets, n, ids_length)) return ASSAY_BAD_COUNT;
    hmac_key key;
    hmac_key_init(&key, snapshot_key, 32);
    sha256_context tagged = key.inner, c;
    update_prefixed(&tagged, TAG, sizeof TAG - 1);
    for (size_t i = 0; i < n; i++) {
        c = tagged;
        update_prefixed(&c, ids + offsets[i], offsets[i + 1] - offsets[i]);
        hmac_end(account_keys + 32 * i, &key, &c);
    }
    clear_secret(&key, sizeof key);
    clear_secret(&tagged, sizeof tagged);
    clear_secret(&c, sizeof c);
    return ASSAY_OK;
}

/* A stream read as consecutive big-endian u64. */
typedef struct {
    stream stream;
    uint64_t next; /* how many were drawn */
    uint8_t block[32];
} draws;

static uint64_t draw_u64(draws *d)
{
    const size_t at = d->next % 4;
    if (at == 0) stream_block(d->block, &d->stream, d->next / 4);
    d->next++;
    uint64_t r = 0;
    for (size_t i = 0; i < 8; i++) r = r << 8 | d->block[8 * at + i];
    return r;
}

/* Uniform below bound >= 1. */
static uint64_t draw_uniform(draws *d, uint64_t bound)
{
    if (bound == 1) return 0;
    const uint64_t mask = UINT64_MAX >> __builtin_clzll(bound - 1);
    uint64_t r;
    do {
        r = draw_u64(d) & mask;
    } while (r >= bound);
    return r;
}

/* Begins an account's draws for one asset. */
static void begin_split(draws *d, const uint8_t account_key[32], const uint8_t *code, size_t code_length)
{
    static const char TAG[] = "assay/v1/split";
    hmac_key account;
    uint8_t key[32];
    hmac_key_init(&account, account_key, 32);
    sha256_context c = account.inner;
    update_prefixed(&c, TAG, sizeof TAG - 1);
    update_prefixed(&c, code, code_length);
    hmac_end(key, &account, &c);
    stream_begin(&d->stream, key);
    d->next = 0;
    clear_secret(&account, sizeof account);
    clear_secret(&c, sizeof c);
    clear_secret(key, sizeof key);
}

static uint64_t draw_count(draws *d, uint64_t balance, uint32_t least, uint32_t most)
{
    const uint64_t high = most < balance ? most : balance, low = least < high ? least : high;
    return low + draw_uniform(d, high - low + 1);
}

int assay_split_counts(uint32_t *counts, const uint8_t *account_keys, const uint64_t *balances, size_t n,
                       const uint8_t *code, size_t code_length, uint32_t least, uint32_t most)
{
    if (least == 0 || least > most) return ASSAY_BAD_COUNT;
    draws d;
    for (size_t i = 0; i < n; i++) {
        counts[i] = 0;
        if (balances[i] == 0) continue;
        begin_split(&d, account_keys + 32 * i, code, code_length);
        counts[i] = (uint32_t)draw_count(&d, balances[i], least, most);
    }
    clear_secret(&d, sizeof d);
    return ASSAY_OK;
}

/* Inserts a cut into an ascending list; false when it is there. */
static bool insert_cut(uint64_t *cuts, size_t n, uint64_t cut)
{
    size_t at = n;
    while (at > 0 && cuts[at - 1] > cut) at--;
    if (at > 0 && cuts[at - 1] == cut) return false;
    memmove(cuts + at + 1, cuts + at, (n - at) * sizeof *cuts);
    cuts[at] = cut;
    return true;
}

/* The sorted cuts stand in the parts' place and become their differences. */
static void draw_parts(uint64_t *parts, draws *d, uint64_t balance, size_t count)
{
    for (size_t n = 0; n + 1 < count;)
        if (insert_cut(parts, n, 1 + draw_uniform(d, balance - 1))) n++;
    parts[count - 1] = balance;
    for (size_t i = count; i-- > 1;) parts[i] -= parts[i - 1];
}

int assay_split_amounts(uint64_t *amounts, const uint32_t *counts, const uint8_t *account_keys,
                        const uint64_t *balances, size_t n, const uint8_t *code, size_t code_length, uint32_t least,
                        uint32_t most)
{
    if (least == 0 || least > most) return ASSAY_BAD_COUNT;
    int status = ASSAY_OK;
    draws d;
    for (size_t i = 0; i < n && status == ASSAY_OK; i++) {
        uint64_t count = 0;
        if (balances[i] != 0) {
            begin_split(&d, account_keys + 32 * i, code, code_length);
            count = draw_count(&d, balances[i], least, most);
        }
        if (count != counts[i]) {
            status = ASSAY_BAD_COUNT;
        } else if (count != 0) {
            draw_parts(amounts, &d, balances[i], count);
            amounts += count;
        }
    }
    clear_secret(&d, sizeof d);
    return status;
}

int assay_leaf_blindings(uint8_t *blindings, const uint8_t *account_keys, const uint8_t *ids, size_t ids_length,
                         const uint64_t *offsets, const uint32_t *counts, size_t n, const uint8_t *context,
                         const uint8_t *code, size_t code_length)
{
    static const char LEAF[] = "assay/v1/leaf", BLINDING[] = "assay/v1/blinding";
    if (!offsets_valid(offsets, n, ids_length)) return ASSAY_BAD_COUNT;
    sha256_context leaf, blinding, c, part;
    sha256_begin_tag(&leaf, LEAF, sizeof LEAF - 1);
    update_prefixed(&leaf, context, 32);
    update_prefixed(&leaf, code, code_length);
    sha256_begin_tag(&blinding, BLINDING, sizeof BLINDING - 1);
    for (size_t i = 0; i < n; i++) {
        uint8_t digest[32];
        if (counts[i] == 0) continue;
        c = leaf;
        update_prefixed(&c, ids + offsets[i], offsets[i + 1] - offsets[i]);
        sha256_end(digest, &c);
        c = blinding;
        sha256_update(&c, account_keys + 32 * i, 32);
        sha256_update(&c, digest, 32);
        for (uint32_t k = 0; k < counts[i]; k++, blindings += 32) {
            part = c;
            update_u32(&part, k);
            sha256_end(blindings, &part);
            reduce_in_place(blindings);
        }
    }
    clear_secret(&c, sizeof c);
    clear_secret(&part, sizeof part);
    return ASSAY_OK;
}
