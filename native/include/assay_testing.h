/*
 * What the tests alone call (src/testing), built where ASSAY_TESTING is set: no wheel and no page
 * has it.
 *
 * Field elements are four words, r = operation(a, b), the result of a test being returned.  Here 33
 * zero bytes are infinity as input too, and scalars any 256 bits.  scratch:
 * assay_test_scratch_size(n).
 */
#ifndef ASSAY_TESTING_H
#define ASSAY_TESTING_H

#include "assay.h"

/* cffi: begin */

enum assay_test_operation {
    ASSAY_TEST_MUL,
    ASSAY_TEST_SQR,
    ASSAY_TEST_ADD,
    ASSAY_TEST_SUB,
    ASSAY_TEST_NEG,
    ASSAY_TEST_INVERSE,
    ASSAY_TEST_SQRT,
    ASSAY_TEST_EQUAL,
    ASSAY_TEST_IS_ZERO,
    ASSAY_TEST_SCALE, /* by b[0] */
    ASSAY_TEST_NORMALISE,
    ASSAY_TEST_WIDE, /* a: 64 bytes */
    ASSAY_TEST_DOUBLE,
};
enum assay_test_lanes_operation {
    ASSAY_TEST_LANES_MUL_ADD,       /* a·b + c mod p */
    ASSAY_TEST_LANES_SQR_ADD,       /* a² + c mod p */
    ASSAY_TEST_LANES_DIFFERENCE,    /* a - b mod p */
    ASSAY_TEST_LANES_NORMALISE,     /* a, canonical mod p */
    ASSAY_TEST_LANES_SCALAR_MUL,    /* a·b / 2^260 mod n */
    ASSAY_TEST_LANES_SCALAR_SUB,    /* a - b mod n */
    ASSAY_TEST_LANES_SCALAR_REDUCED /* a, canonical mod n */
};

int assay_test_field(uint64_t *r, uint32_t operation, const uint64_t *a, const uint64_t *b);
int assay_test_field_bytes(uint8_t *r, uint64_t *limbs, const uint8_t *bytes);
int assay_test_scalar(uint8_t *r, uint32_t operation, const uint8_t *a, const uint8_t *b);
void assay_test_scalar_u128(uint8_t *r, uint64_t high, uint64_t low);
void assay_test_scalar_inner(uint8_t *r, const uint8_t *a, const uint8_t *b, size_t n);
int assay_test_jacobian(uint8_t *r, uint32_t operation, const uint8_t *a, const uint8_t *z_a,
                        const uint8_t *b);
size_t assay_test_scratch_size(size_t n);
int assay_test_batch_add(uint8_t *r, const uint8_t *a, const uint8_t *b, size_t n, void *scratch);
int assay_test_points_sum(uint8_t *r, const uint8_t *points, size_t n, void *scratch);
int assay_test_msm(uint8_t *r, const uint8_t *scalars, const uint8_t *points, size_t n,
                   uint32_t bits, void *scratch);
void assay_test_commit_rows(uint8_t *r, const uint8_t *rows, size_t row_bytes,
                            const uint8_t *blindings, size_t n, const assay_tables *tables,
                            void *scratch);
void assay_test_commit_vectors(uint8_t *r, const uint64_t *amounts, const uint8_t *blindings,
                               size_t n, const assay_tables *tables, void *scratch);
void assay_test_combine(uint8_t *r, const uint8_t *scalars, size_t n, size_t count,
                        const assay_tables *tables, void *scratch);
void assay_test_combine_vectors(uint8_t *r, const uint8_t *scalars, size_t count,
                                const assay_tables *tables, void *scratch);
void assay_test_vector_multiple(uint8_t *r, const uint8_t *scalars, const assay_bases *bases);
/* The argument of a page of m leaves, and an opening, over any state of the transcript after item
 * 4: a status of assay.h.  Of the right lengths.  scratch: assay_check_scratch_size of such a page.
 */
int assay_test_leaves_verify(const uint8_t *state, size_t m, const uint8_t *entries,
                             const uint8_t *argument, const uint8_t *weights,
                             const assay_bases *bases, void *scratch);
int assay_test_opening_verify(const uint8_t *state, const uint8_t *page_id, uint32_t leaf,
                              uint64_t amount, const uint8_t *identity, const uint8_t *vector,
                              const uint8_t *opening, const uint8_t *weight,
                              const assay_bases *bases, void *scratch);
/* Lanes of the AVX-512 IFMA kernel: r, a, b, c are 5 limbs of 8 lanes each, lane by lane within a
 * limb.  -1 without that kernel. */
int assay_test_lanes(uint64_t *r, uint32_t operation, const uint64_t *a, const uint64_t *b,
                     const uint64_t *c);
int assay_test_sha256_blocks(uint32_t *state, const uint8_t *data, size_t blocks, int chosen);
/* The chosen kernel's; states of 8 words each. */
void assay_test_absorb(uint32_t *states, const uint8_t *data, size_t stride, size_t n);

/* cffi: end */

#endif
