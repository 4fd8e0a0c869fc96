"""A normalising flow as a variational family, for d up to a few hundred (Rezende & Mohamed 2015).

Neural spline couplings (Durkan et al. 2019) from zuko, after a fixed shift and scale. Sampling and density cost the same.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from vip.algorithms.metrics import SMALLEST
from vip.protocols import Floats


class Flow:
    """A `vip.algorithms.families.Family` whose parameters are shift, scale, and the weights of neural networks.

    Parameters
    ----------
    d : int
        Number of entries of theta.
    transforms : int
        Number of coupling layers.
    hidden : int
        Width of each network's two hidden layers.
    """

    def __init__(self, d: int, transforms: int, hidden: int) -> None:
        self.d, self.transforms, self.hidden = d, transforms, hidden

    @cached_property
    def _module(self) -> Any:
        import torch
        import zuko

        class Whole(torch.nn.Module):  # type: ignore[misc]
            """The flow as one call, since zuko's distributions look at their weights only when they are used."""

            def __init__(self, flow: Any) -> None:
                super().__init__()
                self.flow = flow

            def forward(self, x: Any, ability: str) -> Any:
                distribution = self.flow()
                return distribution.log_prob(x) if ability == "log_prob" else distribution.transform.inv(x)

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # weights to start from: the same in every run
            couplings = 2 if self.d > 1 else None
            hidden = (self.hidden, self.hidden)
            flow = zuko.flows.NSF(self.d, transforms=self.transforms, hidden_features=hidden, passes=couplings)
            return Whole(flow).double()

    def init(self, theta0: Floats) -> Floats:
        """Parameters (p,): shift and scale of the particles, and weights drawn once and for all."""
        weights = [p.detach().numpy().ravel() for p in self._module.parameters()]
        spread = np.sqrt(np.maximum(theta0.var(axis=0), SMALLEST))
        return np.concatenate([theta0.mean(axis=0), spread, *weights])

    def pace(self, d: int) -> Floats:
        """Factors (p,) that are 0 for shift and scale, which stay, and 1 for the weights."""
        size = sum(p.numel() for p in self._module.parameters())
        return np.concatenate([np.zeros(2 * d), np.ones(size)])

    def n_noise(self, d: int) -> int:
        """Number of white-noise values that a sample takes: one for each entry."""
        return d

    def sample(self, parameters: Floats, noise: Floats) -> Floats:
        """Samples (s, d): shift + scale times the flow of noise."""
        import torch

        shift, scale = parameters[: self.d], parameters[self.d : 2 * self.d]
        with torch.no_grad():
            out: Floats = self._call(self._weights(parameters), torch.from_numpy(noise), "sample").numpy()
        return shift + scale * out

    def noise(self, parameters: Floats, theta: Floats) -> Floats:
        """Empty: the density needs no noise."""
        return np.zeros((len(theta), 0))

    def density(self, parameters: Floats, theta: Floats, noise: Floats) -> tuple[Floats, Floats]:
        """Log-density (s,) by the flow's inverse, and its gradient (s, d) by differentiating the network."""
        import torch

        shift, scale = parameters[: self.d], parameters[self.d : 2 * self.d]
        u = torch.from_numpy((theta - shift) / scale).requires_grad_()
        value = self._call(self._weights(parameters), u, "log_prob")
        (gradient,) = torch.autograd.grad(value.sum(), u)
        return value.detach().numpy() - np.log(scale).sum(), gradient.numpy() / scale

    def chain(self, parameters: Floats, gradient: Floats, noise: Floats) -> Floats:
        """Gradient (p,) by back-propagation through the samples."""
        import torch

        weights = [w.requires_grad_() for w in self._weights(parameters)]
        samples = self._call(weights, torch.from_numpy(noise), "sample")
        by_sample = torch.from_numpy(parameters[self.d : 2 * self.d] * gradient / len(noise))
        by_weight = torch.autograd.grad((samples * by_sample).sum(), weights)
        return np.concatenate([np.zeros(2 * self.d), *(g.numpy().ravel() for g in by_weight)])

    def _weights(self, parameters: Floats) -> list[Any]:
        import torch

        weights, first = [], 2 * self.d
        for parameter in self._module.parameters():
            part = parameters[first : first + parameter.numel()].reshape(tuple(parameter.shape))
            weights.append(torch.tensor(part))
            first += parameter.numel()
        return weights

    def _call(self, weights: list[Any], x: Any, ability: str) -> Any:
        from torch.func import functional_call

        names = [name for name, _ in self._module.named_parameters()]
        return functional_call(self._module, dict(zip(names, weights, strict=True)), (x, ability))
