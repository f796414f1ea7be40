/*
 * Modular inversion by division steps (Bernstein and Yang, "Fast constant-time gcd computation and
 * modular inversion", CHES 2019), the variable-time variant: 62 steps at a time on the low words,
 * then applied to the whole numbers as a 2 × 2 matrix.
 */
#ifndef ASSAY_INVERSE_H
#define ASSAY_INVERSE_H

#include <stdint.h>

typedef struct {
    int64_t limb[5];  /* the odd modulus, 62 bits a limb */
    uint64_t inverse; /* its inverse mod 2^62 */
} inverse_modulus;

/* r = 1/a mod m, and 0 for a = 0; little-endian words, a < m, m prime and of 256 bits. */
void inverse_mod_var(uint64_t r[4], const uint64_t a[4], const inverse_modulus *m);

#endif
