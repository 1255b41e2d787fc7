"""Bundle adjustment as in ADBench: reprojection residuals with a Rodrigues rotation and radial distortion, and weight residuals.

Srajer, Kukelova and Fitzgibbon 2018, arXiv 1807.10129, section 4.2. A camera is (r1, r2, r3, c1, c2, c3, f, u0, v0, k1, k2); an
observation sees one camera, one point and one weight, so a row of the sparse Jacobian has 15 non-zeros.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs import Program

STEP = 1e-20
NUM_CAMERA = 11
NUM_PARAMS = 15


def reprojection_error(cam, point, weight, feat):
    """Weighted residual of one observation, a pair: camera (11,), point (3,), weight, feature (2,)."""
    x = point[0] - cam[3]
    y = point[1] - cam[4]
    z = point[2] - cam[5]
    square = cam[0] * cam[0] + cam[1] * cam[1] + cam[2] * cam[2]
    if square != 0.0:
        theta = math.sqrt(square)
        cosine = math.cos(theta)
        sine = math.sin(theta)
        a = cam[0] / theta
        b = cam[1] / theta
        c = cam[2] / theta
        along = (a * x + b * y + c * z) * (1.0 - cosine)
        px = x * cosine + (b * z - c * y) * sine + a * along
        py = y * cosine + (c * x - a * z) * sine + b * along
        pz = z * cosine + (a * y - b * x) * sine + c * along
    else:
        px = x + cam[1] * z - cam[2] * y
        py = y + cam[2] * x - cam[0] * z
        pz = z + cam[0] * y - cam[1] * x
    u = px / pz
    v = py / pz
    radius = u * u + v * v
    stretch = 1.0 + cam[9] * radius + cam[10] * radius * radius
    u = u * stretch * cam[6] + cam[7]
    v = v * stretch * cam[6] + cam[8]
    return weight * (u - feat[0]), weight * (v - feat[1])


def ba_residuals(cams, points, weights, observations, feats):
    """All residuals (3 p,): two of each observation's reprojection, then one of each weight, as in ADBench.

    cams (n, 11), points (m, 3), weights (p,), observations int (p, 2: camera, point), feats (p, 2).
    """
    num = len(weights)
    residuals = np.zeros(3 * num)
    for i in range(num):
        camera = observations[i, 0]
        point = observations[i, 1]
        u, v = reprojection_error(cams[camera], points[point], weights[i], feats[i])
        residuals[2 * i] = u
        residuals[2 * i + 1] = v
        residuals[2 * num + i] = 1.0 - weights[i] * weights[i]
    return residuals


def ba_shifted(shift, cams, points, weights, observations, feats):
    """The reprojection residuals (p, 2) when every camera, point and weight is moved by the same `shift` (15,).

    Its dense Jacobian at zero holds every block of the sparse one: the fifteen colors of the columns, seeded at once, which is how
    ADBench's forward tools fill the matrix.
    """
    num = len(weights)
    residuals = np.zeros((num, 2))
    cam = np.zeros(11)
    point = np.zeros(3)
    for i in range(num):
        for j in range(11):
            cam[j] = cams[observations[i, 0], j] + shift[j]
        for j in range(3):
            point[j] = points[observations[i, 1], j] + shift[11 + j]
        u, v = reprojection_error(cam, point, weights[i] + shift[14], feats[i])
        residuals[i, 0] = u
        residuals[i, 1] = v
    return residuals


def make_inputs(num_cameras: int = 49, num_points: int = 7776, num_observations: int = 31843, seed: int = 0) -> tuple:
    """Seeded synthetic data at the sizes of ADBench's first file, which cycles through cameras and points likewise."""
    rng = np.random.default_rng(seed)
    cams = np.column_stack(
        [
            rng.uniform(-0.3, 0.3, (num_cameras, 3)),
            rng.uniform(-1.0, 1.0, (num_cameras, 3)),
            rng.uniform(400.0, 600.0, num_cameras),
            rng.uniform(-5.0, 5.0, (num_cameras, 2)),
            rng.uniform(-0.05, 0.05, (num_cameras, 2)),
        ]
    )
    points = np.column_stack([rng.uniform(-2.0, 2.0, (num_points, 2)), rng.uniform(6.0, 12.0, num_points)])
    index = np.arange(num_observations)
    observations = np.column_stack([index % num_cameras, index % num_points])
    weights = rng.uniform(0.5, 1.5, num_observations)
    feats = rng.uniform(-300.0, 300.0, (num_observations, 2))
    return cams, points, weights, observations, feats


def sparse_layout(cams, points, observations) -> tuple[np.ndarray, np.ndarray]:
    """Row starts and columns of the Jacobian (3 p, 11 n + 3 m + p), in ADBench's order."""
    num = len(observations)
    cameras = 11 * observations[:, :1] + np.arange(11)
    places = cams.size + 3 * observations[:, 1:] + np.arange(3)
    weights = cams.size + points.size + np.arange(num)[:, None]
    block = np.concatenate([cameras, places, weights], axis=1)
    columns = np.concatenate([np.repeat(block, 2, axis=0).ravel(), weights.ravel()])
    starts = np.concatenate([NUM_PARAMS * np.arange(2 * num), 2 * num * NUM_PARAMS + np.arange(num + 1)])
    return starts, columns


def fill_values(values: np.ndarray, blocks: np.ndarray, weights: np.ndarray) -> None:
    """Write the values of the sparse Jacobian from its blocks (p, 2, 15) and the weights' own derivative."""
    values[: blocks.size] = blocks.ravel()
    np.multiply(weights, -2.0, out=values[blocks.size :])


def _errors_of_many(params, feats):
    """Residuals (p, 2) from gathered parameters (p, 15), in NumPy: the restatement for the complex step."""
    r, c, f, center, radial, point, w = np.split(params, [3, 6, 7, 9, 11, 14], axis=1)
    theta = np.sqrt((r * r).sum(axis=1, keepdims=True))
    axis = r / theta
    x = point - c
    turned = x * np.cos(theta) + np.cross(axis, x) * np.sin(theta)
    turned = turned + axis * (axis * x).sum(axis=1, keepdims=True) * (1.0 - np.cos(theta))
    p = turned[:, :2] / turned[:, 2:]
    square = (p * p).sum(axis=1, keepdims=True)
    stretch = 1.0 + radial[:, :1] * square + radial[:, 1:] * square * square
    return w * (p * stretch * f + center - feats)


def reference_blocks(cams, points, weights, observations, feats) -> np.ndarray:
    """The blocks (p, 2, 15) of the Jacobian by complex step."""
    params = np.concatenate([cams[observations[:, 0]], points[observations[:, 1]], weights[:, None]], axis=1)
    blocks = np.empty((len(weights), 2, NUM_PARAMS))
    for column in range(NUM_PARAMS):
        moved = params.astype(complex)
        moved[:, column] += 1j * STEP
        blocks[:, :, column] = _errors_of_many(moved, feats).imag / STEP
    return blocks


def reference_jacobian(cams, points, weights, observations, feats) -> tuple:
    """Dense Jacobians of `ba_residuals` in cameras, points and weights, for small inputs."""
    num = len(weights)
    blocks = reference_blocks(cams, points, weights, observations, feats)
    dense = np.zeros((3 * num, cams.size + points.size + num))
    starts, columns = sparse_layout(cams, points, observations)
    values = np.empty(len(columns))
    fill_values(values, blocks, weights)
    dense[np.repeat(np.arange(3 * num), np.diff(starts)), columns] = values
    in_cams, in_points, in_weights = np.split(dense, [cams.size, cams.size + points.size], axis=1)
    return in_cams.reshape(3 * num, *cams.shape), in_points.reshape(3 * num, *points.shape), in_weights


def small_programs() -> list[Program]:
    """Two cameras, three points, five observations."""
    inputs = make_inputs(2, 3, 5)
    return [
        Program(
            name="ba_residuals", function=ba_residuals, inputs=inputs, argnums=(0, 1, 2), reference=reference_jacobian
        ),
        Program(
            name="ba_shifted",
            function=ba_shifted,
            inputs=(np.zeros(NUM_PARAMS), *inputs),
            argnums=(0,),
            reference=lambda shift, *rest: (reference_blocks(*rest),),
        ),
    ]
