/* Heat in layered ground: log-likelihood of thermal diffusivities, and its gradient by the adjoint state.
 *
 * An example of a program for `plugin = "external"`. Build it in its folder:
 *
 *     cc -std=c11 -O2 -o ground_heat ground_heat.c -lm
 *     ./ground_heat temperatures.txt model.npy log_likelihood.npy gradient.npy
 *
 * Temperature T(z, t), as a deviation from its mean (K), follows
 *
 *     dT/dt = d/dz (kappa dT/dz),    T(0, t) = A sin(2 pi t / year),    dT/dz = 0 at the bottom,    T(z, 0) = 0,
 *
 * kappa (mm^2/s) being constant in layers of 1 m. On nodes j and faces between them (face j lies below node j), explicitly:
 *
 *     F_j = kappa_j (T_j+1 - T_j),    T'_j = T_j + c_j (F_j - F_j-1),    c_j = dt / dz^2, twice that at the bottom.
 *
 * With data d of standard deviation s, the log-likelihood is -1/2 sum ((T - d) / s)^2 and lambda = d(log-likelihood)/dT runs
 * backwards in time by the transpose of a step, which passes each face once:
 *
 *     g_j = c_j lambda'_j - c_j+1 lambda'_j+1,    lambda_j -= kappa_j g_j,    lambda_j+1 += kappa_j g_j,
 *     d/dkappa_j += g_j (T_j+1 - T_j).
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS = 8, FACES_PER_LAYER = 2, FACES = LAYERS * FACES_PER_LAYER, NODES = FACES + 1 };
enum { STEPS_PER_DAY = 2, DAYS = 730, STEPS = STEPS_PER_DAY * DAYS };
static const double DZ = 0.5, AMPLITUDE = 12.0, YEAR = 365.0, MM2 = 1e-6, TWO_PI = 6.283185307179586;

static double T[STEPS + 1][NODES];      /* all of them: the adjoint needs them in reverse */
static double residual[STEPS + 1][NODES]; /* d(log-likelihood)/dT where there are data */

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("ground_heat: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

/* A vector of n doubles from .npy 1.0: magic, version, length of the header (2 bytes), header, numbers. Little-endian machine. */
static void read_npy(const char *path, double *values, size_t n)
{
    unsigned char start[10];
    char header[65536] = "", shape[64];
    FILE *file = fopen(path, "rb");
    if (!file || fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY\x01", 7)) fail("%s is not an .npy file", path);
    if (fread(header, 1, start[8] + 256u * start[9], file) == 0 || !strstr(header, "'<f8'")) fail("%s is not of doubles", path);
    snprintf(shape, sizeof shape, "(%zu,)", n);
    if (!strstr(header, shape) || fread(values, sizeof *values, n, file) != n) fail("%s is not of shape %s", path, shape);
    fclose(file);
}

static void write_npy(const char *path, const double *values, size_t n)
{
    char header[119];
    FILE *file = fopen(path, "wb");
    if (!file) fail("%s cannot be written", path);
    int length = snprintf(header, sizeof header, "{'descr': '<f8', 'fortran_order': False, 'shape': (%zu,), }", n);
    fwrite("\x93NUMPY\x01\x00\x76\x00", 1, 10, file); /* 10 + 118 bytes: numbers start at a multiple of 64 */
    fprintf(file, "%s%*s\n", header, 117 - length, "");
    if (fwrite(values, sizeof *values, n, file) != n || fclose(file)) fail("%s cannot be written", path);
}

static void forward(const double *kappa, const double *c)
{
    for (int k = 0; k < STEPS; k++) {
        double above = 0;
        for (int j = 0; j < FACES; j++) {
            double flux = kappa[j] * (T[k][j + 1] - T[k][j]);
            T[k + 1][j] = T[k][j] + c[j] * (flux - above);
            above = flux;
        }
        T[k + 1][FACES] = T[k][FACES] - c[FACES] * above;
        T[k + 1][0] = AMPLITUDE * sin(TWO_PI * (k + 1) / (STEPS_PER_DAY * YEAR));
    }
}

/* Data are rows of time (days), depth (m), temperature and its standard deviation (K); after # are comments. */
static double compare(const char *path)
{
    char line[256];
    double day, depth, observed, sigma, value = 0;
    FILE *file = fopen(path, "r");
    if (!file) fail("%s cannot be read", path);
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        if (sscanf(line, "%lf %lf %lf %lf", &day, &depth, &observed, &sigma) != 4) fail("%s: not four numbers: %s", path, line);
        long k = lround(day * STEPS_PER_DAY), j = lround(depth / DZ);
        if (k < 0 || k > STEPS || j < 0 || j > FACES || !(sigma > 0)) fail("%s: out of range: %s", path, line);
        double r = (observed - T[k][j]) / sigma;
        value -= r * r / 2;
        residual[k][j] += r / sigma;
    }
    fclose(file);
    return value;
}

static void adjoint(const double *kappa, const double *c, double *gradient)
{
    double lambda[NODES] = {0}, before[NODES];
    for (int k = STEPS - 1; k >= 0; k--) {
        for (int j = 0; j < NODES; j++) before[j] = lambda[j] += residual[k + 1][j];
        before[0] = lambda[0] = 0; /* the temperature of the surface is given */
        for (int j = 0; j < FACES; j++) {
            double g = (j ? c[j] * before[j] : 0) - c[j + 1] * before[j + 1];
            gradient[j / FACES_PER_LAYER] += g * (T[k][j + 1] - T[k][j]);
            lambda[j] -= kappa[j] * g;
            lambda[j + 1] += kappa[j] * g;
        }
    }
}

int main(int argc, char **argv)
{
    double model[LAYERS], kappa[FACES], c[NODES], gradient[LAYERS] = {0};
    if (argc != 5) fail("usage: ground_heat DATA.txt MODEL.npy LOG_LIKELIHOOD.npy GRADIENT.npy");
    for (int j = 0; j < NODES; j++) c[j] = MM2 * (86400.0 / STEPS_PER_DAY) / (DZ * DZ) * (j == FACES ? 2 : 1);
    read_npy(argv[2], model, LAYERS);
    for (int i = 0; i < LAYERS; i++) /* an explicit step is stable up to c kappa = 1/2 */
        if (!(model[i] > 0 && c[0] * model[i] <= 0.5))
            fail("diffusivity of layer %d is %g mm2/s, must be above 0 and at most %.2f", i + 1, model[i], 0.5 / c[0]);
    for (int j = 0; j < FACES; j++) kappa[j] = model[j / FACES_PER_LAYER];
    forward(kappa, c);
    double value = compare(argv[1]);
    adjoint(kappa, c, gradient);
    write_npy(argv[3], &value, 1);
    write_npy(argv[4], gradient, LAYERS);
    return 0;
}
