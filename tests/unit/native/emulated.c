/*
 * Every instruction of emulated/immintrin.h on numbers that are at the edges or random:
 * test_constant_time.py builds this for the processor and with the emulation, and wants the same
 * output.
 */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>

#define ROUNDS 500
#define BITS_52 0xFFFFFFFFFFFFF

static uint64_t state = 1;

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t z = (state += 0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static uint64_t number(void)
{
    static const uint64_t EDGES[] = {0, 1, 63, 64, 65, BITS_52, BITS_52 + 1, UINT64_MAX};
    const uint64_t r = draw();
    return r % 2 ? draw() : EDGES[r / 2 % 8];
}

static __m512i vector(void)
{
    uint64_t lane[8];
    for (int i = 0; i < 8; i++) lane[i] = number();
    return _mm512_loadu_si512(lane);
}

static void show(const void *data)
{
    for (int i = 0; i < 8; i++) printf("%016llx ", ((const unsigned long long *)data)[i]);
    printf("\n");
}

static void show_vector(__m512i a)
{
    _Alignas(64) uint64_t lane[8];
    _mm512_store_si512(lane, a);
    show(lane);
}

static void try_instructions(void)
{
    const __m512i a = vector(), b = vector(), c = vector();
    const __mmask8 mask = (__mmask8)draw();
    const unsigned shift = (unsigned)(draw() % 64);
    uint64_t memory[9] = {0};
    show_vector(_mm512_setzero_si512());
    show_vector(_mm512_set1_epi64((long long)draw()));
    show_vector(_mm512_setr_epi64(1, 2, 3, 4, 5, 6, 7, -1));
    show_vector(_mm512_add_epi64(a, b));
    show_vector(_mm512_sub_epi64(a, b));
    show_vector(_mm512_mullo_epi64(a, b));
    show_vector(_mm512_and_si512(a, b));
    show_vector(_mm512_or_si512(a, b));
    show_vector(_mm512_srli_epi64(a, shift));
    show_vector(_mm512_slli_epi64(a, shift));
    show_vector(_mm512_srlv_epi64(a, b));
    show_vector(_mm512_sllv_epi64(a, b));
    show_vector(_mm512_madd52lo_epu64(a, b, c));
    show_vector(_mm512_madd52hi_epu64(a, b, c));
    show_vector(_mm512_mask_mov_epi64(a, mask, b));
    show_vector(_mm512_mask_sub_epi64(a, mask, b, c));
    show_vector(_mm512_unpacklo_epi64(a, b));
    show_vector(_mm512_unpackhi_epi64(a, b));
    show_vector(_mm512_shuffle_i64x2(a, b, 0x88));
    show_vector(_mm512_shuffle_i64x2(a, b, 0xDD));
    show_vector(_mm512_permutexvar_epi64(a, b));
    show_vector(_mm512_maskz_loadu_epi64(mask, &a));
    _mm512_mask_storeu_epi64(memory + 1, mask, a);
    show(memory + 1);
    _mm512_storeu_si512(memory + 1, b);
    show(memory + 1);
    printf("%x %x %x\n", _mm512_cmpeq_epi64_mask(a, b), _mm512_cmpgt_epu64_mask(a, b),
           _mm512_testn_epi64_mask(a, b));
}

int main(void)
{
    for (int i = 0; i < ROUNDS; i++) try_instructions();
    return 0;
}
