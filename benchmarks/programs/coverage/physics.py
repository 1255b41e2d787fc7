"""Physics, geometry and signals."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs.coverage import Example


def n_body(positions, velocities, masses):
    """Leapfrog of three bodies, by element loops; the final energy-like sum."""
    x = positions.copy()
    v = velocities.copy()
    n = len(masses)
    for _ in range(10):
        for i in range(n):
            for j in range(n):
                if i != j:
                    dx = x[j, 0] - x[i, 0]
                    dy = x[j, 1] - x[i, 1]
                    cube = (dx * dx + dy * dy + 0.01) ** 1.5
                    v[i, 0] += 0.01 * masses[j] * dx / cube
                    v[i, 1] += 0.01 * masses[j] * dy / cube
        for i in range(n):
            x[i, 0] += 0.01 * v[i, 0]
            x[i, 1] += 0.01 * v[i, 1]
    total = 0.0
    for i in range(n):
        total += x[i, 0] * x[i, 1] + v[i, 0] ** 2
    return total


def double_pendulum(theta1, theta2, length):
    """Semi-implicit Euler of a double pendulum."""
    w1 = 0.0
    w2 = 0.0
    g = 9.81
    dt = 0.01
    for _ in range(40):
        delta = theta1 - theta2
        den = 3.0 - math.cos(2.0 * delta)
        a1 = -3.0 * g * math.sin(theta1) - g * math.sin(theta1 - 2.0 * theta2)
        a1 -= 2.0 * math.sin(delta) * length * (w2 * w2 + w1 * w1 * math.cos(delta))
        a2 = (
            2.0
            * math.sin(delta)
            * (2.0 * w1 * w1 * length + 2.0 * g * math.cos(theta1) + w2 * w2 * length * math.cos(delta))
        )
        w1 += dt * a1 / (length * den)
        w2 += dt * a2 / (length * den)
        theta1 += dt * w1
        theta2 += dt * w2
    return theta1 * theta2


def bouncing_ball(height, restitution):
    """Events: the velocity is reflected when the floor is hit."""
    y = height
    v = 0.0
    path = 0.0
    for _ in range(200):
        v -= 9.81 * 0.005
        y += v * 0.005
        if y < 0.0:
            y = -restitution * y
            v = -restitution * v
        path += y * 0.005
    return path


def projectile(angle, speed, drag):
    """Range of a shot with drag; the last step is cut where it lands, so that the result is smooth."""
    x, y = 0.0, 0.0
    vx, vy = speed * math.cos(angle), speed * math.sin(angle)
    while True:
        v = math.hypot(vx, vy)
        new_x, new_y = x + 0.02 * vx, y + 0.02 * vy
        if new_y < 0.0:
            return x + (new_x - x) * y / (y - new_y)
        x, y = new_x, new_y
        vx -= 0.02 * drag * v * vx
        vy -= 0.02 * (9.81 + drag * v * vy)


def wave_equation(u, speed):
    """Leapfrog of the wave equation in array code."""
    previous = u.copy()
    for _ in range(12):
        curvature = np.zeros(len(u))
        curvature[1:-1] = u[2:] - 2.0 * u[1:-1] + u[:-2]
        u, previous = 2.0 * u - previous + speed**2 * curvature, u
    return np.sum(u**2)


def quaternion_rotate(q, v):
    """Rotation of a vector by a normalized quaternion, tuples of floats."""
    w, x, y, z = q
    norm = math.sqrt(w * w + x * x + y * y + z * z)
    w, x, y, z = w / norm, x / norm, y / norm, z / norm
    tx = 2.0 * (y * v[2] - z * v[1])
    ty = 2.0 * (z * v[0] - x * v[2])
    tz = 2.0 * (x * v[1] - y * v[0])
    return (
        (v[0] + w * tx + y * tz - z * ty)
        + 2.0 * (v[1] + w * ty + z * tx - x * tz)
        + 3.0 * (v[2] + w * tz + x * ty - y * tx)
    )


def iir_filter(b, a, signal):
    """A second-order recursive filter in the transposed form; the output's energy."""
    s1 = 0.0
    s2 = 0.0
    energy = 0.0
    for x in signal:
        y = b[0] * x + s1
        s1 = b[1] * x - a[0] * y + s2
        s2 = b[2] * x - a[1] * y
        energy += y * y
    return energy


def polygon_area(x, y):
    """The shoelace formula with an index that wraps around."""
    total = 0.0
    n = len(x)
    for i in range(n):
        j = (i + 1) % n
        total += x[i] * y[j] - x[j] * y[i]
    return 0.5 * abs(total)


def great_circle(lat1, lon1, lat2, lon2):
    """The haversine distance: asin and atan2."""
    a = math.sin((lat2 - lat1) / 2.0) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2.0) ** 2
    bearing = math.atan2(
        math.sin(lon2 - lon1), math.cos(lat1) * math.tan(lat2) - math.sin(lat1) * math.cos(lon2 - lon1)
    )
    return 2.0 * math.asin(math.sqrt(a)) + 0.1 * bearing


def goertzel(signal, frequency):
    """The power of one frequency by Goertzel's recurrence."""
    coefficient = 2.0 * math.cos(frequency)
    now = 0.0
    before = 0.0
    for x in signal:
        now, before = x + coefficient * now - before, now
    return now * now + before * before - coefficient * now * before


def lotka_volterra(rates, start):
    """Predators and prey, tuples in and a midpoint rule."""
    a, b, c, d = rates
    x, y = start
    for _ in range(60):
        mx = x + 0.01 * (a * x - b * x * y)
        my = y + 0.01 * (d * x * y - c * y)
        x += 0.02 * (a * mx - b * mx * my)
        y += 0.02 * (d * mx * my - c * my)
    return x * x + y


RNG = np.random.default_rng(7)
EXAMPLES = [
    Example(
        n_body,
        (RNG.standard_normal((3, 2)), RNG.standard_normal((3, 2)), np.array([1.0, 0.5, 0.8])),
        "n-body",
        (0, 1, 2),
    ),
    Example(double_pendulum, (0.7, -0.4, 1.2), "double pendulum", (0, 1, 2)),
    Example(bouncing_ball, (1.0, 0.8), "events in a time loop", (0, 1)),
    Example(projectile, (0.7, 20.0, 0.01), "while True with a return in the middle, hypot", (0, 1, 2)),
    Example(wave_equation, (np.sin(np.linspace(0.0, np.pi, 9)), 0.6), "wave equation with slices", (0, 1)),
    Example(quaternion_rotate, ((0.9, 0.1, -0.3, 0.2), (1.0, 2.0, 0.5)), "quaternions as tuples", (0, 1)),
    Example(iir_filter, ((0.2, 0.3, 0.1), (-0.5, 0.2), np.sin(np.arange(12.0))), "IIR filter", (0, 1, 2)),
    Example(polygon_area, (np.array([0.0, 2.0, 2.5, 0.5]), np.array([0.0, 0.2, 1.8, 1.5])), "wrapped index", (0, 1)),
    Example(great_circle, (0.9, 0.1, 0.6, 0.5), "asin, atan2, tan", (0, 1, 2, 3)),
    Example(goertzel, (np.cos(0.7 * np.arange(10.0)), 0.65), "two-term recurrence", (0, 1)),
    Example(lotka_volterra, ((1.1, 0.4, 0.4, 0.1), (5.0, 2.0)), "an ODE with tuples", (0, 1)),
]
