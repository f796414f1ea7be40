/*
 * SHA-256, tagged hashes (BIP 340) and HMAC.
 *
 * A context may be copied at any time: the copy is the midstate.  Contexts that met secrets are
 * the caller's to clear.
 */
#ifndef ASSAY_SHA256_H
#define ASSAY_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t state[8];
    uint64_t length;    /* bytes so far */
    uint8_t buffer[64]; /* the last length mod 64 of them */
} sha256_context;

void sha256_begin(sha256_context *c);
void sha256_update(sha256_context *c, const void *data, size_t length);
void sha256_end(uint8_t digest[32], sha256_context *c); /* c is then spent */
/* n of them, side by side. */
void sha256_end_each(uint8_t (*digest)[32], sha256_context *c, size_t n);
void sha256(uint8_t digest[32], const void *data, size_t length);

/* H_tag begun: as if SHA-256(tag) twice were hashed.  64 bytes in: copy it instead of repeating it.
 */
void sha256_begin_tag(sha256_context *c, const char *tag, size_t tag_length);

/* A key of HMAC-SHA-256, ready for any number of messages. */
typedef struct {
    sha256_context inner, outer; /* after the padded key */
} hmac_key;

void hmac_key_init(hmac_key *k, const void *key, size_t length);
void hmac(uint8_t digest[32], const hmac_key *k, const void *data, size_t length);
/* Streaming: begin a copy of k->inner, sha256_update it, and end with this. */
void hmac_end(uint8_t digest[32], const hmac_key *k, sha256_context *c);

/* n keys of 32 bytes, side by side. */
void hmac_key_init_each(hmac_key *k, const uint8_t (*key)[32], size_t n);
/* n messages, each under its own key, or all under the one key that there is. */
void hmac_end_each(uint8_t (*digest)[32], const hmac_key *k, size_t keys, sha256_context *c,
                   size_t n);

/* An integer as four big-endian bytes, as hashed data has it. */
static inline void put_u32(uint8_t bytes[4], uint32_t a)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    a = __builtin_bswap32(a); /* bytes by shifts become vectors of bytes, which are slow */
#endif
    memcpy(bytes, &a, 4);
}

/* Writes zeros that the compiler may not drop. */
void clear_secret(void *data, size_t length);

/* The same to what functions that have returned left on the stack: words that the compiler kept
 * there have no name to clear them by.  The caller's own are not reached: NOINLINE keeps a function
 * apart that has some. */
void clear_stack(void);
#define NOINLINE __attribute__((noinline))

/* state absorbs `blocks` blocks of 64 bytes. */
typedef void sha256_blocks_function(uint32_t state[8], const uint8_t *data, size_t blocks);

/* The same of two states and as many blocks for each: one waits while the other works. */
typedef void sha256_pair_function(uint32_t first[8], const uint8_t *first_data, uint32_t second[8],
                                  const uint8_t *second_data, size_t blocks);

sha256_blocks_function sha256_blocks_portable;
sha256_pair_function sha256_pair_portable;
#ifdef __x86_64__
sha256_blocks_function sha256_blocks_shani; /* these need the SHA, SSSE3 and SSE4.1 instructions */
sha256_pair_function sha256_pair_shani;
#endif
extern const uint32_t SHA256_ROUND_CONSTANTS[64];

#endif
