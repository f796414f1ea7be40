/*
 * Constant-time Σ_t k_t·W_t + r·B in lanes, with the tables and digits of the portable code.
 *
 * A lane adds up multiples of two of the W, with shared doublings, and then of every eighth window
 * of r; at last the lanes are added up.  Until then secrets are in vectors and masks alone: no
 * branch and no address can read them there.
 */
#include "hash/sha256.h"
#include "kernels/avx512ifma/complete.h"
#include "kernels/avx512ifma/kernel.h"

#define GROUPS (VECTOR_SLOTS / LANES)

/* The tables of eight points: words of x and of y, a lane a point. */
typedef struct {
    __m512i entry[MULTIPLE_ENTRIES][LANES];
} table_lanes;

static void load_tables(table_lanes *t, const affine entry[LANES][MULTIPLE_ENTRIES])
{
    for (size_t j = 0; j < MULTIPLE_ENTRIES; j++) {
        for (size_t i = 0; i < LANES; i++) t->entry[j][i] = _mm512_loadu_si512(&entry[i][j]);
        lanes_transpose(t->entry[j]);
    }
}

/* The five bits of k from bit `first` + offset on. */
static inline __m512i read_digits(const __m512i k[4], size_t first, __m512i offset)
{
    const size_t index = first / 64, shift = first % 64;
    __m512i bits = _mm512_srlv_epi64(k[index], lane_all(shift));
    if (index < 3) /* a shift by 64 gives zero */
        bits = _mm512_or_si512(bits, _mm512_sllv_epi64(k[index + 1], lane_all(64 - shift)));
    return _mm512_and_si512(_mm512_srlv_epi64(bits, offset), lane_all(2 * MULTIPLE_ENTRIES - 1));
}

/* ± the entry of each lane's digit, all of them read. */
static void select_entries(projective_lanes *r, const table_lanes *t, __m512i digit)
{
    const __mmask8 negative = _mm512_testn_epi64_mask(digit, lane_all(MULTIPLE_ENTRIES));
    const __m512i flipped =
        _mm512_mask_sub_epi64(digit, negative, lane_all(MULTIPLE_ENTRIES - 1), digit);
    const __m512i wanted = _mm512_and_si512(flipped, lane_all(MULTIPLE_ENTRIES - 1));
    __m512i found[LANES];
    for (size_t i = 0; i < LANES; i++) found[i] = t->entry[0][i];
    for (size_t j = 1; j < MULTIPLE_ENTRIES; j++) {
        const __mmask8 here = _mm512_cmpeq_epi64_mask(wanted, lane_all(j));
        for (size_t i = 0; i < LANES; i++)
            found[i] = _mm512_mask_mov_epi64(found[i], here, t->entry[j][i]);
    }
    const lanes y = lanes_from_words(found[4], found[5], found[6], found[7]);
    lanes_put(&r->x, lanes_from_words(found[0], found[1], found[2], found[3]));
    lanes_put(&r->y, lanes_carry(lanes_negate_some(&y, negative)));
    lanes_put(&r->z, lanes_small(1));
}

/* *sum += Σ_t k_t·W_t, a lane for W_t and W_(t + 8). */
static void add_multiples(projective_lanes *sum, const words k[VECTOR_SLOTS],
                          const vector_multiples *m)
{
    table_lanes table[GROUPS];
    __m512i factor[GROUPS][LANES];
    projective_lanes entry;
    for (size_t g = 0; g < GROUPS; g++) {
        load_tables(&table[g], &m->entry[LANES * g]);
        for (size_t i = 0; i < LANES; i++)
            factor[g][i] = _mm512_maskz_loadu_epi64(0x0F, &k[LANES * g + i]);
        lanes_transpose(factor[g]);
    }
    for (size_t window = MULTIPLE_WINDOWS; window-- > 0;) {
        for (size_t i = 0; i < MULTIPLE_BITS; i++) complete_double_lanes(sum);
        for (size_t g = 0; g < GROUPS; g++) {
            select_entries(&entry, &table[g],
                           read_digits(factor[g], MULTIPLE_BITS * window, lane_all(0)));
            complete_add_lanes(sum, &entry);
        }
    }
    clear_secret(factor, sizeof factor);
    clear_secret(&entry, sizeof entry);
}

/* *sum += r·B, a lane for every eighth window: the last eight are some of those before, too. */
static void add_multiples_of_b(projective_lanes *sum, const words *r, const vector_multiples *m)
{
    const __m512i offset =
        _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), lane_all(MULTIPLE_BITS));
    const size_t last = MULTIPLE_WINDOWS - LANES;
    table_lanes table;
    __m512i factor[4];
    projective_lanes entry;
    for (size_t i = 0; i < 4; i++) factor[i] = _mm512_set1_epi64((long long)r->word[i]);
    for (size_t done = 0; done < MULTIPLE_WINDOWS; done += LANES) {
        const size_t first = done < last ? done : last;
        load_tables(&table, &m->base[first]);
        select_entries(&entry, &table, read_digits(factor, MULTIPLE_BITS * first, offset));
        complete_put_infinity(&entry, (__mmask8)((1u << (done - first)) - 1));
        complete_add_lanes(sum, &entry);
    }
    clear_secret(factor, sizeof factor);
    clear_secret(&entry, sizeof entry);
}

void avx512ifma_vector_multiple(projective *out, const words k[VECTOR_SLOTS + 1],
                                const vector_multiples *m)
{
    projective_lanes sum = {lanes_small(0), lanes_small(1), lanes_small(0)};
    projective total;
    add_multiples(&sum, k, m);
    add_multiples_of_b(&sum, &k[VECTOR_SLOTS], m);
    complete_sum_lanes(&total, &sum);
    complete_add(out, &total, &m->lift);
    clear_secret(&sum, sizeof sum);
    clear_secret(&total, sizeof total);
}
