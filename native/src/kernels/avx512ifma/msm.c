/*
 * Multi-scalar multiplication: digits, sorting, and the filling of buckets; msm.h has
 * the method.
 *
 * 1. Scalars are brought below n/2 by a change of sign, so that all have T = 256 bits with room for
 * a carry.
 * 2. |k| + Σ_i 2^(bit_i + width_i - 1), all windows but the top one, is cut into digits; each less
 * 2^(width_i - 1) is the signed digit of |k|, in [-2^(w-1), 2^(w-1)); the top digit is in [0,
 * 2^(w-1)], because |k| < 2^(T-1).
 * 3. Entries (point, sign) are sorted by bucket.  A bucket with more than `part_max` is cut into
 * parts, so that scalars of equal digits, too, fill many lanes.  Parts are sorted by length, most
 * first, and summed in blocks of a full batch, a lane each: step t adds the t-th entry of all parts
 * that have one, which are the first lanes of the block.
 */
#include "kernels/avx512ifma/msm.h"

#include "kernels/avx512ifma/scalar.h"
#include "kernels/msm.h"

#include <string.h>

#define FEW_POINTS 128 /* up to this Straus's way is faster */
#define BUCKET_BITS 32 /* below this the portable kernel is */
#define NEGATIVE 0x80000000u
#define EXTRA 0x80000000u
#define PART_MAX 1023
#define BLOCK_LANES (BATCH_VECTORS * LANES) /* a full batch */
#define GROUP_ENTRIES 131072
#define SORTED_TOGETHER 32 /* entries */
#define AHEAD 4            /* vectors between fetching points and adding them */
#define INVERSION 64       /* additions that one inversion costs */

typedef struct {
    uint32_t left; /* entries still to be placed */
    uint32_t lane; /* of its first part */
} place;

typedef struct {
    uint32_t from, lane; /* the entries from this number on, and where they are */
} rest;

typedef struct {
    msm_work shared;
    const packed *points; /* any words below 2^256: an affine point looks like a table entry */
    size_t n, part_max;
    uint64_t *shifted[4]; /* n words each: |k| plus the offset of the digits */
    uint8_t *negative;    /* bit i mod 8 of byte i / 8: k is */
    uint32_t *key;        /* n × group: the bucket of each digit, NEGATIVE if so */
    place *place;         /* lane_max + 1, by bucket; the last is of the digits zero */
    rest *rest;           /* lane_max, by bucket: its last part, of fewer entries than part_max */
    uint32_t *inside;     /* lane_max: a bucket's index in its window */
    uint32_t *part;       /* by lane: the bucket, EXTRA for all but its first */
    uint32_t *step;       /* part_max + 1: where the entries of a step start, by lane */
    uint32_t *entry;      /* n × group: 2·point + (1 if negative) */
    const packed **next;  /* BLOCK_LANES: what the next step adds, */
    uint8_t *minus;       /* BATCH_VECTORS: and the lanes that subtract it */
} sums;

static unsigned total_bits(unsigned bits)
{
    return bits < 256 ? bits + 1 : 256;
}

/* What a plan of so many windows costs, in additions: a point's in every window, a bucket's
 * reduction, and an inversion a batch; steps go beyond the mean load, since loads differ. */
static size_t plan_cost(size_t n, unsigned total, size_t windows)
{
    const size_t width = (total + windows - 1) / windows, buckets = (size_t)1 << (width - 1);
    const size_t load = n / buckets, steps = load + load / 2 + 12, all = windows * buckets;
    return windows * (n + 4 * buckets) +
           INVERSION * steps * ((all + BLOCK_LANES - 1) / BLOCK_LANES);
}

static void make_plan(msm_plan *plan, size_t n, unsigned bits)
{
    const unsigned total = total_bits(bits);
    const size_t fewest = (total + WINDOW_BITS_MAX - 1) / WINDOW_BITS_MAX,
                 most = total / WINDOW_BITS_MIN;
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
    while (plan->group < windows && (plan->group + 1) * plan->bucket_max <= BLOCK_LANES &&
           (plan->group + 1) * n <= GROUP_ENTRIES)
        plan->group++;
    plan->lane_max = plan->group * plan->bucket_max;
    for (size_t i = 0; i < windows; i++) {
        const bool begins = i % plan->group == 0;
        plan->window[i].first =
            begins ? 0 : plan->window[i - 1].first + plan->window[i - 1].buckets;
    }
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Parts of at most so many entries: more than a bucket gets from random scalars, in a window of
 * half the buckets, too. */
static size_t part_limit(const msm_plan *plan, size_t n)
{
    const size_t limit = 3 * (n / plan->bucket_max) + 32;
    return limit < PART_MAX ? limit : PART_MAX;
}

/*
 * The size of a scratch for n points, enough for every plan of up to n, so that it does not
 * decrease with n: a window has at most n buckets, and beyond one a bucket there are at most
 * entries / part_max parts.  `s`, unless NULL, is laid out in it.
 */
static size_t lay_out(sums *s, size_t n, uint8_t *scratch)
{
    const size_t widest = (size_t)1 << (WINDOW_BITS_MAX - 1),
                 buckets = larger(n < widest ? n : widest, BLOCK_LANES);
    const size_t entries = larger(n, GROUP_ENTRIES), parts = 2 * buckets + entries / PART_MAX;
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
    s->negative = arena_take(&next, n / LANES + 1);
    s->key = arena_take(&next, (entries + LANES) * sizeof *s->key);
    s->place = arena_take(&next, (buckets + 1) * sizeof *s->place);
    s->rest = arena_take(&next, buckets * sizeof *s->rest);
    s->inside = arena_take(&next, buckets * sizeof *s->inside);
    s->part = arena_take(&next, parts * sizeof *s->part);
    s->step = arena_take(&next, (PART_MAX + 1) * sizeof *s->step);
    s->entry = arena_take(&next, (entries + LANES) * sizeof *s->entry);
    s->next = arena_take(&next, BLOCK_LANES * sizeof *s->next);
    s->minus = arena_take(&next, BATCH_VECTORS);
    return (size_t)(next - scratch);
}

size_t avx512ifma_msm_scratch_size(size_t n, unsigned bits)
{
    static uint8_t origin[1];
    const size_t straus = avx512ifma_straus_scratch_size(n < FEW_POINTS ? n : FEW_POINTS, bits);
    if (n <= FEW_POINTS) return straus;
    const size_t exact = larger(straus, msm_scratch_size(n, bits));
    return bits < BUCKET_BITS ? exact : larger(exact, lay_out(NULL, n, origin));
}

/* r = a - b, words; the lanes that borrow.  r = a + b. */
static __mmask8 subtract(__m512i r[4], const __m512i a[4], const __m512i b[4])
{
    __mmask8 borrow = 0;
    for (int i = 0; i < 4; i++) {
        const __m512i t = _mm512_sub_epi64(a[i], b[i]);
        const __mmask8 again = _mm512_mask_testn_epi64_mask(borrow, t, t),
                       below = _mm512_cmplt_epu64_mask(a[i], b[i]);
        r[i] = _mm512_mask_sub_epi64(t, borrow, t, lane_all(1));
        borrow = below | again;
    }
    return borrow;
}

static void add(__m512i r[4], const __m512i a[4], const __m512i b[4])
{
    __mmask8 carry = 0;
    for (int i = 0; i < 4; i++) {
        const __m512i t = _mm512_add_epi64(a[i], b[i]);
        const __mmask8 again = _mm512_mask_cmpeq_epi64_mask(carry, t, lane_all(UINT64_MAX)),
                       below = _mm512_cmplt_epu64_mask(t, b[i]);
        r[i] = _mm512_mask_add_epi64(t, carry, t, lane_all(1));
        carry = below | again;
    }
}

static void broadcast(__m512i r[4], const words *a)
{
    for (int i = 0; i < 4; i++) r[i] = lane_all(a->word[i]);
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

/* k to |k| mod n in (-n/2, n/2); the lanes where it is negative.  What is below 2^255 stays. */
static __mmask8 fold_scalars(__m512i k[4])
{
    static const words ORDER = {{0 - ORDER_C0, ~ORDER_C1, ~(uint64_t)ORDER_C2, UINT64_MAX}};
    const __mmask8 high = _mm512_movepi64_mask(k[3]);
    __m512i order[4], below[4], above[4];
    broadcast(order, &ORDER);
    const __mmask8 reduced = high & (__mmask8)~subtract(below, order, k);
    subtract(above, k, order);
    for (int i = 0; i < 4; i++)
        k[i] =
            _mm512_mask_mov_epi64(_mm512_mask_mov_epi64(k[i], high, above[i]), reduced, below[i]);
    return reduced;
}

static bool has_ordinate(const packed *point)
{
    const __m256i y = _mm256_loadu_si256((const __m256i *)(const void *)point->y);
    return !_mm256_testz_si256(y, y);
}

/* Step 1 and the offset of step 2.  The digits of an infinite point are all zero. */
static void prepare(sums *s, const words *scalars)
{
    const words constant = digit_offset(&s->shared.plan);
    __m512i offset[4];
    broadcast(offset, &constant);
    for (size_t i = 0; i < s->n; i += LANES) {
        words last[LANES] = {{{0, 0, 0, 0}}};
        const words *source = scalars + i;
        __mmask8 finite = 0;
        __m512i k[4];
        for (size_t j = 0; j < LANES && i + j < s->n; j++)
            finite |= (__mmask8)(has_ordinate(&s->points[i + j]) << j);
        if (s->n - i < LANES) source = memcpy(last, source, (s->n - i) * sizeof *source);
        lanes_load_scalar_words(k, (const scalar *)(const void *)source);
        for (int j = 0; j < 4; j++) k[j] = _mm512_maskz_mov_epi64(finite, k[j]);
        s->negative[i / LANES] = fold_scalars(k);
        add(k, k, offset);
        for (int j = 0; j < 4; j++) _mm512_storeu_si512(s->shifted[j] + i, k[j]);
    }
}

/* The keys of one window; a digit of zero goes to bucket `none`. */
static void read_keys(uint32_t *key, const sums *s, const msm_window *window, bool is_top,
                      size_t none)
{
    const size_t index = window->bit / 64;
    const unsigned shift = window->bit % 64;
    const bool crosses = shift + window->width > 64;
    const __m512i mask = lane_all(((uint64_t)1 << window->width) - 1),
                  half = lane_all(is_top ? 0 : window->buckets);
    const __m512i first = lane_all(window->first - 1), zero = _mm512_setzero_si512();
    for (size_t i = 0; i < s->n; i += LANES) {
        __m512i digit =
            _mm512_srl_epi64(_mm512_loadu_si512(s->shifted[index] + i), _mm_cvtsi64_si128(shift));
        if (crosses)
            digit = _mm512_or_si512(digit,
                                    _mm512_sll_epi64(_mm512_loadu_si512(s->shifted[index + 1] + i),
                                                     _mm_cvtsi64_si128(64 - shift)));
        digit = _mm512_sub_epi64(_mm512_and_si512(digit, mask), half);
        const __mmask8 minus = _mm512_movepi64_mask(digit) ^ s->negative[i / LANES];
        __m512i r = _mm512_add_epi64(_mm512_abs_epi64(digit), first);
        r = _mm512_mask_or_epi64(r, minus, r, lane_all(NEGATIVE));
        r = _mm512_mask_mov_epi64(r, _mm512_cmpeq_epi64_mask(digit, zero), lane_all(none));
        _mm256_storeu_si256((__m256i *)(void *)(key + i), _mm512_cvtepi64_epi32(r));
    }
}

/* How many entries each bucket of windows first … first + count - 1 gets. */
static void count_entries(sums *s, size_t first, size_t count, size_t buckets)
{
    const msm_plan *plan = &s->shared.plan;
    for (size_t b = 0; b <= buckets; b++) s->place[b].left = 0;
    for (size_t j = 0; j < count; j++) {
        uint32_t *key = s->key + j * s->n;
        read_keys(key, s, &plan->window[first + j], first + j + 1 == plan->window_count, buckets);
        for (size_t i = 0; i < s->n; i++) s->place[key[i] & ~NEGATIVE].left++;
    }
}

/*
 * A lane for every part, the longest first, by counting; and where each step's entries start, one
 * for every part that is longer. The number of parts.  The full parts of a bucket are neighbours,
 * its rest comes later.
 */
static size_t cut_parts(sums *s, size_t buckets)
{
    const uint32_t most = (uint32_t)s->part_max;
    uint32_t lane[PART_MAX + 1] = {0}; /* parts of each length, then the next lane of one */
    for (size_t b = 0; b < buckets; b++) {
        const uint32_t load = s->place[b].left;
        lane[most] += load / most;
        if (load < most || load % most != 0) lane[load % most]++;
    }
    uint32_t parts = 0;
    for (size_t length = most + 1; length-- > 0;) {
        const uint32_t own = lane[length];
        lane[length] = parts;
        parts += own;
        if (length > 0) s->step[length] = parts;
    }
    s->step[0] = 0;
    for (size_t step = 1; step <= most; step++) s->step[step] += s->step[step - 1];
    for (size_t b = 0; b < buckets; b++) {
        const uint32_t load = s->place[b].left, full = load / most, left = load % most;
        for (uint32_t k = 0; k < full; k++)
            s->part[lane[most] + k] = (uint32_t)b | (k > 0 ? EXTRA : 0);
        s->place[b].lane = full > 0 ? lane[most] : lane[left];
        lane[most] += full;
        s->rest[b] = (rest){.from = full * most, .lane = lane[left]};
        if (full > 0 && left == 0) continue;
        s->part[lane[left]++] = (uint32_t)b | (full > 0 ? EXTRA : 0);
    }
    return parts;
}

/* The r-th entry of a bucket of more than one part: its place. */
static size_t extra_place(const sums *s, uint32_t bucket, uint32_t r)
{
    const uint32_t step = r % (uint32_t)s->part_max;
    if (r >= s->rest[bucket].from) return s->step[step] + s->rest[bucket].lane;
    return s->step[step] + s->place[bucket].lane + r / (uint32_t)s->part_max;
}

/* Where an entry of a bucket goes, counting down those that are left. */
static size_t next_place(sums *s, uint32_t bucket)
{
    const uint32_t r = --s->place[bucket].left;
    return r < s->part_max ? s->step[r] + s->place[bucket].lane : extra_place(s, bucket, r);
}

/* Puts the entries in order of (step, lane).  They go all over the memory, so what is to be written
 * is fetched a little ahead; those of digits zero go behind the last. */
static void sort_entries(sums *s, size_t count, size_t buckets)
{
    const size_t end = s->step[s->part_max];
    for (size_t j = 0; j < count; j++) {
        const uint32_t *key = s->key + j * s->n;
        for (size_t i = 0; i < s->n; i += SORTED_TOGETHER) {
            const size_t some = s->n - i < SORTED_TOGETHER ? s->n - i : SORTED_TOGETHER;
            uint32_t *to[SORTED_TOGETHER];
            for (size_t k = 0; k < some; k++) {
                const uint32_t bucket = key[i + k] & ~NEGATIVE;
                to[k] = s->entry + (bucket == buckets ? end : next_place(s, bucket));
                __builtin_prefetch(to[k], 1);
            }
            for (size_t k = 0; k < some; k++) *to[k] = (uint32_t)(2 * (i + k)) | key[i + k] >> 31;
        }
    }
    memset(s->entry + end, 0, LANES * sizeof *s->entry);
}

/* The points of `count` entries. */
static void list_points(sums *s, const uint32_t *entry, size_t count)
{
    const __m512i points = lane_all((uint64_t)(uintptr_t)s->points);
    for (size_t i = 0; i < count; i += LANES) {
        const __m256i e = _mm256_loadu_si256((const __m256i *)(const void *)(entry + i));
        const __m512i index = _mm512_cvtepu32_epi64(_mm256_srli_epi32(e, 1));
        _mm512_storeu_si512(s->next + i, _mm512_add_epi64(points, _mm512_slli_epi64(index, 6)));
        s->minus[i / LANES] = _mm256_movepi32_mask(_mm256_slli_epi32(e, 31));
    }
}

/* Adds the listed points to the first `count` lanes. */
static void push_points(sums *s, size_t count)
{
    for (size_t v = 0; LANES * v < count; v++) {
        const size_t used = count - LANES * v;
        lanes x, y;
        for (size_t i = LANES * (v + AHEAD); i < LANES * (v + AHEAD + 1) && i < count; i++)
            __builtin_prefetch(s->next[i]);
        lanes_load_packed(&x, &y, s->next + LANES * v);
        y = lanes_negate_some(&y, s->minus[v]);
        batch_push(s->shared.batch, &s->shared.sum[v], &x, &y,
                   used < LANES ? (__mmask8)(0xFF << used) : 0);
    }
}

/* How many of the lanes lane … lane + count - 1 have a part longer than `step`. */
static size_t count_longer(const sums *s, size_t lane, size_t count, size_t step)
{
    const size_t all = step < s->part_max ? s->step[step + 1] - s->step[step] : 0;
    return all <= lane ? 0 : all - lane < count ? all - lane : count;
}

/* Sums up `count` parts, each from where `offset` says.  What a step adds is fetched while the one
 * before ends. */
static bool sum_parts(sums *s, size_t lane, size_t count, const affine *const *offset)
{
    msm_work *w = &s->shared;
    size_t active = count_longer(s, lane, count, 0);
    list_points(s, s->entry + lane, active);
    for (size_t i = 0; i < active; i++) __builtin_prefetch(s->next[i]);
    for (size_t v = 0; LANES * v < count; v++) lanes_load_affine(&w->sum[v], offset + LANES * v);
    batch_start(w->batch);
    for (size_t step = 1; active > 0; step++) {
        push_points(s, active);
        active = count_longer(s, lane, count, step);
        list_points(s, s->entry + s->step[step] + lane, active);
        if (!batch_finish_ahead_var(w->batch, s->next, active)) return false;
    }
    return true;
}

/* *bucket += sum - offset, exactly. */
static void add_part(affine *bucket, const affine *sum, const affine *offset)
{
    affine minus;
    jacobian all;
    affine_neg(&minus, offset);
    jacobian_from_affine(&all, bucket);
    jacobian_add_affine_var(&all, &all, sum);
    jacobian_add_affine_var(&all, &all, &minus);
    affine_from_jacobian_var(bucket, &all);
}

/* Step 3 for a block. */
static bool fill_block(sums *s, size_t lane, size_t count)
{
    msm_work *w = &s->shared;
    const uint32_t *part = s->part + lane;
    const affine *offset[BLOCK_LANES];
    for (size_t i = 0; i < count || i % LANES != 0; i++)
        offset[i] = &w->offset[s->inside[part[i < count ? i : 0] & ~EXTRA]];
    if (!sum_parts(s, lane, count, offset)) return false;
    for (size_t i = 0; i < count; i += LANES) {
        affine sum[LANES];
        lanes_store_affine(sum, &w->sum[i / LANES], LANES);
        for (size_t k = 0; k < LANES && i + k < count; k++) {
            affine *bucket = &w->bucket[part[i + k] & ~EXTRA];
            if (part[i + k] & EXTRA)
                add_part(bucket, &sum[k], offset[i + k]);
            else
                *bucket = sum[k];
        }
    }
    return true;
}

static bool fill_buckets(sums *s, size_t first, size_t count, size_t buckets)
{
    const msm_window *window = s->shared.plan.window + first;
    for (size_t j = 0; j < count; j++)
        for (size_t b = 0; b < window[j].buckets; b++) s->inside[window[j].first + b] = (uint32_t)b;
    count_entries(s, first, count, buckets);
    const size_t parts = cut_parts(s, buckets);
    sort_entries(s, count, buckets);
    for (size_t lane = 0; lane < parts; lane += BLOCK_LANES)
        if (!fill_block(s, lane, parts - lane < BLOCK_LANES ? parts - lane : BLOCK_LANES))
            return false;
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

static bool pippenger(affine *out, sums *s, const words *scalars)
{
    const msm_plan *plan = &s->shared.plan;
    derive_offsets(&s->shared, scalars, s->n);
    if (!avx512ifma_msm_offsets(&s->shared)) return false;
    prepare(s, scalars);
    for (size_t first = 0; first < plan->window_count; first += plan->group) {
        const size_t left = plan->window_count - first,
                     count = left < plan->group ? left : plan->group;
        const msm_window *last = &plan->window[first + count - 1];
        const size_t buckets = last->first + last->buckets;
        if (!fill_buckets(s, first, count, buckets) ||
            !avx512ifma_msm_reduce(&s->shared, first, count))
            return false;
    }
    avx512ifma_msm_assemble(out, &s->shared);
    return true;
}

void avx512ifma_msm(affine *out, const words *scalars, const affine *points, size_t n,
                    unsigned bits, void *scratch)
{
    if (n <= FEW_POINTS) {
        avx512ifma_straus(out, scalars, points, n, bits, scratch);
        return;
    }
    if (bits >= BUCKET_BITS) {
        sums s = {.points = (const packed *)(const void *)points, .n = n};
        make_plan(&s.shared.plan, n, bits);
        lay_out(&s, n, scratch);
        s.part_max = part_limit(&s.shared.plan, n);
        if (pippenger(out, &s, scalars)) return;
    }
    msm_var(out, scalars, points, n, bits, scratch);
}
