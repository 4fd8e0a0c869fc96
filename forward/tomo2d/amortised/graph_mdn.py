"""The network of Zhang & Xia ("Solving all seismic tomographic problems using deep learning"), for comparison.

Stations are nodes, whose features are coordinates over the size of the region; paths are edges, with path-averaged velocities.
Six graph transformer layers (their eq. 4) and four linear layers change the features of nodes, whose mean over all stations
gives a mixture of ten Gaussians with diagonal covariance (eqs. 2 and 3) at the nodes of one grid, under one prior. Theirs is
of velocities; ours is of normal scores, whose prior is Gaussian, so that it is not charged for the bounds of the prior.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vip.errors import ConfigError
from vip.forward.neural.saved import load_tensors
from vip.forward.tomo2d.amortised.examples import Examples, draw_examples
from vip.forward.tomo2d.amortised.settings import AmortisedSettings, SurveySettings
from vip.rng import Purpose, stream

MDN_FORMAT = "vip tomography graph-mdn 1"

LAYERS = ((16, 4), (64, 4), (256, 4), (1024, 1), (512, 1), (512, 1))
"""Channels of each head, and number of heads, of the graph transformer layers."""
HIDDEN = (1000, 600, 600, 1000)
"""Outputs of the linear layers before stations are averaged."""
AFTER = 1200
"""Neurons of the layer after it."""
KERNELS = 10
"""Number of Gaussians."""
NARROWEST = 1e-3
"""Smallest standard deviation of z."""
ONE = math.log(math.e - 1)
"""Number whose softplus is 1."""


class GraphMDN:
    """Training of the graph mixture density network; the loss is minus the gain over the prior at the truth, nats.

    Parameters
    ----------
    settings : AmortisedSettings
        Surveys must have one grid and one prior, which is white noise.
    layers, hidden, after
        Size of the network; that of the paper if they are left out.

    Raises
    ------
    ConfigError
        If the grid or the prior would vary.
    """

    def __init__(
        self,
        settings: AmortisedSettings,
        layers: tuple[tuple[int, int], ...] = LAYERS,
        hidden: tuple[int, ...] = HIDDEN,
        after: int = AFTER,
    ) -> None:
        import torch

        surveys = settings.surveys
        if surveys.nodes[0] != surveys.nodes[1] or surveys.ratio[0] != surveys.ratio[1] or surveys.white != 1:
            raise ConfigError(
                "surveys", "graph-mdn", "needs one grid and one prior: equal ends of nodes and ratio, and white = 1"
            )
        self.settings, self.layers, self.hidden, self.after = settings, layers, hidden, after
        self.nodes = surveys.nodes[0] ** 2
        random = torch.Generator().manual_seed(settings.seed)
        self.weights = {
            name: (torch.randn(*size, generator=random) * deviation).requires_grad_()
            for name, (size, deviation) in _sizes(layers, hidden, after, self.nodes).items()
        }
        self.optimiser = torch.optim.Adam(self.weights.values(), lr=settings.step_size)
        self.step_number = torch.zeros(1, dtype=torch.int64)
        for weight in self.weights.values():  # the optimiser's state is there before the first step
            self.optimiser.state[weight] = {
                "step": torch.zeros(()),
                "exp_avg": torch.zeros_like(weight),
                "exp_avg_sq": torch.zeros_like(weight),
            }

    @classmethod
    def load(cls, file: Path) -> tuple[GraphMDN, dict[str, Any]]:
        """Read a trained network and what is known of its training.

        Raises
        ------
        ConfigError
            If the file is damaged or of another format.
        """
        about, weights = load_tensors(file, MDN_FORMAT, ())
        settings = AmortisedSettings(**about["training"], surveys=SurveySettings(**about["surveys"]))
        layers, hidden, after = (about["shape"][name] for name in ("layers", "hidden", "after"))
        network = cls(settings, tuple((n, heads) for n, heads in layers), tuple(hidden), after)
        missing = network.weights.keys() - weights.keys()
        if missing:
            raise ConfigError("weights", ", ".join(sorted(missing)), "are missing; train a network anew", file)
        for name, weight in network.weights.items():
            weight.data.copy_(weights[name])
        return network, about

    def step(self, _done: float) -> float:
        """Do one step; return the loss before the step."""
        rng = stream(self.settings.seed, int(self.step_number.item()), Purpose.SIMULATE)
        examples = draw_examples(self.settings.surveys, self.settings.maps, self.settings.data_refinement, rng)
        loss = -self.gain(examples).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.step_number += 1
        return float(loss.item())

    def gain(self, examples: Examples) -> Any:
        """Log-density of the true velocities over that of the prior (n,), nats, as a tensor."""
        import torch

        z = torch.tensor(examples.z).float()[:, None]
        log_weights, means, sds = self.mixture(examples)
        parts = 0.5 * z**2 - 0.5 * ((z - means) / sds) ** 2 - torch.log(sds)
        return torch.logsumexp(log_weights + parts.sum(-1), dim=-1)

    def mixture(self, examples: Examples) -> tuple[Any, Any, Any]:
        """Logarithms of weights (n, k), means and standard deviations (n, k, nodes), of z."""
        import torch

        x, edge, linked = _as_graph(examples)
        for i, (channels, heads) in enumerate(self.layers):
            x = torch.relu(self._transformer(i, x, edge, linked, channels, heads))
        for i in range(len(self.hidden)):
            x = torch.relu(self._linear(f"hidden{i}", x))
        out = self._linear("out", torch.relu(self._linear("after", x.mean(dim=1))))
        logits, means, sds = torch.split(out, [KERNELS, KERNELS * self.nodes, KERNELS * self.nodes], dim=-1)
        shape = (len(x), KERNELS, self.nodes)
        widths = NARROWEST + torch.nn.functional.softplus(sds.reshape(shape) + ONE)
        return torch.log_softmax(logits, dim=-1), means.reshape(shape), widths

    def _transformer(self, i: int, x: Any, edge: Any, linked: Any, channels: int, heads: int) -> Any:
        """Features (n, stations, heads x channels) by eq. 4; heads are concatenated."""
        import torch

        n, stations, _ = x.shape

        def split(name: str) -> Any:
            return self._linear(f"{i}.{name}", x).reshape(n, stations, heads, channels)

        own, value, query, key = (split(name) for name in ("W1", "W2", "W3", "W4"))
        by_edge = (edge[..., None] * self.weights[f"{i}.W5"]).reshape(n, stations, stations, heads, channels)
        fit = torch.einsum("nihc,nijhc->nijh", query, key[:, None] + by_edge) / math.sqrt(channels)
        fit = fit.masked_fill(~linked[..., None], -1e9)
        attention = torch.softmax(fit, dim=2) * linked[..., None]
        message = torch.einsum("nijh,nijhc->nihc", attention, value[:, None] + by_edge)
        return (own + message).reshape(n, stations, heads * channels)

    def _linear(self, name: str, x: Any) -> Any:
        return x @ self.weights[name] + self.weights[f"{name}.bias"]

    def state(self) -> dict[str, Any]:
        """All that the next step depends on, as tensors by name."""
        found = dict(self.weights) | {"step_number": self.step_number}
        for name, weight in self.weights.items():
            found |= {f"{name}/{key}": tensor for key, tensor in self.optimiser.state[weight].items()}
        return found

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        for name, tensor in self.state().items():
            tensor.data.copy_(state[name])


def _sizes(layers: Any, hidden: Any, after: int, nodes: int) -> dict[str, tuple[tuple[int, int], float]]:
    """Size, and standard deviation of random values, of each weight by name."""
    found: dict[str, tuple[tuple[int, int], float]] = {}

    def linear(name: str, n_in: int, n_out: int, gain: float = 1.0) -> None:
        found[name] = (n_in, n_out), gain / math.sqrt(n_in)
        found[f"{name}.bias"] = (1, n_out), 0.0

    width = 2
    for i, (channels, heads) in enumerate(layers):
        for name in ("W1", "W2", "W3", "W4"):
            linear(f"{i}.{name}", width, heads * channels)
        found[f"{i}.W5"] = (1, heads * channels), 1.0
        width = heads * channels
    for i, (n_in, n_out) in enumerate(itertools.pairwise((width, *hidden))):
        linear(f"hidden{i}", n_in, n_out, math.sqrt(2))
    linear("after", hidden[-1] if hidden else width, after, math.sqrt(2))
    linear("out", after, KERNELS * (1 + 2 * nodes), 0.1)
    return found


def _as_graph(examples: Examples) -> tuple[Any, Any, Any]:
    """Coordinates (n, stations, 2) over the region's size, velocities (n, stations, stations), and whether there is a path."""
    import numpy as np
    import torch

    survey, _, times, _ = examples
    places, index = np.unique(survey.ends.reshape(-1, 2), axis=0, return_inverse=True)
    source, receiver = index.reshape(-1, 2).T
    n, stations = len(times), len(places)
    velocity = survey.grid.distance(survey.ends[:, 0], survey.ends[:, 1]) / times
    prior = survey.prior
    edge, linked = np.zeros((n, stations, stations)), np.zeros((n, stations, stations), bool)
    for a, b in ((source, receiver), (receiver, source)):
        edge[:, a, b] = (velocity - prior.lower) / (prior.upper - prior.lower) - 0.5
        linked[:, a, b] = True
    size = np.array(survey.grid.shape) - 1.0
    x = np.broadcast_to(places / size - 0.5, (n, stations, 2))
    return torch.tensor(x.copy()).float(), torch.tensor(edge).float(), torch.tensor(linked)
