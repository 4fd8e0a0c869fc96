"""Shifts by parts of a sample and durations against closed forms, and their transposes."""

import numpy as np
import pytest

from vip.forward.waveform.alignment import Alignment

DT, SAMPLES = 0.01, 160


def bell(times, centre, width):
    return np.exp(-0.5 * ((times - centre) / width) ** 2) / width


def alignment(**changed):
    values = {"data_start": 0.4, "data_samples": 120, "earliest": 0.2, "latest": 0.9, "longest": 0.05} | changed
    return Alignment(DT, -0.1, SAMPLES, **values)


@pytest.mark.parametrize("shift", [0.2, 0.4037, 0.8999])
@pytest.mark.parametrize("duration", [0.0, 0.04])
def test_shift_and_duration_are_exact(shift, duration):
    """A Gaussian pulse stays one: late by the shift, its variance larger by that of the source."""
    times = -0.1 + DT * np.arange(SAMPLES)
    pulse = bell(times, 0.3, 0.03)[None, None, None]
    found = alignment()(pulse, np.full((1, 1), shift), np.full(1, duration)).traces[0, 0, 0]
    data = 0.4 + DT * np.arange(120)
    np.testing.assert_allclose(found, bell(data, 0.3 + shift, np.hypot(0.03, duration)), atol=3e-6 * found.max())


def test_before_and_after_a_trace_are_its_ends():
    """Pressure may end at another level than it began: it stays there, and nothing rings where the data are."""
    times = -0.1 + DT * np.arange(SAMPLES)
    step = (1 / (1 + np.exp(-(times - 0.3) / 0.02)))[None, None, None]
    longer = alignment(data_start=0.0, data_samples=260)
    found = longer(step, np.full((1, 1), 0.5), np.zeros(1)).traces[0, 0, 0]
    wanted = 1 / (1 + np.exp(-(DT * np.arange(260) - 0.8) / 0.02))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_transpose_and_derivatives():
    """A dot product holds for the traces, and differences for shifts and durations."""
    rng = np.random.default_rng(2)
    traces, shift, duration = rng.standard_normal((3, 2, 2, SAMPLES)), rng.uniform(0.3, 0.8, (3, 2)), rng.uniform(0.01, 0.04, 3)
    made = alignment()
    aligned = made(traces, shift, duration)
    cotangent = rng.standard_normal(aligned.traces.shape)
    slopes = made.pull_back(cotangent, aligned, duration)
    other = rng.standard_normal(traces.shape)
    left = (cotangent * made(other, shift, duration).traces).sum()
    assert left == pytest.approx((slopes.by_traces * other).sum(), rel=1e-10)

    def total(moved, longer):
        return (cotangent * made(traces, moved, longer).traces).sum()

    step = 1e-6
    for i in np.ndindex(3, 2):
        move = np.zeros((3, 2))
        move[i] = step
        difference = (total(shift + move, duration) - total(shift - move, duration)) / (2 * step)
        assert slopes.by_shift[i] == pytest.approx(difference, rel=1e-5, abs=1e-5)
    for i in range(3):
        move = step * np.eye(3)[i]
        difference = (total(shift, duration + move) - total(shift, duration - move)) / (2 * step)
        assert slopes.by_duration[i] == pytest.approx(difference, rel=1e-5)


def test_band():
    """A wave inside the band passes, one far outside does not."""
    times = -0.1 + DT * np.arange(400)
    window = np.exp(-0.5 * ((times - 1.9) / 0.35) ** 2)
    waves = np.stack([window * np.sin(2 * np.pi * f * times) for f in (8.0, 30.0)])[None, :, None]
    made = Alignment(DT, -0.1, 400, -0.1, 400, 0.0, 0.0, band=(4.0, 15.0))
    found = made(waves, np.zeros((1, 2)), np.zeros(1)).traces
    assert np.abs(found[0, 0] - waves[0, 0]).max() < 1e-3
    assert np.abs(found[0, 1]).max() < 1e-3
