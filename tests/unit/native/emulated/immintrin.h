/*
 * The vector instructions that constant-time code in lanes uses, in plain C: found in place of the
 * compiler's header where a test builds that code for valgrind, which knows no AVX-512. Neither a
 * branch nor an address depends on a lane or a mask.  emulated.c compares it with the processor.
 */
#ifndef ASSAY_EMULATED_H
#define ASSAY_EMULATED_H

#include <stdint.h>
#include <string.h>

typedef struct {
    _Alignas(64) uint64_t lane[8];
} __m512i;
typedef uint8_t __mmask8;

#define MASK_52 (((uint64_t)1 << 52) - 1)

/* All ones if bit i of the mask is set. */
static inline uint64_t emulated_bit(__mmask8 mask, int i)
{
    return 0 - (uint64_t)(mask >> i & 1);
}

/* 1 if a is zero; if a > b. */
static inline unsigned emulated_is_zero(uint64_t a)
{
    return (unsigned)(~(a | (0 - a)) >> 63);
}

static inline unsigned emulated_is_greater(uint64_t a, uint64_t b)
{
    const uint64_t difference = b - a;
    return (unsigned)(((~b & a) | (~(b ^ a) & difference)) >> 63);
}

static inline unsigned __int128 emulated_product(uint64_t a, uint64_t b)
{
    return (unsigned __int128)(a & MASK_52) * (b & MASK_52);
}

#define EMULATE(name, parameters, value)                                                           \
    static inline __m512i name parameters                                                          \
    {                                                                                              \
        __m512i r;                                                                                 \
        for (int i = 0; i < 8; i++) r.lane[i] = (value);                                           \
        return r;                                                                                  \
    }
#define EMULATE_MASK(name, parameters, bit)                                                        \
    static inline __mmask8 name parameters                                                         \
    {                                                                                              \
        unsigned r = 0;                                                                            \
        for (int i = 0; i < 8; i++) r |= (bit) << i;                                               \
        return (__mmask8)r;                                                                        \
    }
#define A a.lane[i]
#define B b.lane[i]
#define C c.lane[i]

EMULATE(_mm512_setzero_si512, (void), 0)
EMULATE(_mm512_set1_epi64, (long long a), (uint64_t)a)
EMULATE(_mm512_add_epi64, (__m512i a, __m512i b), A + B)
EMULATE(_mm512_sub_epi64, (__m512i a, __m512i b), A - B)
EMULATE(_mm512_mullo_epi64, (__m512i a, __m512i b), A *B)
EMULATE(_mm512_and_si512, (__m512i a, __m512i b), A &B)
EMULATE(_mm512_or_si512, (__m512i a, __m512i b), A | B)
EMULATE(_mm512_srli_epi64, (__m512i a, unsigned n), A >> n)
EMULATE(_mm512_slli_epi64, (__m512i a, unsigned n), A << n)
/* Shifts by 64 or more, which come from public numbers, give zero. */
EMULATE(_mm512_srlv_epi64, (__m512i a, __m512i b), B < 64 ? A >> B : 0)
EMULATE(_mm512_sllv_epi64, (__m512i a, __m512i b), B < 64 ? A << B : 0)
EMULATE(_mm512_madd52lo_epu64, (__m512i c, __m512i a, __m512i b),
        C + ((uint64_t)emulated_product(A, B) & MASK_52))
EMULATE(_mm512_madd52hi_epu64, (__m512i c, __m512i a, __m512i b),
        C + (uint64_t)(emulated_product(A, B) >> 52))
EMULATE(_mm512_mask_mov_epi64, (__m512i a, __mmask8 mask, __m512i b),
        A ^ ((A ^ B) & emulated_bit(mask, i)))
EMULATE(_mm512_mask_sub_epi64, (__m512i c, __mmask8 mask, __m512i a, __m512i b),
        C ^ ((C ^ (A - B)) & emulated_bit(mask, i)))
EMULATE_MASK(_mm512_cmpeq_epi64_mask, (__m512i a, __m512i b), emulated_is_zero(A ^ B))
EMULATE_MASK(_mm512_cmpgt_epu64_mask, (__m512i a, __m512i b), emulated_is_greater(A, B))
EMULATE_MASK(_mm512_testn_epi64_mask, (__m512i a, __m512i b), emulated_is_zero(A &B))
EMULATE(_mm512_unpacklo_epi64, (__m512i a, __m512i b), (i % 2 ? b : a).lane[i / 2 * 2])
EMULATE(_mm512_unpackhi_epi64, (__m512i a, __m512i b), (i % 2 ? b : a).lane[i / 2 * 2 + 1])
EMULATE(_mm512_shuffle_i64x2, (__m512i a, __m512i b, int order),
        (i < 4 ? a : b).lane[2 * (order >> (i / 2 * 2) & 3) + i % 2])
EMULATE(_mm512_permutexvar_epi64, (__m512i a, __m512i b), b.lane[A & 7]) /* public places */

#undef A
#undef B
#undef C

static inline __m512i _mm512_setr_epi64(long long a, long long b, long long c, long long d,
                                        long long e, long long f, long long g, long long h)
{
    return (__m512i){{(uint64_t)a, (uint64_t)b, (uint64_t)c, (uint64_t)d, (uint64_t)e, (uint64_t)f,
                      (uint64_t)g, (uint64_t)h}};
}

/* Masks of memory are public. */
static inline __m512i _mm512_maskz_loadu_epi64(__mmask8 mask, const void *from)
{
    __m512i r = {{0}};
    for (int i = 0; i < 8; i++)
        if (mask >> i & 1) memcpy(&r.lane[i], (const uint8_t *)from + 8 * i, 8);
    return r;
}

static inline void _mm512_mask_storeu_epi64(void *to, __mmask8 mask, __m512i a)
{
    for (int i = 0; i < 8; i++)
        if (mask >> i & 1) memcpy((uint8_t *)to + 8 * i, &a.lane[i], 8);
}

static inline __m512i _mm512_loadu_si512(const void *from)
{
    return _mm512_maskz_loadu_epi64(0xFF, from);
}

static inline void _mm512_storeu_si512(void *to, __m512i a)
{
    _mm512_mask_storeu_epi64(to, 0xFF, a);
}

static inline void _mm512_store_si512(void *to, __m512i a)
{
    _mm512_mask_storeu_epi64(to, 0xFF, a);
}

/* What the same header gives to uint128.h. */
static inline unsigned char _addcarry_u64(unsigned char carry, uint64_t a, uint64_t b,
                                          unsigned long long *sum)
{
    const unsigned __int128 r = (unsigned __int128)a + b + carry;
    *sum = (uint64_t)r;
    return (unsigned char)(r >> 64);
}

static inline unsigned char _subborrow_u64(unsigned char borrow, uint64_t a, uint64_t b,
                                           unsigned long long *difference)
{
    const unsigned __int128 r = (unsigned __int128)a - b - borrow;
    *difference = (uint64_t)r;
    return (unsigned char)(r >> 64 & 1);
}

#endif
