/* Hand-written derivative of ADBench's bundle adjustment; a re-implementation, not ADBench's own code.
 *
 * Objective: Srajer, Kukelova and Fitzgibbon 2018, arXiv 1807.10129, section 4.2. With w = r / |r| and t = |r|,
 *     Y = x cos t + (w x x) sin t + w (w . x) (1 - cos t)                                  (Rodrigues)
 *     dY/dx = cos t I + sin t [w]x + (1 - cos t) w w'
 *     dY/dt = -x sin t + (w x x) cos t + w (w . x) sin t
 *     dY/dw = -sin t [x]x + (1 - cos t) ((w . x) I + w x')
 *     dY/dr = dY/dt w' + dY/dw (I - w w') / t = dY/dt w' + (A - (A w) w') / t,  A = dY/dw
 * then p = (Y0, Y1) / Y2, q = p (1 + k1 |p|^2 + k2 |p|^4), residual = weight (f q + center - feature).
 */
#include <math.h>

enum { NUM_CAMERA = 11, NUM_PARAMS = 15 };

/* Rotated point Y, and its derivatives in the rotation vector r and in the point x (row-major 3 x 3). */
static void rotate(const double *r, const double *x, double *y, double *by_r, double *by_x) {
    const double square = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
    if (square == 0.0) { /* Y = x + r x x */
        const double cross_r[9] = {0, -r[2], r[1], r[2], 0, -r[0], -r[1], r[0], 0};
        const double cross_x[9] = {0, -x[2], x[1], x[2], 0, -x[0], -x[1], x[0], 0};
        for (int i = 0; i < 3; i++) {
            y[i] = x[i];
            for (int j = 0; j < 3; j++) {
                y[i] += cross_r[3 * i + j] * x[j];
                by_r[3 * i + j] = -cross_x[3 * i + j];
                by_x[3 * i + j] = cross_r[3 * i + j] + (i == j);
            }
        }
        return;
    }
    const double theta = sqrt(square), s = sin(theta), c = cos(theta), inverse = 1.0 / theta;
    const double w[3] = {r[0] * inverse, r[1] * inverse, r[2] * inverse};
    const double turned[3] = {w[1] * x[2] - w[2] * x[1], w[2] * x[0] - w[0] * x[2], w[0] * x[1] - w[1] * x[0]};
    const double along = w[0] * x[0] + w[1] * x[1] + w[2] * x[2], rest = 1.0 - c;
    const double cross_w[9] = {0, -w[2], w[1], w[2], 0, -w[0], -w[1], w[0], 0};
    const double cross_x[9] = {0, -x[2], x[1], x[2], 0, -x[0], -x[1], x[0], 0};
    for (int i = 0; i < 3; i++) {
        double a[3], aw = 0.0;
        y[i] = x[i] * c + turned[i] * s + w[i] * along * rest;
        const double by_theta = -x[i] * s + turned[i] * c + w[i] * along * s;
        for (int j = 0; j < 3; j++) {
            a[j] = -s * cross_x[3 * i + j] + rest * ((i == j) * along + w[i] * x[j]);
            aw += a[j] * w[j];
            by_x[3 * i + j] = (i == j) * c + s * cross_w[3 * i + j] + rest * w[i] * w[j];
        }
        for (int j = 0; j < 3; j++)
            by_r[3 * i + j] = by_theta * w[j] + (a[j] - aw * w[j]) * inverse;
    }
}

/* Residuals (2) and their Jacobian block (2 x 15, row-major: camera, point, weight) of one observation. */
static void observe(const double *cam, const double *point, double weight, const double *feat, double *err, double *jac) {
    const double x[3] = {point[0] - cam[3], point[1] - cam[4], point[2] - cam[5]};
    double y[3], by_r[9], by_x[9];
    rotate(cam, x, y, by_r, by_x);
    const double inverse = 1.0 / y[2], f = cam[6], k1 = cam[9], k2 = cam[10];
    const double p[2] = {y[0] * inverse, y[1] * inverse};
    const double square = p[0] * p[0] + p[1] * p[1];
    const double stretch = 1.0 + square * (k1 + k2 * square), slope = 2.0 * k1 + 4.0 * k2 * square;
    for (int i = 0; i < 2; i++) {
        double *row = jac + NUM_PARAMS * i;
        /* m = weight f dq/dp dp/dY, with dq/dp = stretch I + slope p p' and dp/dY = (I, -p) / Y2 */
        const double scale = weight * f;
        const double d0 = scale * ((i == 0) * stretch + slope * p[i] * p[0]);
        const double d1 = scale * ((i == 1) * stretch + slope * p[i] * p[1]);
        const double m[3] = {d0 * inverse, d1 * inverse, -(d0 * p[0] + d1 * p[1]) * inverse};
        for (int j = 0; j < 3; j++) {
            row[j] = m[0] * by_r[j] + m[1] * by_r[3 + j] + m[2] * by_r[6 + j];
            const double in_x = m[0] * by_x[j] + m[1] * by_x[3 + j] + m[2] * by_x[6 + j];
            row[3 + j] = -in_x;
            row[NUM_CAMERA + j] = in_x;
        }
        row[6] = weight * p[i] * stretch;
        row[7] = (i == 0) * weight;
        row[8] = (i == 1) * weight;
        row[9] = scale * p[i] * square;
        row[10] = row[9] * square;
        row[14] = f * p[i] * stretch + cam[7 + i] - feat[i];
        err[i] = weight * row[14];
    }
}

/* Values of the sparse Jacobian in ADBench's order: 30 per observation, then one per weight; residuals (3 p). */
void ba_jacobian(long num, const double *cams, const double *points, const double *weights, const long *observations,
                 const double *feats, double *residuals, double *values) {
    for (long i = 0; i < num; i++) {
        observe(cams + NUM_CAMERA * observations[2 * i], points + 3 * observations[2 * i + 1], weights[i], feats + 2 * i,
                residuals + 2 * i, values + 2 * NUM_PARAMS * i);
        residuals[2 * num + i] = 1.0 - weights[i] * weights[i];
        values[2 * NUM_PARAMS * num + i] = -2.0 * weights[i];
    }
}
