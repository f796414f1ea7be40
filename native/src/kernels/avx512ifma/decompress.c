/* Decoding points, twenty-four at a time: three vectors, one's latency under the others'.  Encoding
 * them, eight at a time. */
#include "kernels/avx512ifma/kernel.h"

#define TRIPLE 3

/* Eight encodings: x, whether y is odd; the lanes whose first byte or x is refused. */
static __mmask8 read_encodings(lanes *x, __mmask8 *odd, const uint8_t *const bytes[LANES])
{
    const __m256i reversed = _mm256_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
                                              15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    __m512i r[8];
    __mmask8 refused = 0;
    *odd = 0;
    for (int i = 0; i < LANES; i++) {
        refused |= (__mmask8)((bytes[i][0] != 2 && bytes[i][0] != 3) << i);
        *odd |= (__mmask8)((bytes[i][0] & 1) << i);
        const __m256i raw = _mm256_loadu_si256((const __m256i *)(const void *)(bytes[i] + 1));
        const __m256i word = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(raw, reversed), 0x4E);
        r[i] = _mm512_castsi256_si512(word);
    }
    /* The upper halves hold nothing. */
    lanes_transpose(r);
    *x = lanes_from_words(r[0], r[1], r[2], r[3]);
    const __m512i full = lane_all(FIELD_MASK);
    const __m512i middle = _mm512_and_si512(_mm512_and_si512(x->limb1, x->limb2), x->limb3);
    const __mmask8 high = _mm512_cmpeq_epi64_mask(x->limb4, lane_all(FIELD_P4)) &
                          _mm512_cmpeq_epi64_mask(middle, full) &
                          _mm512_cmpge_epu64_mask(x->limb0, lane_all(FIELD_P0));
    return refused | high;
}

static void square_times(lanes r[TRIPLE], const lanes a[TRIPLE], int n)
{
    lanes s = a[0], t = a[1], u = a[2];
    for (; n > 0; n--) {
        s = lanes_sqr(&s);
        t = lanes_sqr(&t);
        u = lanes_sqr(&u);
    }
    r[0] = s;
    r[1] = t;
    r[2] = u;
}

static void multiply(lanes r[TRIPLE], const lanes a[TRIPLE], const lanes b[TRIPLE])
{
    r[0] = lanes_mul(&a[0], &b[0]);
    r[1] = lanes_mul(&a[1], &b[1]);
    r[2] = lanes_mul(&a[2], &b[2]);
}

/* a^((p+1)/4) by the chain of field_sqrt. */
static void raise_to_root(lanes r[TRIPLE], const lanes a[TRIPLE])
{
    lanes x2[TRIPLE], x3[TRIPLE], x22[TRIPLE], x44[TRIPLE], x88[TRIPLE], t[TRIPLE], u[TRIPLE];
    square_times(t, a, 1);
    multiply(x2, t, a);
    square_times(t, x2, 1);
    multiply(x3, t, a);
    square_times(t, x3, 3);
    multiply(t, t, x3); /* x6 */
    square_times(t, t, 3);
    multiply(t, t, x3); /* x9 */
    square_times(t, t, 2);
    multiply(u, t, x2); /* x11 */
    square_times(t, u, 11);
    multiply(x22, t, u);
    square_times(t, x22, 22);
    multiply(x44, t, x22);
    square_times(t, x44, 44);
    multiply(x88, t, x44);
    square_times(t, x88, 88);
    multiply(t, t, x88); /* x176 */
    square_times(t, t, 44);
    multiply(t, t, x44); /* x220 */
    square_times(t, t, 3);
    multiply(t, t, x3); /* x223 */
    square_times(t, t, 23);
    multiply(t, t, x22);
    square_times(t, t, 6);
    multiply(t, t, x2);
    square_times(r, t, 2);
}

/* The lanes that are no points, 24 bits. */
static unsigned decode_triple(point_lanes out[TRIPLE], const uint8_t *const bytes[TRIPLE * LANES])
{
    lanes x[TRIPLE], square[TRIPLE], root[TRIPLE];
    __mmask8 refused[TRIPLE], odd[TRIPLE];
    const lanes seven = lanes_small(7);
    for (int k = 0; k < TRIPLE; k++) {
        refused[k] = read_encodings(&x[k], &odd[k], bytes + LANES * k);
        const lanes xx = lanes_sqr(&x[k]);
        square[k] = lanes_clear(lanes_mul_add(&xx, &x[k], &seven));
    }
    raise_to_root(root, square);
    for (int k = 0; k < TRIPLE; k++) {
        const lanes minus = lanes_negated(&square[k], 1);
        const lanes error = lanes_clear(lanes_sqr_add(&root[k], &minus));
        refused[k] |= (__mmask8)~lanes_zero(&error);
        lanes y = lanes_clear(root[k]);
        y = lanes_normalise(&y);
        const __mmask8 flip = _mm512_test_epi64_mask(y.limb0, lane_all(1)) ^ odd[k];
        /* y is not zero on the curve; 2p - y is in (p, 2p). */
        lanes other = lanes_carry(lanes_negated(&y, 1));
        other = lanes_normalise(&other);
        out[k] = (point_lanes){x[k], lanes_select(&y, &other, flip)};
    }
    return (unsigned)refused[0] | (unsigned)refused[1] << LANES | (unsigned)refused[2] << 2 * LANES;
}

/* Up to twenty-four; those of them that are refused. */
static unsigned decode_block(affine *out, const uint8_t *bytes, size_t block)
{
    const uint8_t *source[TRIPLE * LANES];
    point_lanes point[TRIPLE];
    for (size_t i = 0; i < TRIPLE * LANES; i++) source[i] = bytes + 33 * (i < block ? i : 0);
    const unsigned refused = decode_triple(point, source);
    for (size_t k = 0; LANES * k < block; k++) {
        const size_t left = block - LANES * k;
        lanes_store_affine(out + LANES * k, &point[k], left < LANES ? left : LANES);
    }
    return refused & ((1u << block) - 1);
}

static size_t block_at(size_t done, size_t n)
{
    return n - done < TRIPLE * LANES ? n - done : TRIPLE * LANES;
}

size_t avx512ifma_decompress(affine *out, const uint8_t *bytes, size_t n, void *scratch)
{
    (void)scratch;
    for (size_t done = 0; done < n; done += TRIPLE * LANES) {
        const unsigned refused = decode_block(out + done, bytes + 33 * done, block_at(done, n));
        if (refused != 0) return done + (size_t)__builtin_ctz(refused);
    }
    return n;
}

void avx512ifma_decompress_each(affine *out, const uint8_t *bytes, size_t n, void *scratch)
{
    (void)scratch;
    for (size_t done = 0; done < n; done += TRIPLE * LANES) {
        unsigned refused = decode_block(out + done, bytes + 33 * done, block_at(done, n));
        for (; refused != 0; refused &= refused - 1)
            out[done + (size_t)__builtin_ctz(refused)] = AFFINE_INFINITY;
    }
}

void avx512ifma_compress(uint8_t *bytes, size_t stride, const affine *a, size_t n)
{
    const __m256i reversed = _mm256_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0,
                                              15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (size_t i = 0; i < n; i += LANES) {
        const affine *point[LANES];
        point_lanes p;
        __m512i r[8];
        for (size_t k = 0; k < LANES; k++) point[k] = &a[i + k < n ? i + k : i];
        lanes_load_affine(&p, point);
        const lanes x = lanes_normalise(&p.x), y = lanes_normalise(&p.y);
        const __mmask8 odd = _mm512_test_epi64_mask(y.limb0, lane_all(1)),
                       infinite = lanes_zero(&p.y);
        lanes_to_words(r, &x);
        for (int k = 4; k < 8; k++) r[k] = r[0];
        lanes_transpose(r);
        for (size_t k = 0; k < LANES && i + k < n; k++) {
            uint8_t *out = bytes + stride * (i + k);
            const __m256i word = _mm256_permute4x64_epi64(_mm512_castsi512_si256(r[k]), 0x4E);
            out[0] = infinite >> k & 1 ? 0 : (uint8_t)(2 + (odd >> k & 1));
            _mm256_storeu_si256((__m256i *)(void *)(out + 1), _mm256_shuffle_epi8(word, reversed));
        }
    }
}
