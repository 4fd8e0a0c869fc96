"""Principal components of shapes."""

from __future__ import annotations

from typing import Any


def components(shapes: Any, rank: int) -> tuple[Any, Any, Any]:
    """Mean (window,), first principal components (rank, window), and coefficients (n, rank) of shapes (n, window)."""
    import torch

    mean = shapes.mean(0)
    basis = torch.linalg.svd(shapes - mean, full_matrices=False)[2][:rank].contiguous()
    return mean, basis, (shapes - mean) @ basis.T
