/* Constant-time multiples of V. */
#include "curve/base_multiple.h"

#include "hash/sha256.h"

void multiples_build(multiples *m)
{
    jacobian power;
    affine half;
    half_of_point_var(&half, &BASE_POINT);
    jacobian_from_affine(&power, &half);
    for (size_t i = 0; i < MULTIPLE_WINDOWS; i++) multiple_entries_var(m->entry[i], &power);
    affine_neg(&half, &half);
    jacobian_add_affine_var(&power, &power, &half);
    affine_from_jacobian_var(&m->lift, &power);
}

void multiples_of_base(affine *out, const words *k, size_t n, const multiples *m)
{
    projective sum[MULTIPLE_BLOCK];
    affine entry;
    for (size_t i = 0; i < n; i++) {
        sum[i] = (projective){m->lift.x, m->lift.y, FIELD_ONE};
        for (size_t w = 0; w < MULTIPLE_WINDOWS; w++) {
            multiple_select(&entry, m->entry[w], &k[i], w);
            complete_add(&sum[i], &sum[i], &entry);
        }
    }
    complete_to_affine(out, sum, n);
    clear_secret(sum, sizeof sum);
    clear_secret(&entry, sizeof entry);
}
