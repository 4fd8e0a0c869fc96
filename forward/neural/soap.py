"""SOAP: Adam in the eigenvectors of the moments of gradients (Vyas et al. 2025, algorithm 3), for small networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

DECAY = 0.95
"""Decay of all running means, from step to step."""
TURN_EVERY = 10
"""Number of steps between two updates of the eigenvectors."""
SMALLEST = 1e-8
"""Number added to root mean squares of gradients."""


class SOAP:
    """SOAP: an optimiser that changes matrices in place; single rows and columns are left to plain Adam.

    Parameters
    ----------
    parameters : iterable of tensors
        Parameters, each of which has a gradient when `step` is called.
    """

    def __init__(self, parameters: Iterable[Any]) -> None:
        self._parts = [(_Matrix if min(p.shape) > 1 else _Vector)(p) for p in parameters]

    def step(self, size: float) -> None:
        """Move by about `size` in every direction."""
        for part in self._parts:
            part.step(size)

    def state(self) -> dict[str, Any]:
        """State that the next step depends on, besides parameters and gradients, as tensors by name."""
        return {f"{i}.{name}": tensor for i, part in enumerate(self._parts) for name, tensor in part.state().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` of the same parameters."""
        for i, part in enumerate(self._parts):
            part.restore({name: state[f"{i}.{name}"] for name in part.state()})


class _Vector:
    def __init__(self, parameter: Any) -> None:
        self.parameter, self.steps = parameter, 0
        self.mean = parameter.detach().new_zeros(parameter.shape)
        self.square = self.mean.clone()

    def state(self) -> dict[str, Any]:
        return {"steps": self.mean.new_tensor(self.steps), "mean": self.mean, "square": self.square}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.steps = int(state["steps"])
        self.mean, self.square = (state[name].to(self.parameter) for name in ("mean", "square"))

    def step(self, size: float) -> None:
        gradient = self.parameter.grad
        self.steps += 1
        self.mean.lerp_(gradient, 1 - DECAY)
        self._learn(gradient)
        turned = self._turned(gradient)
        self.square.mul_(DECAY).addcmul_(turned, turned, value=1 - DECAY)
        bias = 1 - DECAY**self.steps
        direction = (self._turned(self.mean) / bias) / ((self.square / bias).sqrt() + SMALLEST)
        self.parameter.data.add_(self._turned_back(direction), alpha=-size)

    def _learn(self, gradient: Any) -> None:
        """Vectors have no eigenvectors."""

    def _turned(self, values: Any) -> Any:
        return values

    def _turned_back(self, values: Any) -> Any:
        return values


class _Matrix(_Vector):
    def __init__(self, parameter: Any) -> None:
        super().__init__(parameter)
        self.moments = [parameter.detach().new_zeros(n, n) for n in parameter.shape]
        self.vectors = [moment.clone() for moment in self.moments]  # until the first step

    def state(self) -> dict[str, Any]:
        pairs = {f"{name}{i}": tensor for name in ("moments", "vectors") for i, tensor in enumerate(getattr(self, name))}
        return super().state() | pairs

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self.moments = [state[f"moments{i}"].to(self.parameter) for i in (0, 1)]
        self.vectors = [state[f"vectors{i}"].to(self.parameter) for i in (0, 1)]

    def step(self, size: float) -> None:
        super().step(size)
        if self.steps % TURN_EVERY == 0:
            self._turn()

    def _learn(self, gradient: Any) -> None:
        import torch

        moments = [gradient @ gradient.T, gradient.T @ gradient]
        if self.steps == 1:
            self.moments, self.vectors = moments, [torch.linalg.eigh(moment)[1].contiguous() for moment in moments]
        for mean, moment in zip(self.moments, moments, strict=True):
            mean.lerp_(moment, 1 - DECAY)

    def _turned(self, values: Any) -> Any:
        return self.vectors[0].T @ values @ self.vectors[1]

    def _turned_back(self, values: Any) -> Any:
        return self.vectors[0] @ values @ self.vectors[1].T

    def _turn(self) -> None:
        """One step of orthogonal iteration (algorithm 4), eigenvectors in the order of their eigenvalues."""
        import torch

        for axis, (moment, vectors) in enumerate(zip(self.moments, self.vectors, strict=True)):
            order = torch.argsort((vectors * (moment @ vectors)).sum(dim=0), descending=True)
            self.square = self.square.index_select(axis, order)
            # By rows, as after a state was read back: the last bits of products depend on the layout.
            self.vectors[axis] = torch.linalg.qr(moment @ vectors[:, order])[0].contiguous()
