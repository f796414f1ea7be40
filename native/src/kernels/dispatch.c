/*
 * Chooses the kernel and SHA-256 once: assay_init().  The choice depends on the machine and on
 * $ASSAY_KERNEL alone, so threads that race here store the same pointers.
 */
#include "assay.h"
#include "kernels/kernel.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>

/* Leaf 7: SHA is bit 29 of EBX; leaf 1: SSSE3 and SSE4.1 are bits 9 and 19 of ECX.  They use no
 * state beyond SSE's. */
static int has_sha_instructions(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 9 & 1) || !(c >> 19 & 1)) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}
#endif

#ifdef ASSAY_AVX512IFMA
/* Leaf 7: F, DQ, IFMA, BW, VL are bits 16, 17, 21, 30, 31 of EBX.  The system saves vectors and
 * masks: leaf 1 has OSXSAVE, bit 27 of ECX, and register XCR0 the bits 1, 2, 5, 6, 7. */
static int has_avx512ifma(void)
{
    const unsigned needed = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 30 | 1u << 31, saved = 0xE6;
    unsigned a, b, c, d, low, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & saved) != saved) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & needed) == needed;
}
#endif

static _Atomic(const assay_kernel *) chosen_kernel = &KERNEL_PORTABLE;
static _Atomic(sha256_blocks_function *) chosen_sha256_blocks = sha256_blocks_portable;
static _Atomic(sha256_pair_function *) chosen_sha256_pair = sha256_pair_portable;

const assay_kernel *kernel(void)
{
    return atomic_load_explicit(&chosen_kernel, memory_order_acquire);
}

sha256_blocks_function *sha256_blocks(void)
{
    return atomic_load_explicit(&chosen_sha256_blocks, memory_order_acquire);
}

sha256_pair_function *sha256_pair(void)
{
    return atomic_load_explicit(&chosen_sha256_pair, memory_order_acquire);
}

int assay_init(void)
{
    const assay_kernel *kernels[] = {NULL, &KERNEL_PORTABLE}, *found = NULL;
#ifdef ASSAY_AVX512IFMA
    if (has_avx512ifma()) kernels[0] = &KERNEL_AVX512IFMA;
#endif
    const char *name = getenv("ASSAY_KERNEL");
    for (size_t i = 0; found == NULL && i < sizeof kernels / sizeof *kernels; i++)
        if (kernels[i] != NULL && (name == NULL || strcmp(name, kernels[i]->name) == 0))
            found = kernels[i];
    if (found == NULL) return ASSAY_BAD_KERNEL;
    atomic_store_explicit(&chosen_kernel, found, memory_order_release);
#ifdef __x86_64__
    if (has_sha_instructions()) {
        atomic_store_explicit(&chosen_sha256_blocks, sha256_blocks_shani, memory_order_release);
        atomic_store_explicit(&chosen_sha256_pair, sha256_pair_shani, memory_order_release);
    }
#endif
    return ASSAY_OK;
}

const char *assay_kernel_name(void)
{
    return kernel()->name;
}
