/* Gravity of columns of sediment, as in basin_numpy.py: log-likelihood and its gradient for n models.
 *
 *     make libbasin_c.so
 *
 * Arrays are C-ordered doubles: x (stations, columns + 1) km, from station to edge; depth (n, columns) km; observed, sigma
 * (stations) mGal; predicted (n, stations), log_likelihood (n), gradient (n, columns). scale is 2 G density, mGal/km.
 */
#include <math.h>

static double edge(double x, double h) { return x / 2 * log1p(h * h / (x * x)) + h * atan2(x, h); }

void basin(int n, int stations, int columns, double scale, const double *x, const double *observed, const double *sigma,
           const double *depth, double *predicted, double *log_likelihood, double *gradient)
{
    for (int p = 0; p < n; p++) {
        const double *h = depth + p * columns;
        double *by_depth = gradient + p * columns;
        log_likelihood[p] = 0;
        for (int j = 0; j < columns; j++) by_depth[j] = 0;
        for (int i = 0; i < stations; i++) {
            const double *to = x + i * (columns + 1);
            double sum = 0;
            for (int j = 0; j < columns; j++) sum += edge(to[j + 1], h[j]) - edge(to[j], h[j]);
            predicted[p * stations + i] = scale * sum;
            double residual = (observed[i] - scale * sum) / sigma[i];
            log_likelihood[p] -= residual * residual / 2;
            for (int j = 0; j < columns; j++)
                by_depth[j] += residual / sigma[i] * scale * (atan2(to[j + 1], h[j]) - atan2(to[j], h[j]));
        }
    }
}
