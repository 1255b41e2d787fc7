"""Hand tracking as in ADBench: a skinned mesh posed by 26 parameters, against measured points; simple and complicated.

Srajer, Kukelova and Fitzgibbon 2018, arXiv 1807.10129, section 4.3. Parameters: global rotation (3), translation (3), four
angles per finger. Bones: the wrist, four per finger, the forearm. The complicated form measures points inside triangles, with
two barycentric coordinates per correspondence as further parameters. The mesh here is synthetic, at ADBench's sizes, and a vertex is
skinned when a correspondence asks for it.
"""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs import Program

STEP = 1e-20
NUM_BONES = 22
NUM_VERTICES = 544
NUM_THETA = 26


def bone_transforms(theta, parents, base_relatives, inverse_absolutes):
    """Transform of each bone from the base pose to the posed one, (bones, 3, 4)."""
    num_bones = len(parents)
    angles = np.zeros((num_bones, 2))
    at = 6
    for finger in range(5):
        bone = 4 * finger + 2
        angles[bone, 0] = theta[at]
        angles[bone, 1] = theta[at + 1]
        angles[bone + 1, 0] = theta[at + 2]
        angles[bone + 2, 0] = theta[at + 3]
        at += 4
    absolutes = np.zeros((num_bones, 3, 4))
    transforms = np.zeros((num_bones, 3, 4))
    relative = np.zeros((3, 4))
    for bone in range(num_bones):
        cx = math.cos(angles[bone, 0])
        sx = math.sin(angles[bone, 0])
        cz = math.cos(angles[bone, 1])
        sz = math.sin(angles[bone, 1])
        for i in range(3):
            a = base_relatives[bone, i, 0]
            b = base_relatives[bone, i, 1]
            c = base_relatives[bone, i, 2]
            relative[i, 0] = a * cz + b * sz
            relative[i, 1] = (b * cz - a * sz) * cx + c * sx
            relative[i, 2] = (a * sz - b * cz) * sx + c * cx
            relative[i, 3] = base_relatives[bone, i, 3]
        parent = parents[bone]
        if parent < 0:
            for i in range(3):
                for j in range(4):
                    absolutes[bone, i, j] = relative[i, j]
        else:
            for i in range(3):
                for j in range(4):
                    value = absolutes[parent, i, 3] if j == 3 else 0.0
                    for k in range(3):
                        value += absolutes[parent, i, k] * relative[k, j]
                    absolutes[bone, i, j] = value
        for i in range(3):
            for j in range(4):
                value = absolutes[bone, i, 3] if j == 3 else 0.0
                for k in range(3):
                    value += absolutes[bone, i, k] * inverse_absolutes[bone, k, j]
                transforms[bone, i, j] = value
    return transforms


def global_rotation(a, b, c):
    """Rotation matrix (3, 3) of an axis-angle vector; the identity below a norm of 1e-4, as in ADBench."""
    rotation = np.zeros((3, 3))
    norm = math.sqrt(a * a + b * b + c * c)
    if norm < 1e-4:
        for i in range(3):
            rotation[i, i] = 1.0
        return rotation
    x = a / norm
    y = b / norm
    z = c / norm
    s = math.sin(norm)
    c = math.cos(norm)
    rotation[0, 0] = x * x + (1.0 - x * x) * c
    rotation[0, 1] = x * y * (1.0 - c) - z * s
    rotation[0, 2] = x * z * (1.0 - c) + y * s
    rotation[1, 0] = x * y * (1.0 - c) + z * s
    rotation[1, 1] = y * y + (1.0 - y * y) * c
    rotation[1, 2] = y * z * (1.0 - c) - x * s
    rotation[2, 0] = x * z * (1.0 - c) - y * s
    rotation[2, 1] = y * z * (1.0 - c) + x * s
    rotation[2, 2] = z * z + (1.0 - z * z) * c
    return rotation


def skin(vertex, transforms, base_positions, weights):
    """Posed position of a vertex before the global transform, a triple: its bones' transforms, weighted."""
    bx = base_positions[vertex, 0]
    by = base_positions[vertex, 1]
    bz = base_positions[vertex, 2]
    x = 0.0
    y = 0.0
    z = 0.0
    for bone in range(transforms.shape[0]):
        w = weights[vertex, bone]
        if w != 0.0:
            t = transforms[bone]
            x += w * (t[0, 0] * bx + t[0, 1] * by + t[0, 2] * bz + t[0, 3])
            y += w * (t[1, 0] * bx + t[1, 1] * by + t[1, 2] * bz + t[1, 3])
            z += w * (t[2, 0] * bx + t[2, 1] * by + t[2, 2] * bz + t[2, 3])
    return x, y, z


def hand_simple(theta, parents, base_relatives, inverse_absolutes, base_positions, weights, vertices, points):
    """Measured points (n, 3) minus the posed `vertices` (n,) they correspond to, (n, 3)."""
    transforms = bone_transforms(theta, parents, base_relatives, inverse_absolutes)
    rotation = global_rotation(theta[0], theta[1], theta[2])
    errors = np.zeros((len(vertices), 3))
    for n in range(len(vertices)):
        x, y, z = skin(vertices[n], transforms, base_positions, weights)
        for i in range(3):
            placed = rotation[i, 0] * x + rotation[i, 1] * y + rotation[i, 2] * z + theta[3 + i]
            errors[n, i] = points[n, i] - placed
    return errors


def hand_complicated(theta, us, parents, base_relatives, inverse_absolutes, base_positions, weights, triangles, points):
    """Measured points (n, 3) minus points inside posed `triangles` (n, 3), with barycentric coordinates us (n, 2), (n, 3)."""
    transforms = bone_transforms(theta, parents, base_relatives, inverse_absolutes)
    rotation = global_rotation(theta[0], theta[1], theta[2])
    errors = np.zeros((len(triangles), 3))
    for n in range(len(triangles)):
        x0, y0, z0 = skin(triangles[n, 0], transforms, base_positions, weights)
        x1, y1, z1 = skin(triangles[n, 1], transforms, base_positions, weights)
        x2, y2, z2 = skin(triangles[n, 2], transforms, base_positions, weights)
        u = us[n, 0]
        v = us[n, 1]
        rest = 1.0 - u - v
        x = u * x0 + v * x1 + rest * x2
        y = u * y0 + v * y1 + rest * y2
        z = u * z0 + v * z1 + rest * z2
        for i in range(3):
            placed = rotation[i, 0] * x + rotation[i, 1] * y + rotation[i, 2] * z + theta[3 + i]
            errors[n, i] = points[n, i] - placed
    return errors


def hand_shifted(params, us, parents, base_relatives, inverse_absolutes, base_positions, weights, triangles, points):
    """`hand_complicated` in 28 parameters: theta, then one shift of all first and one of all second coordinates.

    Its dense Jacobian at a shift of zero is the compressed one of ADBench: 26 columns, and two colors for the 2 n sparse ones.
    """
    moved = np.zeros((len(us), 2))
    for n in range(len(us)):
        moved[n, 0] = us[n, 0] + params[26]
        moved[n, 1] = us[n, 1] + params[27]
    return hand_complicated(
        params[:26], moved, parents, base_relatives, inverse_absolutes, base_positions, weights, triangles, points
    )


def make_model(num_vertices: int = NUM_VERTICES, seed: int = 0) -> tuple:
    """A synthetic hand: parents, base relatives, inverse base absolutes, base positions, weights of at most four bones a vertex."""
    rng = np.random.default_rng(seed)
    parents = np.array([-1, *(0 if bone % 4 == 1 else bone - 1 for bone in range(1, 21)), 0])
    base_relatives = np.zeros((NUM_BONES, 4, 4))
    absolutes = np.zeros((NUM_BONES, 4, 4))
    for bone in range(NUM_BONES):
        base_relatives[bone] = np.eye(4)
        base_relatives[bone, :3, :3] = global_rotation(*rng.uniform(-0.3, 0.3, 3))
        base_relatives[bone, :3, 3] = rng.uniform(-1.0, 1.0, 3)
        parent = parents[bone]
        absolutes[bone] = base_relatives[bone] if parent < 0 else absolutes[parent] @ base_relatives[bone]
    weights = np.zeros((num_vertices, NUM_BONES))
    positions = np.empty((num_vertices, 3))
    for vertex in range(num_vertices):
        bones = [rng.integers(NUM_BONES)]
        while parents[bones[-1]] >= 0 and len(bones) < 4:
            bones.append(parents[bones[-1]])
        weights[vertex, bones] = rng.dirichlet(np.ones(len(bones)))
        positions[vertex] = absolutes[bones[0], :3, 3] + 0.2 * rng.standard_normal(3)
    return parents, base_relatives, np.linalg.inv(absolutes), positions, weights


def make_inputs(num_points: int = 100, seed: int = 0) -> tuple:
    """Arguments of `hand_simple`: 544 vertices, 22 bones, `num_points` correspondences (ADBench's smallest has 100)."""
    rng = np.random.default_rng(seed + 1)
    theta = rng.uniform(-0.5, 0.5, NUM_THETA)
    vertices = rng.integers(0, NUM_VERTICES, num_points)
    return theta, *make_model(seed=seed), vertices, rng.standard_normal((num_points, 3))


def make_complicated_inputs(num_points: int = 100, seed: int = 0) -> tuple:
    """Arguments of `hand_complicated`."""
    theta, *model, vertices, points = make_inputs(num_points, seed)
    rng = np.random.default_rng(seed + 2)
    triangles = (vertices[:, None] + rng.integers(0, NUM_VERTICES, (num_points, 3))) % NUM_VERTICES
    return theta, rng.uniform(0.1, 0.4, (num_points, 2)), *model, triangles, points


def _posed(theta, parents, base_relatives, inverse_absolutes, base_positions, weights):
    """All posed vertices (vertices, 3), by NumPy on 4 x 4 matrices and for complex angles: the restatement for the complex step."""
    absolutes, transforms = [], []
    for bone, parent in enumerate(parents):
        finger, joint = divmod(bone - 1, 4)
        turn = np.eye(4, dtype=complex)
        if joint >= 1 and 0 < bone < NUM_BONES - 1:
            at = 6 + 4 * finger
            tx, tz = (theta[at], theta[at + 1]) if joint == 1 else (theta[at + joint], 0.0)
            rx = np.array([[1, 0, 0], [0, np.cos(tx), -np.sin(tx)], [0, np.sin(tx), np.cos(tx)]])
            rz = np.array([[np.cos(tz), -np.sin(tz), 0], [np.sin(tz), np.cos(tz), 0], [0, 0, 1]])
            turn[:3, :3] = rz @ rx
        relative = base_relatives[bone] @ turn
        absolutes.append(relative if parent < 0 else absolutes[parent] @ relative)
        transforms.append(absolutes[bone] @ inverse_absolutes[bone])
    homogeneous = np.column_stack([base_positions, np.ones(len(base_positions))])
    placed = np.einsum("vb,bij,vj->vi", weights, np.array(transforms), homogeneous)[:, :3]
    norm = np.sqrt(np.sum(theta[:3] ** 2))
    x, y, z = theta[:3] / norm
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    rotation = np.eye(3) + np.sin(norm) * cross + (1.0 - np.cos(norm)) * cross @ cross
    return placed @ rotation.T + theta[3:6]


def reference_simple(
    theta, parents, base_relatives, inverse_absolutes, base_positions, weights, vertices, points
) -> tuple:
    """Jacobian (n, 3, 26) by complex step."""
    model = (parents, base_relatives, inverse_absolutes, base_positions, weights)
    columns = [_posed(theta + 1j * STEP * unit, *model)[vertices].imag / STEP for unit in np.eye(NUM_THETA)]
    return (-np.stack(columns, axis=-1),)


def reference_shifted(params, us, *rest) -> tuple:
    """Jacobian (n, 3, 28) of `hand_shifted` by complex step in theta and by hand in the coordinates."""
    *model, triangles, _points = rest
    u = us + params[26:]
    barycentric = np.column_stack([u, 1.0 - u.sum(axis=1)])
    theta = params[:26]
    columns = []
    for unit in np.eye(NUM_THETA):
        corners = _posed(theta + 1j * STEP * unit, *model)[triangles].imag / STEP
        columns.append(np.einsum("nc,nci->ni", barycentric, corners))
    corners = _posed(theta, *model)[triangles].real
    columns += [corners[:, 0] - corners[:, 2], corners[:, 1] - corners[:, 2]]
    return (-np.stack(columns, axis=-1),)


def small_programs() -> list[Program]:
    """Five correspondences."""
    theta, *rest = make_complicated_inputs(5)
    return [
        Program(
            name="hand_simple", function=hand_simple, inputs=make_inputs(5), argnums=(0,), reference=reference_simple
        ),
        Program(
            name="hand_complicated",
            function=hand_complicated,
            inputs=(theta, *rest),
            argnums=(0,),
            reference=lambda theta, *rest: (reference_shifted(np.append(theta, [0.0, 0.0]), *rest)[0][..., :26],),
        ),
        Program(
            name="hand_shifted",
            function=hand_shifted,
            inputs=(np.append(theta, [0.0, 0.0]), *rest),
            argnums=(0,),
            reference=reference_shifted,
        ),
    ]
