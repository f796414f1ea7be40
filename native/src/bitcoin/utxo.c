/*
 * The coins of a Bitcoin Core snapshot (`dumptxoutset`, version 2), and what some scripts hold in
 * it.
 *
 * The file lists transactions ascending by id, and the outputs of each in the order of the database
 * that it is dumped from (by the bytes of the VARINT of their index).  Both are required, so that
 * no coin counts twice.  A script is compared in its compressed form: a kind and up to 32 bytes.
 *
 * Scripts are found by a table of open addressing, at most half full, under SipHash with a key that
 * the caller draws: whoever chose the scripts cannot make them collide.  A slot holds the upper
 * half of the hash and the number of the script plus one, so nearly every coin costs one look into
 * memory.
 */
#include "assay.h"

#include <string.h>

#define KEY ASSAY_UTXO_KEY
#define TABLE_BITS_MAX 28
#define MAX_MONEY UINT64_C(2100000000000000)
#define MAX_SCRIPT 10000
#define NO_INDEX UINT64_MAX
#define NO_SCRIPT SIZE_MAX

/* What is left to read.  `bad`: it breaks a rule; `short_of`: it ended too early. */
typedef struct {
    const uint8_t *at, *end;
    int bad, short_of;
} reader;

typedef struct {
    uint8_t key[KEY];
    uint64_t amount, index;
    uint32_t height;
} coin;

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32) + v[3];
    v[2] += v[1];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 of a script's key, which has one length. */
static uint64_t hash_key(const uint8_t script[KEY], const uint64_t seed[2])
{
    uint64_t v[4] = {seed[0] ^ UINT64_C(0x736f6d6570736575), seed[1] ^ UINT64_C(0x646f72616e646f6d),
                     seed[0] ^ UINT64_C(0x6c7967656e657261),
                     seed[1] ^ UINT64_C(0x7465646279746573)};
    for (size_t i = 0; i < 5; i++) {
        uint64_t word =
            (uint64_t)KEY << 56 | script[0]; /* the last: what is over, and the length */
        if (i < 4) memcpy(&word, script + 1 + 8 * i, 8);
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (size_t i = 0; i < 4; i++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The slot of a script: the one that holds it, or the free one where it belongs. */
static size_t find_slot(const uint64_t *table, size_t mask, const uint8_t *scripts,
                        const uint8_t key[KEY], uint64_t hash)
{
    size_t slot = (size_t)hash & mask;
    for (; table[slot] != 0; slot = (slot + 1) & mask) {
        if (table[slot] >> 32 != hash >> 32) continue;
        const size_t number = (uint32_t)table[slot] - 1;
        if (memcmp(scripts + number * KEY, key, KEY) == 0) break;
    }
    return slot;
}

int assay_utxo_table(uint64_t *table, size_t bits, size_t *bad, const uint8_t *scripts, size_t n,
                     const uint64_t *seed)
{
    if (bits < 1 || bits > TABLE_BITS_MAX || n > ((size_t)1 << bits) / 2) return ASSAY_BAD_COUNT;
    const size_t mask = ((size_t)1 << bits) - 1;
    memset(table, 0, (mask + 1) * sizeof *table);
    for (size_t i = 0; i < n; i++) {
        const uint64_t hash = hash_key(scripts + i * KEY, seed);
        const size_t slot = find_slot(table, mask, scripts, scripts + i * KEY, hash);
        if (table[slot] != 0) {
            *bad = i;
            return ASSAY_BAD_COIN;
        }
        table[slot] = (hash >> 32) << 32 | (i + 1);
    }
    return ASSAY_OK;
}

static const uint8_t *take(reader *r, size_t length)
{
    const uint8_t *at = r->at;
    if ((size_t)(r->end - at) < length) {
        r->short_of = 1;
        return NULL;
    }
    r->at += length;
    return at;
}

/* A CompactSize in its shortest form. */
static uint64_t read_compact(reader *r)
{
    const uint8_t *first = take(r, 1);
    if (first == NULL || *first < 0xfd) return first == NULL ? 0 : *first;
    const size_t width = (size_t)2 << (*first - 0xfd);
    const uint8_t *bytes = take(r, width);
    if (bytes == NULL) return 0;
    uint64_t value = 0;
    for (size_t i = width; i-- > 0;) value = value << 8 | bytes[i];
    const uint64_t least = width == 2 ? 0xfd : (uint64_t)1 << (8 * width / 2);
    if (value < least) r->bad = 1;
    return value;
}

/* A VARINT of at most `most`: 7 bits a byte, the first byte the highest, one subtracted from each
 * but the last. */
static uint64_t read_varint(reader *r, uint64_t most)
{
    for (uint64_t value = 0;; value++) {
        const uint8_t *byte = take(r, 1);
        if (byte == NULL) return 0;
        if (value > most >> 7) break;
        value = value << 7 | (*byte & 0x7f);
        if (value > most) break;
        if (*byte < 0x80) return value;
    }
    r->bad = 1;
    return 0;
}

static uint64_t decompress_amount(reader *r)
{
    uint64_t x = read_varint(r, UINT64_MAX >> 1), amount;
    if (x == 0) return 0;
    x--;
    unsigned zeros = (unsigned)(x % 10);
    x /= 10;
    if (zeros < 9)
        amount = x / 9 * 10 + x % 9 + 1;
    else
        amount = x + 1;
    for (; zeros > 0 && amount <= MAX_MONEY; zeros--) amount *= 10;
    if (amount > MAX_MONEY) r->bad = 1;
    return amount;
}

/* A script into its key; what has no key of its own gets the first byte ASSAY_UTXO_OTHER. */
static void read_script(uint8_t key[KEY], reader *r)
{
    memset(key, 0, KEY);
    const uint64_t size = read_varint(r, UINT32_MAX);
    const uint8_t *bytes;
    key[0] = ASSAY_UTXO_OTHER;
    if (size < 6) {
        const size_t length = size < 2 ? 20 : 32;
        bytes = take(r, length);
        if (bytes == NULL) return;
        key[0] = (uint8_t)size;
        memcpy(key + 1, bytes, length);
        return;
    }
    if (size - 6 > MAX_SCRIPT) {
        r->bad = 1;
        return;
    }
    const size_t length = (size_t)size - 6;
    bytes = take(r, length);
    if (bytes == NULL || (length != 22 && length != 34) || bytes[1] != length - 2) return;
    if (bytes[0] == 0x00)
        key[0] = length == 22 ? ASSAY_UTXO_P2WPKH : ASSAY_UTXO_P2WSH;
    else if (bytes[0] == 0x51 && length == 34)
        key[0] = ASSAY_UTXO_P2TR;
    else
        return;
    memcpy(key + 1, bytes + 2, length - 2);
}

static size_t write_varint(uint8_t bytes[5], uint64_t value)
{
    uint8_t reversed[5];
    size_t n = 0;
    for (;; value = (value >> 7) - 1) {
        reversed[n] = (uint8_t)((value & 0x7f) | (n ? 0x80 : 0));
        n++;
        if (value < 0x80) break;
    }
    for (size_t i = 0; i < n; i++) bytes[i] = reversed[n - 1 - i];
    return n;
}

/* Whether output `a` comes before `b` in the database. */
static int precedes(uint64_t a, uint64_t b)
{
    uint8_t first[5], second[5];
    if (a < 0x80 || b < 0x80 || a >> 32 || b >> 32) return a < b;
    const size_t m = write_varint(first, a), n = write_varint(second, b);
    const int order = memcmp(first, second, m < n ? m : n);
    return order != 0 ? order < 0 : m < n;
}

/* Read the head of the next transaction if one is due, then a coin. */
static void read_coin(coin *c, assay_utxo_state *s, reader *r)
{
    if (s->of_transaction == 0) {
        const uint8_t *txid = take(r, 32);
        s->of_transaction = read_compact(r);
        if (r->short_of) return;
        const int ascends = !s->begun || memcmp(s->txid, txid, 32) < 0;
        if (!ascends || s->of_transaction < 1 || s->of_transaction > s->left) {
            r->bad = 1;
            return;
        }
        memcpy(s->txid, txid, 32);
        s->begun = 1;
        s->last_index = NO_INDEX;
    }
    c->index = read_compact(r);
    if (c->index > UINT32_MAX || (s->last_index != NO_INDEX && !precedes(s->last_index, c->index)))
        r->bad = 1;
    c->height = (uint32_t)read_varint(r, UINT32_MAX) >> 1;
    if (c->height > s->highest) s->highest = c->height;
    c->amount = decompress_amount(r);
    read_script(c->key, r);
    s->of_transaction--;
    s->left--;
    s->last_index = c->index;
    s->total += c->amount;
    if (s->total > MAX_MONEY) r->bad = 1;
}

int assay_utxo_scan(assay_utxo_state *state, size_t *used, assay_utxo_found *found,
                    const uint8_t *data, size_t length, const assay_utxo_wanted *wanted)
{
    const uint64_t *table = wanted->table;
    const size_t mask = ((size_t)1 << wanted->bits) - 1;
    reader r = {data, data + length, 0, 0};
    found->count = 0;
    *used = 0;
    while (state->left > 0 && found->count < found->room) {
        assay_utxo_state next = *state;
        coin c;
        read_coin(&c, &next, &r);
        if (r.short_of) break; /* what it is short of reads as zeros, which may look bad */
        if (r.bad) return ASSAY_BAD_COIN;
        *state = next;
        *used = (size_t)(r.at - data);
        if (c.key[0] == ASSAY_UTXO_OTHER) continue;
        const size_t slot =
            find_slot(table, mask, wanted->scripts, c.key, hash_key(c.key, wanted->seed));
        if (table[slot] == 0) continue;
        const size_t number = (uint32_t)table[slot] - 1;
        found->totals[number] += c.amount;
        if (number >= wanted->listed) continue;
        assay_utxo_coin *to = &found->coins[found->count++];
        *to = (assay_utxo_coin){.amount = c.amount,
                                .script = (uint32_t)number,
                                .index = (uint32_t)c.index,
                                .height = c.height};
        memcpy(to->txid, state->txid, 32);
    }
    return ASSAY_OK;
}
