/*
 * The C API of the core.
 *
 * What stands between the two `cffi` marks is read twice: by the C compiler, and by
 * build_native.py as the declarations of the binding.  So it holds declarations alone: no
 * macro but integer constants, no `static inline`, no attribute.
 */
#ifndef ASSAY_H
#define ASSAY_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

/* The version of the core, a static string. */
const char *assay_version(void);

/* cffi: end */

#endif
