"""Cells of the published table: shapes by layers and width, and the recipe that trains them."""

from __future__ import annotations

from custodiet.errors import UsageError
from custodiet.memorization.capacity.fit import FitConfig
from custodiet.nn.ensemble import EnsembleConfig
from custodiet.records.capacity import CapacityShape

__all__ = ["cell_fit", "cell_name", "describe_shape"]

BITS_PER_PARAM = 4.8
"""entropy of the data set over the parameters: beyond what any cell is known to hold"""
NUM_STEPS = 7000
BATCH_SIZE = 90


def cell_fit(cell: str, *, seed: int = 0, argument: str = "--cell") -> FitConfig:
    """One model of a cell, V = 2048 and S = 64, "LxD" being layers and width.

    Rates were searched for 1x32 (`docs/log.md`) and are scaled by the root of the width and by the layers elsewhere.

    Args:
        cell: for example "1x32"; a cell that the paper does not have can be trained all the same.
        seed: seed of data, first weights and batches.
        argument: what an error calls the cell.

    Raises:
        UsageError: the cell cannot be read.
    """
    try:
        layers, width = (int(part) for part in cell.lower().split("x"))
        if layers < 1 or width < 1:
            raise ValueError
    except ValueError:
        expected = "LAYERSxWIDTH, for example 1x32"
        raise UsageError(f"{argument} is not a cell", expected=expected, got=repr(cell)) from None
    model = EnsembleConfig(vocab_size=2048, sequence_length=64, width=width, num_layers=layers, num_heads=8)
    size = round(model.num_params * BITS_PER_PARAM / (64 * 11))
    return FitConfig(
        model=model,
        num_sequences=size,
        num_steps=NUM_STEPS,
        batch_size=min(BATCH_SIZE, size),
        learning_rate=0.05 if width <= 32 and layers == 1 else 0.05 * (32 / width) ** 0.5 / layers,
        token_table_rate=2.0,
        position_rate=0.5,
        bfloat16_head=True,
        seed=seed,
    )


def cell_name(model: EnsembleConfig) -> str:
    """The cell of a shape, "1x32"."""
    return f"{model.num_layers}x{model.width}"


def describe_shape(model: EnsembleConfig) -> CapacityShape:
    """The models as a record tells them."""
    return CapacityShape(
        vocab_size=model.vocab_size,
        sequence_length=model.sequence_length,
        width=model.width,
        num_layers=model.num_layers,
        num_heads=model.num_heads,
        num_params=model.num_params,
        counted="everything trainable: the token table (tied with the head), positions, biases, norms, and the BOS row",
    )
