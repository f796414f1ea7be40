/* SHA-256 (FIPS 180-4) in plain C, tagged hashes, HMAC (RFC 2104).  sha256.h has the contract. */
#include "hash/sha256.h"

#include "kernels/kernel.h"

#include <string.h>

static const uint32_t INITIAL[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                    0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

const uint32_t SHA256_ROUND_CONSTANTS[64] = {
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
};

/* Messages that are hashed side by side. */
#define BATCH 32

/* More than any call that meets secrets takes, but for scratch. */
#define STACK_CLEARED (64 << 10)

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void sha256_blocks_portable(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    uint32_t w[64], s[8];
    for (; blocks > 0; blocks--, data += 64) {
        for (int i = 0; i < 16; i++) w[i] = load_be32(data + 4 * i);
        for (int i = 16; i < 64; i++) {
            const uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
                   (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
        }
        for (int i = 0; i < 8; i++) s[i] = state[i];
        for (int i = 0; i < 64; i++) {
            const uint32_t e = s[4], a = s[0];
            const uint32_t t1 = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                                ((e & s[5]) ^ (~e & s[6])) + SHA256_ROUND_CONSTANTS[i] + w[i];
            const uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                                ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
            s[7] = s[6];
            s[6] = s[5];
            s[5] = e;
            s[4] = s[3] + t1;
            s[3] = s[2];
            s[2] = s[1];
            s[1] = a;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) state[i] += s[i];
    }
    clear_secret(w, sizeof w);
    clear_secret(s, sizeof s);
}

void sha256_pair_portable(uint32_t first[8], const uint8_t *first_data, uint32_t second[8],
                          const uint8_t *second_data, size_t blocks)
{
    sha256_blocks_portable(first, first_data, blocks);
    sha256_blocks_portable(second, second_data, blocks);
}

void sha256_begin(sha256_context *c)
{
    memcpy(c->state, INITIAL, sizeof INITIAL);
    c->length = 0;
}

void sha256_update(sha256_context *c, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    const size_t held = c->length % 64;
    c->length += length;
    if (held > 0) {
        const size_t room = 64 - held, taken = length < room ? length : room;
        if (taken > 0) memcpy(c->buffer + held, bytes, taken);
        if (taken < room) return;
        sha256_blocks()(c->state, c->buffer, 1);
        bytes += taken;
        length -= taken;
    }
    if (length >= 64) sha256_blocks()(c->state, bytes, length / 64);
    if (length % 64 > 0) memcpy(c->buffer, bytes + length / 64 * 64, length % 64);
}

/* What is held, padded; returns its number of blocks. */
static size_t last_blocks(uint8_t blocks[128], const sha256_context *c)
{
    const uint64_t bits = c->length * 8;
    const size_t held = c->length % 64, n = held < 56 ? 1 : 2;
    memcpy(blocks, c->buffer, 64);
    blocks[held] = 0x80;
    memset(blocks + held + 1, 0, 64 * n - 8 - (held + 1));
    put_u32(blocks + 64 * n - 8, (uint32_t)(bits >> 32));
    put_u32(blocks + 64 * n - 4, (uint32_t)bits);
    return n;
}

static void write_digest(uint8_t digest[32], const uint32_t state[8])
{
    for (int i = 0; i < 8; i++) put_u32(digest + 4 * i, state[i]);
}

void sha256_end(uint8_t digest[32], sha256_context *c)
{
    uint8_t blocks[128];
    sha256_blocks()(c->state, blocks, last_blocks(blocks, c));
    write_digest(digest, c->state);
    clear_secret(blocks, sizeof blocks);
}

/* n <= BATCH.  Those with as many blocks left absorb each of these together. */
static void end_batch(uint8_t (*digest)[32], const sha256_context *c, size_t n)
{
    uint32_t state[BATCH][8];
    uint8_t blocks[BATCH][128];
    size_t count[BATCH], end;
    for (size_t i = 0; i < n; i++) {
        memcpy(state[i], c[i].state, sizeof state[i]);
        count[i] = last_blocks(blocks[i], &c[i]);
    }
    for (size_t i = 0; i < n; i = end) {
        for (end = i + 1; end < n && count[end] == count[i];) end++;
        for (size_t k = 0; k < count[i]; k++)
            kernel()->absorb(state + i, blocks[i] + 64 * k, sizeof blocks[i], end - i);
    }
    for (size_t i = 0; i < n; i++) write_digest(digest[i], state[i]);
    clear_secret(blocks, sizeof blocks);
    clear_secret(state, sizeof state);
}

void sha256_end_each(uint8_t (*digest)[32], sha256_context *c, size_t n)
{
    for (size_t i = 0; i < n; i += BATCH)
        end_batch(digest + i, c + i, n - i < BATCH ? n - i : BATCH);
}

void sha256(uint8_t digest[32], const void *data, size_t length)
{
    sha256_context c;
    sha256_begin(&c);
    sha256_update(&c, data, length);
    sha256_end(digest, &c);
    clear_secret(&c, sizeof c);
}

void sha256_begin_tag(sha256_context *c, const char *tag, size_t tag_length)
{
    uint8_t digest[32];
    sha256(digest, tag, tag_length);
    sha256_begin(c);
    sha256_update(c, digest, 32);
    sha256_update(c, digest, 32);
}

/* What the two hashes of a key of at most 64 bytes begin with. */
static void pad_key(uint8_t inner[64], uint8_t outer[64], const uint8_t *key, size_t length)
{
    memset(inner, 0, 64);
    if (length > 0) memcpy(inner, key, length);
    for (int i = 0; i < 64; i++) outer[i] = inner[i] ^ 0x5C;
    for (int i = 0; i < 64; i++) inner[i] ^= 0x36;
}

void hmac_key_init(hmac_key *k, const void *key, size_t length)
{
    uint8_t inner[64], outer[64], digest[32];
    if (length > 64) {
        sha256(digest, key, length);
        pad_key(inner, outer, digest, 32);
    } else {
        pad_key(inner, outer, key, length);
    }
    sha256_begin(&k->inner);
    sha256_begin(&k->outer);
    sha256_pair()(k->inner.state, inner, k->outer.state, outer, 1);
    k->inner.length = k->outer.length = 64;
    clear_secret(inner, sizeof inner);
    clear_secret(outer, sizeof outer);
    clear_secret(digest, sizeof digest);
}

void hmac_end(uint8_t digest[32], const hmac_key *k, sha256_context *c)
{
    sha256_end(digest, c);
    sha256_context outer = k->outer;
    sha256_update(&outer, digest, 32);
    sha256_end(digest, &outer);
    clear_secret(&outer, sizeof outer);
}

void hmac(uint8_t digest[32], const hmac_key *k, const void *data, size_t length)
{
    sha256_context c = k->inner;
    sha256_update(&c, data, length);
    hmac_end(digest, k, &c);
    clear_secret(&c, sizeof c);
}

void hmac_key_init_each(hmac_key *k, const uint8_t (*key)[32], size_t n)
{
    uint32_t state[2 * BATCH][8];
    uint8_t block[2 * BATCH][64];
    for (size_t done = 0; done < n; done += BATCH) {
        const size_t count = n - done < BATCH ? n - done : BATCH;
        for (size_t i = 0; i < count; i++) {
            memcpy(state[2 * i], INITIAL, sizeof INITIAL);
            memcpy(state[2 * i + 1], INITIAL, sizeof INITIAL);
            pad_key(block[2 * i], block[2 * i + 1], key[done + i], 32);
        }
        kernel()->absorb(state, block[0], sizeof block[0], 2 * count);
        for (size_t i = 0; i < count; i++) {
            hmac_key *own = &k[done + i];
            memcpy(own->inner.state, state[2 * i], sizeof state[0]);
            memcpy(own->outer.state, state[2 * i + 1], sizeof state[0]);
            own->inner.length = own->outer.length = 64;
        }
    }
    clear_secret(state, sizeof state);
    clear_secret(block, sizeof block);
}

void hmac_end_each(uint8_t (*digest)[32], const hmac_key *k, size_t keys, sha256_context *c,
                   size_t n)
{
    sha256_end_each(digest, c, n);
    for (size_t i = 0; i < n; i++) {
        c[i] = k[i % keys].outer;
        sha256_update(&c[i], digest[i], 32);
    }
    sha256_end_each(digest, c, n);
}

void clear_secret(void *data, size_t length)
{
    memset(data, 0, length);
    __asm__ volatile("" : : "r"(data) : "memory"); /* the zeros are looked at */
}

void clear_stack(void)
{
    uint8_t below[STACK_CLEARED];
    clear_secret(below, sizeof below);
}
