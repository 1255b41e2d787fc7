"""Runge-Kutta 4 on the Lorenz system, in Python floats: six inputs, `num_steps` steps, about 75 floating-point operations a step."""

from __future__ import annotations

from custodiet.studies.autodiff_programs import Program

STEP = 1e-20


def lorenz(x, y, z, sigma, rho, beta, dt, num_steps):
    """Sum of the three coordinates after `num_steps` steps of length `dt`."""
    half = 0.5 * dt
    for _ in range(num_steps):
        ax = sigma * (y - x)
        ay = x * (rho - z) - y
        az = x * y - beta * z
        px = x + half * ax
        py = y + half * ay
        pz = z + half * az
        bx = sigma * (py - px)
        by = px * (rho - pz) - py
        bz = px * py - beta * pz
        px = x + half * bx
        py = y + half * by
        pz = z + half * bz
        cx = sigma * (py - px)
        cy = px * (rho - pz) - py
        cz = px * py - beta * pz
        px = x + dt * cx
        py = y + dt * cy
        pz = z + dt * cz
        ex = sigma * (py - px)
        ey = px * (rho - pz) - py
        ez = px * py - beta * pz
        x = x + dt / 6.0 * (ax + 2.0 * bx + 2.0 * cx + ex)
        y = y + dt / 6.0 * (ay + 2.0 * by + 2.0 * cy + ey)
        z = z + dt / 6.0 * (az + 2.0 * bz + 2.0 * cz + ez)
    return x + y + z


def lorenz_calls(x, y, z, sigma, rho, beta, dt, num_steps):
    """The same with a local function that returns a tuple."""

    def slope(x, y, z):
        return sigma * (y - x), x * (rho - z) - y, x * y - beta * z

    for _ in range(num_steps):
        ax, ay, az = slope(x, y, z)
        bx, by, bz = slope(x + 0.5 * dt * ax, y + 0.5 * dt * ay, z + 0.5 * dt * az)
        cx, cy, cz = slope(x + 0.5 * dt * bx, y + 0.5 * dt * by, z + 0.5 * dt * bz)
        ex, ey, ez = slope(x + dt * cx, y + dt * cy, z + dt * cz)
        x, y, z = (
            x + dt / 6.0 * (ax + 2.0 * bx + 2.0 * cx + ex),
            y + dt / 6.0 * (ay + 2.0 * by + 2.0 * cy + ey),
            z + dt / 6.0 * (az + 2.0 * bz + 2.0 * cz + ez),
        )
    return x + y + z


ARGNUMS = (0, 1, 2, 3, 4, 5)


def make_inputs(num_steps: int = 1000, dt: float = 0.005) -> tuple:
    """The classic parameters and a point near the attractor."""
    return 1.2, 1.3, 21.0, 10.0, 28.0, 8.0 / 3.0, dt, num_steps


def reference_gradient(*inputs) -> tuple:
    """Gradient in the six floats, by complex step: exact to rounding, since the program is analytic."""
    found = []
    for index in ARGNUMS:
        moved = list(inputs)
        moved[index] = complex(moved[index], STEP)
        found.append(lorenz(*moved).imag / STEP)
    return tuple(found)


def small_programs() -> list[Program]:
    """Forty steps of both sources."""
    return [
        Program(name=function.__name__, function=function, inputs=make_inputs(40), argnums=ARGNUMS, reference=reference_gradient)
        for function in (lorenz, lorenz_calls)
    ]  # fmt: skip
