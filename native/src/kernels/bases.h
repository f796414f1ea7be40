/*
 * The generators of spec/transcript.md, section 2, decoded, in the caller's memory; read-only once
 * built.  They are all that a verifier needs; a prover's tables hold them too.
 */
#ifndef ASSAY_BASES_H
#define ASSAY_BASES_H

#include "curve/vector_multiple.h"

#define Q_COUNT 512
#define W_COUNT VECTOR_SLOTS

typedef struct assay_bases {
    affine v, b, q[Q_COUNT], w[W_COUNT];
    vector_multiples multiples; /* of the W and of B, for secret factors */
} bases;

/* Scratch of both functions. */
size_t bases_scratch_size(void);
void bases_build(bases *b, void *scratch);

/* out[i] = generator(name, first + i), i < n, first + n < 2^32; a name of one letter. */
void derive_generators(affine *out, char name, uint32_t first, size_t n, void *scratch);

#endif
