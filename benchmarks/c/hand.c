/* Hand-written derivative of ADBench's hand tracking; a re-implementation, not ADBench's own code.
 *
 * Objective: Srajer, Kukelova and Fitzgibbon 2018, arXiv 1807.10129, section 4.3. A bone's absolute transform is its parent's
 * times its own: A_b = A_parent B_b R(theta), so along a finger dA_b = dA_parent B_b R + A_parent B_b dR, and only the four
 * angles of the bone's own finger matter. A posed vertex is v = sum over bones of weight A_b A0_b^-1 v0, linear in the transforms;
 * then error = measured - (G v + translation), with G the rotation about the axis of the first three parameters (Rodrigues).
 * All transforms are affine: 3 x 4, row-major.
 */
#include <math.h>
#include <string.h>

enum { NUM_BONES = 22, NUM_FINGERS = 5, PER_FINGER = 4, NUM_THETA = 26, FIRST_ANGLE = 6 };

typedef struct {
    double value[NUM_BONES][12];
    double by_angle[NUM_BONES][PER_FINGER][12]; /* in the angles of the bone's finger */
    int num_angles[NUM_BONES];
} Transforms;

typedef struct {
    double place[3];
    double by_angle[NUM_FINGERS][PER_FINGER][3];
    int touched[NUM_FINGERS];
} Vertex;

/* out = a b. Where b is affine, or a a derivative and b affine, a's translation stays; where b is itself a derivative, whose last row
 * is zero (`b_is_derivative`), it drops out. */
static void multiply(const double *a, const double *b, int b_is_derivative, double *out) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++) {
            double value = (j == 3 && !b_is_derivative) ? a[4 * i + 3] : 0.0;
            for (int k = 0; k < 3; k++)
                value += a[4 * i + k] * b[4 * k + j];
            out[4 * i + j] = value;
        }
}

/* base R with R = Rz(z) Rx(x), and its derivatives in x and in z. */
static void turn(const double *base, double x, double z, double *out, double *by_x, double *by_z) {
    const double cx = cos(x), sx = sin(x), cz = cos(z), sz = sin(z);
    for (int i = 0; i < 3; i++) {
        const double *b = base + 4 * i;
        const double along = b[0] * cz + b[1] * sz, across = b[1] * cz - b[0] * sz;
        out[4 * i] = along;
        out[4 * i + 1] = across * cx + b[2] * sx;
        out[4 * i + 2] = b[2] * cx - across * sx;
        out[4 * i + 3] = b[3];
        by_x[4 * i] = 0.0;
        by_x[4 * i + 1] = out[4 * i + 2];
        by_x[4 * i + 2] = -out[4 * i + 1];
        by_x[4 * i + 3] = 0.0;
        by_z[4 * i] = across;
        by_z[4 * i + 1] = -along * cx;
        by_z[4 * i + 2] = along * sx;
        by_z[4 * i + 3] = 0.0;
    }
}

static void pose(const double *theta, const long *parents, const double *base, const double *inverse, Transforms *out) {
    double absolute[NUM_BONES][12], by_angle[NUM_BONES][PER_FINGER][12];
    for (int bone = 0; bone < NUM_BONES; bone++) {
        const int joint = (bone >= 1 && bone < NUM_BONES - 1) ? (bone - 1) % PER_FINGER : 0;
        const double *angles = theta + FIRST_ANGLE + PER_FINGER * ((bone - 1) / PER_FINGER);
        const double x = joint == 0 ? 0.0 : joint == 1 ? angles[0] : angles[joint], z = joint == 1 ? angles[1] : 0.0;
        double relative[12], by_x[12], by_z[12];
        turn(base + 16 * bone, x, z, relative, by_x, by_z);
        const long parent = parents[bone];
        const int inherited = joint == 0 ? 0 : out->num_angles[parent];
        if (parent < 0)
            memcpy(absolute[bone], relative, sizeof relative);
        else
            multiply(absolute[parent], relative, 0, absolute[bone]);
        for (int p = 0; p < inherited; p++)
            multiply(by_angle[parent][p], relative, 0, by_angle[bone][p]);
        int num = inherited;
        if (joint >= 1)
            multiply(absolute[parent], by_x, 1, by_angle[bone][num++]);
        if (joint == 1)
            multiply(absolute[parent], by_z, 1, by_angle[bone][num++]);
        out->num_angles[bone] = num;
        multiply(absolute[bone], inverse + 16 * bone, 0, out->value[bone]);
        for (int p = 0; p < num; p++)
            multiply(by_angle[bone][p], inverse + 16 * bone, 0, out->by_angle[bone][p]);
    }
}

/* Add `share` times the posed vertex and its derivatives. */
static void skin(const Transforms *t, const double *base, const double *weights, double share, Vertex *sum, double *place) {
    place[0] = place[1] = place[2] = 0.0;
    for (int bone = 0; bone < NUM_BONES; bone++) {
        const double w = weights[bone];
        if (w == 0.0)
            continue;
        for (int i = 0; i < 3; i++) {
            const double *row = t->value[bone] + 4 * i;
            place[i] += w * (row[0] * base[0] + row[1] * base[1] + row[2] * base[2] + row[3]);
        }
        if (t->num_angles[bone] == 0)
            continue;
        const int finger = (bone - 1) / PER_FINGER;
        sum->touched[finger] = 1;
        for (int p = 0; p < t->num_angles[bone]; p++)
            for (int i = 0; i < 3; i++) {
                const double *row = t->by_angle[bone][p] + 4 * i;
                sum->by_angle[finger][p][i] += share * w * (row[0] * base[0] + row[1] * base[1] + row[2] * base[2] + row[3]);
            }
    }
    for (int i = 0; i < 3; i++)
        sum->place[i] += share * place[i];
}

/* Rotation about an axis-angle vector, G = c I + s [n]x + (1 - c) n n', and its derivatives in the three components. */
static void rotation(const double *r, double g[9], double by_r[3][9]) {
    const double norm = sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    memset(by_r, 0, 27 * sizeof(double));
    if (norm < 1e-4) {
        for (int i = 0; i < 9; i++)
            g[i] = i % 4 == 0;
        return;
    }
    const double s = sin(norm), c = cos(norm), n[3] = {r[0] / norm, r[1] / norm, r[2] / norm};
    const double cross[9] = {0, -n[2], n[1], n[2], 0, -n[0], -n[1], n[0], 0};
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            g[3 * i + j] = (i == j) * c + s * cross[3 * i + j] + (1 - c) * n[i] * n[j];
    for (int k = 0; k < 3; k++) {
        /* dnorm = n_k, dn = (e_k - n_k n) / norm */
        double dn[3];
        for (int i = 0; i < 3; i++)
            dn[i] = ((i == k) - n[k] * n[i]) / norm;
        const double dcross[9] = {0, -dn[2], dn[1], dn[2], 0, -dn[0], -dn[1], dn[0], 0};
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 3; j++)
                by_r[k][3 * i + j] = n[k] * (-(i == j) * s + c * cross[3 * i + j] + s * n[i] * n[j]) +
                                     s * dcross[3 * i + j] + (1 - c) * (dn[i] * n[j] + n[i] * dn[j]);
    }
}

static double row_times(const double *row, const double *v) { return row[0] * v[0] + row[1] * v[1] + row[2] * v[2]; }

/* Errors (3 n) and their Jacobian, row-major (3 n, 26), or (3 n, 28) when there are barycentric coordinates `us`.
 *
 * `corners` holds one vertex per correspondence, or three when `us` is not NULL; the last two columns are then the derivatives in
 * the correspondence's own two coordinates.
 */
void hand_jacobian(long num, const double *theta, const double *us, const long *parents, const double *base_relatives,
                   const double *inverse_absolutes, const double *base_positions, const double *weights,
                   const long *corners, const double *points, double *errors, double *jacobian) {
    const int per = us ? 3 : 1, num_columns = us ? NUM_THETA + 2 : NUM_THETA;
    static Transforms transforms;
    double g[9], by_r[3][9];
    pose(theta, parents, base_relatives, inverse_absolutes, &transforms);
    rotation(theta, g, by_r);
    for (long n = 0; n < num; n++) {
        Vertex sum;
        double place[3][3];
        memset(&sum, 0, sizeof sum);
        const double shares[3] = {us ? us[2 * n] : 1.0, us ? us[2 * n + 1] : 0.0, us ? 1.0 - us[2 * n] - us[2 * n + 1] : 0.0};
        for (int corner = 0; corner < per; corner++) {
            const long vertex = corners[per * n + corner];
            skin(&transforms, base_positions + 3 * vertex, weights + NUM_BONES * vertex, shares[corner], &sum, place[corner]);
        }
        for (int i = 0; i < 3; i++) {
            double *row = jacobian + num_columns * (3 * n + i);
            errors[3 * n + i] = points[3 * n + i] - row_times(g + 3 * i, sum.place) - theta[3 + i];
            for (int k = 0; k < 3; k++) {
                row[k] = -row_times(by_r[k] + 3 * i, sum.place);
                row[3 + k] = -(double)(i == k);
            }
            for (int finger = 0; finger < NUM_FINGERS; finger++)
                for (int p = 0; p < PER_FINGER; p++)
                    row[FIRST_ANGLE + PER_FINGER * finger + p] =
                        sum.touched[finger] ? -row_times(g + 3 * i, sum.by_angle[finger][p]) : 0.0;
            for (int u = 0; us && u < 2; u++) {
                const double edge[3] = {place[u][0] - place[2][0], place[u][1] - place[2][1], place[u][2] - place[2][2]};
                row[NUM_THETA + u] = -row_times(g + 3 * i, edge);
            }
        }
    }
}
