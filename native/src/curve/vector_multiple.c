/* Constant-time multiples of W_0 … W_15 and B, added up. */
#include "curve/vector_multiple.h"

#include "hash/sha256.h"

#define SHORT_WINDOWS 13 /* 65 bits */

/* *sum += (2^(5·windows) - 1)·half. */
static void add_lift(jacobian *sum, const affine *half, size_t windows)
{
    jacobian power;
    affine lift, minus;
    jacobian_from_affine(&power, half);
    for (size_t k = 0; k < MULTIPLE_BITS * windows; k++) jacobian_double_var(&power, &power);
    affine_neg(&minus, half);
    jacobian_add_affine_var(&power, &power, &minus);
    affine_from_jacobian_var(&lift, &power);
    jacobian_add_affine_var(sum, sum, &lift);
}

void vector_multiples_build(vector_multiples *m, const affine w[VECTOR_SLOTS], const affine *b)
{
    jacobian shorter = JACOBIAN_INFINITY, longer = JACOBIAN_INFINITY;
    affine half;
    jacobian power;
    for (size_t t = 0; t < VECTOR_SLOTS; t++) {
        half_of_point_var(&half, &w[t]);
        jacobian_from_affine(&power, &half);
        multiple_entries_var(m->entry[t], &power);
        add_lift(&shorter, &half, SHORT_WINDOWS);
        add_lift(&longer, &half, MULTIPLE_WINDOWS);
    }
    half_of_point_var(&half, b);
    jacobian_from_affine(&power, &half);
    for (size_t i = 0; i < MULTIPLE_WINDOWS; i++) multiple_entries_var(m->base[i], &power);
    add_lift(&shorter, &half, MULTIPLE_WINDOWS);
    add_lift(&longer, &half, MULTIPLE_WINDOWS);
    affine_from_jacobian_var(&m->lift_short, &shorter);
    affine_from_jacobian_var(&m->lift_long, &longer);
}

void vector_multiple(projective *out, const words k[VECTOR_SLOTS + 1], bool full,
                     const vector_multiples *m)
{
    const affine *lift = full ? &m->lift_long : &m->lift_short;
    projective sum = {FIELD_ZERO, FIELD_ONE, FIELD_ZERO};
    affine entry;
    for (size_t window = full ? MULTIPLE_WINDOWS : SHORT_WINDOWS; window-- > 0;) {
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
    complete_add(out, &sum, lift);
    clear_secret(&sum, sizeof sum);
    clear_secret(&entry, sizeof entry);
}
