/* A count of field multiplications, for tests that keep it; nothing without ASSAY_COUNTING. */
#ifndef ASSAY_COUNT_H
#define ASSAY_COUNT_H

#ifdef ASSAY_COUNTING
#include <stdint.h>

extern uint64_t assay_multiplications; /* whoever is built with it defines it; one thread */
#define COUNT_MULTIPLICATIONS(n) (assay_multiplications += (n))
#else
#define COUNT_MULTIPLICATIONS(n) ((void)0)
#endif

#endif
