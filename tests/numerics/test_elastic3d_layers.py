"""The elastic kernel in layers against an integral over horizontal wavenumbers, which knows nothing of grids.

"Measured" in a comment is the largest value seen.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from scipy.special import j0, j1

from vip.kernels_c.elastic3d import Absorber, MomentSource, Solver, largest_time_step

SPACING = 10.0  # m


class Layer(NamedTuple):
    top: float
    bottom: float
    vp: float
    vs: float
    density: float


def basis(layer, z, k, omega):
    """Vertical displacement W, stresses S = zz and T = rz, and radial displacement U, of each wave of a layer at a depth.

    u_z = k W J0, u_r = -k^2 U J1, and so on, from potentials with u = grad phi + curl curl (0, 0, psi): waves down and up of
    phi, then of psi, which are 1 where they begin, (4, waves, k). Water has no psi.
    """
    waves = []
    mu, kb2 = layer.density * layer.vs**2, (omega / layer.vs) ** 2 if layer.vs else 0
    for speed in (layer.vp, layer.vs) if layer.vs else (layer.vp,):
        nu = np.sqrt(k**2 - (omega / speed) ** 2 + 0j)
        nu = np.where(nu.real < 0, -nu, nu)
        for sign, begin in ((-1, layer.top), (1, layer.bottom)):
            if not np.isfinite(begin):
                continue
            f = np.exp(-nu * abs(z - begin))
            waves.append(of_phi(layer, f, sign * nu * f, k, omega) if speed == layer.vp else
                         (k**2 * f, 2 * mu * k**2 * sign * nu * f, mu * (2 * k**2 - kb2) * f, sign * nu * f))  # fmt: skip
    return np.array(waves).transpose(1, 0, 2)


def of_phi(layer, phi, slope, k, omega):
    mu = layer.density * layer.vs**2
    return slope, (2 * mu * k**2 - layer.density * omega**2) * phi, 2 * mu * slope, phi


def direct(layer, z, source, k, omega):
    """The same of a unit explosion without its surroundings: Sommerfeld's integral."""
    nu = np.sqrt(k**2 - (omega / layer.vp) ** 2 + 0j)
    nu = np.where(nu.real < 0, -nu, nu)
    phi = -np.exp(-nu * abs(z - source)) / (nu * 4 * np.pi * layer.density * layer.vp**2)
    return np.array(of_phi(layer, phi, -np.sign(z - source) * nu * phi, k, omega))


def amplitudes(layers, source, k, omega):
    """Amplitudes of all waves of all layers, from continuity at interfaces and a free surface on top: (waves, k) a layer."""
    counts = [(4 if layer.vs else 2) // (1 if np.isfinite(layer.bottom) else 2) for layer in layers]
    begin = np.concatenate([[0], np.cumsum(counts)])
    equations, right = [], []

    def demand(component, z, sides):
        """That a component vanishes at a depth: sides are layers and signs."""
        row, known = np.zeros((begin[-1], len(k)), complex), np.zeros(len(k), complex)
        for number, sign in sides:
            layer = layers[number]
            row[begin[number] : begin[number + 1]] += sign * basis(layer, z, k, omega)[component]
            if layer.top <= source < layer.bottom:
                known -= sign * direct(layer, z, source, k, omega)[component]
        equations.append(row)
        right.append(known)

    for component in (1, 2) if layers[0].vs else (1,):
        demand(component, layers[0].top, [(0, 1)])
    for n, (above, below) in enumerate(pairwise(layers)):
        both = [(n, 1), (n + 1, -1)]
        for component in (0, 1):
            demand(component, above.bottom, both)
        if above.vs and below.vs:
            demand(2, above.bottom, both)
            demand(3, above.bottom, both)
        elif above.vs or below.vs:
            demand(2, above.bottom, [both[0] if above.vs else both[1]])
    matrix, known = np.array(equations).transpose(2, 0, 1), np.array(right).T[..., None]
    scale = np.abs(matrix).max(axis=2, keepdims=True)
    found = np.linalg.solve(matrix / scale, known / scale)[..., 0].T
    return [found[a:b] for a, b in pairwise(begin)]


def wavenumber_integral(layers, source, receivers, rate, dt, n):
    """Pressure (of water), radial and vertical velocity (receivers, 3, n) of an explosion; receivers are (r, z).

    Frequencies have an imaginary part, against waves that come late, and from other sources of the sum over wavenumbers
    (Bouchon & Aki 1977).
    """
    period = n * dt
    late = 6 / period
    times = dt * np.arange(n)
    spectrum = np.fft.rfft(rate(times) * np.exp(-late * times))
    k = 2 * np.pi / 4000 * (np.arange(700) + 0.5)
    result = np.zeros((len(receivers), 3, len(spectrum)), complex)
    strongest = np.abs(spectrum).max()
    for f, omega in enumerate(2 * np.pi * np.arange(len(spectrum)) / period - 1j * late):
        if abs(spectrum[f]) < 1e-5 * strongest:
            continue
        waves = amplitudes(layers, source, k, omega)
        for r, (distance, z) in enumerate(receivers):
            number = next(i for i, layer in enumerate(layers) if layer.top <= z < layer.bottom)
            layer = layers[number]
            motion = (basis(layer, z, k, omega) * waves[number]).sum(axis=1)
            if layer.top <= source < layer.bottom:
                motion = motion + direct(layer, z, source, k, omega)
            w, s, _, u = motion
            bessel0, bessel1 = j0(k * distance), j1(k * distance)
            # Of the moment, the spectrum of its rate over i omega; velocity is i omega displacement.
            result[r, 0, f] = -(k * s * bessel0).sum() / (1j * omega)
            result[r, 1, f] = -(k**2 * u * bessel1).sum()
            result[r, 2, f] = (k * w * bessel0).sum()
    return np.fft.irfft(result * spectrum * (k[1] - k[0]), n) * np.exp(late * times)


def ricker(frequency, delay=1.4):
    def wavelet(t):
        x = (np.pi * (frequency * t - delay)) ** 2
        return (1 - 2 * x) * np.exp(-x)

    return wavelet


def relative_l2(values, truth):
    return np.linalg.norm(values - truth) / np.linalg.norm(truth)


def compared(layers, frequency, source_depth, places, order):
    """Traces (places, 3, n) of kernel and integral; places are distance along x and depth, m. Interfaces lie between nodes."""
    n_x, n_z = int(max(x for x, _ in places) / SPACING) + 12, int(max(layers[-1].top, source_depth, 200.0) / SPACING) + 8
    shape, depth = (n_x, 13, n_z), SPACING * np.arange(n_z)
    number = np.searchsorted([layer.bottom for layer in layers], depth)
    earth = [np.array([layer[p] for layer in layers])[number] + np.zeros(shape) for p in (2, 3, 4)]
    dt = 0.6 * largest_time_step((SPACING,) * 3, earth[0].max(), order)
    slowest = min(layer.vs or layer.vp for layer in layers)
    n = int((2.5 / frequency + 1.6 * max(np.hypot(x, abs(z - source_depth)) for x, z in places) / slowest) / dt)
    solver = Solver(*earth, SPACING, dt, order, Absorber(10, free_surface=True))
    source, rate = np.array([5 * SPACING, 6 * SPACING, source_depth]), ricker(frequency)
    receivers = np.array([[source[0] + x, source[1], z] for x, z in places])
    traces = solver.run([MomentSource(source, np.eye(3), rate)], receivers, n, ("pressure", "vx", "vz"))
    # On a time axis four times as fine: velocities are half a step later than pressure, and moment rate alike.
    fine = wavenumber_integral(layers, source_depth, places, rate, dt / 2, 4 * n)
    return traces, np.stack([fine[:, 0, : 2 * n : 2], fine[:, 1, 1 : 2 * n : 2], fine[:, 2, 1 : 2 * n : 2]], axis=1)


@pytest.mark.parametrize("order", [4, 8])
def test_buried_explosion_in_a_half_space(order):
    """Surface of a half space, P, S and Rayleigh waves together; 16 nodes to the peak's wavelength of S."""
    layers = [Layer(0.0, np.inf, 3000.0, 1700.0, 2200.0)]
    found, truth = compared(layers, 1700 / 160, 60.0, [(100.0, 0.0), (200.0, 0.0), (150.0, 70.0)], order)
    for f, t in zip(found, truth, strict=True):
        assert relative_l2(f[1:], t[1:]) < 0.02  # measured 1.3 %


@pytest.mark.parametrize("order", [4, 8])
def test_layers_under_water(order):
    """Water, a soft layer and a harder half space; pressure in the water, velocities below it."""
    layers = [
        Layer(0.0, 95.0, 1500.0, 0.0, 1000.0),
        Layer(95.0, 185.0, 2300.0, 1100.0, 1900.0),
        Layer(185.0, np.inf, 3000.0, 1700.0, 2200.0),
    ]
    found, truth = compared(layers, 1100 / 230, 220.0, [(100.0, 50.0), (180.0, 40.0), (150.0, 140.0)], order)
    for f, t in zip(found[:2], truth[:2], strict=True):
        assert relative_l2(f[0], t[0]) < 0.02  # measured 1.1 %
    assert relative_l2(found[2, 1:], truth[2, 1:]) < 0.02  # measured 1.9 %
