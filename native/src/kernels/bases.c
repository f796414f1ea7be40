/* Generators in bulk: candidates are decoded many at a time, and those that fail try again. */
#include "kernels/bases.h"

#include "hash/tags.h"
#include "kernels/kernel.h"

/* Candidates that are decoded together. */
#define CANDIDATES 1024

size_t bases_scratch_size(void)
{
    return ARENA_SIZE(33 * CANDIDATES) + ARENA_SIZE(CANDIDATES * sizeof(affine)) +
           2 * ARENA_SIZE(CANDIDATES * sizeof(uint32_t)) + kernel()->scratch_size(CANDIDATES);
}

/* The encoding that generator `index` has at counter c, if it is one. */
static void candidate(uint8_t bytes[33], const sha256_context *named, uint32_t index,
                      uint32_t counter)
{
    sha256_context c = *named;
    put_u32(bytes + 1, index);
    put_u32(bytes + 5, counter);
    sha256_update(&c, bytes + 1, 8);
    sha256_end(bytes + 1, &c);
    bytes[0] = 2;
}

void derive_generators(affine *out, char name, uint32_t first, size_t n, void *scratch)
{
    static const char TAG[] = TAG_GENERATOR;
    uint8_t *next = scratch;
    uint8_t *bytes = arena_take(&next, 33 * CANDIDATES);
    affine *decoded = arena_take(&next, CANDIDATES * sizeof *decoded);
    uint32_t *index = arena_take(&next, CANDIDATES * sizeof *index);
    uint32_t *counter = arena_take(&next, CANDIDATES * sizeof *counter);
    sha256_context named;
    sha256_begin_tag(&named, TAG, sizeof TAG - 1);
    sha256_update(&named, &name, 1);
    size_t waiting = 0, started = 0;
    while (waiting > 0 || started < n) {
        for (; waiting < CANDIDATES && started < n; waiting++, started++) {
            index[waiting] = (uint32_t)started;
            counter[waiting] = 0;
        }
        for (size_t i = 0; i < waiting; i++)
            candidate(bytes + 33 * i, &named, first + index[i], counter[i]);
        kernel()->decompress_each(decoded, bytes, waiting, next);
        size_t kept = 0;
        for (size_t i = 0; i < waiting; i++) {
            out[index[i]] = decoded[i];
            if (!affine_is_infinity(&decoded[i])) continue;
            index[kept] = index[i];
            counter[kept++] = counter[i] + 1;
        }
        waiting = kept;
    }
}

void bases_build(bases *b, void *scratch)
{
    b->v = BASE_POINT;
    derive_generators(&b->b, 'B', 0, 1, scratch);
    derive_generators(b->q, 'Q', 0, Q_COUNT, scratch);
    derive_generators(b->w, 'W', 0, W_COUNT, scratch);
    vector_multiples_build(&b->multiples, b->w, &b->b);
}
