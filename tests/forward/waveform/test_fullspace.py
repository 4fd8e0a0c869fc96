"""The closed form of a full space against another way to the same formula, against differences, and against its symmetries."""

import numpy as np
import pytest

from vip.errors import ConfigError
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.fullspace import PAIRS, FullSpace

VP, VS, DENSITY, WIDTH, DT = 3000.0, 1700.0, 2200.0, 0.02, 0.004
BOX = np.array([[-100.0, 700.0], [-100.0, 700.0], [100.0, 900.0]])
PLACES = np.array([[130.0, 210.0, 480.0], [12.3, 600.0, 700.0]])
DIRECTIONS = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.6, 0.8), (0.0, 0.0, -1.0))


def earth(place=(900.0, 300.0, 20.0), **changed):
    channels = [Channel("A", str(i), "velocity" if any(d) else "pressure", place, d) for i, d in enumerate(DIRECTIONS)]
    values = {"vp": VP, "vs": VS, "density": DENSITY, "channels": channels, "box": BOX, "width": WIDTH, "dt": DT}
    return FullSpace(**(values | {"samples": 180, "precision": "float64"} | changed))


def textbook(offset, moment, times, width=WIDTH):
    """Velocity (3, n): eq. 4.29 of Aki & Richards (2002) differentiated in time, its near term by quadrature."""
    r = np.linalg.norm(offset)
    g, one = offset / r, np.eye(3)
    ggg = np.einsum("i,j,k->ijk", g, g, g)
    g_pq, g_np, g_nq = np.einsum("n,pq->npq", g, one), np.einsum("p,nq->npq", g, one), np.einsum("q,np->npq", g, one)
    every = g_pq + g_np + g_nq

    def rate(t):
        return np.exp(-0.5 * (t / width) ** 2) / (width * np.sqrt(2 * np.pi))

    def slope(t):
        return -t / width**2 * rate(t)

    tau, weights = np.polynomial.legendre.leggauss(200)
    late = r / 2 * ((1 / VS - 1 / VP) * tau + 1 / VS + 1 / VP)
    near = (rate(times[:, None] - late) * late) @ weights * r / 2 * (1 / VS - 1 / VP)
    terms = (
        ((15 * ggg - 3 * every) / r**4, near),
        ((6 * ggg - every) / (VP**2 * r**2), rate(times - r / VP)),
        (-(6 * ggg - every - g_nq) / (VS**2 * r**2), rate(times - r / VS)),
        (ggg / (VP**3 * r), slope(times - r / VP)),
        (-(ggg - g_nq) / (VS**3 * r), slope(times - r / VS)),
    )
    return sum(np.einsum("npq,pq->n", pattern, moment)[:, None] * shape for pattern, shape in terms) / (4 * np.pi * DENSITY)


@pytest.mark.parametrize("component", range(6))
def test_velocity_is_that_of_the_textbook(component):
    """All terms, each of six components, near (one wavelength of S) and far: a wrong factor or sign of any of them shows."""
    p, q = PAIRS[component]
    moment = np.zeros((3, 3))
    moment[[p, q], [q, p]] = 1.0
    for receiver in ((900.0, 300.0, 20.0), (160.0, 230.0, 420.0)):
        place = PLACES[0]
        greens = earth(place=receiver, box=np.stack([place - 1, place + 1], axis=1))
        found = greens.elementary(place[None])[0][0, 1:, component]
        times = DT * np.arange(greens.samples)
        truth = np.array(DIRECTIONS[1:]) @ textbook(np.array(receiver) - place, moment, times)
        assert np.abs(found - truth).max() < 1e-9 * np.abs(truth).max()


def test_pressure_is_the_divergence_of_the_motion():
    """Pressure is minus the bulk modulus times the divergence of displacement, here by differences of eight receivers."""
    centre, step = np.array([900.0, 300.0, 20.0]), 0.1
    bulk = DENSITY * (VP**2 - 4 / 3 * VS**2)
    divergence = 0
    for axis in range(3):
        for sign in (1, -1):
            direction, place = np.zeros(3), centre.copy()
            direction[axis], place[axis] = 1.0, place[axis] + sign * step
            greens = earth(channels=[Channel("A", "v", "velocity", tuple(place), tuple(direction))])
            divergence = divergence + sign * greens.elementary(PLACES)[0][:, 0] / (2 * step)
    late, early = (earth(start=moment).elementary(PLACES)[0][:, 0] for moment in (1e-5, -1e-5))
    wanted = -bulk * divergence
    assert np.abs((late - early) / 2e-5 - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_slopes_are_derivatives():
    greens, step = earth(), 1e-3
    slopes = greens.elementary(PLACES, slopes=True).slopes
    for axis in range(3):
        move = step * np.eye(3)[axis]
        difference = (greens.elementary(PLACES + move)[0] - greens.elementary(PLACES - move)[0]) / (2 * step)
        assert np.abs(slopes[..., axis] - difference).max() < 1e-6 * np.abs(difference).max()


def test_explosion_has_no_shear_wave():
    """The three diagonal components together send no S wave, and the same at receivers all around at one distance."""
    place = np.array([[130.0, 210.0, 480.0]])
    far = place[0] + 1500 * np.array([[0.6, 0.8, 0.0], [0.0, -0.6, 0.8]])
    channels = [Channel("A", str(i), "velocity", tuple(p), tuple((p - place[0]) / 1500)) for i, p in enumerate(far)]
    across = Channel("A", "across", "velocity", tuple(far[0]), (0.8, -0.6, 0.0))
    greens = earth(channels=[*channels, across], samples=300)
    one, other, sideways = greens.elementary(place)[0][0, :, :3].sum(axis=1)
    np.testing.assert_allclose(one, other, atol=1e-9 * np.abs(one).max())
    assert np.abs(sideways).max() < 1e-9 * np.abs(one).max()
    late = np.arange(300) * DT > 1500 / VS - 4 * WIDTH
    assert np.abs(one[late]).max() < 1e-6 * np.abs(one).max()


def test_single_precision_is_close():
    exact, single = earth().elementary(PLACES, True), earth(precision="float32").elementary(PLACES, True)
    for a, b in zip(exact, single, strict=True):
        assert b.dtype == np.float32
        assert np.abs(a - b).max() < 3e-5 * np.abs(a).max()


def test_pulse_keeps_the_moment():
    greens = earth()
    assert greens.pulse.sum() * DT == pytest.approx(1.0, abs=1e-12)
    assert len(greens.pulse) % 2 == 1
    assert greens.pulse.argmax() == len(greens.pulse) // 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"vs": 2700.0}, ("greens.vs", "2700.0", "vp/1.155")),
        ({"width": 0.005}, ("greens.width", "0.005", "at least 0.006 s")),
        ({"place": (0.0, 0.0, 500.0)}, ("station A", "inside the box")),
    ],
)
def test_faults(changed, words):
    with pytest.raises(ConfigError) as fault:
        earth(**changed)
    assert all(word in str(fault.value) for word in words), fault.value


def test_place_outside_the_box():
    with pytest.raises(ValueError, match="outside the box"):
        earth().elementary(np.array([[0.0, 0.0, 50.0]]))
