/* Constant-time multiples of W_0 … W_15 and B, added up. */
#include "curve/vector_multiple.h"

#include "hash/sha256.h"

void vector_multiples_build(vector_multiples *m, const affine w[VECTOR_SLOTS], const affine *b)
{
    jacobian halves = JACOBIAN_INFINITY, power;
    affine half;
    for (size_t t = 0; t < VECTOR_SLOTS; t++) {
        half_of_point_var(&half, &w[t]);
        jacobian_add_affine_var(&halves, &halves, &half);
        jacobian_from_affine(&power, &half);
        multiple_entries_var(m->entry[t], &power);
    }
    half_of_point_var(&half, b);
    jacobian_add_affine_var(&halves, &halves, &half);
    jacobian_from_affine(&power, &half);
    for (size_t i = 0; i < MULTIPLE_WINDOWS; i++) multiple_entries_var(m->base[i], &power);
    affine_from_jacobian_var(&half, &halves);
    power = halves;
    for (size_t k = 0; k < MULTIPLE_BITS * MULTIPLE_WINDOWS; k++)
        jacobian_double_var(&power, &power);
    affine_neg(&half, &half);
    jacobian_add_affine_var(&power, &power, &half);
    affine_from_jacobian_var(&m->lift, &power);
}

void vector_multiple(projective *out, const words k[VECTOR_SLOTS + 1], const vector_multiples *m)
{
    projective sum = {FIELD_ZERO, FIELD_ONE, FIELD_ZERO};
    affine entry;
    for (size_t window = MULTIPLE_WINDOWS; window-- > 0;) {
        for (size_t i = 0; i < MULTIPLE_BITS; i++) complete_double(&sum, &sum);
        for (size_t t = 0; t < VECTOR_SLOTS; t++) {
            multiple_select(&entry, m->entry[t], &k[t], window);
            complete_add(&sum, &sum, &entry);
        }
    }
    for (size_t window = 0; window < MULTIPLE_WINDOWS; window++) {
        multiple_select(&entry, m->base[window], &k[VECTOR_SLOTS], window);
        complete_add(&sum, &sum, &entry);
    }
    complete_add(out, &sum, &m->lift);
    clear_secret(&sum, sizeof sum);
    clear_secret(&entry, sizeof entry);
}
