/*
 * Where constant-time code hands a value on to code that is not: what may be known of a secret is
 * declassified, each time with the reason beside it.
 *
 * In the core both do nothing.  tests/unit/native/constant_time.c is built with ASSAY_CHECK_TIME
 * and runs under valgrind, which takes undefined memory for secret and reports every branch and
 * every address that depends on it.
 */
#ifndef ASSAY_SECRET_H
#define ASSAY_SECRET_H

#include <stddef.h>

#ifdef ASSAY_CHECK_TIME
#include <valgrind/memcheck.h>
#endif

static inline void declassify(const void *data, size_t length)
{
#ifdef ASSAY_CHECK_TIME
    (void)VALGRIND_MAKE_MEM_DEFINED(data, length);
#endif
    (void)data;
    (void)length;
}

static inline void classify(const void *data, size_t length)
{
#ifdef ASSAY_CHECK_TIME
    (void)VALGRIND_MAKE_MEM_UNDEFINED(data, length);
#endif
    (void)data;
    (void)length;
}

#endif
