"""Tuples, lists, dicts and dataclasses as parameters and as locals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.programs.coverage import Example


@dataclass
class Spring:
    """A damped spring."""

    stiffness: float
    damping: float
    mass: float = 1.0


@dataclass
class Layer:
    """An affine layer."""

    weight: np.ndarray
    bias: np.ndarray


def spring_energy(spring, x, v):
    """A dataclass of floats as a parameter."""
    for _ in range(30):
        force = -spring.stiffness * x - spring.damping * v
        v += 0.02 * force / spring.mass
        x += 0.02 * v
    return 0.5 * spring.stiffness * x * x + 0.5 * spring.mass * v * v


def dict_parameters(parameters, x):
    """A dict with string keys as a parameter."""
    hidden = np.tanh(parameters["weight"] @ x + parameters["bias"])
    return np.sum(hidden * parameters["out"]) * parameters["scale"]


def dict_of_floats(rates):
    """A reaction network: lookups by string keys in a loop."""
    a, b = 1.0, 0.2
    for _ in range(25):
        flow = rates["forward"] * a - rates["backward"] * b * b
        a -= 0.05 * flow
        b += 0.05 * flow - 0.05 * rates["decay"] * b
    return a * b


def nested_tuple(parameters):
    """Unpacking of nested tuples."""
    (a, b), (c, (d, e)) = parameters
    return a * b + math.sin(c) * d / e


def list_append(x, n):
    """A list that grows, then is read back."""
    history = [x]
    for _ in range(n):
        history.append(0.9 * history[-1] + 0.1 * math.cos(history[0]))
    return sum(history)


def starred(values):
    """Starred unpacking."""
    first, *middle, last = values
    total = first * last
    for value in middle:
        total += value**2 * first
    return total


def dataclass_layers(layers, x):
    """A list of dataclasses of arrays."""
    for layer in layers:
        x = np.tanh(layer.weight @ x + layer.bias)
    return np.sum(x**2)


def local_dict(x, y):
    """A dict that the function builds for itself."""
    moments = {"mean": 0.5 * (x + y), "spread": abs(x - y)}
    moments["ratio"] = moments["spread"] / moments["mean"]
    return moments["ratio"] + moments["mean"] ** 2


def tuple_state(x):
    """A tuple is the loop's state."""
    state = (x, 0.0, 1.0)
    for i in range(10):
        position, velocity, energy = state
        velocity = velocity - 0.1 * position
        state = (position + 0.1 * velocity, velocity, energy * (1.0 + 0.01 * i * velocity))
    return state[0] + state[2]


def zip_of_lists(weights, names):
    """A table keyed by strings in a list."""
    table = {"rain": 0.3, "sun": 1.2, "snow": -0.4}
    total = 0.0
    for weight, name in zip(weights, names, strict=True):
        total += weight**2 * table[name]
    return math.tanh(total)


EXAMPLES = [
    Example(spring_energy, (Spring(3.0, 0.2, 1.5), 1.0, 0.0), "dataclass of floats", (0, 1)),
    Example(
        dict_parameters,
        (
            {
                "weight": np.array([[0.1, 0.4], [0.3, -0.2]]),
                "bias": np.array([0.1, 0.2]),
                "out": np.ones(2),
                "scale": 1.5,
            },
            np.array([0.7, -0.1]),
        ),
        "dict of arrays and floats as a parameter",
        (0, 1),
    ),
    Example(dict_of_floats, ({"forward": 1.1, "backward": 0.4, "decay": 0.3},), "string-keyed lookups in a loop"),
    Example(nested_tuple, (((1.0, 2.0), (0.5, (3.0, 4.0))),), "nested tuple unpacking"),
    Example(list_append, (0.4, 12), "a list that grows"),
    Example(starred, ((0.3, 1.0, 2.0, 0.7),), "starred unpacking"),
    Example(
        dataclass_layers,
        ([Layer(np.array([[0.2, 0.5], [-0.3, 0.1]]), np.array([0.1, 0.0])) for _ in range(2)], np.array([1.0, 2.0])),
        "list of dataclasses of arrays",
        (0, 1),
    ),
    Example(local_dict, (1.2, 0.5), "a local dict", (0, 1)),
    Example(tuple_state, (0.8,), "a tuple as the loop's state"),
    Example(zip_of_lists, ([0.5, 1.0, 0.8], ["sun", "snow", "rain"]), "strings as data"),
]
