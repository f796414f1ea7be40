/*
 * Fixed-base tables of V, B, the Q and the W generators, in the caller's memory; read-only once
 * built. And sums of their entries.
 *
 * A number is cut into windows of w = WINDOW_BITS bits, one of 256 bits into 20.  Bit k has a point
 * of weight: 2^k·V, 2^k·B, Q_k, or 2^(k mod 64)·W_(k / 64), so that sixteen amounts side by side
 * are one number of 1,024 bits.  The window's digit stands for Σ (±½)·(weight of bit k), plus for a
 * bit that is set; and since ½ + ½ = 1, ½ - ½ = 0, a constant, half the sum of all weights, makes
 * this the sum over the set bits.  So no entry is infinity, opposite digits have opposite entries,
 * and a window keeps those of the digits from 2^(w-1) up, the upper half.  The constant is in the
 * entries of a *lead* window, kept whole, one for each run of windows that may be used alone: the
 * windows of V that carry 64 bits, the rest of 128, the rest of 256; all of B; those of Q that
 * carry 32, 64, 128 and 512 bits; all of W.
 */
#ifndef ASSAY_TABLES_H
#define ASSAY_TABLES_H

#include "kernels/bases.h"

/* 44 MB of tables. */
#define WINDOW_BITS 13
#define WINDOWS 20     /* 260 bits */
#define WORD_WINDOWS 5 /* 65 bits */
#define Q_WINDOWS 40   /* 520 bits */
#define W_WINDOWS 79   /* 1,027 bits */
#define VECTOR_BYTES (8 * W_COUNT)

/* A finite point in 64 bytes, a cache line: canonical words of x and y.  All zero: infinity. */
typedef struct {
    uint64_t x[4], y[4];
} packed;

typedef struct {
    const packed *entry; /* 2^w, or the 2^(w-1) of the upper half */
    bool lead;
} table_window;

typedef struct assay_tables {
    bases bases;
    table_window v[WINDOWS], b[WINDOWS], q[Q_WINDOWS], w[W_WINDOWS];
} tables;

static inline void packed_load(affine *r, const packed *a)
{
    field_from_words(&r->x, a->x);
    field_from_words(&r->y, a->y);
}

void packed_store(packed *r, const affine *a);

/* Bytes of memory of the tables, and of the scratch to build them. */
size_t tables_size(void);
size_t tables_scratch_size(void);

/* Build in memory aligned to 64 bytes. */
const tables *tables_build(void *memory, void *scratch);

/* Items that are numbers of `length` bytes, least significant first, one after another, and the
 * windows that they are cut into. */
typedef struct {
    const table_window *windows;
    size_t count;
    const uint8_t *numbers;
    size_t length;
} table_summand;

/* For every item a sum of entries: a blinding factor's, then a value's or a row's. */
typedef struct {
    size_t count;
    table_summand summand[2];
} table_sums;

/* v·V + r·B, values of value_words words; rows of row_bytes bytes of the Q; vectors of W_COUNT
 * amounts of the W; the latter two with blindings or, if NULL, without. */
table_sums table_sums_of_values(const tables *t, const uint64_t *values, size_t value_words,
                                const words *blindings);
table_sums table_sums_of_rows(const tables *t, const uint8_t *rows, size_t row_bytes,
                              const words *blindings);
table_sums table_sums_of_vectors(const tables *t, const uint64_t *amounts, const words *blindings);

/* The same from item `first` on. */
table_sums table_sums_from(const table_sums *s, size_t first);

/* Look-ups an item. */
size_t table_sums_terms(const table_sums *s);

#endif
