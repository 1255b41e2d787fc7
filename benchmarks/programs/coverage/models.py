"""Statistical and machine-learning models."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.programs.coverage import Example


def logistic_regression(w, x, y):
    """Negative log-likelihood by element loops."""
    total = 0.0
    for i in range(x.shape[0]):
        z = 0.0
        for j in range(x.shape[1]):
            z += w[j] * x[i, j]
        total += math.log1p(math.exp(-y[i] * z))
    return total


def small_mlp(parameters, x, y):
    """A perceptron with two hidden layers; the parameters are a list of pairs."""
    for weight, bias in parameters[:-1]:
        x = np.tanh(x @ weight + bias)
    weight, bias = parameters[-1]
    return np.mean((x @ weight + bias - y) ** 2)


def kalman_filter(process_noise, measurement_noise, measurements):
    """Log-likelihood of a local-level model."""
    mean = 0.0
    variance = 10.0
    total = 0.0
    for z in measurements:
        variance = variance + process_noise
        innovation = z - mean
        spread = variance + measurement_noise
        total -= 0.5 * (math.log(2.0 * math.pi * spread) + innovation * innovation / spread)
        gain = variance / spread
        mean = mean + gain * innovation
        variance = (1.0 - gain) * variance
    return total


def kalman_matrix(transition, noise, measurements):
    """A Kalman filter with matrices."""
    mean = np.zeros(2)
    covariance = np.eye(2)
    total = 0.0
    for z in measurements:
        mean = transition @ mean
        covariance = transition @ covariance @ transition.T + noise * np.eye(2)
        spread = covariance[0, 0] + 0.3
        gain = covariance[:, 0] / spread
        innovation = z - mean[0]
        total += np.log(spread) + innovation**2 / spread
        mean = mean + gain * innovation
        covariance = covariance - np.outer(gain, covariance[0])
    return total


def hidden_markov(log_transition, log_emission, observations):
    """The forward algorithm in log space, by loops."""
    num = log_transition.shape[0]
    alpha = np.zeros(num)
    new = np.zeros(num)
    for s in range(num):
        alpha[s] = log_emission[s, observations[0]]
    for t in range(1, len(observations)):
        for s in range(num):
            largest = -math.inf
            for r in range(num):
                largest = max(largest, alpha[r] + log_transition[r, s])
            mass = 0.0
            for r in range(num):
                mass += math.exp(alpha[r] + log_transition[r, s] - largest)
            new[s] = largest + math.log(mass) + log_emission[s, observations[t]]
        for s in range(num):
            alpha[s] = new[s]
    mass = 0.0
    for s in range(num):
        mass += math.exp(alpha[s])
    return math.log(mass)


def garch(omega, a, b, returns):
    """Log-likelihood of a GARCH(1, 1)."""
    variance = omega / (1.0 - a - b)
    total = 0.0
    for r in returns:
        total -= 0.5 * (math.log(variance) + r * r / variance)
        variance = omega + a * r * r + b * variance
    return total


def poisson_regression(w, counts, x):
    """Log-likelihood with lgamma and a link."""
    total = 0.0
    for i in range(len(counts)):
        eta = w[0] + w[1] * x[i]
        total += counts[i] * eta - math.exp(eta) - math.lgamma(counts[i] + 1.0)
    return total


def beta_log_density(a, b, x):
    """The log-density of a beta distribution in its shape parameters: digamma appears in the gradient."""
    normalizer = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return (a - 1.0) * math.log(x) + (b - 1.0) * math.log(1.0 - x) - normalizer


def gru_step_loop(w, u, xs):
    """A gated recurrent unit over a sequence, element by element."""
    n = u.shape[0]
    h = np.zeros(n)
    for t in range(len(xs)):
        new = np.zeros(n)
        for i in range(n):
            pre = w[i] * xs[t]
            for j in range(n):
                pre += u[i, j] * h[j]
            gate = 1.0 / (1.0 + math.exp(-pre))
            new[i] = gate * h[i] + (1.0 - gate) * math.tanh(pre)
        h = new
    return np.sum(h * h)


def gradient_descent(start, rate):
    """A training loop inside the program: the learning rate's own derivative."""
    x, y = start
    for _ in range(30):
        gx = 2.0 * (x - 1.0) + 0.3 * y
        gy = 4.0 * (y + 0.5) + 0.3 * x
        x, y = x - rate * gx, y - rate * gy
    return (x - 1.0) ** 2 + 2.0 * (y + 0.5) ** 2 + 0.3 * x * y


RNG = np.random.default_rng(5)
EXAMPLES = [
    Example(
        logistic_regression,
        (np.array([0.2, -0.4]), RNG.standard_normal((6, 2)), np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0])),
        "logistic regression by loops",
        (0, 1),
    ),
    Example(
        small_mlp,
        (
            [(RNG.standard_normal((2, 3)), np.zeros(3)), (RNG.standard_normal((3, 3)), np.ones(3)), (np.ones((3, 1)), np.zeros(1))],
            RNG.standard_normal((4, 2)),
            RNG.standard_normal((4, 1)),
        ),
        "small MLP with a list of pairs",
    ),
    Example(kalman_filter, (0.2, 0.5, [0.1, 0.4, 0.3, 0.9, 1.2]), "Kalman filter, scalar", (0, 1)),
    Example(
        kalman_matrix, (np.array([[1.0, 0.1], [0.0, 0.9]]), 0.1, np.array([0.1, 0.4, 0.3])), "Kalman filter, matrices", (0, 1)
    ),
    Example(
        hidden_markov,
        (np.log([[0.7, 0.3], [0.4, 0.6]]), np.log([[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]), np.array([0, 2, 1, 1])),
        "HMM forward in log space",
        (0, 1),
    ),
    Example(garch, (0.1, 0.15, 0.7, [0.5, -1.2, 0.3, 0.9]), "GARCH likelihood", (0, 1, 2)),
    Example(poisson_regression, (np.array([0.3, 0.5]), [1, 0, 3], [0.2, -0.5, 1.4]), "lgamma, a list of ints"),
    Example(beta_log_density, (2.3, 1.7, 0.4), "lgamma in its argument", (0, 1, 2)),
    Example(
        gru_step_loop, (np.array([0.4, -0.3]), np.array([[0.2, 0.5], [-0.1, 0.3]]), np.array([1.0, -0.5, 0.7])), "recurrent cell", (0, 1, 2)
    ),
    Example(gradient_descent, ((0.0, 0.0), 0.08), "an optimizer's loop", (0, 1)),
]  # fmt: skip
