/*
 * The group: y² = x³ + 7 over the field, of prime order n, written additively.
 *
 * Two forms.  `affine` is stored: infinity is the pair with all limbs zero (no curve point has
 * y = 0, since n is odd, so testing the limbs of y decides).  `jacobian` is (X/Z², Y/Z³), Z = 0 at
 * infinity, for chains of a few operations.
 *
 * Every addition here is complete: equal, opposite and infinite operands give the exact sum.
 * All of it is variable-time.
 */
#ifndef ASSAY_GROUP_H
#define ASSAY_GROUP_H

#include "curve/field.h"
#include "curve/scalar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    field x, y; /* infinity: all limbs zero */
} affine;

typedef struct {
    field x, y, z; /* infinity: z = 0 mod p, as all limbs zero */
} jacobian;

extern const affine AFFINE_INFINITY, BASE_POINT; /* BASE_POINT is V */
extern const jacobian JACOBIAN_INFINITY;

static inline bool affine_is_infinity(const affine *a)
{
    return (a->y.limb[0] | a->y.limb[1] | a->y.limb[2] | a->y.limb[3]) == 0;
}

static inline bool jacobian_is_infinity(const jacobian *a)
{
    return (a->z.limb[0] | a->z.limb[1] | a->z.limb[2] | a->z.limb[3]) == 0;
}

/* r = -a. */
void affine_neg(affine *r, const affine *a);

void jacobian_from_affine(jacobian *r, const affine *a);
void jacobian_double_var(jacobian *r, const jacobian *a);
void jacobian_add_affine_var(jacobian *r, const jacobian *a, const affine *b);
void affine_from_jacobian_var(affine *r, const jacobian *a);

/* r[i] = a[i] for i < n by one inversion; infinities stay. */
void affine_from_jacobian_batch_var(affine *r, const jacobian *a, size_t n);

/* r = k·a. One point; many are an MSM. */
void affine_mul_var(affine *r, const words *k, const affine *a);

/* 33 bytes: 02 or 03, then x, big-endian.  Infinity gives 33 zero bytes (for transcripts). */
void affine_compress(uint8_t bytes[33], const affine *a);

/* False unless the bytes are the one encoding of a finite point.  33 zero bytes are refused. */
bool affine_decompress(affine *r, const uint8_t bytes[33]);

/* Two at a time, which is faster. */
void affine_decompress_pair(affine r[2], bool valid[2], const uint8_t *first,
                            const uint8_t *second);

/* The generator of a name and index: even y, at the first counter c for which
 * H_generator(name ‖ u32 index ‖ u32 c) is the x of a point. */
void derive_generator(affine *r, const char *name, size_t name_length, uint32_t index);

/*
 * Batches of additions that share one inversion.
 *
 * A batch is a list of operations slot[destination] += slot[source] over an array of points; no
 * destination occurs elsewhere in the same batch, as destination or source.  The sums are exact
 * for equal, opposite and infinite operands.  A queue collects operations and runs them
 * BATCH_SIZE at a time; operations on either side of a flush may depend on each other.
 */
#define BATCH_SIZE 1024

typedef struct {
    uint32_t destination, source;
} batch_operation;

typedef struct {
    affine *slot;
    size_t n; /* operations waiting, < BATCH_SIZE */
    batch_operation operation[BATCH_SIZE];
    field difference[BATCH_SIZE], prefix[BATCH_SIZE];
    uint8_t kind[BATCH_SIZE];
} batch_queue; /* about 90 kB: lives in scratch, not on the stack */

void batch_begin(batch_queue *queue, affine *slot);
void batch_flush_var(batch_queue *queue);

/* Queue slot[destination] += slot[source]. */
static inline void batch_add_var(batch_queue *queue, size_t destination, size_t source)
{
    batch_operation *operation = &queue->operation[queue->n++];
    operation->destination = (uint32_t)destination;
    operation->source = (uint32_t)source;
    if (queue->n == BATCH_SIZE) batch_flush_var(queue);
}

#endif
