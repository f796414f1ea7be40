/* One argument by itself over any state of the transcript, as solvency has it: item 5, no item 6.
 */
#include "assay.h"
#include "range/prove.h"

#include <string.h>

size_t assay_range_length(size_t m, size_t b)
{
    range_shape s;
    return range_shape_entries(&s, m, b) ? range_length(&s) : 0;
}

/* The transcript after item 5. */
static void begin(transcript *t, const uint8_t state[32], const range_shape *s)
{
    transcript_begin(t);
    memcpy(t->state, state, 32);
    range_absorb_shape(t, s);
}

static size_t largest(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t verify_terms(const range_shape *s)
{
    return RANGE_FIXED_TERMS + s->m + range_points(s);
}

size_t assay_range_verify_scratch_size(size_t m, size_t b)
{
    range_shape s;
    if (!range_shape_entries(&s, m, b)) return 0;
    const size_t n = verify_terms(&s);
    return ARENA_SIZE(n * sizeof(affine)) + ARENA_SIZE(n * sizeof(words)) +
           largest(kernel()->scratch_size(n), kernel()->msm_scratch_size(n, 256));
}

size_t assay_range_prove_scratch_size(size_t m, size_t b)
{
    range_shape s;
    if (!range_shape_entries(&s, m, b)) return 0;
    return largest(ARENA_SIZE(sizeof(range_prover)) +
                       ARENA_SIZE(range_value_words(&s) * sizeof(uint64_t)) +
                       ARENA_SIZE(m * sizeof(words)) + ARENA_SIZE(m * sizeof(affine)) +
                       largest(kernel()->scratch_size(m), range_prove_scratch_size(&s, 1)),
                   assay_range_verify_scratch_size(m, b));
}

/* Big-endian values to words, zero from m on. */
static void read_values(uint64_t *values, const range_shape *s, const uint8_t *bytes)
{
    const size_t each = s->b / 64;
    memset(values, 0, range_value_words(s) * sizeof *values);
    for (size_t i = 0; i < s->m * each; i++) {
        uint64_t *word = &values[i / each * each + each - 1 - i % each];
        for (size_t k = 0; k < 8; k++) *word = *word << 8 | bytes[8 * i + k];
    }
}

/* Whether the commitments are those to the values under the blinding factors; infinity is 33 zero
 * bytes. */
static bool commitments_open(const affine *points, const uint8_t *commitments, size_t m)
{
    for (size_t i = 0; i < m; i++) {
        uint8_t bytes[33];
        affine_compress(bytes, &points[i]);
        if (memcmp(bytes, commitments + 33 * i, 33) != 0) return false;
    }
    return true;
}

int assay_range_prove_var(uint8_t *argument, const uint8_t *state,
                          const assay_range_witness *witness, const uint8_t *secret,
                          const uint8_t *salt, const uint8_t *weights,
                          const assay_tables *fixed_base, void *scratch)
{
    const size_t m = witness->m, b = witness->b;
    range_shape s;
    if (!range_shape_entries(&s, m, b)) return ASSAY_BAD_COUNT;
    uint8_t *next = scratch;
    range_prover *p = arena_take(&next, sizeof *p);
    uint64_t *words_of_values = arena_take(&next, range_value_words(&s) * sizeof *words_of_values);
    words *openings = arena_take(&next, m * sizeof *openings);
    affine *points = arena_take(&next, m * sizeof *points);
    uint8_t witness_hash[32];
    int status = ASSAY_OK;
    for (size_t i = 0; i < m; i++)
        if (!words_from_bytes(&openings[i], witness->blindings + 32 * i)) status = ASSAY_BAD_SCALAR;
    read_values(words_of_values, &s, witness->values);
    if (status == ASSAY_OK) {
        kernel()->commit(points, words_of_values, b / 64, openings, m, fixed_base, next);
        if (!commitments_open(points, witness->commitments, m)) status = ASSAY_BAD_OPENING;
    }
    if (status == ASSAY_OK) {
        begin(&p->transcript, state, &s);
        range_witness_hash(witness_hash, &s, words_of_values, witness->blindings);
        p->values = words_of_values;
        p->openings = openings;
        p->witness = witness_hash;
        p->secret = secret;
        p->salt = salt;
        p->argument = argument;
        if (!range_prove(p, 1, &s, fixed_base, next)) status = ASSAY_INFINITE_POINT;
    }
    if (status == ASSAY_OK &&
        assay_range_verify_var(state, witness->commitments, m, b, argument, range_length(&s),
                               weights, &fixed_base->bases, scratch) != ASSAY_OK)
        status = ASSAY_DAMAGED;
    if (status != ASSAY_OK) clear_secret(argument, range_length(&s));
    clear_secret(scratch, assay_range_prove_scratch_size(m, b));
    clear_secret(witness_hash, sizeof witness_hash);
    return status;
}

/* Commitments may be infinity, as 33 zero bytes. */
static bool read_commitments(affine *points, const uint8_t *bytes, size_t m)
{
    static const uint8_t INFINITE[33] = {0};
    for (size_t i = 0; i < m; i++) {
        if (memcmp(bytes + 33 * i, INFINITE, 33) == 0)
            points[i] = AFFINE_INFINITY;
        else if (!affine_decompress(&points[i], bytes + 33 * i))
            return false;
    }
    return true;
}

int assay_range_verify_var(const uint8_t *state, const uint8_t *commitments, size_t m, size_t b,
                           const uint8_t *argument, size_t length, const uint8_t *weight_bytes,
                           const assay_bases *fixed_base, void *scratch)
{
    range_shape s;
    if (!range_shape_entries(&s, m, b)) return ASSAY_BAD_COUNT;
    if (length != range_length(&s)) return ASSAY_BAD_LENGTH;
    const size_t own = m + range_points(&s);
    uint8_t *next = scratch;
    affine *points = arena_take(&next, verify_terms(&s) * sizeof *points);
    words *scalars = arena_take(&next, verify_terms(&s) * sizeof *scalars);
    if (!read_commitments(points, commitments, m)) return ASSAY_BAD_POINT;
    if (kernel()->decompress(points + m, argument, range_points(&s), next) != range_points(&s))
        return ASSAY_BAD_ARGUMENT_POINT;
    if (!range_scalars_valid(&s, argument)) return ASSAY_BAD_ARGUMENT_SCALAR;

    transcript t;
    range_challenges challenges;
    range_fixed fixed;
    scalar weights[ARGUMENT_EQUATIONS];
    begin(&t, state, &s);
    range_replay(&challenges, &t, &s, argument);
    range_weights(weights, weight_bytes, ARGUMENT_EQUATIONS);
    memset(&fixed, 0, sizeof fixed);
    range_coefficients(scalars, &fixed, &s, &challenges, argument, weights);
    const size_t n = own + range_fixed_terms(scalars + own, points + own, &fixed, fixed_base);
    affine sum;
    kernel()->msm(&sum, scalars, points, n, 256, next);
    return affine_is_infinity(&sum) ? ASSAY_OK : ASSAY_REJECTED;
}
