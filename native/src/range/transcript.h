/*
 * The transcript: 32 bytes of state, hashed with H_transcript; spec/transcript.md, section 3.
 *
 * Start: H("assay/v1").  Absorb: H(01 ‖ u8 len ‖ label ‖ u64 len ‖ data ‖ state).
 * Challenge: h_i = H(02 ‖ u8 len ‖ label ‖ u64 0 ‖ state ‖ u8 i), i = 0, 1, 2; it is h_0 ‖ h_1 mod
 * n, the new state is h_2.  Labels are string literals of at most 255 characters.
 */
#ifndef ASSAY_TRANSCRIPT_H
#define ASSAY_TRANSCRIPT_H

#include "curve/scalar.h"
#include "hash/sha256.h"

#define PROTOCOL_VERSION 1
#define ARGUMENT_VERSION 1
#define NO_ARGUMENT_VERSION 0 /* of what no argument changes: entries and openings */

typedef struct {
    uint8_t state[32];
    sha256_context tagged; /* H_transcript begun */
} transcript;

void transcript_begin(transcript *t);
void transcript_absorb(transcript *t, const char *label, const void *data, size_t length);
void transcript_challenge(scalar *r, transcript *t, const char *label);

/* Absorbing in pieces: begin with the total length, sha256_update(&c, ...) that many bytes, end. */
void transcript_absorb_begin(sha256_context *c, const transcript *t, const char *label,
                             uint64_t length);
void transcript_absorb_end(transcript *t, sha256_context *c);

#endif
