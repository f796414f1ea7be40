/*
 * SHA-256 of sixteen messages side by side: word i of all of them is one vector.  kernel.h has the
 * contract.
 */
#include "kernels/avx512ifma/kernel.h"

#include <immintrin.h>
#include <string.h>

#define STREAMS 16

/* Fewer are faster one or two at a time, by the instructions of SHA-256. */
#define STREAMS_LEAST 6

#define XOR3 0x96
#define CHOOSE 0xCA   /* (x & y) | (~x & z) */
#define MAJORITY 0xE8 /* of x, y, z */

static inline __m512i load(const void *p)
{
    return _mm512_loadu_si512(p);
}

static inline __m512i add(__m512i a, __m512i b)
{
    return _mm512_add_epi32(a, b);
}

/* Rows 0 to 3 of r become columns: dword c of row i of each 128 bits goes to dword i of row c. */
static inline void transpose_quarters(__m512i r[4])
{
    const __m512i a = _mm512_unpacklo_epi32(r[0], r[1]), b = _mm512_unpackhi_epi32(r[0], r[1]),
                  c = _mm512_unpacklo_epi32(r[2], r[3]), d = _mm512_unpackhi_epi32(r[2], r[3]);
    r[0] = _mm512_unpacklo_epi64(a, c);
    r[1] = _mm512_unpackhi_epi64(a, c);
    r[2] = _mm512_unpacklo_epi64(b, d);
    r[3] = _mm512_unpackhi_epi64(b, d);
}

/* word[i]: the i-th big-endian word of sixteen blocks. */
static inline void load_blocks(__m512i word[16], const uint8_t *const block[STREAMS])
{
    const __m512i swap =
        _mm512_broadcast_i32x4(_mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203));
    for (size_t i = 0; i < STREAMS; i += 4) {
        for (size_t k = i; k < i + 4; k++) word[k] = _mm512_shuffle_epi8(load(block[k]), swap);
        transpose_quarters(word + i);
    }
    for (size_t c = 0; c < 4; c++) {
        const __m512i p = word[c], q = word[4 + c], r = word[8 + c], s = word[12 + c],
                      low = _mm512_shuffle_i32x4(p, q, 0x88), /* quarters 0 and 2 of either */
            high = _mm512_shuffle_i32x4(r, s, 0x88), odd_low = _mm512_shuffle_i32x4(p, q, 0xDD),
                      odd_high = _mm512_shuffle_i32x4(r, s, 0xDD);
        word[c] = _mm512_shuffle_i32x4(low, high, 0x88);
        word[4 + c] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        word[8 + c] = _mm512_shuffle_i32x4(low, high, 0xDD);
        word[12 + c] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xDD);
    }
}

/* word[i]: word i of sixteen states. */
static inline void load_states(__m512i word[8], uint32_t *const state[STREAMS])
{
    for (size_t i = 0; i < 8; i++) {
        const size_t k = i / 4 * 8 + i % 4;
        word[i] = _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((void *)state[k])),
                                     _mm256_loadu_si256((void *)state[k + 4]), 1);
    }
    transpose_quarters(word);
    transpose_quarters(word + 4);
    for (size_t c = 0; c < 4; c++) {
        const __m512i first = word[c], second = word[4 + c];
        word[c] = _mm512_shuffle_i32x4(first, second, 0x88);
        word[4 + c] = _mm512_shuffle_i32x4(first, second, 0xDD);
    }
}

/* The other way round. */
static inline void store_states(uint32_t *const state[STREAMS], __m512i word[8])
{
    for (size_t half = 0; half < 2; half++) {
        transpose_quarters(word + 4 * half);
        for (size_t k = 0; k < 4; k++) {
            const __m512i rows = word[4 * half + k];
            __m128i *const at[4] = {
                (void *)(state[k] + 4 * half), (void *)(state[4 + k] + 4 * half),
                (void *)(state[8 + k] + 4 * half), (void *)(state[12 + k] + 4 * half)};
            _mm_storeu_si128(at[0], _mm512_castsi512_si128(rows));
            _mm_storeu_si128(at[1], _mm512_extracti32x4_epi32(rows, 1));
            _mm_storeu_si128(at[2], _mm512_extracti32x4_epi32(rows, 2));
            _mm_storeu_si128(at[3], _mm512_extracti32x4_epi32(rows, 3));
        }
    }
}

/* Message word i + 16 in the place of word i. */
static inline void next_word(__m512i w[16], size_t i)
{
    const __m512i a = w[(i + 1) % 16], b = w[(i + 14) % 16];
    const __m512i s0 = _mm512_ternarylogic_epi32(_mm512_ror_epi32(a, 7), _mm512_ror_epi32(a, 18),
                                                 _mm512_srli_epi32(a, 3), XOR3),
                  s1 = _mm512_ternarylogic_epi32(_mm512_ror_epi32(b, 17), _mm512_ror_epi32(b, 19),
                                                 _mm512_srli_epi32(b, 10), XOR3);
    w[i] = add(add(w[i], w[(i + 9) % 16]), add(s0, s1));
}

/* Round i on state words that move on by one place a round. */
static inline void do_round(__m512i s[8], size_t i, __m512i wk)
{
    __m512i *at[8];
    for (size_t k = 0; k < 8; k++) at[k] = &s[(k + 16 - i) % 8];
    const __m512i a = *at[0], e = *at[4], h = add(*at[7], wk), d = add(*at[3], h);
    const __m512i s1 = _mm512_ternarylogic_epi32(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11),
                                                 _mm512_ror_epi32(e, 25), XOR3),
                  choice = _mm512_ternarylogic_epi32(e, *at[5], *at[6], CHOOSE),
                  s0 = _mm512_ternarylogic_epi32(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13),
                                                 _mm512_ror_epi32(a, 22), XOR3),
                  majority = _mm512_ternarylogic_epi32(a, *at[1], *at[2], MAJORITY),
                  t = add(s1, choice);
    *at[3] = add(d, t);
    *at[7] = add(add(h, t), add(s0, majority));
}

/* `groups` of sixteen, 1 or 2: one works while the other waits. */
static inline void absorb_groups(uint32_t *const state[2 * STREAMS],
                                 const uint8_t *const block[2 * STREAMS], size_t groups)
{
    const uint32_t *const last = SHA256_ROUND_CONSTANTS + 48;
    __m512i s[2][8], old[2][8], w[2][16];
    for (size_t g = 0; g < groups; g++) {
        load_blocks(w[g], block + STREAMS * g);
        load_states(s[g], state + STREAMS * g);
        for (size_t k = 0; k < 8; k++) old[g][k] = s[g][k];
    }
    for (const uint32_t *constant = SHA256_ROUND_CONSTANTS; constant <= last; constant += 16)
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            const __m512i k = _mm512_set1_epi32((int)constant[i]);
            for (size_t g = 0; g < groups; g++) do_round(s[g], i, add(w[g][i], k));
            if (constant < last)
                for (size_t g = 0; g < groups; g++) next_word(w[g], i);
        }
    for (size_t g = 0; g < groups; g++) {
        for (size_t k = 0; k < 8; k++) s[g][k] = add(s[g][k], old[g][k]);
        store_states(state + STREAMS * g, s[g]);
    }
    clear_secret(w, groups * sizeof *w);
}

void avx512ifma_absorb(uint32_t (*state)[8], const uint8_t *data, size_t stride, size_t n)
{
    while (n >= STREAMS_LEAST) {
        uint32_t spare[8], *states[2 * STREAMS]; /* a group that is not full fills up with spare */
        const uint8_t *blocks[2 * STREAMS];
        const size_t groups = n > STREAMS ? 2 : 1, room = STREAMS * groups,
                     count = n < room ? n : room;
        memcpy(spare, state[0], sizeof spare);
        for (size_t i = 0; i < room; i++) {
            states[i] = i < count ? state[i] : spare;
            blocks[i] = data + stride * (i < count ? i : 0);
        }
        if (groups == 2)
            absorb_groups(states, blocks, 2);
        else
            absorb_groups(states, blocks, 1);
        clear_secret(spare, sizeof spare);
        state += count;
        data += stride * count;
        n -= count;
    }
    KERNEL_PORTABLE.absorb(state, data, stride, n);
}
