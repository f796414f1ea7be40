/* Complete additions in lanes; complete.h has the contract. */
#include "kernels/avx512ifma/complete.h"

#include "hash/sha256.h"

#define CURVE_3B 21

/* Loose: k·a. */
static inline lanes lanes_times(const lanes *a, uint64_t k)
{
    const __m512i factor = lane_all(k);
    return (lanes){_mm512_mullo_epi64(a->limb0, factor), _mm512_mullo_epi64(a->limb1, factor),
                   _mm512_mullo_epi64(a->limb2, factor), _mm512_mullo_epi64(a->limb3, factor),
                   _mm512_mullo_epi64(a->limb4, factor)};
}

/* Tight and reduced: 21·a for tight, reduced a.  What then stands at 2^256 and above, t < 2^6,
 * folds onto limb 0, which stays below 2^57. */
static inline lanes lanes_times_3b(const lanes *a)
{
    lanes r = lanes_times(a, CURVE_3B);
    const __m512i t = _mm512_srli_epi64(r.limb4, 48);
    r.limb4 = _mm512_and_si512(r.limb4, lane_all(FIELD_MASK_TOP));
    r.limb0 = _mm512_madd52lo_epu64(r.limb0, t, lane_all(FIELD_FOLD >> 4));
    return lanes_carry(r);
}

/* A factor, from tight a and b whose bounds are at most 4 together. */
static inline lanes lanes_sum(const lanes *a, const lanes *b)
{
    return lanes_settle(lanes_plus(a, b));
}

/* Tight and reduced. */
static inline lanes lanes_product(const lanes *a, const lanes *b)
{
    return lanes_clear(lanes_mul(a, b));
}

/* A factor, reduced: (a0 + a1)·(b0 + b1) - p0 - p1, for reduced p0 and p1. */
static inline lanes lanes_cross(const lanes *a0, const lanes *a1, const lanes *b0, const lanes *b1,
                                const lanes *p0, const lanes *p1)
{
    const lanes a = lanes_sum(a0, a1), b = lanes_sum(b0, b1), p = lanes_plus(p0, p1),
                minus = lanes_negated(&p, 2);
    return lanes_mul_add(&a, &b, &minus);
}

/* Algorithm 7: with the products xx, yy, zz and s = 3b·zz, and xy, yz, xz for
 * x_a·y_b + x_b·y_a and the like, x' = xy·(yy - s) - 3b·yz·xz,
 * y' = (yy - s)(yy + s) + 3b·xz·3xx, z' = (yy + s)·yz + 3xx·xy. */
void complete_add_lanes(projective_lanes *r, const projective_lanes *b)
{
    const lanes xx = lanes_product(&r->x, &b->x), yy = lanes_product(&r->y, &b->y),
                zz = lanes_product(&r->z, &b->z);
    const lanes xy = lanes_cross(&r->x, &r->y, &b->x, &b->y, &xx, &yy),
                yz = lanes_cross(&r->y, &r->z, &b->y, &b->z, &yy, &zz);
    lanes xz = lanes_cross(&r->x, &r->z, &b->x, &b->z, &xx, &zz);
    xz = lanes_clear(xz);
    xz = lanes_times_3b(&xz);
    const lanes s = lanes_times_3b(&zz), low = lanes_difference(&yy, &s), high = lanes_sum(&yy, &s),
                three = lanes_settle(lanes_times(&xx, 3));
    const lanes x = lanes_product(&yz, &xz), minus = lanes_negated(&x, 1),
                y = lanes_product(&xz, &three), z = lanes_product(&three, &xy);
    lanes_put(&r->x, lanes_clear(lanes_mul_add(&xy, &low, &minus)));
    lanes_put(&r->y, lanes_clear(lanes_mul_add(&low, &high, &y)));
    lanes_put(&r->z, lanes_clear(lanes_mul_add(&high, &yz, &z)));
}

/* Algorithm 9: with s = 3b·z², x' = (y² - 3s)·2xy, y' = (y² - 3s)(y² + s) + 4y²·2s,
 * z' = 4y²·2yz.  4y² is below 2^258 + 2^220, y² - 3s below 7·2^256. */
void complete_double_lanes(projective_lanes *r)
{
    const lanes twice = lanes_sum(&r->y, &r->y);
    lanes yy = lanes_sqr(&r->y), zz = lanes_sqr(&r->z);
    yy = lanes_clear(yy);
    zz = lanes_clear(zz);
    const lanes xy = lanes_mul(&r->x, &twice), yz = lanes_mul(&r->z, &twice);
    const lanes s = lanes_times_3b(&zz), thrice = lanes_times(&s, 3),
                minus = lanes_negated(&thrice, 3), low = lanes_sum(&yy, &minus),
                high = lanes_sum(&yy, &s), four = lanes_settle(lanes_times(&yy, 4)),
                double_s = lanes_sum(&s, &s), y = lanes_product(&four, &double_s);
    lanes_put(&r->x, lanes_product(&low, &xy));
    lanes_put(&r->y, lanes_clear(lanes_mul_add(&low, &high, &y)));
    lanes_put(&r->z, lanes_product(&four, &yz));
}

/* The lanes of a, `step` lanes on. */
static inline lanes lanes_rotate(const lanes *a, int step)
{
    const __m512i from = _mm512_add_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7),
                                          lane_all((uint64_t)step)); /* modulo 8 */
    return (lanes){
        _mm512_permutexvar_epi64(from, a->limb0), _mm512_permutexvar_epi64(from, a->limb1),
        _mm512_permutexvar_epi64(from, a->limb2), _mm512_permutexvar_epi64(from, a->limb3),
        _mm512_permutexvar_epi64(from, a->limb4)};
}

/* The first lane of tight a. */
static void store_first(field *r, const lanes *a)
{
    const lanes canonical = lanes_normalise(a);
    __m512i w[4];
    lanes_to_words(w, &canonical);
    for (size_t i = 0; i < 4; i++) _mm512_mask_storeu_epi64(&r->limb[i], 1, w[i]);
}

void complete_sum_lanes(projective *out, projective_lanes *sum)
{
    projective_lanes other;
    for (int step = LANES / 2; step > 0; step /= 2) {
        lanes_put(&other.x, lanes_rotate(&sum->x, step));
        lanes_put(&other.y, lanes_rotate(&sum->y, step));
        lanes_put(&other.z, lanes_rotate(&sum->z, step));
        complete_add_lanes(sum, &other);
    }
    store_first(&out->x, &sum->x);
    store_first(&out->y, &sum->y);
    store_first(&out->z, &sum->z);
    clear_secret(&other, sizeof other);
}
