/*
 * Fixed-base tables of V, B and the Q generators, in the caller's memory; read-only once built.
 *
 * V and B: digits of WINDOW_BITS bits, 20 windows.  A digit u of window i stands for the odd number
 * 2u - (2^w - 1), and the base is halved: Σ_i (2u_i - (2^w - 1))·2^(wi)·(P/2) = Σ_i u_i·2^(wi)·P - (2^(wL) - 1)/2·P.
 * So the digits are the plain digits of the scalar, no digit is zero, no entry is infinity, and a
 * window holds 2^(w-1) entries, the other half being their opposites.  The constant is added into the
 * entries of a *lead* window, stored whole (2^w entries), once for each run of windows that may be used alone:
 * windows 0-4 carry 64 bits, 5-9 the rest of 128, 10-19 the rest of 256; B always takes all 20.
 *
 * Q: for every eight generators the 256 subset sums, indexed by a byte, bit j being generator 8g + j.
 */
#ifndef ASSAY_TABLES_H
#define ASSAY_TABLES_H

#include "group.h"

#define WINDOW_BITS 13
#define WINDOWS 20 /* 260 bits */
#define Q_COUNT_MAX 256

/* A finite point in 64 bytes, a cache line: canonical words of x and y.  All zero: infinity. */
typedef struct {
    uint64_t x[4], y[4];
} packed;

typedef struct assay_tables {
    size_t q_count;           /* a multiple of 8, 8 .. Q_COUNT_MAX */
    const packed *v[WINDOWS]; /* window i of V */
    const packed *b[WINDOWS];
    const packed *q;                               /* 256 entries for each eight generators */
    affine v_point, b_point, q_point[Q_COUNT_MAX]; /* the generators themselves, V, B, Q_j (j < q_count) */
} tables;

static inline void packed_load(affine *r, const packed *a)
{
    field_from_words(&r->x, a->x);
    field_from_words(&r->y, a->y);
}

void packed_store(packed *r, const affine *a);

/* Bytes of memory that q_count generators need; q_count is rounded up to a multiple of 8. */
size_t tables_size(size_t q_count);

/* Build in memory aligned to 64 bytes; 1 <= q_count <= Q_COUNT_MAX.  Needs a scratch of tables_scratch_size(). */
size_t tables_scratch_size(void);
const tables *tables_build(void *memory, size_t q_count, void *scratch);

#endif
