/* Denormal numbers as zero: where waves fade out, arithmetic with them takes a hundred times as long. */
#ifndef VIP_DENORMALS_H
#define VIP_DENORMALS_H

#include "simd.h"

#ifdef WITH_X86
#include <immintrin.h>
static unsigned flush_denormals(void)
{
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* FTZ and DAZ */
    return before;
}
static void restore_denormals(unsigned before) { _mm_setcsr(before); }
#else
static unsigned flush_denormals(void) { return 0; }
static void restore_denormals(unsigned before) { (void)before; }
#endif

#endif
