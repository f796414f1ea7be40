/* What assay_test_lanes does on this kernel. */
#ifndef ASSAY_AVX512IFMA_TESTING_H
#define ASSAY_AVX512IFMA_TESTING_H

#include <stdint.h>

int avx512ifma_test_lanes(uint64_t *r, uint32_t operation, const uint64_t *a, const uint64_t *b,
                          const uint64_t *c);

#endif
