/* Streams, account keys, the split of balances; spec/protocol.md 2.4. */
#include "leaves/derive.h"
#include "hash/tags.h"

#include "assay.h"
#include "kernels/kernel.h"

#include <string.h>

/* Blocks of a stream, or accounts, that are hashed side by side. */
#define BATCH 32

void update_u32(sha256_context *c, uint32_t a)
{
    uint8_t bytes[4];
    put_u32(bytes, a);
    sha256_update(c, bytes, 4);
}

void update_u64(sha256_context *c, uint64_t a)
{
    update_u32(c, (uint32_t)(a >> 32));
    update_u32(c, (uint32_t)a);
}

void update_prefixed(sha256_context *c, const void *data, size_t length)
{
    update_u32(c, (uint32_t)length);
    sha256_update(c, data, length);
}

static void begin_stream_tag(sha256_context *c)
{
    static const char TAG[] = TAG_STREAM;
    sha256_begin_tag(c, TAG, sizeof TAG - 1);
}

void stream_begin(stream *s, const uint8_t key[32])
{
    begin_stream_tag(&s->keyed);
    sha256_update(&s->keyed, key, 32);
}

/* A block is the hash of one block behind the tag: key ‖ u64, and the end of a message of 104
 * bytes. */
static void absorb_batch(uint32_t (*state)[8], const stream *s, uint64_t first, size_t n)
{
    uint8_t block[BATCH][64];
    for (size_t i = 0; i < n; i++) {
        memcpy(state[i], s->keyed.state, sizeof state[i]);
        memset(block[i] + 40, 0, 24);
        memcpy(block[i], s->keyed.buffer, 32);
        put_u32(block[i] + 32, (uint32_t)((first + i) >> 32));
        put_u32(block[i] + 36, (uint32_t)(first + i));
        block[i][40] = 0x80;
        put_u32(block[i] + 60, 8 * (64 + 32 + 8));
    }
    kernel()->absorb(state, block[0], sizeof block[0], n);
    clear_secret(block, n * sizeof *block);
}

void stream_blocks(uint8_t (*blocks)[32], const stream *s, uint64_t first, size_t n)
{
    uint32_t state[BATCH][8];
    for (size_t done = 0; done < n; done += BATCH) {
        const size_t count = n - done < BATCH ? n - done : BATCH;
        absorb_batch(state, s, first + done, count);
        for (size_t i = 0; i < 8 * count; i++)
            put_u32(blocks[done + i / 8] + 4 * (i % 8), state[i / 8][i % 8]);
    }
    clear_secret(state, sizeof state);
}

void stream_block(uint8_t block[32], const stream *s, uint64_t i)
{
    stream_blocks((uint8_t(*)[32])(void *)block, s, i, 1);
}

void stream_scalars(scalar *r, const stream *s, uint64_t k, size_t n)
{
    uint8_t blocks[BATCH][32];
    for (size_t done = 0; done < n; done += BATCH / 2) {
        const size_t count = n - done < BATCH / 2 ? n - done : BATCH / 2;
        stream_blocks(blocks, s, 2 * (k + done), 2 * count);
        for (size_t i = 0; i < count; i++) scalar_from_bytes_wide(&r[done + i], blocks[2 * i]);
    }
    clear_secret(blocks, sizeof blocks);
}

void stream_scalar(scalar *r, const stream *s, uint64_t k)
{
    stream_scalars(r, s, k, 1);
}

void assay_stream_blocks(uint8_t *blocks, const uint8_t *key, uint64_t first, size_t n)
{
    stream s;
    stream_begin(&s, key);
    stream_blocks((uint8_t(*)[32])(void *)blocks, &s, first, n);
    clear_secret(&s, sizeof s);
}

bool offsets_valid(const uint64_t *offsets, size_t n, size_t ids_length)
{
    for (size_t i = 0; i < n; i++)
        if (offsets[i] > offsets[i + 1] || offsets[i + 1] - offsets[i] > UINT32_MAX) return false;
    return offsets[n] <= ids_length;
}

int assay_account_keys(uint8_t *account_keys, const uint8_t *snapshot_key, const uint8_t *ids,
                       size_t ids_length, const uint64_t *offsets, size_t n)
{
    static const char TAG[] = TAG_ACCOUNT_KEY;
    if (!offsets_valid(offsets, n, ids_length)) return ASSAY_BAD_COUNT;
    hmac_key key;
    hmac_key_init(&key, snapshot_key, 32);
    sha256_context tagged = key.inner, c[BATCH];
    update_prefixed(&tagged, TAG, sizeof TAG - 1);
    for (size_t done = 0; done < n; done += BATCH) {
        const size_t count = n - done < BATCH ? n - done : BATCH;
        for (size_t i = 0; i < count; i++) {
            const uint64_t *id = offsets + done + i;
            c[i] = tagged;
            update_prefixed(&c[i], ids + id[0], id[1] - id[0]);
        }
        hmac_end_each((uint8_t(*)[32])(void *)(account_keys + 32 * done), &key, 1, c, count);
    }
    clear_secret(&key, sizeof key);
    clear_secret(&tagged, sizeof tagged);
    clear_secret(c, sizeof c);
    clear_stack();
    return ASSAY_OK;
}

/* A stream read as consecutive big-endian u64, its first block made before. */
typedef struct {
    stream stream;
    uint64_t next; /* how many were drawn */
    uint8_t block[32];
} draws;

static uint64_t draw_u64(draws *d)
{
    const size_t at = d->next % 4;
    if (at == 0 && d->next > 0) stream_block(d->block, &d->stream, d->next / 4);
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

/* Begins the draws of n <= BATCH accounts for one asset; `tagged` is the begun tag of streams. */
static void begin_splits(draws *d, const sha256_context *tagged, const uint8_t *account_keys,
                         size_t n, const uint8_t *code, size_t code_length)
{
    static const char TAG[] = TAG_SPLIT;
    hmac_key account[BATCH];
    sha256_context c[BATCH];
    uint8_t made[BATCH][32];
    hmac_key_init_each(account, (const uint8_t(*)[32])(const void *)account_keys, n);
    for (size_t i = 0; i < n; i++) {
        c[i] = account[i].inner;
        update_prefixed(&c[i], TAG, sizeof TAG - 1);
        update_prefixed(&c[i], code, code_length);
    }
    hmac_end_each(made, account, n, c, n);
    for (size_t i = 0; i < n; i++) {
        d[i].stream.keyed = *tagged;
        sha256_update(&d[i].stream.keyed, made[i], 32);
        c[i] = d[i].stream.keyed;
        update_u64(&c[i], 0);
        d[i].next = 0;
    }
    sha256_end_each(made, c, n);
    for (size_t i = 0; i < n; i++) memcpy(d[i].block, made[i], 32);
    clear_secret(account, sizeof account);
    clear_secret(c, sizeof c);
    clear_secret(made, sizeof made);
}

static uint64_t draw_count(draws *d, uint64_t balance, uint32_t least, uint32_t most)
{
    const uint64_t high = most < balance ? most : balance, low = least < high ? least : high;
    return low + draw_uniform(d, high - low + 1);
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

static NOINLINE void split(assay_parts *parts, const uint8_t *account_keys,
                           const uint64_t *balances, size_t n, const uint8_t *code,
                           size_t code_length, uint32_t least, uint32_t most)
{
    sha256_context tagged;
    begin_stream_tag(&tagged);
    draws d[BATCH];
    size_t i = 0, made = 0;
    for (; i < n; i++) {
        draws *own = &d[i % BATCH];
        uint64_t count = 0;
        if (i % BATCH == 0)
            begin_splits(d, &tagged, account_keys + 32 * i, n - i < BATCH ? n - i : BATCH, code,
                         code_length);
        if (balances[i] != 0) {
            count = draw_count(own, balances[i], least, most);
            if (count > parts->room - made) break;
            draw_parts(parts->amounts + made, own, balances[i], count);
        }
        parts->counts[i] = (uint32_t)count;
        made += count;
    }
    parts->accounts = i;
    parts->made = made;
    clear_secret(d, sizeof d);
}

int assay_split(assay_parts *parts, const uint8_t *account_keys, const uint64_t *balances, size_t n,
                const uint8_t *code, size_t code_length, uint32_t least, uint32_t most)
{
    parts->accounts = parts->made = 0;
    if (least == 0 || least > most) return ASSAY_BAD_COUNT;
    split(parts, account_keys, balances, n, code, code_length, least, most);
    clear_stack();
    return ASSAY_OK;
}
