"""Figures of moment tensors: beachballs of samples, and their sources on the lune (Tape & Tape 2012)."""

from __future__ import annotations

from typing import Any

import numpy as np

from vip.forward.waveform.tensors import magnitude, matrices
from vip.pages.style import BLACK, BLUE, GREY, ORANGE
from vip.protocols import Floats

BALLS = 24
"""Number of samples drawn as beachballs."""
FINE = 161
"""Number of points across a beachball that is drawn as an image."""
NAMED = {
    "explosion": (0.0, 90.0),
    "implosion": (0.0, -90.0),
    "double couple": (0.0, 0.0),
    "tensile crack": (-30.0, 60.5),
    "CLVD": (-30.0, 0.0),
}
"""Longitude and latitude of some sources on the lune, degrees."""


def balls(tensors: Floats, true: Floats | None) -> tuple[str, str, str, Any]:
    """The mean share of samples whose P wave pushes in each direction, and a few samples one by one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    grid = figure.add_gridspec(4, 10)
    large = figure.add_subplot(grid[:, :4])
    _draw(large, tensors)
    large.set_title("all samples", size=10)
    large.text(0, -1.16, f"Mw {magnitude(tensors).mean():.2f} ± {magnitude(tensors).std():.2f}", ha="center", va="top")
    if true is not None:
        _nodal(large, true, ORANGE)
        large.plot([], [], color=ORANGE, label="truth, nodal lines")
        large.legend(loc="upper left", bbox_to_anchor=(-0.08, 1.06))
    chosen = tensors[np.linspace(0, len(tensors) - 1, min(BALLS, len(tensors))).astype(int)]
    for i, tensor in enumerate(chosen):
        _draw(figure.add_subplot(grid[i // 6, 4 + i % 6]), tensor[None])
    caption = (
        "Lower hemispheres in equal area, north above: dark where P pushes outwards. Left: share of the samples that push. "
        "Right: single samples."
    )
    return "beachballs", "Moment tensors", caption, figure


def lune(tensors: Floats, true: Floats | None) -> tuple[str, str, str, Any]:
    """Kinds of source of the samples: longitude (CLVD) and latitude (change of volume) on the lune."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.2, 4.6), layout="constrained")
    ax, sizes = figure.subplots(1, 2, width_ratios=[1, 1.5])
    gamma, delta = coordinates(tensors)
    edge = np.linspace(-90, 90, 181)
    for meridian in (-30, -15, 0, 15, 30):
        color, width = (BLACK, 0.8) if abs(meridian) == 30 else (GREY, 0.4)
        ax.plot(*_mapped(np.full(edge.shape, meridian), edge), color=color, lw=width)
    across = np.linspace(-30, 30, 31)
    for parallel in range(-60, 61, 30):
        ax.plot(*_mapped(across, np.full(across.shape, parallel)), color=GREY, lw=0.4)
    ax.plot(*_mapped(gamma, delta), ".", color=BLUE, ms=4, mew=0, alpha=0.4)
    if true is not None:
        ax.plot(*_mapped(*coordinates(true[None])), "*", color=ORANGE, ms=13, mec="white", mew=0.7)
    for name, (longitude, latitude) in NAMED.items():
        x, y = _mapped(np.array([longitude]), np.array([latitude]))
        ax.plot(x, y, "o", color="none", mec=BLACK, ms=5)
        ax.annotate(name, (x[0], y[0]), xytext=(7, 4), textcoords="offset points", size=8)
    ax.set(aspect="equal")
    ax.set_axis_off()
    sizes.hist(magnitude(tensors), 30, color=BLUE, alpha=0.7, density=True, label="samples")
    if true is not None:
        sizes.axvline(float(magnitude(true)), color=ORANGE, lw=1.8, label="truth")
    sizes.set(xlabel="moment magnitude", ylabel="density")
    sizes.legend()
    shares = f"{delta.mean():.0f}° ± {delta.std():.0f}° of latitude, {gamma.mean():.0f}° ± {gamma.std():.0f}° of longitude"
    caption = (
        f"Left: the lune, from implosion (below) to explosion (above), double couples in the middle; {shares}. Right: sizes."
    )
    return "lune", "Kind and size of the source", caption, figure


def coordinates(tensors: Floats) -> tuple[Floats, Floats]:
    """Longitude and latitude (n,), degrees, on the lune (Tape & Tape 2012, eq. 21) of tensors (n, 6).

    Examples
    --------
    >>> explosion, couple = np.array([[1.0, 1, 1, 0, 0, 0]]), np.array([[0.0, 0, 0, 0, 0, 1]])
    >>> coordinates(explosion)[1].round(3).tolist(), [angle.round(6).item() + 0.0 for angle in coordinates(couple)]
    ([90.0], [0.0, 0.0])
    """
    low, middle, high = np.linalg.eigvalsh(matrices(tensors)).T
    gamma = np.arctan2(-high + 2 * middle - low, np.sqrt(3) * (high - low))
    norm = np.sqrt(low**2 + middle**2 + high**2)
    delta = 90 - np.degrees(np.arccos(np.clip((low + middle + high) / (np.sqrt(3) * norm), -1, 1)))
    return np.degrees(gamma), delta


def _mapped(longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    """Sinusoidal map, which keeps areas."""
    return longitude * np.cos(np.radians(latitude)), latitude * 0.75


def _pushes(tensors: Floats) -> tuple[Floats, Floats]:
    """Amplitudes (n, FINE, FINE) of P over an equal-area lower hemisphere, and the distance of each point from the middle."""
    across = np.linspace(-1, 1, FINE)
    east, north = np.meshgrid(across, across)
    distance = np.hypot(east, north)
    inside = np.minimum(distance, 1.0)
    factor = np.sqrt(2 - inside**2)
    x, y, z = east * factor, north * factor, 1 - inside**2
    patterns = np.stack([x * x, y * y, z * z, 2 * y * z, 2 * x * z, 2 * x * y])
    amplitudes = (tensors @ patterns.reshape(6, -1)).reshape(-1, FINE, FINE)
    return amplitudes / np.abs(amplitudes).max(axis=(1, 2), keepdims=True), distance


def _draw(ax: Any, tensors: Floats) -> None:
    size, distance = _pushes(tensors)
    share = np.where(distance <= 1, (size > 0).mean(axis=0), np.nan)
    ax.imshow(share, origin="lower", extent=(-1, 1, -1, 1), cmap="Blues", vmin=0, vmax=1.25, interpolation="bilinear")
    angle = np.linspace(0, 2 * np.pi, 361)
    ax.plot(np.cos(angle), np.sin(angle), color=BLACK, lw=0.9)
    if len(tensors) == 1:
        _nodal(ax, tensors[0], BLACK)
    ax.set(aspect="equal", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))
    ax.set_axis_off()


def _nodal(ax: Any, tensor: Floats, color: str) -> None:
    size, distance = _pushes(tensor[None])
    across = np.linspace(-1, 1, FINE)
    inside = np.where(distance <= 1, size[0], np.nan)
    if np.nanmin(inside) < 0 < np.nanmax(inside):
        ax.contour(across, across, inside, levels=[0], colors=color, linewidths=0.8 if color == BLACK else 1.6)
