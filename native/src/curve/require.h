/*
 * Preconditions that a debug build checks: with ASSAY_CHECK_BOUNDS, as the sanitizers' build has
 * it, a broken one ends the process; else nothing is there.  Not for what comes from outside, which
 * a function refuses with a status.
 */
#ifndef ASSAY_REQUIRE_H
#define ASSAY_REQUIRE_H

#ifdef ASSAY_CHECK_BOUNDS
#include <stdlib.h>
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) abort();                                                                 \
    } while (0)
#else
#define REQUIRE(condition) ((void)0)
#endif

#endif
