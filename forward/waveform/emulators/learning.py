"""Training of a network by Adam, until rows that are held out gain nothing more (Spurio Mancini et al. 2021, sec. 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from vip.forward.neural.device import torch_threads
from vip.forward.neural.training import Kept, Progress, resumed, run
from vip.forward.waveform.emulators.layers import through, untrained

BATCH = 256
STEP_SIZE = 1e-3
PATIENCE = 100
"""Number of epochs without a smaller loss of the rows held out, after which a training is over."""
MOST = 1500
"""Number of epochs at most."""
HELD = 10
"""One row of so many is held out. (The paper holds out 1000 more traces, which are not at hand.)"""

Loss = Callable[[Mapping[str, Any], Any, Any], Any]
"""From tensors, rows and a generator of random numbers, which is None for the rows held out, to a loss."""


class Fitting:
    """A network in training; a step is an epoch, and once patience is over, nothing changes any more.

    Parameters
    ----------
    tensors : mapping of str to tensor
        Weights at the start.
    loss : callable
    rows : int
        Number of rows of the data.
    seed : int
    """

    def __init__(self, tensors: Mapping[str, Any], loss: Loss, rows: int, seed: int) -> None:
        import torch

        self.random = torch.Generator().manual_seed(seed)
        self.tensors = {name: tensor.clone().requires_grad_() for name, tensor in tensors.items()}
        self.optimiser = torch.optim.Adam(self.tensors.values(), STEP_SIZE)
        order = torch.randperm(rows, generator=self.random)
        self.held, self.rows = order[: rows // HELD], order[rows // HELD :]
        self.loss, self.least, self.waited = loss, float("inf"), 0
        self.best = {name: tensor.detach().clone() for name, tensor in self.tensors.items()}

    def step(self, done: float) -> float:
        """Do one epoch and return the loss of the rows held out."""
        import torch

        if self.waited >= PATIENCE:
            return self.least
        for rows in self.rows[torch.randperm(len(self.rows), generator=self.random)].split(BATCH):
            self.batch(rows)
        with torch.no_grad():
            held = float(self.loss(self.tensors, self.held, None))
        self.waited += 1
        if held < self.least:
            self.least, self.waited = held, 0
            for name, tensor in self.tensors.items():
                self.best[name].copy_(tensor.detach())
        return held

    def batch(self, rows: Any) -> None:
        """Do one step of the optimiser."""
        self.optimiser.zero_grad()
        self.loss(self.tensors, rows, self.random).backward()
        self.optimiser.step()

    def state(self) -> dict[str, Any]:
        """All that the next epoch depends on, as tensors by name."""
        import torch

        state = {f"now.{name}": tensor.detach() for name, tensor in self.tensors.items()}
        state |= {f"best.{name}": tensor for name, tensor in self.best.items()}
        state |= {"random": self.random.get_state(), "stop": torch.tensor([self.least, self.waited]).double()}
        for i, moments in self.optimiser.state_dict()["state"].items():
            state |= {f"adam{i}.{name}": tensor for name, tensor in moments.items()}
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name, tensor in self.tensors.items():
            tensor.data.copy_(state[f"now.{name}"])
            self.best[name].copy_(state[f"best.{name}"])
        self.random.set_state(state["random"])
        self.least, self.waited = float(state["stop"][0]), int(state["stop"][1])
        adam = self.optimiser.state_dict()
        fields = ("step", "exp_avg", "exp_avg_sq")
        adam["state"] = {i: {name: state[f"adam{i}.{name}"] for name in fields} for i in range(len(self.tensors))}
        self.optimiser.load_state_dict(adam)


def learn(fitting: Fitting, epochs: int, name: str, kept: Path | None, progress: Progress | None) -> dict[str, Any]:
    """Train, and return the weights of the least loss of the rows held out.

    Parameters
    ----------
    fitting : Fitting
    epochs : int
        Number of epochs at most.
    name : str
        Name of the training, which its file bears.
    kept : Path, optional
        Folder in which the state is kept, from which a training that was killed goes on to the same network.
    progress : callable, optional
        Called after each epoch with the number of epochs done and the loss of the rows held out.
    """
    where = Kept(kept / f"{name}.safetensors") if kept else None
    with torch_threads(1):
        run(fitting, resumed(fitting, epochs, where), epochs, progress, where)
    return fitting.best


def regress(
    inputs: Any,
    targets: Any,
    hidden: Sequence[int],
    seed: int,
    epochs: int,
    name: str,
    kept: Path | None,
    progress: Progress | None,
) -> dict[str, Any]:
    """Train a network from inputs (n, k) to targets (n, m) by least squares, and return its weights; see `learn`.

    Parameters
    ----------
    hidden : sequence of int
        Numbers of neurons of the layers between.
    """
    import torch

    start = untrained("network", (inputs.shape[1], *hidden, targets.shape[1]), torch.Generator().manual_seed(seed))

    def loss(tensors: Any, rows: Any, random: Any) -> Any:
        return ((through("network", tensors, inputs[rows]) - targets[rows]) ** 2).mean()

    return learn(Fitting(start, loss, len(inputs), seed), epochs, name, kept, progress)
