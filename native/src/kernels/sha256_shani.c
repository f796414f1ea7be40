/*
 * SHA-256 blocks by the SHA instructions of x86-64.  This file alone is compiled for them; it is
 * called only where the processor has them (dispatch.c).
 *
 * The instructions keep the state as two vectors, high to low (A, B, E, F) and (C, D, G, H), and do
 * two rounds on the two low words of w + k.
 */
#ifdef __x86_64__

#include "hash/sha256.h"

#include <immintrin.h>

static inline __m128i load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* Four rounds on message words w, round constants from k on. */
static inline void four_rounds(__m128i *abef, __m128i *cdgh, __m128i w, const uint32_t *k)
{
    const __m128i wk = _mm_add_epi32(w, load(k));
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, wk);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(wk, 0x0E));
}

/* The next four message words from the last sixteen, a the oldest four. */
static inline __m128i next_words(__m128i a, __m128i b, __m128i c, __m128i d)
{
    const __m128i t = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4));
    return _mm_sha256msg2_epu32(t, d);
}

void sha256_blocks_shani(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
    const __m128i dcba = load(state), hgfe = load(state + 4);
    /* Words in memory order a b c d / e f g h, to the order above. */
    const __m128i cdab = _mm_shuffle_epi32(dcba, 0xB1), efgh = _mm_shuffle_epi32(hgfe, 0x1B);
    __m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xF0);
    for (; blocks > 0; blocks--, data += 64) {
        const __m128i old_abef = abef, old_cdgh = cdgh;
        __m128i w0 = _mm_shuffle_epi8(load(data), swap);
        __m128i w1 = _mm_shuffle_epi8(load(data + 16), swap);
        __m128i w2 = _mm_shuffle_epi8(load(data + 32), swap);
        __m128i w3 = _mm_shuffle_epi8(load(data + 48), swap);
        for (const uint32_t *k = SHA256_ROUND_CONSTANTS; k < SHA256_ROUND_CONSTANTS + 64; k += 16) {
            if (k > SHA256_ROUND_CONSTANTS) {
                w0 = next_words(w0, w1, w2, w3);
                w1 = next_words(w1, w2, w3, w0);
                w2 = next_words(w2, w3, w0, w1);
                w3 = next_words(w3, w0, w1, w2);
            }
            four_rounds(&abef, &cdgh, w0, k);
            four_rounds(&abef, &cdgh, w1, k + 4);
            four_rounds(&abef, &cdgh, w2, k + 8);
            four_rounds(&abef, &cdgh, w3, k + 12);
        }
        abef = _mm_add_epi32(abef, old_abef);
        cdgh = _mm_add_epi32(cdgh, old_cdgh);
    }
    const __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#else
typedef int sha256_shani_needs_x86_64; /* a translation unit is never empty */
#endif
