"""Principal components of shapes."""

from __future__ import annotations

from typing import Any

from vip.errors import ConfigError


def components(shapes: Any, rank: int) -> tuple[Any, Any, Any]:
    """Mean (window,), first principal components (rank, window), and coefficients (n, rank) of shapes (n, window).

    Raises
    ------
    ConfigError
        If the rank is not at least 1; a rank beyond what there is gives what there is.
    """
    import torch

    if rank < 1:
        raise ConfigError("rank", rank, "must be at least 1")
    mean = shapes.mean(0)
    basis = torch.linalg.svd(shapes - mean, full_matrices=False)[2][:rank].contiguous()
    return mean, basis, (shapes - mean) @ basis.T
