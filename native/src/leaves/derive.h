/*
 * Streams, and what the prover derives from its keys: spec/protocol.md 2.2 and 2.4.
 *
 * A stream is the blocks H_stream(key ‖ u64 i).  It holds its key: the caller clears it.
 */
#ifndef ASSAY_DERIVE_H
#define ASSAY_DERIVE_H

#include "curve/scalar.h"
#include "hash/sha256.h"

typedef struct {
    sha256_context keyed; /* H_stream begun, the key absorbed */
} stream;

void stream_begin(stream *s, const uint8_t key[32]);
void stream_block(uint8_t block[32], const stream *s, uint64_t i);
/* Blocks first, first + 1, …, side by side. */
void stream_blocks(uint8_t (*blocks)[32], const stream *s, uint64_t first, size_t n);

/* The k-th scalar: blocks 2k and 2k + 1, reduced mod n; and n of them. */
void stream_scalar(scalar *r, const stream *s, uint64_t k);
void stream_scalars(scalar *r, const stream *s, uint64_t k, size_t n);

/* Absorb a big-endian integer; lp(data). */
void update_u32(sha256_context *c, uint32_t a);
void update_u64(sha256_context *c, uint64_t a);
void update_prefixed(sha256_context *c, const void *data, size_t length);

/* Id i is ids[offsets[i] .. offsets[i + 1]), i < n: the offsets ascend and stay inside. */
bool offsets_valid(const uint64_t *offsets, size_t n, size_t ids_length);

#endif
