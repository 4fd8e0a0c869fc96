"""What elastic3d says when it is given something wrong: one line with the argument, the value, and what would be right."""

import pickle

import numpy as np
import pytest

from vip.kernels_c.elastic3d import Absorber, ForceSource, MomentSource, Solver, largest_time_step, points_per_wavelength

SHAPE, SPACING, DT = (6, 7, 8), 10.0, 1e-3


def earth(**changed):
    """vp, vs, density, with some nodes changed: {"vs": {(1, 2, 3): 5000}}."""
    found = {"vp": np.full(SHAPE, 3000.0), "vs": np.full(SHAPE, 1700.0), "density": np.full(SHAPE, 2200.0)}
    for name, nodes in changed.items():
        for node, value in nodes.items():
            found[name][node] = value
    return found


def solver(**settings):
    return Solver(**(earth() | {"spacing": SPACING, "dt": DT, "absorber": 4} | settings))


WRONG_EARTHS = {
    "nan": ({"vp": {(1, 2, 3): np.nan}}, "vp: x 1, y 2, z 3: nan m/s: must be positive"),
    "negative": ({"density": {(0, 0, 7): -1.0}}, "density: x 0, y 0, z 7: -1.0 kg/m^3: must be positive"),
    "no bulk modulus": (
        {"vs": {(5, 0, 1): 2700.0}},
        "vs: x 5, y 0, z 1: 2700 m/s where vp is 3000 m/s: must be less than vp / 1.155",
    ),
    "negative rigidity": ({"vs": {(5, 0, 1): -1.0}}, "vs: x 5, y 0, z 1: -1.0 m/s: must be at least 0"),
}


@pytest.mark.parametrize("case", WRONG_EARTHS)
def test_an_earth_that_is_none(case):
    changed, message = WRONG_EARTHS[case]
    with pytest.raises(ValueError) as error:
        solver(**earth(**changed))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


WRONG_SETTINGS = {
    "unstable": ({"dt": 0.01}, "dt: 0.01 s: unstable where vp is 3000 m/s: needs dt <= 0.00165"),
    "order": ({"order": 6}, "order: 6: expected 4 or 8"),
    "shapes": ({"vs": np.ones((7, 6, 8))}, "vs: shape (7, 6, 8): expected (6, 7, 8)"),
    "spacing": ({"spacing": (10.0, -1.0, 10.0)}, "spacing: entry 1: -1.0: must be positive"),
    "two spacings": ({"spacing": (10.0, 10.0)}, "spacing: shape (2,): expected (3,)"),
    "threads": ({"threads": 0}, "threads: 0: must be at least 1"),
    "precision": ({"precision": "float16"}, "precision: 'float16': expected 'float32' or 'float64'"),
}


@pytest.mark.parametrize("case", WRONG_SETTINGS)
def test_settings_that_do_not_work(case):
    settings, message = WRONG_SETTINGS[case]
    with pytest.raises(ValueError) as error:
        solver(**settings)
    assert str(error.value).startswith(message)


def test_widths_of_layers():
    with pytest.raises(ValueError, match=r"absorber\.width: entry \(2, 1\): -3: must be from 0"):
        Absorber([(1, 2), (3, 4), (5, -3)])
    with pytest.raises(ValueError, match=r"absorber\.width: shape \(2,\): expected \(3, 2\)"):
        Absorber((10, 10))
    with pytest.raises(ValueError, match=r"absorber\.frequency"):
        Absorber(frequency=0.0)


def wave(t):
    return 0 * t


EXPLOSION = MomentSource((20, 20, 20), np.eye(3), wave)
WRONG_RUNS = {
    "source outside": (([MomentSource((20, 20, 71), np.eye(3), wave)], []), {}, "sources[0].position: row 0"),
    "receiver outside": (([EXPLOSION], [(0, 0, 0), (-1, 0, 0)]), {}, "receivers: row 1: [-1.0, 0.0, 0.0] m lies outside"),
    "asymmetric": (([EXPLOSION, MomentSource((20, 20, 20), np.triu(np.ones((3, 3))), wave)], []), {},
                   "sources[1].moment: xy 1, yx 0: must be symmetric"),
    "short wavelet": (([MomentSource((20, 20, 20), np.eye(3), np.zeros(9))], []), {}, "rate: shape (9,): expected (10,)"),
    "nan in wavelet": (([ForceSource((20, 20, 20), (1, 0, 0), np.full(10, np.nan))], []), {}, "history: entry 0: nan"),
    "force": (([ForceSource((20, 20, 20), (1, 0), wave)], []), {}, "sources[0].force: shape (2,): expected (3,)"),
    "channel": (([EXPLOSION], [(0, 0, 0)]), {"channels": ["p"]}, "channels: 'p': expected 'pressure' or"),
    "nobody takes strains": (([EXPLOSION], []), {"strains": True}, "consume: strains need a function"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_RUNS)
def test_runs_that_cannot_be(case):
    given, settings, message = WRONG_RUNS[case]
    ours = solver()
    if settings.get("strains"):
        settings = {"strains": ours.strain_at([(0, 50), (0, 60), (0, 70)])}
    with pytest.raises(ValueError) as error:
        ours.run(*given, 10, **settings)
    assert str(error.value).startswith(message)


def test_a_source_that_is_none():
    with pytest.raises(TypeError, match="sources: expected MomentSource and ForceSource"):
        solver().run([(20, 20, 20)], [], 10)


def test_boxes():
    ours = solver()
    with pytest.raises(ValueError, match=r"box: row 1: .* lies outside the grid"):
        ours.strain_at([(0, 50), (0, 60), (0, 71)])
    with pytest.raises(ValueError, match="box: y from 11 to 19 m: holds no node of the grid"):
        ours.strain_at([(0, 50), (11, 19), (0, 70)])
    box = ours.strain_at([(5, 50), (0, 60), (10, 70)], every=2)
    assert box.shape == (3, 4, 4)
    np.testing.assert_array_equal(box.x, [10, 30, 50])


def test_a_run_can_be_ended_and_done_again():
    ours, rate = solver(), np.random.default_rng(1).normal(size=100)
    source = MomentSource((20, 20, 20), np.eye(3), rate)
    told = []
    whole = ours.run([source], [(30, 30, 30)], 100, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 100
    assert len(told) > 2

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ours.run([source], [(30, 30, 30)], 100, progress=stop)
    np.testing.assert_array_equal(ours.run([source], [(30, 30, 30)], 100), whole)


@pytest.mark.parametrize(
    "change", [np.asfortranarray, lambda a: a[::-1][::-1], lambda a: a.astype(np.float32), lambda a: a.tolist()]
)
def test_any_real_dtype_and_order(change):
    rng = np.random.default_rng(2)
    given = {name: np.rint(values * rng.uniform(0.9, 1, SHAPE)) for name, values in earth().items()}
    source = MomentSource((20, 20, 20), np.eye(3), rng.normal(size=20))
    plain = solver(**given).run([source], [(30, 30, 30)], 20)
    np.testing.assert_array_equal(solver(**{n: change(v) for n, v in given.items()}).run([source], [(30, 30, 30)], 20), plain)


def test_rules_of_thumb():
    assert largest_time_step((10.0, 10.0, 10.0), 3000.0, 8) < largest_time_step((10.0, 10.0, 10.0), 3000.0, 4)
    assert points_per_wavelength((5.0, 10.0, 5.0), 1500.0, 15.0) == 10
    ours = solver()
    assert ours.memory > 17 * 4 * np.prod(ours.grid.nodes)
    assert ours.seconds_per_step() > 0
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(ours.waves)
