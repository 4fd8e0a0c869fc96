"""Fully connected layers with leaky rectifiers (Spurio Mancini et al. 2021, eq. 4 and 5), as tensors by name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

LEAK = 0.2
"""Slope of the rectifiers for negative numbers."""


def untrained(name: str, sizes: Sequence[int], random: Any) -> dict[str, Any]:
    """Weights drawn as Glorot & Bengio (2010) do, and biases of zero, of layers with `sizes` neurons, inputs first."""
    import torch

    tensors = {}
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        reach = math.sqrt(6 / (n_in + n_out))
        tensors[f"{name}.weight{layer}"] = (2 * torch.rand(n_out, n_in, generator=random) - 1) * reach
        tensors[f"{name}.bias{layer}"] = torch.zeros(n_out)
    return tensors


def through(name: str, tensors: Mapping[str, Any], values: Any) -> Any:
    """What the layers of a name make of values (n, inputs); the last layer is linear. The dtype is that of the weights."""
    import torch
    from torch.nn.functional import leaky_relu, linear

    layers = sum(key.startswith(f"{name}.weight") for key in tensors)
    values = values.to(tensors[f"{name}.weight0"].dtype)
    for layer in range(layers):
        values = linear(values, tensors[f"{name}.weight{layer}"], tensors[f"{name}.bias{layer}"])
        if layer < layers - 1:
            values = leaky_relu(values, LEAK)
    return torch.as_tensor(values)
