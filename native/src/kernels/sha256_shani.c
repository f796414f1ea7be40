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

typedef struct {
    __m128i abef, cdgh;
} sha_state;

/* Words in memory order a b c d / e f g h, to the order above. */
static inline sha_state load_state(const uint32_t state[8])
{
    const __m128i cdab = _mm_shuffle_epi32(load(state), 0xB1),
                  efgh = _mm_shuffle_epi32(load(state + 4), 0x1B);
    return (sha_state){_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xF0)};
}

static inline void store_state(uint32_t state[8], const sha_state *s)
{
    const __m128i feba = _mm_shuffle_epi32(s->abef, 0x1B), dchg = _mm_shuffle_epi32(s->cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

typedef struct {
    __m128i w0, w1, w2, w3;
} sha_message;

static inline sha_message load_message(const uint8_t *data)
{
    const __m128i swap = _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
    return (sha_message){
        _mm_shuffle_epi8(load(data), swap), _mm_shuffle_epi8(load(data + 16), swap),
        _mm_shuffle_epi8(load(data + 32), swap), _mm_shuffle_epi8(load(data + 48), swap)};
}

static inline void add_state(sha_state *s, const sha_state *old)
{
    s->abef = _mm_add_epi32(s->abef, old->abef);
    s->cdgh = _mm_add_epi32(s->cdgh, old->cdgh);
}

void sha256_blocks_shani(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    sha_state s = load_state(state);
    for (; blocks > 0; blocks--, data += 64) {
        const sha_state old = s;
        sha_message m = load_message(data);
        for (const uint32_t *k = SHA256_ROUND_CONSTANTS; k < SHA256_ROUND_CONSTANTS + 64; k += 16) {
            if (k > SHA256_ROUND_CONSTANTS) {
                m.w0 = next_words(m.w0, m.w1, m.w2, m.w3);
                m.w1 = next_words(m.w1, m.w2, m.w3, m.w0);
                m.w2 = next_words(m.w2, m.w3, m.w0, m.w1);
                m.w3 = next_words(m.w3, m.w0, m.w1, m.w2);
            }
            four_rounds(&s.abef, &s.cdgh, m.w0, k);
            four_rounds(&s.abef, &s.cdgh, m.w1, k + 4);
            four_rounds(&s.abef, &s.cdgh, m.w2, k + 8);
            four_rounds(&s.abef, &s.cdgh, m.w3, k + 12);
        }
        add_state(&s, &old);
    }
    store_state(state, &s);
}

void sha256_pair_shani(uint32_t first[8], const uint8_t *first_data, uint32_t second[8],
                       const uint8_t *second_data, size_t blocks)
{
    sha_state s = load_state(first), t = load_state(second);
    for (; blocks > 0; blocks--, first_data += 64, second_data += 64) {
        const sha_state old_s = s, old_t = t;
        sha_message m = load_message(first_data), n = load_message(second_data);
        for (const uint32_t *k = SHA256_ROUND_CONSTANTS; k < SHA256_ROUND_CONSTANTS + 64; k += 16) {
            if (k > SHA256_ROUND_CONSTANTS) {
                m.w0 = next_words(m.w0, m.w1, m.w2, m.w3);
                n.w0 = next_words(n.w0, n.w1, n.w2, n.w3);
                m.w1 = next_words(m.w1, m.w2, m.w3, m.w0);
                n.w1 = next_words(n.w1, n.w2, n.w3, n.w0);
                m.w2 = next_words(m.w2, m.w3, m.w0, m.w1);
                n.w2 = next_words(n.w2, n.w3, n.w0, n.w1);
                m.w3 = next_words(m.w3, m.w0, m.w1, m.w2);
                n.w3 = next_words(n.w3, n.w0, n.w1, n.w2);
            }
            four_rounds(&s.abef, &s.cdgh, m.w0, k);
            four_rounds(&t.abef, &t.cdgh, n.w0, k);
            four_rounds(&s.abef, &s.cdgh, m.w1, k + 4);
            four_rounds(&t.abef, &t.cdgh, n.w1, k + 4);
            four_rounds(&s.abef, &s.cdgh, m.w2, k + 8);
            four_rounds(&t.abef, &t.cdgh, n.w2, k + 8);
            four_rounds(&s.abef, &s.cdgh, m.w3, k + 12);
            four_rounds(&t.abef, &t.cdgh, n.w3, k + 12);
        }
        add_state(&s, &old_s);
        add_state(&t, &old_t);
    }
    store_state(first, &s);
    store_state(second, &t);
}

#else
typedef int sha256_shani_needs_x86_64; /* a translation unit is never empty */
#endif
