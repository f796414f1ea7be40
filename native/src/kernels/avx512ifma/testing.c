/* The arithmetic of lanes for the tests, limb by limb. */
#include "kernels/avx512ifma/testing.h"

#include "assay_testing.h"
#include "kernels/avx512ifma/scalar.h"

static lanes load(const uint64_t *a)
{
    return (lanes){_mm512_loadu_si512(a), _mm512_loadu_si512(a + 8), _mm512_loadu_si512(a + 16),
                   _mm512_loadu_si512(a + 24), _mm512_loadu_si512(a + 32)};
}

int avx512ifma_test_lanes(uint64_t *r, uint32_t operation, const uint64_t *a, const uint64_t *b,
                          const uint64_t *c)
{
    const lanes x = load(a), y = load(b), z = load(c);
    lanes t;
    switch (operation) {
    case ASSAY_TEST_LANES_MUL_ADD:
        t = lanes_clear(lanes_mul_add(&x, &y, &z));
        break;
    case ASSAY_TEST_LANES_SQR_ADD:
        t = lanes_clear(lanes_sqr_add(&x, &z));
        break;
    case ASSAY_TEST_LANES_DIFFERENCE:
        t = lanes_clear(lanes_difference(&x, &y));
        break;
    case ASSAY_TEST_LANES_NORMALISE:
        t = lanes_normalise(&x);
        break;
    case ASSAY_TEST_LANES_SCALAR_MUL:
        t = lanes_scalar_mul(&x, &y);
        break;
    case ASSAY_TEST_LANES_SCALAR_SUB:
        t = lanes_scalar_sub(&x, &y);
        break;
    case ASSAY_TEST_LANES_SCALAR_REDUCED:
        t = lanes_scalar_normalise(x);
        break;
    default:
        return ASSAY_BAD_COUNT;
    }
    _mm512_storeu_si512(r, t.limb0);
    _mm512_storeu_si512(r + 8, t.limb1);
    _mm512_storeu_si512(r + 16, t.limb2);
    _mm512_storeu_si512(r + 24, t.limb3);
    _mm512_storeu_si512(r + 32, t.limb4);
    return ASSAY_OK;
}
