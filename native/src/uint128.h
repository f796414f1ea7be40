/* The double-width integer of the portable arithmetic. */
#ifndef ASSAY_UINT128_H
#define ASSAY_UINT128_H

__extension__ typedef unsigned __int128 uint128;
__extension__ typedef __int128 int128;

#endif
