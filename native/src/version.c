/* The version of the core, as the build was told it. */
#include "assay.h"

const char *assay_version(void)
{
    return ASSAY_VERSION;
}
