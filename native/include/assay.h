/*
 * The C API of the core.
 *
 * Conventions.  Outputs come first; a length follows its array.  Scalars are 32 bytes, big-endian,
 * below the group order; points are 33 bytes, compressed, never infinity on input; an output that
 * is infinity is 33 zero bytes.  Functions allocate nothing: a caller passes scratch memory aligned
 * to 64 bytes, of the size that the matching *_scratch_size gives, which holds nothing between calls.
 * `_var`: the time depends on the data.  `_unchecked`: a check is the caller's.  A function that can
 * fail returns an assay_status; its outputs are then meaningless, except as stated.  Arrays never
 * overlap.  Everything is reentrant; assay_init comes first, once.
 *
 * What stands between the two `cffi` marks is read twice: by the C compiler, and by
 * build_native.py as the declarations of the binding.  So it holds declarations alone: no
 * macro but integer constants, no `static inline`, no attribute.
 */
#ifndef ASSAY_H
#define ASSAY_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

enum assay_status {
    ASSAY_OK = 0,
    ASSAY_BAD_KERNEL = 1, /* $ASSAY_KERNEL names no kernel that this machine can run */
    ASSAY_BAD_COUNT = 2,  /* a count or width outside its documented range */
    ASSAY_BAD_SCALAR = 3, /* not below the group order */
    ASSAY_BAD_POINT = 4,  /* not the encoding of a finite point */
};

/* The version of the core, a static string. */
const char *assay_version(void);

/* Choose the kernel and SHA-256 for this machine, or the kernel that $ASSAY_KERNEL names. */
int assay_init(void);

/* Name of the chosen kernel. */
const char *assay_kernel_name(void);

/* Hashes: SHA-256; SHA256(SHA256(tag) || SHA256(tag) || data); HMAC-SHA-256.  Digests of 32 bytes. */
void assay_sha256(uint8_t *digest, const uint8_t *data, size_t length);
void assay_tagged_hash(uint8_t *digest, const uint8_t *tag, size_t tag_length, const uint8_t *data,
                       size_t length);
void assay_hmac_sha256(uint8_t *digest, const uint8_t *key, size_t key_length, const uint8_t *data,
                       size_t length);

/* The transcript over a state of 32 bytes (spec/transcript.md, section 3).  Labels: at most 255 bytes. */
void assay_transcript_begin(uint8_t *state);
int assay_transcript_absorb(uint8_t *state, const uint8_t *label, size_t label_length, const uint8_t *data,
                            size_t length);
int assay_transcript_challenge(uint8_t *scalar, uint8_t *state, const uint8_t *label, size_t label_length);

/* The generator of a name and an index (spec/transcript.md, section 2). */
void assay_generator_var(uint8_t *point, const uint8_t *name, size_t name_length, uint32_t index);

/* Fixed-base tables of V, B and Q_0 .. Q_(q_count-1), 1 <= q_count <= 256, built in the caller's memory,
 * aligned to 64 bytes, of assay_tables_size(q_count) bytes; read-only afterwards, so any number of threads may use them. */
typedef struct assay_tables assay_tables;
size_t assay_tables_size(size_t q_count);
size_t assay_tables_scratch_size(void);
int assay_tables_build(const assay_tables **tables, void *memory, size_t q_count, void *scratch);

/* Decode n points.  ASSAY_BAD_POINT: *bad is the index of the first that is no finite point's encoding. */
size_t assay_points_scratch_size(size_t n);
int assay_points_check_var(size_t *bad, const uint8_t *points, size_t n, void *scratch);

/* Sum of n points, n >= 0; *bad as above. */
int assay_points_sum_var(uint8_t *sum, size_t *bad, const uint8_t *points, size_t n, void *scratch);

/* Σ scalar_i·point_i, n >= 0.  *bad: index of the first bad scalar (ASSAY_BAD_SCALAR), else of the first bad point. */
size_t assay_msm_scratch_size(size_t n);
int assay_msm_var(uint8_t *point, size_t *bad, const uint8_t *scalars, const uint8_t *points, size_t n,
                  void *scratch);

/* point_i = v_i·V + r_i·B.  A value is value_words (1, 2 or 4) little-endian 64-bit words, least significant
 * first.  *bad: index of the first blinding not below the order. */
size_t assay_commit_scratch_size(size_t n);
int assay_commit_var(uint8_t *points, size_t *bad, const uint64_t *values, size_t value_words,
                     const uint8_t *blindings, size_t n, const assay_tables *tables, void *scratch);

/* cffi: end */

#endif
