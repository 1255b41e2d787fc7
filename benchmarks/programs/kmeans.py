"""The cost of k-means and its gradient in the centroids, after GradBench's `kmeans`."""

from __future__ import annotations

import numpy as np

from benchmarks.programs import Program


def kmeans(points, centroids):
    """Sum over points (n, d) of the squared distance to the nearest of the centroids (k, d), by loops."""
    total = 0.0
    for i in range(points.shape[0]):
        best = np.inf
        for j in range(centroids.shape[0]):
            square = 0.0
            for d in range(points.shape[1]):
                difference = points[i, d] - centroids[j, d]
                square += difference * difference
            if square < best:
                best = square
        total += best
    return total


def kmeans_array(points, centroids):
    """The same in NumPy calls."""
    squares = np.sum((points[:, None, :] - centroids[None, :, :]) ** 2, axis=2)
    return np.sum(np.min(squares, axis=1))


def make_inputs(num_points: int = 1000, num_clusters: int = 8, dim: int = 4, seed: int = 0) -> tuple:
    """Points standard normal; the centroids are jittered points, so that each is nearest to some."""
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((num_points, dim))
    centroids = points[rng.choice(num_points, num_clusters, replace=False)]
    return points, centroids + 0.01 * rng.standard_normal((num_clusters, dim))


def reference_gradient(points, centroids) -> tuple:
    """Written by hand: twice the distance to the points that a centroid is nearest to."""
    nearest = ((points[:, None] - centroids) ** 2).sum(axis=2).argmin(axis=1)
    gradient = np.zeros_like(centroids)
    np.add.at(gradient, nearest, 2.0 * (centroids[nearest] - points))
    return (gradient,)


def reference_direction(points, centroids) -> np.ndarray:
    """The Newton direction: the gradient over the Hessian's diagonal, which is twice the number of points of a centroid."""
    nearest = ((points[:, None] - centroids) ** 2).sum(axis=2).argmin(axis=1)
    counts = np.bincount(nearest, minlength=len(centroids))
    return reference_gradient(points, centroids)[0] / (2.0 * counts[:, None])


def small_programs() -> list[Program]:
    """Twenty points and three centroids in the plane."""
    return [
        Program(name=function.__name__, function=function, inputs=make_inputs(20, 3, 2), argnums=(1,), reference=reference_gradient)
        for function in (kmeans, kmeans_array)
    ]  # fmt: skip
