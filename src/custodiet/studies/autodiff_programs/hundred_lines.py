"""A function of a hundred lines, scalars and elements only, on which compile latency is measured: a tubular reactor in time."""

from __future__ import annotations

import math

import numpy as np

from custodiet.studies.autodiff_programs import Program


def reactor(feed, inlet, rates, energies, heats, wall, diffusion, num_steps):
    """Conversion, hot spot and penalty of a cooled tube with two reactions a -> b -> c, marched in time.

    feed: float, concentration of a; inlet: float, temperature; rates, energies, heats: (2,) of the reactions; wall: (cells,)
    temperatures of the coolant; diffusion: float; num_steps: int.
    """
    cells = len(wall)
    a = np.zeros(cells)
    b = np.zeros(cells)
    c = np.zeros(cells)
    heat = np.zeros(cells)
    new_a = np.zeros(cells)
    new_b = np.zeros(cells)
    new_c = np.zeros(cells)
    new_heat = np.zeros(cells)
    for i in range(cells):
        heat[i] = inlet
        a[i] = feed * math.exp(-0.3 * i)
    hottest = inlet
    where = 0
    penalty = 0.0
    dt = 0.02
    speed = 0.8
    exchange = 0.6
    for step in range(num_steps):
        ramp = 1.0
        if step < 5:
            ramp = 0.2 + 0.16 * step
        elif step > num_steps - 3:
            ramp = 0.9
        for i in range(cells):
            if i == 0:
                up_a = feed * ramp
                up_b = 0.0
                up_c = 0.0
                up_heat = inlet
            else:
                up_a = a[i - 1]
                up_b = b[i - 1]
                up_c = c[i - 1]
                up_heat = heat[i - 1]
            if i == cells - 1:
                down_a = a[i]
                down_b = b[i]
                down_c = c[i]
                down_heat = heat[i]
            else:
                down_a = a[i + 1]
                down_b = b[i + 1]
                down_c = c[i + 1]
                down_heat = heat[i + 1]
            inverse = 1.0 / heat[i]
            first = rates[0] * math.exp(-energies[0] * inverse) * a[i]
            second = rates[1] * math.exp(-energies[1] * inverse) * b[i]
            if b[i] > 0.5 * feed:
                inhibition = 1.0 / (1.0 + (b[i] - 0.5 * feed) ** 2)
            else:
                inhibition = 1.0
            second = second * inhibition
            carry_a = speed * (up_a - a[i]) + diffusion * (up_a - 2.0 * a[i] + down_a)
            carry_b = speed * (up_b - b[i]) + diffusion * (up_b - 2.0 * b[i] + down_b)
            carry_c = speed * (up_c - c[i]) + diffusion * (up_c - 2.0 * c[i] + down_c)
            flow = speed * (up_heat - heat[i]) + diffusion * (up_heat - 2.0 * heat[i] + down_heat)
            source = heats[0] * first + heats[1] * second
            cooling = exchange * (heat[i] - wall[i])
            new_a[i] = a[i] + dt * (carry_a - first)
            new_b[i] = b[i] + dt * (carry_b + first - second)
            new_c[i] = c[i] + dt * (carry_c + second)
            new_heat[i] = heat[i] + dt * (flow + source - cooling)
        for i in range(cells):
            a[i] = new_a[i]
            b[i] = new_b[i]
            c[i] = new_c[i]
            heat[i] = new_heat[i]
            if heat[i] > hottest:
                hottest = heat[i]
                where = i
        excess = hottest - 1.6
        if excess > 0.0:
            penalty += excess * excess * dt
            if penalty > 50.0:
                break
    outlet = cells - 1
    total = a[outlet] + b[outlet] + c[outlet]
    if total < 1e-12:
        return penalty
    selectivity = b[outlet] / total
    conversion = 1.0 - a[outlet] / feed
    unevenness = 0.0
    i = 1
    while i < cells:
        unevenness += math.fabs(heat[i] - heat[i - 1]) / (1.0 + math.sqrt(heat[i]))
        i += 1
    average = 0.0
    for value in heat:
        average += value / cells
    spread = 0.0
    for value in heat:
        if value > average:
            spread += (value - average) * (value - average)
        else:
            spread += 0.5 * (value - average) * (value - average)
    spread = math.sqrt(spread / cells + 1e-6)
    mixing = math.log1p(spread) if spread < 1.0 else spread - 1.0 + math.log(2.0)
    score = selectivity * conversion - 0.1 * penalty - 0.01 * unevenness
    return score - 0.001 * where * hottest + 0.05 * math.tanh(average - inlet) - 0.01 * mixing


ARGNUMS = (0, 1, 2, 3, 4, 5, 6)


def make_inputs(num_cells: int = 12, num_steps: int = 40) -> tuple:
    """A tube that runs hot near its inlet."""
    wall = np.linspace(0.9, 1.1, num_cells)
    return 1.3, 1.0, np.array([9.0, 4.0]), np.array([1.5, 2.5]), np.array([1.2, 0.4]), wall, 0.3, num_steps


def reference_gradient(*inputs) -> tuple:
    """Central differences with one step of Richardson's extrapolation: about ten digits."""
    found = []
    for argnum in ARGNUMS:
        leaf = np.asarray(inputs[argnum], dtype=float)
        gradient = np.zeros(leaf.shape)
        for index in np.ndindex(leaf.shape):
            slopes = []
            for step in (2e-4, 1e-4):
                values = []
                for signed in (step, -step):
                    moved = leaf.copy()
                    moved[index] += signed
                    given = (*inputs[:argnum], moved if leaf.ndim else float(moved), *inputs[argnum + 1 :])
                    values.append(reactor(*given))
                slopes.append((values[0] - values[1]) / (2.0 * step))
            gradient[index] = (4.0 * slopes[1] - slopes[0]) / 3.0
        found.append(gradient)
    return tuple(found)


def small_programs() -> list[Program]:
    """The one."""
    return [
        Program(name="reactor", function=reactor, inputs=make_inputs(), argnums=ARGNUMS, reference=reference_gradient)
    ]
