/* See stein_groups.h. Inner loops are written so that the compiler turns each into SIMD code. */
#include "stein_groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simd.h"

#define LANES 8              /* loops over rows run to a multiple of it: what is beyond the last particle does not count */
#define SAMPLE 48            /* of values, to choose a pivot from; as few are sorted at once */
#define MOST_EXPONENT 1000.0 /* 2^-1000 counts as nothing, and is still a normal number */
#define LOG2_E 1.4426950408889634

static inline int64_t whole_lanes(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

/* Of one group, (n_entries, stride) each, and of its pairs i < j, row by row. */
typedef struct {
    int64_t stride;
    double *x, *g, *phi;
    double *squared, *candidates, *kernel;
} workspace;

/* Median */

static void sort(double *values, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        const double value = values[i];
        int64_t k = i;
        for (; k > 0 && values[k - 1] > value; k--)
            values[k] = values[k - 1];
        values[k] = value;
    }
}

/* One of the values, which probably has the one of this rank closely on its smaller side. */
static double choose_pivot(const double *values, int64_t n, int64_t rank)
{
    double sample[SAMPLE];
    for (int64_t i = 0; i < SAMPLE; i++)
        sample[i] = values[i * n / SAMPLE];
    sort(sample, SAMPLE);
    const double share = (rank + 0.5) / n, deviation = 1 + sqrt(SAMPLE * share * (1 - share));
    const double at = SAMPLE * share + (share < 0.5 ? deviation : -deviation);
    return sample[(int)fmin(fmax(at, 0), SAMPLE - 1)];
}

MULTIVERSION
static void count(const double *values, int64_t n, double pivot, int64_t *below, int64_t *equal)
{
    int64_t less = 0, same = 0;
    for (int64_t i = 0; i < n; i++) {
        less += values[i] < pivot;
        same += values[i] == pivot;
    }
    *below = less, *equal = same;
}

/* Those on one side of the pivot, in their order; `kept` may be where the values are. No branch depends on a value. */
static void keep(const double *values, int64_t n, double pivot, int above, double *kept)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) {
        const double value = values[i];
        kept[m] = value;
        m += above ? value > pivot : value < pivot;
    }
}

/* The value of a rank, from 0. */
static double select_rank(const double *values, int64_t n, int64_t rank, double *candidates)
{
    while (n > SAMPLE) {
        int64_t below, equal;
        const double pivot = choose_pivot(values, n, rank);
        count(values, n, pivot, &below, &equal);
        if (rank >= below && rank < below + equal)
            return pivot;
        const int above = rank >= below;
        keep(values, n, pivot, above, candidates);
        n = above ? n - below - equal : below;
        rank -= above ? below + equal : 0;
        values = candidates;
    }
    memmove(candidates, values, sizeof(double) * n);
    sort(candidates, n);
    return candidates[rank];
}

/* The largest of those below a value, and how many they are. */
MULTIVERSION
static double largest_below(const double *values, int64_t n, double value, int64_t *below)
{
    double largest = 0;
    int64_t less = 0;
#pragma omp simd reduction(max : largest)
    for (int64_t i = 0; i < n; i++) {
        const double candidate = values[i] < value ? values[i] : 0;
        largest = candidate > largest ? candidate : largest;
        less += values[i] < value;
    }
    *below = less;
    return largest;
}

/* Of values that are not negative. */
static double median(const double *values, int64_t n, double *candidates)
{
    const double upper = select_rank(values, n, n / 2, candidates);
    if (n % 2)
        return upper;
    int64_t below;
    const double largest = largest_below(values, n, upper, &below);
    return (upper + (below == n / 2 ? largest : upper)) / 2;
}

/* Pairs. Rows follow each other without a gap: each is written over what the one before has beyond its end. */

MULTIVERSION
static void square_distances(int64_t n, int64_t n_entries, const workspace *work)
{
    double *restrict row = work->squared;
    for (int64_t i = 0; i < n - 1; row += n - 1 - i, i++) {
        const int64_t length = whole_lanes(n - 1 - i);
        for (int64_t k = 0; k < n_entries; k++) {
            const double *restrict x = work->x + k * work->stride + i + 1, own = x[-1];
            for (int64_t j = 0; j < length; j++) {
                const double apart = own - x[j];
                row[j] = apart * apart + (k ? row[j] : 0);
            }
        }
    }
}

/* 2^-z for 0 <= z <= 1000: the interpolant of 2^-f in the Chebyshev nodes of |f| < 1/2 (3e-16), and z - f in the exponent. */
static inline double power_of_half(double z)
{
    const double in_low_bits = 0x1.8p52; /* added to a number, leaves it as an integer in the lowest bits */
    const double whole = z + in_low_bits, f = z - (whole - in_low_bits);
    double power = 1 + f * (-0x1.62e42fefa3a19p-1 + f * (0x1.ebfbdff82c598p-3 + f * (-0x1.c6b08d703ce49p-5
        + f * (0x1.3b2ab6fba1ddap-7 + f * (-0x1.5d87fe9d7a584p-10 + f * (0x1.430913096fd9fp-13 + f * (-0x1.ffcb54062e698p-17
        + f * (0x1.62bfd47773353p-20 + f * (-0x1.b675bca4eeebbp-24 + f * 0x1.e6063f7217bc6p-28)))))))));
    int64_t bits, exponent;
    memcpy(&bits, &power, sizeof bits);
    memcpy(&exponent, &whole, sizeof exponent);
    bits -= (int64_t)((uint64_t)exponent << 52);
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* Adds to n phi what pairs do to each other, from their distances. */
MULTIVERSION
static void move(int64_t n, int64_t n_entries, double h2, const workspace *work)
{
    const double *squared = work->squared, inverse = 1 / h2, scale = LOG2_E / 2 * inverse;
    double *restrict kernel = work->kernel;
    for (int64_t i = 0; i < n - 1; squared += n - 1 - i, i++) {
        const int64_t length = whole_lanes(n - 1 - i);
        for (int64_t j = 0; j < length; j++) {
            const double z = squared[j] * scale;
            kernel[j] = power_of_half(z < MOST_EXPONENT ? z : MOST_EXPONENT);
        }
        for (int64_t j = n - 1 - i; j < length; j++) /* beyond the last particle */
            kernel[j] = 0;
        for (int64_t k = 0; k < n_entries; k++) {
            const int64_t at = k * work->stride + i + 1;
            const double *restrict x = work->x + at, *restrict g = work->g + at;
            const double own_x = x[-1], own_g = g[-1];
            double *restrict phi = work->phi + at;
            double own_phi = 0;
#pragma omp simd reduction(+ : own_phi)
            for (int64_t j = 0; j < length; j++) {
                const double apart = own_x - x[j];
                own_phi += kernel[j] * (g[j] + apart * inverse);
                phi[j] += kernel[j] * (own_g - apart * inverse);
            }
            phi[-1] += own_phi;
        }
    }
}

/* Groups */

/* Copies the group's entries, and clears what is beyond the last particle. */
static void gather(const stein_groups *groups, const double *array, stein_strides strides, int64_t group, int64_t stride,
                   double *gathered)
{
    const int64_t n = groups->n_particles, first = groups->start[group], last = groups->start[group + 1];
    for (int64_t member = first; member < last; member++, gathered += stride) {
        const double *entry = array + strides.entry * groups->entry[member];
        for (int64_t i = 0; i < n; i++)
            gathered[i] = entry[strides.particle * i];
        memset(gathered + n, 0, sizeof(double) * (stride - n));
    }
}

static void group_direction(const stein_groups *groups, int64_t group, const workspace *work)
{
    const int64_t n = groups->n_particles, n_pairs = n * (n - 1) / 2;
    const int64_t first = groups->start[group], n_entries = groups->start[group + 1] - first;
    gather(groups, groups->particles, groups->particles_strides, group, work->stride, work->x);
    gather(groups, groups->gradient, groups->gradient_strides, group, work->stride, work->g);
    square_distances(n, n_entries, work);
    const double middle = n_pairs ? median(work->squared, n_pairs, work->candidates) : 0;
    const double h2 = groups->widening * groups->widening * (middle > 0 ? middle / (2 * log(n)) : 1);

    memcpy(work->phi, work->g, sizeof(double) * work->stride * n_entries); /* K_ii = 1 */
    move(n, n_entries, h2, work);
    const stein_strides strides = groups->direction_strides;
    for (int64_t k = 0; k < n_entries; k++) {
        double *entry = groups->direction + strides.entry * groups->entry[first + k];
        for (int64_t i = 0; i < n; i++)
            entry[strides.particle * i] = work->phi[k * work->stride + i] / n;
    }
}

/* For the largest group. */
static workspace workspace_open(const stein_groups *groups)
{
    const int64_t n = groups->n_particles, n_pairs = n * (n - 1) / 2, stride = n + LANES;
    int64_t most = 0;
    for (int64_t e = 0; e < groups->n_groups; e++) {
        const int64_t n_entries = groups->start[e + 1] - groups->start[e];
        most = n_entries > most ? n_entries : most;
    }
    const size_t gathered = sizeof(double) * stride * most, pairs = sizeof(double) * (n_pairs + LANES);
    return (workspace){stride, malloc(gathered), malloc(gathered), malloc(gathered), malloc(pairs), malloc(pairs),
                       malloc(sizeof(double) * stride)};
}

static void workspace_close(workspace *work)
{
    free(work->x);
    free(work->g);
    free(work->phi);
    free(work->squared);
    free(work->candidates);
    free(work->kernel);
}

int stein_direction(const stein_groups *groups, int n_threads)
{
    int code = STEIN_OK;
#pragma omp parallel num_threads(n_threads) reduction(max : code)
    {
        workspace work = workspace_open(groups);
        const int ready = work.x && work.g && work.phi && work.squared && work.candidates && work.kernel;
        code = ready ? STEIN_OK : STEIN_NO_MEMORY;
#pragma omp for schedule(static)
        for (int64_t group = 0; group < groups->n_groups; group++)
            if (ready)
                group_direction(groups, group, &work);
        workspace_close(&work);
    }
    return code;
}
