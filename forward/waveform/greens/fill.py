"""Filling a table: one run of the solver for each channel gives the seismograms of every place, by reciprocity.

Pressure at the receiver r of a moment tensor M at s is `-kappa(r) M : strain(s)` of an explosion of the same moment rate at r,
with the bulk modulus kappa of the earth there. Velocity along d is `M : strain(s)` of a force along d at r whose history is the
moment rate. Both hold to rounding, sample by sample: see docs/waveform.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from vip.errors import VIPError
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens.compress import Recorded, compressed
from vip.forward.waveform.greens.materials import Materials
from vip.forward.waveform.greens.part import KM, Part
from vip.forward.waveform.greens.plan import Plan
from vip.kernels_c import eikonal3d
from vip.kernels_c.elastic3d import ForceSource, MomentSource, Solver
from vip.protocols import Floats

ORDER = [0, 1, 2, 5, 4, 3]
"""Places of the components of `TENSOR` among the strains of the solver."""
TWICE = np.array([1.0, 1, 1, 2, 2, 2], np.float32)[:, None]
"""How often a component stands in a symmetric tensor."""

Told = Callable[[float], None]
"""Told which part of a channel is done; an exception that it raises ends the work."""


def fill_channel(
    plan: Plan, channel: Channel, solver: Solver, materials: Materials, folder: Path, tell: Told = lambda share: None
) -> Part:
    """The part of a table for one channel.

    Parameters
    ----------
    plan : Plan
    channel : Channel
    solver : Solver
        Solver of the plan, which serves all channels.
    materials : Materials
        Those of the plan.
    folder : Path
        Folder for a file without a name that keeps strains while this function runs: memory keeps but a few.
    tell : callable, optional

    Raises
    ------
    VIPError
        If the disk is full.
    """
    position = np.array(channel.position, float) - plan.earth.origin
    if channel.kind == "pressure":
        source: MomentSource | ForceSource = MomentSource(position, np.eye(3), plan.rate)
        factor = -float(solver.bulk_modulus(position[None])[0])
    else:
        source, factor = ForceSource(position, np.array(channel.direction), plan.rate), 1.0
    ends = np.array([[at, at + cells * plan.every] for at, cells in plan.nodes]) * plan.earth.spacing[:, None]
    strains = solver.strain_at(ends, plan.every, plan.steps_per_knot)
    nodes = math.prod(strains.shape)
    weights = np.float32(factor) * TWICE
    with TemporaryFile(dir=folder) as scratch:
        try:
            scratch.write(bytes(4 * 6 * nodes))

            def keep(_time: float, taken: NDArray[np.float32]) -> None:
                scratch.write((taken[ORDER].reshape(6, -1) * weights).tobytes())

            solver.run([source], [], plan.steps, strains=strains, consume=keep, progress=lambda n: tell(n / plan.steps))
            scratch.flush()
        except OSError as error:
            size = f"{plan.scratch_bytes / 1e9:.3g} GB"
            raise VIPError(f"{folder}: strains of {size} cannot be kept: {error.strerror}") from error
        traces = np.memmap(scratch, np.float32, "r", shape=(plan.knots + 1, 6, nodes))
        return compressed(Recorded(traces, slowness(plan, channel)), plan, channel, materials)


def slowness(plan: Plan, channel: Channel) -> Floats:
    """Time of P over the distance from the receiver (x, y, z), s/km, on the nodes."""
    at = (np.array(channel.position) - plan.earth.origin) / KM
    found = eikonal3d.solve(plan.earth.vp / np.float32(KM), at, plan.earth.spacing / KM, factored=True)
    cells = tuple(slice(first, first + n * plan.every + 1, plan.every) for first, n in plan.nodes)
    return np.ascontiguousarray(found[cells])
