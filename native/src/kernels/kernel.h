/*
 * The function table: what a second kernel replaces.  Chosen once, by assay_init() in dispatch.c;
 * nothing else of the core has mutable global state.
 *
 * All functions but vector_multiple are variable-time, and all are exact (group.h).  `scratch` is
 * memory aligned to 64 bytes, of the size that the kernel's matching *_scratch_size gives for the
 * same n or a larger one: no size decreases with n.  It holds nothing between calls.  Outputs are
 * affine, infinity possible.  A kernel's outputs are those of every other kernel.
 */
#ifndef ASSAY_KERNEL_H
#define ASSAY_KERNEL_H

#include "curve/group.h"
#include "hash/sha256.h"
#include "kernels/tables.h"

#define BUCKET_BYTES (256 * 64)

typedef struct {
    const char *name;

    /* Scratch of commit, commit_rows, commit_vectors, combine, combine_vectors and decompress for n
     * items. */
    size_t (*scratch_size)(size_t n);

    /* out[i] = v_i·V + r_i·B.  v_i has value_words (1, 2 or 4) little-endian words, at values +
     * i·value_words. */
    void (*commit)(affine *out, const uint64_t *values, size_t value_words, const words *blindings,
                   size_t n, const tables *t, void *scratch);

    /* out[a] = Σ_j bit_j(row a)·Q_j + s_a·B; blindings NULL: without the last term.  A row is
     * row_bytes bytes, bit j of it being bit j mod 8 of byte j / 8; 8·row_bytes <= Q_COUNT. */
    void (*commit_rows)(affine *out, const uint8_t *rows, size_t row_bytes, const words *blindings,
                        size_t n, const tables *t, void *scratch);

    /* out[b] = Σ_t amounts[W_COUNT·b + t]·W_t + ρ_b·B; blindings NULL: without the last term. */
    void (*commit_vectors)(affine *out, const uint64_t *amounts, const words *blindings, size_t n,
                           const tables *t, void *scratch);

    /* out[i] = Σ_j z[n·i + j]·Q_j, i < count, j < n <= Q_COUNT.  Scratch: scratch_size(256). */
    void (*combine)(affine *out, const words *z, size_t n, size_t count, const tables *t,
                    void *scratch);

    /* out[i] = Σ_t z[W_COUNT·i + t]·W_t, i < count.  Scratch: scratch_size(256). */
    void (*combine_vectors)(affine *out, const words *z, size_t count, const tables *t,
                            void *scratch);

    /* vector_multiple.h, in constant time; any coordinates of the sum. */
    void (*vector_multiple)(projective *out, const words *k, const vector_multiples *m);

    /* msm.h. */
    size_t (*msm_scratch_size)(size_t n, unsigned bits);
    void (*msm)(affine *out, const words *scalars, const affine *points, size_t n, unsigned bits,
                void *scratch);
    size_t (*sum_scratch_size)(size_t n);
    void (*sum)(affine *out, const affine *points, size_t n, void *scratch);

    /* n points of 33 bytes; returns the index of the first that affine_decompress refuses, or n. */
    size_t (*decompress)(affine *out, const uint8_t *bytes, size_t n, void *scratch);

    /* The same, but those that it refuses give infinity. */
    void (*decompress_each)(affine *out, const uint8_t *bytes, size_t n, void *scratch);

    /* The encodings of n points, `stride` bytes apart; infinity gives 33 zero bytes. */
    void (*compress)(uint8_t *bytes, size_t stride, const affine *a, size_t n);

    /* SHA-256: state[i] absorbs the block of 64 bytes at data + stride·i, i < n. */
    void (*absorb)(uint32_t (*state)[8], const uint8_t *data, size_t stride, size_t n);

    /* The sum-check's loops, sumcheck.h.  sums = Σ e[k]·(a² - a), Σ e[k]·(b - a)², Σ w[k]·a, Σ a
     * over k < n, where a and b are pairs[2·stride·k] and the next. */
    void (*sum_pairs)(scalar sums[4], const scalar *pairs, size_t stride, const scalar *e,
                      const scalar *w, size_t n);

    /* sum = Σ e[k]·(form[h] - form[l])², k < n, h and l being the high and low byte of the 16 bits
     * at `shift` of values[k]. */
    void (*sum_byte_pairs)(scalar *sum, const scalar *form, const uint64_t *values, unsigned shift,
                           const scalar *e, size_t n);

    /* sum = Σ a[stride·i]·b[i], i < n < 2^32, every b[i] below the group order. */
    void (*inner)(scalar *sum, const scalar *a, size_t stride, const words *b, size_t n);

    /* out[i] = (1 - x)·in[2i] + x·in[2i + 1], i < n; out may be in. */
    void (*fold_pairs)(scalar *out, const scalar *in, const scalar *x, size_t n);

    /* out[2i] = at0·in[i] and out[2i + 1] = at1·in[i], i < n; out may be in. */
    void (*expand)(scalar *out, const scalar *in, const scalar *at0, const scalar *at1, size_t n);

    /* bytes[q mod 2][i] = Σ position[q / 2]·weights[y] over the q < 8 and y < n <= 2^12 for which
     * byte q of values[y] is i. `buckets`: BUCKET_BYTES bytes, aligned to 64. */
    void (*gather_bytes)(scalar bytes[2][256], const uint64_t *values, const scalar *weights,
                         size_t n, const scalar position[4], void *buckets);

    /* z[j] = Σ weights[a] over the rows a < n <= 2^12 that have bit j, j < 8·row_bytes; rows as for
     * commit_rows. */
    void (*fold_rows)(scalar *z, const uint8_t *rows, size_t row_bytes, const scalar *weights,
                      size_t n, void *buckets);
} assay_kernel;

extern const assay_kernel KERNEL_PORTABLE;
#ifdef ASSAY_AVX512IFMA
extern const assay_kernel KERNEL_AVX512IFMA;
#endif

/* The chosen kernel and SHA-256; assay_init() has succeeded. */
const assay_kernel *kernel(void);
sha256_blocks_function *sha256_blocks(void);
sha256_pair_function *sha256_pair(void);

/* Takes the next `size` bytes of a scratch, aligned to 64 bytes; ARENA_SIZE(size) of them in its
 * size. */
#define ARENA_SIZE(size) (((size) + 63) / 64 * 64)
static inline void *arena_take(uint8_t **next, size_t size)
{
    void *taken = *next;
    *next += ARENA_SIZE(size);
    return taken;
}

#endif
