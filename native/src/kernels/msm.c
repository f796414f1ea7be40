/*
 * Multi-scalar multiplication by buckets (Pippenger) on batches of affine additions.  msm.h has the
 * contract.
 *
 * 1. Digits.  k + Σ_i 2^(c-1)·2^(ci), i < W - 1, is cut into W c-bit digits; all but the top one
 * less 2^(c-1) are the signed digits of k, in [-2^(c-1), 2^(c-1)).  W = ⌊bits/c⌋ + 1, so k <
 * 2^(cW-1), the sum is below 2^(cW-1) + 2^(c(W-1)), and the top digit is in [0, 2^(c-1)].
 * 2. Sort.  The (point, sign) entries of a group of windows are sorted by (window, |digit|), that
 * is by bucket, by counting.
 * 3. Buckets.  Entries are copied to slots in that order, a chunk at a time, and each bucket's are
 * added up in pairs: all buckets of a chunk share inversions.  A bucket cut by the end of a chunk
 * goes on in the next.
 * 4. Bits.  Bucket j of a window has weight j + 1.  Adding neighbours at strides 1, 2, 4, … leaves
 * in place, at (2i+1)·2^l, the sum of 2^l buckets whose j has bit l set; adding those over i gives
 * o_l = Σ_{bit l of j} B_j, and slot 0 holds ΣB_j.  So Σ (j+1)·B_j = slot_0 + Σ_l 2^l·o_l.
 * 5. Horner's rule over all bits of all windows: one doubling a bit.
 *
 * A few points take Straus's way instead: signed 4-bit digits, a table of eight multiples a point.
 */
#include "kernels/msm.h"

#include "kernels/kernel.h"

#include <string.h>

#define FEW_POINTS 16
#define STRAUS_BITS 4
#define STRAUS_TABLE 8
#define WINDOW_MIN 3
#define WINDOW_MAX 16
#define GROUP_ENTRIES 65536 /* sorted together, unless one window has more */
#define GROUP_BUCKETS                                                                              \
    (1u << (WINDOW_MAX - 1)) /* what one window has at the most, and a group too */
#define CHUNK 4096           /* slots: with the queue, half of a second-level cache */
#define PREFETCH 8

typedef struct {
    unsigned window_bits;
    size_t windows, group, buckets; /* windows in all, in a group; buckets of a window */
} msm_plan;

/* A stretch of slots that belong to one bucket. */
typedef struct {
    uint32_t bucket, first, count;
} segment;

typedef struct {
    msm_plan plan;
    batch_queue *queue;
    affine *slot;      /* CHUNK */
    segment *segments; /* CHUNK */
    affine *bucket;    /* group × buckets */
    affine *bit;       /* windows × window_bits: slot_0, o_0, o_1, … of each window */
    uint32_t *start;   /* group × buckets + 1: where each bucket's entries start, in `entry` */
    uint32_t *entry;   /* n × group: 2·point + (1 if negative) */
    int32_t *digit;    /* n × group */
} msm_work;

static msm_plan make_plan(size_t n, unsigned bits)
{
    msm_plan best = {0, 0, 0, 0};
    size_t least = SIZE_MAX;
    for (unsigned c = WINDOW_MIN; c <= WINDOW_MAX; c++) {
        const size_t windows = bits / c + 1, buckets = (size_t)1 << (c - 1);
        const size_t additions = windows * (n + 2 * buckets);
        if (additions < least) {
            least = additions;
            best = (msm_plan){c, windows, 1, buckets};
        }
    }
    const size_t by_entries = GROUP_ENTRIES / n, by_buckets = GROUP_BUCKETS / best.buckets;
    const size_t group = by_entries < by_buckets ? by_entries : by_buckets;
    if (group > 1) best.group = group < best.windows ? group : best.windows;
    return best;
}

/* Of the most that the plan of any number of points up to n takes, so that it does not decrease
 * with n. */
static size_t pippenger_scratch_size(size_t n, unsigned bits)
{
    const size_t buckets = GROUP_BUCKETS, entries = n > GROUP_ENTRIES ? n : GROUP_ENTRIES;
    return ARENA_SIZE(sizeof(batch_queue)) + ARENA_SIZE(CHUNK * sizeof(affine)) +
           ARENA_SIZE(CHUNK * sizeof(segment)) + ARENA_SIZE(buckets * sizeof(affine)) +
           ARENA_SIZE((bits + WINDOW_MAX) * sizeof(affine)) +
           ARENA_SIZE((buckets + 1) * sizeof(uint32_t)) + ARENA_SIZE(entries * sizeof(uint32_t)) +
           ARENA_SIZE(entries * sizeof(int32_t));
}

/* Lays out a scratch of that size. */
static void lay_out(msm_work *w, size_t n, unsigned bits, void *scratch)
{
    uint8_t *next = scratch;
    w->plan = make_plan(n, bits);
    const size_t buckets = w->plan.group * w->plan.buckets, entries = n * w->plan.group;
    w->queue = arena_take(&next, sizeof(batch_queue));
    w->slot = arena_take(&next, CHUNK * sizeof(affine));
    w->segments = arena_take(&next, CHUNK * sizeof(segment));
    w->bucket = arena_take(&next, buckets * sizeof(affine));
    w->bit = arena_take(&next, w->plan.windows * w->plan.window_bits * sizeof(affine));
    w->start = arena_take(&next, (buckets + 1) * sizeof(uint32_t));
    w->entry = arena_take(&next, entries * sizeof(uint32_t));
    w->digit = arena_take(&next, entries * sizeof(int32_t));
}

/* A scalar with the offset of its digits added. */
typedef struct {
    uint64_t word[5];
} shifted_scalar;

static shifted_scalar digit_offset(unsigned c, size_t windows)
{
    shifted_scalar s = {{0, 0, 0, 0, 0}};
    for (size_t i = 0; i + 1 < windows; i++) {
        const size_t bit = c * i + c - 1;
        s.word[bit / 64] |= (uint64_t)1 << (bit % 64);
    }
    return s;
}

static shifted_scalar shift_scalar(const words *k, const shifted_scalar *offset)
{
    shifted_scalar s;
    uint128 sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += (uint128)k->word[i] + offset->word[i];
        s.word[i] = (uint64_t)sum;
        sum >>= 64;
    }
    s.word[4] = offset->word[4] + (uint64_t)sum;
    return s;
}

/* Digit `window` of `windows`. */
static int32_t signed_digit(const shifted_scalar *s, unsigned c, size_t window, size_t windows)
{
    const size_t bit = c * window, index = bit / 64, shift = bit % 64;
    uint64_t digit = s->word[index] >> shift;
    if (shift + c > 64 && index < 4) digit |= s->word[index + 1] << (64 - shift);
    digit &= ((uint64_t)1 << c) - 1;
    return (int32_t)digit - (window + 1 < windows ? (int32_t)1 << (c - 1) : 0);
}

/* Steps 1 and 2 for windows first .. first + count - 1. */
static void sort_entries(msm_work *w, const words *scalars, size_t n, size_t first, size_t count)
{
    const msm_plan *plan = &w->plan;
    const shifted_scalar offset = digit_offset(plan->window_bits, plan->windows);
    const size_t buckets = count * plan->buckets;
    memset(w->start, 0, (buckets + 1) * sizeof *w->start);
    for (size_t i = 0; i < n; i++) {
        const shifted_scalar s = shift_scalar(&scalars[i], &offset);
        for (size_t j = 0; j < count; j++) {
            const int32_t d = signed_digit(&s, plan->window_bits, first + j, plan->windows);
            w->digit[j * n + i] = d;
            if (d != 0) w->start[j * plan->buckets + (size_t)(d < 0 ? -d : d) - 1]++;
        }
    }
    uint32_t total = 0;
    for (size_t b = 0; b <= buckets; b++) {
        total += w->start[b];
        w->start[b] = total;
    }
    /* Placing backwards turns the ends into the starts. */
    for (size_t j = count; j-- > 0;) {
        for (size_t i = n; i-- > 0;) {
            const int32_t d = w->digit[j * n + i];
            if (d == 0) continue;
            uint32_t *place = &w->start[j * plan->buckets + (size_t)(d < 0 ? -d : d) - 1];
            w->entry[--*place] = (uint32_t)(2 * i) | (d < 0);
        }
    }
}

/* Add up each segment of a chunk in pairs at distance 1, 2, 4, …, and store the sums in their
 * buckets. */
static void reduce_chunk(msm_work *w, size_t segment_count)
{
    batch_begin(w->queue, w->slot);
    size_t longest = 0;
    for (size_t i = 0; i < segment_count; i++)
        if (w->segments[i].count > longest) longest = w->segments[i].count;
    for (size_t distance = 1; distance < longest; distance *= 2) {
        for (size_t i = 0; i < segment_count; i++) {
            const segment s = w->segments[i];
            for (size_t j = distance; j < s.count; j += 2 * distance)
                batch_add_var(w->queue, s.first + j - distance, s.first + j);
        }
        batch_flush_var(w->queue);
    }
    for (size_t i = 0; i < segment_count; i++)
        w->bucket[w->segments[i].bucket] = w->slot[w->segments[i].first];
}

static void load_entry(affine *r, const affine *points, uint32_t entry)
{
    *r = points[entry / 2];
    if (entry % 2 != 0) affine_neg(r, r);
}

/* Step 3.  A bucket's sum so far is the first slot of its next segment. */
static void fill_buckets(msm_work *w, const affine *points, size_t buckets)
{
    size_t used = 0, segment_count = 0;
    const uint32_t entries = w->start[buckets];
    for (size_t b = 0; b < buckets; b++) {
        w->bucket[b] = AFFINE_INFINITY;
        uint32_t next = w->start[b];
        const uint32_t end = w->start[b + 1];
        while (next < end) {
            const size_t first = used;
            if (!affine_is_infinity(&w->bucket[b])) w->slot[used++] = w->bucket[b];
            for (; next < end && used < CHUNK; next++) {
                if (next + PREFETCH < entries)
                    __builtin_prefetch(&points[w->entry[next + PREFETCH] / 2]);
                load_entry(&w->slot[used++], points, w->entry[next]);
            }
            w->segments[segment_count++] =
                (segment){(uint32_t)b, (uint32_t)first, (uint32_t)(used - first)};
            if (used == CHUNK) {
                reduce_chunk(w, segment_count);
                used = segment_count = 0;
            }
        }
    }
    reduce_chunk(w, segment_count);
}

/* Step 4 for `count` windows; their bits go to `bit`. */
static void sum_bits(msm_work *w, affine *bit, size_t count)
{
    const size_t buckets = w->plan.buckets, all = count * buckets;
    batch_begin(w->queue, w->bucket);
    for (size_t stride = 1; stride < buckets; stride *= 2) {
        for (size_t at = 0; at < all; at += 2 * stride) batch_add_var(w->queue, at, at + stride);
        batch_flush_var(w->queue);
    }
    /* o_l: slots (2i+1)·stride, of which those at distance `distance` are added. */
    for (size_t distance = 1; distance < buckets / 2; distance *= 2) {
        for (size_t stride = 1; 2 * stride * distance < buckets; stride *= 2) {
            const size_t step = 2 * stride * distance;
            for (size_t at = stride; at < all; at += 2 * step)
                batch_add_var(w->queue, at, at + step);
        }
        batch_flush_var(w->queue);
    }
    for (size_t j = 0; j < count; j++) {
        *bit++ = w->bucket[j * buckets];
        for (size_t stride = 1; stride < buckets; stride *= 2)
            *bit++ = w->bucket[j * buckets + stride];
    }
}

static void pippenger(affine *r, const words *scalars, const affine *points, size_t n,
                      unsigned bits, void *scratch)
{
    msm_work w;
    lay_out(&w, n, bits, scratch);
    const size_t c = w.plan.window_bits;
    for (size_t first = 0; first < w.plan.windows; first += w.plan.group) {
        const size_t left = w.plan.windows - first,
                     count = left < w.plan.group ? left : w.plan.group;
        sort_entries(&w, scalars, n, first, count);
        fill_buckets(&w, points, count * w.plan.buckets);
        sum_bits(&w, w.bit + first * c, count);
    }
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t window = w.plan.windows; window-- > 0;) {
        const affine *bit = w.bit + window * c;
        jacobian_double_var(&sum, &sum);
        for (size_t l = c - 1; l-- > 0;) {
            jacobian_double_var(&sum, &sum);
            jacobian_add_affine_var(&sum, &sum, &bit[l + 1]);
        }
        jacobian_add_affine_var(&sum, &sum, &bit[0]);
    }
    affine_from_jacobian_var(r, &sum);
}

/* table[8 i + m - 1] = m·P_i. */
static void straus(affine *r, const words *scalars, const affine *points, size_t n, unsigned bits,
                   void *scratch)
{
    uint8_t *next = scratch;
    jacobian *multiple = arena_take(&next, FEW_POINTS * STRAUS_TABLE * sizeof(jacobian));
    affine *table = arena_take(&next, FEW_POINTS * STRAUS_TABLE * sizeof(affine));
    shifted_scalar digits[FEW_POINTS];
    const size_t windows = bits / STRAUS_BITS + 1;
    const shifted_scalar offset = digit_offset(STRAUS_BITS, windows);
    for (size_t i = 0; i < n; i++) {
        jacobian *m = multiple + STRAUS_TABLE * i;
        jacobian_from_affine(&m[0], &points[i]);
        for (size_t k = 1; k < STRAUS_TABLE; k++)
            jacobian_add_affine_var(&m[k], &m[k - 1], &points[i]);
        digits[i] = shift_scalar(&scalars[i], &offset);
    }
    affine_from_jacobian_batch_var(table, multiple, STRAUS_TABLE * n);
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t window = windows; window-- > 0;) {
        for (int k = 0; k < STRAUS_BITS; k++) jacobian_double_var(&sum, &sum);
        for (size_t i = 0; i < n; i++) {
            const int32_t d = signed_digit(&digits[i], STRAUS_BITS, window, windows);
            if (d == 0) continue;
            affine p = table[STRAUS_TABLE * i + (size_t)(d < 0 ? -d : d) - 1];
            if (d < 0) affine_neg(&p, &p);
            jacobian_add_affine_var(&sum, &sum, &p);
        }
    }
    affine_from_jacobian_var(r, &sum);
}

size_t msm_scratch_size(size_t n, unsigned bits)
{
    const size_t few = ARENA_SIZE(FEW_POINTS * STRAUS_TABLE * sizeof(jacobian)) +
                       ARENA_SIZE(FEW_POINTS * STRAUS_TABLE * sizeof(affine));
    if (n <= FEW_POINTS) return few;
    const size_t many = pippenger_scratch_size(n, bits);
    return many > few ? many : few;
}

void msm_var(affine *r, const words *scalars, const affine *points, size_t n, unsigned bits,
             void *scratch)
{
    if (n == 0)
        *r = AFFINE_INFINITY;
    else if (n <= FEW_POINTS)
        straus(r, scalars, points, n, bits, scratch);
    else
        pippenger(r, scalars, points, n, bits, scratch);
}

size_t points_sum_scratch_size(size_t n)
{
    (void)n;
    return ARENA_SIZE(sizeof(batch_queue)) + ARENA_SIZE(2 * BATCH_SIZE * sizeof(affine));
}

/* Up to BATCH_SIZE running sums, then halves onto halves; the last few as Jacobian points. */
void points_sum_var(affine *r, const affine *points, size_t n, void *scratch)
{
    uint8_t *next = scratch;
    batch_queue *queue = arena_take(&next, sizeof(batch_queue));
    affine *slot = arena_take(&next, 2 * BATCH_SIZE * sizeof(affine));
    size_t sums = n < BATCH_SIZE ? n : BATCH_SIZE;
    if (sums > 0) memcpy(slot, points, sums * sizeof *slot);
    batch_begin(queue, slot);
    for (size_t done = sums; done < n; done += BATCH_SIZE) {
        const size_t block = n - done < BATCH_SIZE ? n - done : BATCH_SIZE;
        memcpy(slot + BATCH_SIZE, points + done, block * sizeof *slot);
        for (size_t i = 0; i < block; i++) batch_add_var(queue, i, BATCH_SIZE + i);
        batch_flush_var(queue);
    }
    while (sums > 16) {
        const size_t half = (sums + 1) / 2;
        for (size_t i = half; i < sums; i++) batch_add_var(queue, i - half, i);
        batch_flush_var(queue);
        sums = half;
    }
    jacobian sum = JACOBIAN_INFINITY;
    for (size_t i = 0; i < sums; i++) jacobian_add_affine_var(&sum, &sum, &slot[i]);
    affine_from_jacobian_var(r, &sum);
}
