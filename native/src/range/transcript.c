/* The transcript.  transcript.h has the contract. */
#include "range/transcript.h"
#include "hash/tags.h"

#include <string.h>

static const char TAG[] = TAG_TRANSCRIPT;

enum { ABSORB = 1, CHALLENGE = 2 };

/* c = H_transcript begun with kind ‖ u8 len ‖ label ‖ u64 length. */
static void begin_step(sha256_context *c, const transcript *t, uint8_t kind, const char *label,
                       uint64_t length)
{
    const size_t label_length = strlen(label);
    uint8_t bytes[8] = {kind, (uint8_t)label_length};
    *c = t->tagged;
    sha256_update(c, bytes, 2);
    sha256_update(c, label, label_length);
    for (int i = 0; i < 8; i++) bytes[i] = (uint8_t)(length >> (56 - 8 * i));
    sha256_update(c, bytes, 8);
}

void transcript_begin(transcript *t)
{
    sha256_begin_tag(&t->tagged, TAG, sizeof TAG - 1);
    sha256_context c = t->tagged;
    sha256_update(&c, PROTOCOL, sizeof PROTOCOL - 1);
    sha256_end(t->state, &c);
}

void transcript_absorb_begin(sha256_context *c, const transcript *t, const char *label,
                             uint64_t length)
{
    begin_step(c, t, ABSORB, label, length);
}

void transcript_absorb_end(transcript *t, sha256_context *c)
{
    sha256_update(c, t->state, 32);
    sha256_end(t->state, c);
}

void transcript_absorb(transcript *t, const char *label, const void *data, size_t length)
{
    sha256_context c;
    transcript_absorb_begin(&c, t, label, length);
    sha256_update(&c, data, length);
    transcript_absorb_end(t, &c);
}

void transcript_challenge(scalar *r, transcript *t, const char *label)
{
    sha256_context common;
    begin_step(&common, t, CHALLENGE, label, 0);
    sha256_update(&common, t->state, 32);
    uint8_t digest[96];
    for (uint8_t i = 0; i < 3; i++) {
        sha256_context c = common;
        sha256_update(&c, &i, 1);
        sha256_end(digest + 32 * i, &c);
    }
    scalar_from_bytes_wide(r, digest);
    memcpy(t->state, digest + 64, 32);
}
