/*
 * Multi-scalar multiplication: digits, sorting, and the filling of buckets; avx512ifma_msm.h has the method.
 *
 * 1. Scalars of 256 bits are reduced below n/2 by a change of sign, so that all have T = 256 bits with room for a carry.  Points are packed, a
 *    cache line each, with the sign in them.
 * 2. k + Σ_i 2^(bit_i + width_i - 1), all windows but the top one, is cut into digits; each less 2^(width_i - 1) is the signed digit
 *    of k, in [-2^(w-1), 2^(w-1)); the top digit is in [0, 2^(w-1)], because k < 2^(T-1).
 * 3. Buckets are sorted by load, most first, a lane each.  Step t adds the t-th entry (point, sign) of all buckets that have one, which
 *    are the first lanes; so entries are sorted by (step, lane).  The last few buckets take single additions.
 */
#include "avx512ifma_msm.h"

#include "../msm.h"

#include <string.h>

#define FEW_POINTS 64 /* below this the portable kernel does better */
#define FEW_LANES 6   /* a batch of so few costs more than single additions */
#define PREFETCH 6    /* vectors ahead */
#define NEGATIVE 0x80000000u
#define LOAD_MAX 1023    /* entries of a bucket that are added in lanes */
#define GROUP_LANES 2048 /* a full batch */
#define GROUP_ENTRIES 131072
#define INVERSION 64 /* additions that one inversion costs */

typedef struct {
    msm_work shared;
    size_t n;
    uint64_t *shifted[4]; /* n words each: |k| plus the offset of the digits */
    packed *point;        /* ±P */
    uint32_t *key;        /* n × group: the bucket of each digit, NEGATIVE if so */
    uint32_t *load;       /* lane_max + 1, by bucket; the last is of the digits zero */
    uint32_t *lane;       /* lane_max + 1, by bucket */
    uint32_t *bucket;     /* lane_max, by lane */
    uint32_t *step;       /* LOAD_MAX + 1: where the entries of a step start, by lane */
    uint32_t *entry;      /* n × group: 2·point + (1 if negative), and zeros for reading ahead */
} sums;

static unsigned total_bits(unsigned bits)
{
    return bits < 256 ? bits + 1 : 256;
}

/* What a plan of so many windows costs, in additions: a point's in every window, a bucket's reduction, and an inversion a batch; steps
 * go beyond the mean load, since loads differ. */
static size_t plan_cost(size_t n, unsigned total, size_t windows)
{
    const size_t width = (total + windows - 1) / windows, buckets = (size_t)1 << (width - 1);
    const size_t load = n / buckets, steps = load + load / 2 + 12, all = windows * buckets;
    return windows * (n + 4 * buckets) + INVERSION * steps * ((all + GROUP_LANES - 1) / GROUP_LANES);
}

static void make_plan(msm_plan *plan, size_t n, unsigned bits)
{
    const unsigned total = total_bits(bits);
    const size_t fewest = (total + WINDOW_BITS_MAX - 1) / WINDOW_BITS_MAX, most = total / WINDOW_BITS_MIN;
    size_t windows = fewest, bit = 0;
    for (size_t k = fewest + 1; k <= most && k <= WINDOWS_MAX; k++) {
        const bool fits = (size_t)1 << ((total + windows - 1) / windows - 1) <= n;
        if (!fits || plan_cost(n, total, k) < plan_cost(n, total, windows)) windows = k;
    }
    const size_t width = total / windows, wider = total % windows;
    plan->window_count = windows;
    plan->bucket_max = (size_t)1 << (width - (wider == 0));
    for (size_t i = 0; i < windows; i++) {
        msm_window *w = &plan->window[i];
        w->bit = bit;
        w->width = width + (i < wider);
        w->buckets = (size_t)1 << (w->width - 1);
        bit += w->width;
    }
    plan->group = 1;
    while (plan->group < windows && (plan->group + 1) * plan->bucket_max <= GROUP_LANES &&
           (plan->group + 1) * n <= GROUP_ENTRIES)
        plan->group++;
    plan->lane_max = plan->group * plan->bucket_max;
    for (size_t i = 0; i < windows; i++) {
        const bool begins = i % plan->group == 0;
        plan->window[i].first = begins ? 0 : plan->window[i - 1].first + plan->window[i - 1].buckets;
    }
}

static bool has_few(size_t n, unsigned bits)
{
    return n < FEW_POINTS || bits < 32;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The size of a scratch for n points, enough for every plan of up to n, so that it does not decrease with n: a window has at most n
 * buckets.  `s`, unless NULL, is laid out in it. */
static size_t lay_out(sums *s, size_t n, uint8_t *scratch)
{
    const size_t widest = (size_t)1 << (WINDOW_BITS_MAX - 1), buckets = larger(n < widest ? n : widest, GROUP_LANES);
    const size_t entries = larger(n, GROUP_ENTRIES);
    sums unused;
    uint8_t *next = scratch;
    if (s == NULL) s = &unused;
    msm_work *w = &s->shared;
    w->batch = arena_take(&next, sizeof *w->batch);
    w->offset = arena_take(&next, buckets * sizeof *w->offset);
    w->sum = arena_take(&next, (buckets + LANES - 1) / LANES * sizeof *w->sum);
    w->bucket = arena_take(&next, buckets * sizeof *w->bucket);
    w->bit = arena_take(&next, WINDOWS_MAX * WINDOW_BITS_MAX * sizeof *w->bit);
    for (int j = 0; j < 4; j++) s->shifted[j] = arena_take(&next, (n + LANES) * sizeof(uint64_t));
    s->point = arena_take(&next, (n + LANES) * sizeof *s->point);
    s->key = arena_take(&next, (entries + LANES) * sizeof *s->key);
    s->load = arena_take(&next, (buckets + 1) * sizeof *s->load);
    s->lane = arena_take(&next, (buckets + 1) * sizeof *s->lane);
    s->bucket = arena_take(&next, buckets * sizeof *s->bucket);
    s->step = arena_take(&next, (LOAD_MAX + 1) * sizeof *s->step);
    s->entry = arena_take(&next, (entries + LANES * (PREFETCH + 1)) * sizeof *s->entry);
    return (size_t)(next - scratch);
}

size_t avx512ifma_msm_scratch_size(size_t n, unsigned bits)
{
    static uint8_t origin[1];
    const size_t exact = msm_scratch_size(n, bits);
    return has_few(n, bits) ? exact : larger(exact, lay_out(NULL, n, origin));
}

/* r = a - b, little-endian words; the borrow. */
static uint64_t subtract(words *r, const words *a, const words *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        const uint128 t = (uint128)a->word[i] - b->word[i] - borrow;
        r->word[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    return borrow;
}

/* k to |k| mod n in (-n/2, n/2); whether it is negative. */
static bool fold_scalar(words *k)
{
    static const words order = {{0 - ORDER_C0, ~ORDER_C1, ~(uint64_t)ORDER_C2, UINT64_MAX}};
    words t;
    if (k->word[3] == UINT64_MAX && subtract(&t, k, &order) == 0) *k = t;
    if (k->word[3] >> 63 == 0) return false;
    subtract(k, &order, k);
    return true;
}

static words digit_offset(const msm_plan *plan)
{
    words offset = {{0, 0, 0, 0}};
    for (size_t i = 0; i + 1 < plan->window_count; i++) {
        const size_t bit = plan->window[i + 1].bit - 1;
        offset.word[bit / 64] |= (uint64_t)1 << (bit % 64);
    }
    return offset;
}

/* Step 1 and the offset of step 2.  The digits of an infinite point are all zero. */
static void prepare(sums *s, const words *scalars, const affine *points, unsigned bits)
{
    const words offset = digit_offset(&s->shared.plan);
    for (size_t i = 0; i < s->n; i += LANES) {
        const affine *pointer[LANES];
        packed *out[LANES];
        __mmask8 negative = 0;
        for (size_t k = 0; k < LANES; k++) {
            const size_t at = i + k < s->n ? i + k : i;
            pointer[k] = &points[at];
            out[k] = &s->point[i + k];
            if (i + k >= s->n) continue;
            words t = scalars[at];
            if (bits == 256 && fold_scalar(&t)) negative |= (__mmask8)(1u << k);
            if (affine_is_infinity(&points[at])) memset(&t, 0, sizeof t);
            uint128 sum = 0;
            for (int j = 0; j < 4; j++) {
                sum += (uint128)t.word[j] + offset.word[j];
                s->shifted[j][at] = (uint64_t)sum;
                sum >>= 64;
            }
        }
        point_lanes p;
        lanes_load_affine(&p, pointer);
        const lanes minus = lanes_carry(lanes_negated(&p.y, 1));
        p.y = lanes_select(&p.y, &minus, negative);
        lanes_store_packed(out, &p);
    }
}

/* The keys of one window; a digit of zero goes to bucket `none`. */
static void read_keys(uint32_t *key, const sums *s, const msm_window *window, bool is_top, size_t none)
{
    const size_t index = window->bit / 64;
    const unsigned shift = window->bit % 64;
    const bool crosses = shift + window->width > 64;
    const __m512i mask = lane_all(((uint64_t)1 << window->width) - 1), half = lane_all(is_top ? 0 : window->buckets);
    const __m512i first = lane_all(window->first - 1), zero = _mm512_setzero_si512();
    for (size_t i = 0; i < s->n; i += LANES) {
        __m512i digit = _mm512_srl_epi64(_mm512_loadu_si512(s->shifted[index] + i), _mm_cvtsi64_si128(shift));
        if (crosses)
            digit = _mm512_or_si512(
                digit, _mm512_sll_epi64(_mm512_loadu_si512(s->shifted[index + 1] + i), _mm_cvtsi64_si128(64 - shift)));
        digit = _mm512_sub_epi64(_mm512_and_si512(digit, mask), half);
        __m512i r = _mm512_add_epi64(_mm512_abs_epi64(digit), first);
        r = _mm512_mask_or_epi64(r, _mm512_movepi64_mask(digit), r, lane_all(NEGATIVE));
        r = _mm512_mask_mov_epi64(r, _mm512_cmpeq_epi64_mask(digit, zero), lane_all(none));
        _mm256_storeu_si256((__m256i *)(void *)(key + i), _mm512_cvtepi64_epi32(r));
    }
}

/*
 * A lane for every bucket, most load first, by counting, and where each step's entries start: step t has as many as there are buckets of
 * load above t.  The number of steps; LOAD_MAX + 1 when there are more, which random scalars do not bring about.
 */
static size_t assign_lanes(sums *s, size_t buckets)
{
    uint32_t above[LOAD_MAX + 2] = {0}; /* buckets of load >= i, then their next lane */
    for (size_t b = 0; b < buckets; b++) {
        if (s->load[b] > LOAD_MAX) return LOAD_MAX + 1;
        above[s->load[b]]++;
    }
    for (size_t i = LOAD_MAX + 1; i-- > 0;) above[i] += above[i + 1];
    s->step[0] = 0;
    size_t steps = 0;
    for (; steps < LOAD_MAX && above[steps + 1] > 0; steps++) s->step[steps + 1] = s->step[steps] + above[steps + 1];
    for (size_t b = 0; b < buckets; b++) {
        const uint32_t lane = above[s->load[b] + 1]++;
        s->lane[b] = lane;
        s->bucket[lane] = (uint32_t)b;
    }
    return steps;
}

/* Entries of windows first … first + count - 1 by (step, lane); the number of steps as above. */
static size_t sort_entries(sums *s, size_t first, size_t count, size_t buckets)
{
    const msm_plan *plan = &s->shared.plan;
    const size_t n = s->n;
    uint32_t *load = s->load;
    memset(load, 0, (buckets + 1) * sizeof *load);
    for (size_t j = 0; j < count; j++) {
        uint32_t *key = s->key + j * n;
        read_keys(key, s, &plan->window[first + j], first + j + 1 == plan->window_count, buckets);
        for (size_t i = 0; i < n; i++) load[key[i] & ~NEGATIVE]++;
    }
    const size_t steps = assign_lanes(s, buckets);
    if (steps > LOAD_MAX) return steps;
    /* Zero digits go behind all others.  `load` now counts down: an entry's step is what is left. */
    s->lane[buckets] = s->step[steps];
    for (size_t j = 0; j < count; j++) {
        const uint32_t *key = s->key + j * n;
        for (size_t i = 0; i < n; i++) {
            const uint32_t bucket = key[i] & ~NEGATIVE, step = --load[bucket];
            const uint32_t start = bucket < buckets ? s->step[step] : step;
            s->entry[start + s->lane[bucket]] = (uint32_t)(2 * i) | key[i] >> 31;
        }
    }
    return steps;
}

static void start_sums(sums *s, size_t first, size_t count, size_t buckets)
{
    const msm_window *window = s->shared.plan.window + first;
    uint32_t *inside = s->load; /* spent: now a bucket's index in its window */
    for (size_t j = 0; j < count; j++)
        for (size_t b = 0; b < window[j].buckets; b++) inside[window[j].first + b] = (uint32_t)b;
    for (size_t v = 0; v < buckets / LANES; v++) {
        const packed *offset[LANES];
        for (size_t k = 0; k < LANES; k++) offset[k] = &s->shared.offset[inside[s->bucket[LANES * v + k]]];
        lanes_load_packed(&s->shared.sum[v].x, &s->shared.sum[v].y, offset);
    }
}

/* Adds entries[0], entries[1], … to the lanes of a vector, of which those from `active` on have none. */
static inline void push_points(sums *s, size_t vector, const uint32_t entry[LANES], size_t active)
{
    const packed *point[LANES];
    __m256i e = _mm256_loadu_si256((const __m256i *)(const void *)entry);
    for (size_t k = 0; k < LANES; k++) point[k] = &s->point[entry[k] / 2];
    const size_t used = active - LANES * vector;
    const __mmask8 idle = used < LANES ? (__mmask8)(0xFF << used) : 0;
    lanes x, y;
    lanes_load_packed(&x, &y, point);
    const lanes minus = lanes_negated(&y, 1);
    y = lanes_select(&y, &minus, _mm256_movepi32_mask(_mm256_slli_epi32(e, 31)));
    batch_push(s->shared.batch, &s->shared.sum[vector], &x, &y, idle);
}

static bool add_step(sums *s, const uint32_t *entry, size_t active)
{
    const size_t vectors = (active + LANES - 1) / LANES;
    for (size_t done = 0; done < vectors; done += BATCH_VECTORS) {
        const size_t end = vectors - done < BATCH_VECTORS ? vectors : done + BATCH_VECTORS;
        batch_start(s->shared.batch);
        for (size_t v = done; v < end; v++) {
            for (size_t k = LANES * (v + PREFETCH); k < LANES * (v + PREFETCH + 1); k++)
                __builtin_prefetch(&s->point[entry[k] / 2]);
            push_points(s, v, entry + LANES * v, active);
        }
        if (!batch_finish_var(s->shared.batch)) return false;
    }
    return true;
}

/* The entries from `step` on of the lane whose sum *r is. */
static void add_singly(affine *r, const sums *s, size_t lane, size_t step, size_t steps)
{
    jacobian sum;
    jacobian_from_affine(&sum, r);
    for (; step < steps && s->step[step] + lane < s->step[step + 1]; step++) {
        const uint32_t entry = s->entry[s->step[step] + lane];
        affine p;
        packed_load(&p, &s->point[entry / 2]);
        if (entry % 2 != 0) affine_neg(&p, &p);
        jacobian_add_affine_var(&sum, &sum, &p);
    }
    affine_from_jacobian_var(r, &sum);
}

/* Step 3; the sums go to their buckets. */
static bool fill_buckets(sums *s, size_t buckets, size_t steps)
{
    size_t step = 0;
    for (; step < steps && s->step[step + 1] - s->step[step] >= FEW_LANES; step++)
        if (!add_step(s, s->entry + s->step[step], s->step[step + 1] - s->step[step])) return false;
    const size_t left = step < steps ? s->step[step + 1] - s->step[step] : 0;
    for (size_t v = 0; v < buckets / LANES; v++) {
        affine sum[LANES];
        lanes_store_affine(sum, &s->shared.sum[v], LANES);
        for (size_t k = 0; k < LANES; k++) {
            const size_t lane = LANES * v + k;
            if (lane < left) add_singly(&sum[k], s, lane, step, steps);
            s->shared.bucket[s->bucket[lane]] = sum[k];
        }
    }
    return true;
}

/* O and D, the points of even y by the hash of the first scalars. */
static void derive_offsets(msm_work *w, const words *scalars, size_t n)
{
    uint8_t digest[32];
    const uint32_t seed = (uint32_t)(n < 8 ? n : 8);
    sha256(digest, scalars, seed * sizeof *scalars);
    derive_generator(&w->o, (const char *)digest, sizeof digest, 0);
    derive_generator(&w->d, (const char *)digest, sizeof digest, 1);
}

static bool pippenger(affine *out, sums *s, const words *scalars, const affine *points, unsigned bits)
{
    const msm_plan *plan = &s->shared.plan;
    derive_offsets(&s->shared, scalars, s->n);
    memset(s->entry + s->n * plan->group, 0, LANES * (PREFETCH + 1) * sizeof *s->entry);
    if (!avx512ifma_msm_offsets(&s->shared)) return false;
    prepare(s, scalars, points, bits);
    for (size_t first = 0; first < plan->window_count; first += plan->group) {
        const size_t left = plan->window_count - first, count = left < plan->group ? left : plan->group;
        const msm_window *last = &plan->window[first + count - 1];
        const size_t buckets = last->first + last->buckets;
        const size_t steps = sort_entries(s, first, count, buckets);
        if (steps > LOAD_MAX) return false;
        start_sums(s, first, count, buckets);
        if (!fill_buckets(s, buckets, steps) || !avx512ifma_msm_reduce(&s->shared, first, count)) return false;
    }
    avx512ifma_msm_assemble(out, &s->shared);
    return true;
}

void avx512ifma_msm(affine *out, const words *scalars, const affine *points, size_t n, unsigned bits, void *scratch)
{
    if (!has_few(n, bits)) {
        sums s = {.n = n};
        make_plan(&s.shared.plan, n, bits);
        lay_out(&s, n, scratch);
        if (pippenger(out, &s, scalars, points, bits)) return;
    }
    msm_var(out, scalars, points, n, bits, scratch);
}
