"""What all emulators share: places, peaks, derivatives, files. A method adds the shape of a trace whose peak is known."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from vip.errors import ConfigError
from vip.forward.neural.device import torch_threads
from vip.forward.neural.saved import load_tensors, save_tensors
from vip.forward.waveform.emulators import gaussian
from vip.forward.waveform.emulators.alignment import shifted
from vip.protocols import Floats

FORMAT = "vip emulator 1"
TINY = 1e-6
"""Number added to squared distances from the receiver, m^2, so that the root has a gradient there."""

Traces = NDArray[np.float32]


class About(NamedTuple):
    """Everything about an emulator except its numbers.

    Attributes
    ----------
    box : tuple of (least, greatest)
        Bounds of x, y and depth of the places that it was trained on, m.
    receiver : (x, y, depth)
        Place of the receiver, m.
    samples : int
        Number of samples of a trace.
    window, peak : int
        Number of samples of a shape, and the sample at which its peak is.
    whole : bool
        Whether peaks are moved by whole samples, as in the paper.
    parts : tuple of tuples of int
        Columns of the inputs (x, y, depth, distance from the receiver) that each part of the kernels of peaks looks at.
    options : mapping
        What a method keeps besides, as JSON can hold it.
    """

    box: Any
    receiver: Any
    samples: int
    window: int
    peak: int
    whole: bool
    parts: Any
    options: Mapping[str, Any]


class Emulator(ABC):
    """Traces of one channel for a source of one mechanism, at any place of a box.

    Parameters
    ----------
    about : About
    tensors : mapping of str to tensor
        "receiver" (3,), "centre" and "scale" (4,) of the inputs, "inputs" (n, 4) of the training, the two Gaussian processes
        "time" (samples) and "height" (its logarithm, if `options` say "logarithm"), all in double precision; and the tensors
        of the method.
    """

    method: ClassVar[str]

    def __init__(self, about: About, tensors: Mapping[str, Any]) -> None:
        self.about, self.tensors = about, dict(tensors)

    @abstractmethod
    def shapes(self, inputs: Any) -> Any:
        """Shapes (n, window), whose peak is about one at the sample `about.peak`, from inputs (n, 4) of double precision."""

    def __call__(self, positions: Floats, outside: bool = False) -> Traces:
        """Traces (n, samples) of sources at `positions` (n, 3: x, y, depth), m, in the unit of the training.

        Raises
        ------
        ConfigError
            If a position is not finite, or is outside the box of the training and `outside` does not allow that.
        """
        import torch

        with torch.no_grad(), torch_threads(1):
            return np.asarray(self.trace(self._checked(positions, outside)), np.float32)

    def slopes(self, positions: Floats, outside: bool = False) -> Traces:
        """Derivatives (n, samples, 3) of the traces by x, y and depth, per m; by forward differentiation.

        Raises
        ------
        ConfigError
            As for a call.
        """
        import torch

        places = self._checked(positions, outside)
        with torch_threads(1):
            along = [torch.func.jvp(self.trace, (places,), (axis.expand_as(places),))[1] for axis in torch.eye(3).double()]
            return np.asarray(torch.stack([each.detach() for each in along], dim=-1), np.float32)

    def pulled(self, positions: Floats, by_traces: Floats, outside: bool = False) -> Floats:
        """Derivatives (n, 3) by place of a number whose derivatives by the traces are `by_traces` (n, samples).

        Raises
        ------
        ConfigError
            As for a call.
        """
        import torch

        places, weights = self._checked(positions, outside).requires_grad_(), numbers("by_traces", by_traces)
        if weights.shape != (expected := (len(places), self.about.samples)):
            raise ConfigError("by_traces", f"of shape {weights.shape}", f"must be of shape {expected}, that of the traces")
        with torch_threads(1):
            traces = self.trace(places)
            (by_place,) = torch.autograd.grad(traces, places, torch.from_numpy(weights).to(traces))
        return np.asarray(by_place)

    def trace(self, places: Any) -> Any:
        """Traces (n, samples), as of a call, from a tensor of places (n, 3) of double precision, for automatic differentiation.

        The shift in time has no derivative if peaks are moved by whole samples.
        """
        inputs = inputs_of(places, self.tensors)
        time, height = self._time(inputs)[:, 0], self._height(inputs)[:, 0]
        if self.about.whole:
            time = time.round()
        if self.about.options.get("logarithm"):
            height = height.exp()
        moved = shifted(self.shapes(inputs), time - self.about.peak, self.about.samples)
        return height.to(moved.dtype)[:, None] * moved

    @cached_property
    def _time(self) -> gaussian.Process:
        return gaussian.named("time", self.about.parts, self.tensors["inputs"], self.tensors)

    @cached_property
    def _height(self) -> gaussian.Process:
        return gaussian.named("height", self.about.parts, self.tensors["inputs"], self.tensors)

    def _checked(self, positions: Floats, outside: bool) -> Any:
        import torch

        places = numbers("positions", positions)
        if places.ndim != 2 or places.shape[1] != 3 or not len(places):
            raise ConfigError("positions", f"of shape {places.shape}", "must be of shape (n, 3): x, y and depth, m")
        low, high = np.array(self.about.box).T
        beyond = ~np.isfinite(places).all(1) if outside else ~((places >= low) & (places <= high)).all(1)
        if beyond.any():
            row = int(beyond.argmax())
            inside = ", ".join(f"{a:g} to {b:g}" for a, b in self.about.box)
            remedy = "must be finite" if outside else f"is outside the training box: {inside} m; allow it by outside=True"
            raise ConfigError(f"positions: row {row}", places[row].tolist(), remedy)
        return torch.from_numpy(places)

    def save(self, file: Path) -> None:
        """Write the emulator to a safetensors file, which appears as a whole.

        Raises
        ------
        VIPError
            If the file cannot be written.
        """
        save_tensors(file, FORMAT, {"method": self.method, **self.about._asdict()}, self.tensors)

    @classmethod
    def restored(cls, about: Mapping[str, Any], tensors: Mapping[str, Any]) -> Self:
        """Emulator of what `save` wrote."""
        return cls(About(**{key: about[key] for key in About._fields}), tensors)


def numbers(key: str, values: Any) -> Floats:
    """Values as an array in double precision.

    Raises
    ------
    ConfigError
        If they are no numbers, or rows differ in length.
    """
    try:
        return np.array(values, float)
    except (TypeError, ValueError) as error:
        raise ConfigError(key, type(values).__name__, f"must be an array of numbers: {error}") from error


def inputs_of(places: Any, tensors: Mapping[str, Any]) -> Any:
    """Inputs (n, 4), standardised: places (n, 3) and their distances from the receiver."""
    import torch

    apart = places - tensors["receiver"]
    distance = torch.sqrt((apart**2).sum(1, keepdim=True) + TINY)
    return (torch.cat([places, distance], 1) - tensors["centre"]) / tensors["scale"]


def read(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `Emulator.save` wrote: the header and the tensors.

    Raises
    ------
    ConfigError
        If the file is damaged or is no emulator.
    """
    return load_tensors(file, FORMAT, {"inputs", "centre", "scale", "time.weights", "height.weights"})
