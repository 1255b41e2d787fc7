"""What a trained ensemble still holds when its weights are stored in fewer bits."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from custodiet.errors import UsageError
from custodiet.nn.ensemble import GPTEnsemble

__all__ = ["Rounding", "round_weights"]

Rounding = Literal["bfloat16", "int8", "int6"]


@torch.no_grad()
def round_weights(ensemble: GPTEnsemble, how: Rounding) -> Tensor:
    """All weights rounded and put back to float32, (M, P); the ensemble is left as it is.

    bfloat16 rounds every number. int8 and int6 round every matrix to whole multiples of a scale per row of the token
    table and per output column elsewhere, the largest magnitude being the largest integer; vectors stay float32, as in common
    practice. Scales are not counted among the bits.

    Raises:
        UsageError: `how` is unknown.
    """
    if how == "bfloat16":
        return ensemble.flat.detach().bfloat16().float()
    if how not in get_args(Rounding):
        raise UsageError("rounding is unknown", expected=", ".join(get_args(Rounding)), got=repr(how))
    largest = 2 ** (int(how.removeprefix("int")) - 1) - 1
    rounded = ensemble.flat.detach().clone()
    for name, place in ensemble.places.items():
        shape = ensemble.config.shapes[name]
        if len(shape) < 2 or "norm" in name:
            continue
        matrix = rounded[:, place].view(-1, *shape)
        scale = matrix.abs().amax(2 if name in ("tokens", "bos", "positions") else 1, keepdim=True) / largest
        scale = torch.where(scale > 0, scale, 1.0)
        matrix.copy_((matrix / scale).round_() * scale)
    return rounded
