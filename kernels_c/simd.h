/* The widest registers of the processor at hand: one build runs on any x86-64, login node or compute node. */
#ifndef VIP_SIMD_H
#define VIP_SIMD_H

/* Whether a file may name instructions of x86-64. VIP_PLAIN_C: no, so that the code of other processors can be tried here. */
#if defined(__x86_64__) && !defined(VIP_PLAIN_C)
#define WITH_X86
#endif

/* A function compiled for each level; the loader chooses. Where it is left to the compiler to vectorise. */
#if defined(WITH_X86) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define MULTIVERSION __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MULTIVERSION
#endif

/* Whether a file may be included once for each level, with `#pragma GCC target`. */
#if defined(WITH_X86) && defined(__GNUC__) && !defined(__clang__)
#define WITH_X86_LEVELS
#endif

enum simd_level { BASELINE, AVX2, AVX512 };

/* x86-64-v4 and v3 as far as vectorised code uses them. */
static inline enum simd_level simd_level(void)
{
#ifdef WITH_X86_LEVELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"))
        return AVX2;
#endif
    return BASELINE;
}

static inline const char *simd_level_name(void)
{
    static const char *names[] = {"plain C", "AVX2", "AVX-512"};
    return names[simd_level()];
}

/* A call of the function that a file, included once for each level and precision, has for this processor. */
#ifdef WITH_X86_LEVELS
#define DISPATCH(function, real, ...)                                              \
    (simd_level() == AVX512 ? function##_##real##_avx512(__VA_ARGS__)              \
     : simd_level() == AVX2 ? function##_##real##_avx2(__VA_ARGS__)                \
                            : function##_##real##_baseline(__VA_ARGS__))
#else
#define DISPATCH(function, real, ...) function##_##real##_baseline(__VA_ARGS__)
#endif

#endif
