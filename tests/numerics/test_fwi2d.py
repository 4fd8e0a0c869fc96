"""Full-waveform inversion: the likelihood of its data, its gradient, and what it makes of settings and files."""

import itertools

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from vip.errors import ConfigError, ForwardError
from vip.forward.fwi2d import FWI2D
from vip.forward.fwi2d.likelihood import Gaussian, StudentT, observe
from vip.forward.fwi2d.wavelet import highest_frequency, refined, ricker

SHAPE = (14, 18)
N_SAMPLES, N_SHOTS, N_RECEIVERS = 90, 3, 5


@pytest.fixture
def folder(tmp_path):
    """Files of a small problem: a true model, and a mask that is not a whole number of rows."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "true.npy", 2000 + 200 * rng.random(SHAPE))
    mask = np.zeros(SHAPE, dtype=int)
    mask[:3], mask[3, :7] = 1, 1
    np.savetxt(tmp_path / "mask.txt", mask, fmt="%d")
    return tmp_path


def table(**changes):
    """Settings of the small problem; a dotted key as a__b, None to leave one out."""
    settings = {
        "grid": {"shape": SHAPE, "spacing": 10.0, "layer": 6},
        "time": {"dt": 0.002, "samples": N_SAMPLES},
        "wavelet": {"frequency": 18.0},
        "velocity_range": (1500.0, 2600.0),
        "shots": {"depth": 10.0, "first": 20.0, "step": 60.0, "number": N_SHOTS},
        "receivers": {"depth": 25.0, "first": 5.0, "step": 40.0, "number": N_RECEIVERS},
        "synthetic": {"model": "true.npy"},
        "relative_sigma": 0.05,
        "precision": "float64",
    }
    for key, value in changes.items():
        *outer, inner = key.split("__")
        place = settings
        for name in outer:
            place = place.setdefault(name, {})
        if value is None:
            del place[inner]
        else:
            place[inner] = value
    return settings


def build(folder, **changes):
    return FWI2D.from_settings(table(**changes), folder)


def models(forward, n, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.uniform(1900, 2300, (n, forward.ndim))
    if forward.unknown_noise:
        x[:, -1] = rng.normal(0, 0.3, n)
    return x


CASES = {
    "plain": {},
    "unknown noise": {"unknown_noise": True},
    "student": {"likelihood": "student-t", "unknown_noise": True},
    "free surface": {"grid__free_surface": True},
    "water": {"known__depth": 30.0, "known__velocity": 1500.0},
    "mask": {"known__mask": "mask.txt", "known__model": "true.npy"},
    "substeps": {"time__substeps": 2},
}


@pytest.mark.parametrize("changes", CASES.values(), ids=CASES)
def test_gradient_is_that_of_the_log_likelihood(folder, changes):
    """Central differences, whose error is of the order of step^2 and of the sum's rounding over the step."""
    forward = build(folder, **changes)
    x = models(forward, 1)
    direction = np.random.default_rng(2).standard_normal(forward.ndim)
    expected = forward(x)[1][0] @ direction
    errors = []
    for step in (1e-1, 1e-2, 1e-3):
        scaled = step * direction * np.where(np.arange(forward.ndim) < forward.known.size, 1, 1e-3)
        ahead, behind = (forward(x + sign * scaled)[0][0] for sign in (1, -1))
        shrunk = forward(x)[1][0] @ scaled / step
        errors.append(abs((ahead - behind) / (2 * step) / shrunk - 1))
    assert np.isfinite(expected)
    assert min(errors) < 1e-6


def test_log_likelihood_is_that_of_gaussian_errors(folder):
    """Normalised, with what `simulate` predicts and the noise scale."""
    forward = build(folder, unknown_noise=True)
    x = models(forward, 2)
    predicted = forward.simulate(x)
    expected = [
        stats.norm.logpdf(forward.observed, p, forward.sigma * np.exp(m[-1])).sum() for p, m in zip(predicted, x, strict=True)
    ]
    assert_allclose(forward(x)[0], expected, rtol=1e-12)


def test_log_likelihood_is_that_of_student_errors(folder):
    forward = build(folder, likelihood="student-t", degrees_of_freedom=3.0)
    x = models(forward, 1)
    expected = stats.t.logpdf((forward.observed - forward.simulate(x)[0]) / forward.sigma, 3.0) - np.log(forward.sigma)
    assert_allclose(forward(x)[0][0], expected.sum(), rtol=1e-12)


@pytest.mark.parametrize("likelihood", [Gaussian(), StudentT(2.5)])
def test_likelihood_leaves_out_what_has_no_weight(likelihood):
    """A masked sample changes neither the value nor the normalisation, whatever it is."""
    rng = np.random.default_rng(0)
    predicted, traces, weight = rng.standard_normal((3, 7, 4))
    weight = np.abs(weight)
    weight[:, 2] = 0
    kept = [0, 1, 3]
    whole, part = observe(traces, weight), observe(traces[:, kept], weight[:, kept])
    a, b = likelihood(predicted, whole, 0.3), likelihood(predicted[:, kept], part, 0.3)
    assert_allclose(a.value + likelihood.constant(whole), b.value + likelihood.constant(part), rtol=1e-12)
    assert_allclose(a.by_log_scale, b.by_log_scale, rtol=1e-12)
    assert_array_equal(a.by_trace[:, 2], 0)


def test_result_does_not_depend_on_threads_or_on_the_batch(folder):
    forward = build(folder, precision="float32")
    x = models(forward, 3)
    value, gradient = forward(x)
    for threads in (2, 3):
        forward.threads = threads
        for got, expected in zip(forward(x), (value, gradient), strict=True):
            assert_array_equal(got, expected)
    assert_array_equal(forward(x[1:2])[1][0], gradient[1])


def test_single_precision_is_near_double(folder):
    """Float32 waves are right to 1e-6 a step, and errors add up like a random walk."""
    single, double = build(folder, precision="float32"), build(folder)
    x = models(double, 1)
    assert_allclose(single.simulate(x), double.simulate(x), atol=1e-4 * np.abs(double.simulate(x)).max())


def test_blocks_are_shots_and_their_mean_is_the_whole(folder):
    """Over all pairs of three shots, the mean of estimates is the log-likelihood: the scaling is right."""
    forward = build(folder)
    x = models(forward, 2)
    pairs = [forward(x, pair) for pair in itertools.combinations(range(N_SHOTS), 2)]
    for part, whole in zip(map(np.array, zip(*pairs, strict=True)), forward(x), strict=True):
        assert_allclose(part.mean(axis=0), whole, rtol=1e-10)
    assert abs(pairs[0][0][0] - pairs[1][0][0]) > 1e-6 * abs(pairs[0][0][0])


def test_known_velocities_are_kept(folder):
    """Values of a model at known nodes change nothing, and their gradient is zero."""
    forward = build(folder, known__mask="mask.txt", known__model="true.npy")
    assert forward.space.variables[0].shape == (SHAPE[0] - 3, SHAPE[1])
    assert forward.fixed_nodes.sum() == 7
    x = models(forward, 1)
    changed = x.copy()
    changed[:, forward.fixed_nodes] = 1777.0
    assert_array_equal(forward(x)[0], forward(changed)[0])
    assert_array_equal(forward(x)[1][:, forward.fixed_nodes], 0)


def test_synthetic_data_have_the_noise_they_were_given(folder):
    """At the truth, chi^2 of n data has mean n and variance 2 n."""
    forward = build(folder)
    residual = (forward.observed - forward.simulate(forward.true_model[None])[0]) / forward.sigma
    n = residual.size
    assert abs((residual**2).sum() - n) < 4 * np.sqrt(2 * n)
    clean = forward.simulate(forward.true_model[None]).reshape(-1, N_SAMPLES)
    assert_allclose(forward.sigma[0], 0.05 * np.median(np.abs(clean).max(axis=1)))


def test_substeps_give_nearly_the_same_traces(folder):
    """Half the time step changes what is of second order in it, and nothing about the samples' times."""
    one, two = build(folder), build(folder, time__substeps=2)
    a, b = one.simulate(one.true_model[None]), two.simulate(two.true_model[None])
    difference = np.linalg.norm(a - b) / np.linalg.norm(a)
    four = build(folder, time__substeps=4)
    half = np.linalg.norm(b - four.simulate(four.true_model[None])) / np.linalg.norm(a)
    assert difference < 0.05
    assert half == pytest.approx(difference / 4, rel=0.05)  # dt^2: (1/4 - 1/16) / (1 - 1/4)


def test_substeps_by_need(folder):
    forward = build(folder, time__dt=0.008, time__samples=40, time__substeps="auto", wavelet__frequency=15.0)
    assert forward.substeps == 4
    assert forward.grid.dt <= forward.grid.largest_time_step(2600.0)


def test_refined_wavelet_is_the_wavelet_in_between():
    assert_allclose(refined(ricker(10.0, 0.2, 0.004, 200), 3), ricker(10.0, 0.2, 0.004 / 3, 598), atol=1e-6)
    assert highest_frequency(ricker(10.0, 0.2, 0.004, 200), 0.004) == pytest.approx(22.2, abs=0.5)


# Files ------------------------------------------------------------------------------------------------------------------


def write_waveforms(folder):
    """The small problem's data as .npy, with their geometry as CSV; returns changes to settings."""
    forward = build(folder)
    data = forward.observed.reshape(N_SHOTS, N_RECEIVERS, N_SAMPLES)
    np.save(folder / "data.npy", data)
    for name, points in (("shots.csv", forward.survey.sources), ("receivers.csv", forward.survey.receivers[0])):
        pd.DataFrame(points, columns=["depth", "x"]).to_csv(folder / name, index=False)
    return {"synthetic": None, "data": "data.npy", "shots": "shots.csv", "receivers": "receivers.csv"}, data


def write_segy(file, data, sources, receivers, dt_us=2000):
    segyio = pytest.importorskip("segyio", reason="segyio is not installed")
    spec = segyio.spec()
    spec.format, spec.samples, spec.tracecount = 5, 1000 * np.arange(N_SAMPLES) * dt_us / 1e6, len(sources) * len(receivers)
    with segyio.create(str(file), spec) as segy:
        segy.bin.update(hdt=dt_us)
        for i, (shot, receiver) in enumerate(itertools.product(range(len(sources)), range(len(receivers)))):
            segy.trace[i] = data[shot, receiver].astype(np.float32)
            segy.header[i] = {
                segyio.TraceField.FieldRecord: 11 + shot,
                segyio.TraceField.SourceDepth: round(100 * sources[shot][0]),
                segyio.TraceField.SourceX: round(100 * sources[shot][1]),
                segyio.TraceField.ReceiverGroupElevation: -round(100 * receivers[receiver][0]),
                segyio.TraceField.GroupX: round(100 * receivers[receiver][1]),
                segyio.TraceField.SourceGroupScalar: -100,
                segyio.TraceField.ElevationScalar: -100,
            }


@pytest.mark.parametrize("kind", ["npy", "flat npy", "h5", "sgy", "sgy with tables"])
def test_every_format_gives_the_same_problem(folder, kind):
    changes, data = write_waveforms(folder)
    x = models(build(folder), 1)
    expected = build(folder, **changes)(x)[0]
    if kind == "flat npy":
        np.save(folder / "data.npy", data.reshape(-1, N_SAMPLES))
    if kind == "h5":
        with h5py.File(folder / "data.h5", "w") as store:
            store["data"] = data
        changes["data"] = "data.h5"
    if kind.startswith("sgy"):
        forward = build(folder)
        write_segy(folder / "data.sgy", data, forward.survey.sources, forward.survey.receivers[0])
        changes["data"] = "data.sgy"
        if kind == "sgy":
            changes |= {"shots": None, "receivers": None}
    # SEG-Y keeps single precision.
    assert_allclose(build(folder, **changes)(x)[0], expected, rtol=1e-5 if "sgy" in kind else 1e-12)


def test_shots_may_have_receivers_of_their_own(folder):
    changes, data = write_waveforms(folder)
    receivers = pd.read_csv(folder / "receivers.csv")
    kept = [range(5), [1, 3], [4]]
    own = pd.concat([receivers.iloc[list(k)].assign(shot=i + 1) for i, k in enumerate(kept)])
    own.to_csv(folder / "own.csv", index=False)
    np.save(folder / "data.npy", np.concatenate([data[i, list(k)] for i, k in enumerate(kept)]))
    forward = build(folder, **(changes | {"receivers": "own.csv"}))
    assert [len(r) for r in forward.survey.receivers] == [5, 2, 1]
    full = build(folder)
    x = models(full, 1)
    every = full.simulate(x).reshape(N_SHOTS, N_RECEIVERS, N_SAMPLES)
    expected = np.concatenate([every[i, list(k)].ravel() for i, k in enumerate(kept)])
    assert_allclose(forward.simulate(x)[0], expected, rtol=1e-12)
    assert forward.gathers[2].data == slice(7 * N_SAMPLES, 8 * N_SAMPLES)


def test_masked_traces_are_as_if_they_were_not_there(folder):
    changes, data = write_waveforms(folder)
    data[1, 2] = 0
    data[2, 0, 7] = np.nan
    np.save(folder / "data.npy", data)
    forward = build(folder, **changes, dead_traces="mask")
    x = models(forward, 1)
    counts = np.isfinite(forward.sigma)
    assert (~counts).sum() == N_SAMPLES + 1
    predicted = forward.simulate(x)[0]
    expected = stats.norm.logpdf(forward.observed[counts], predicted[counts], forward.sigma[counts]).sum()
    assert_allclose(forward(x)[0][0], expected, rtol=1e-12)
    assert np.isfinite(forward(x)[1]).all()


def test_sigma_by_trace_and_by_sample(folder):
    changes, data = write_waveforms(folder)
    by_trace = np.random.default_rng(0).uniform(0.5, 2, N_SHOTS * N_RECEIVERS)
    np.save(folder / "by_trace.npy", by_trace)
    np.save(folder / "by_sample.npy", np.repeat(by_trace, N_SAMPLES).reshape(data.shape))
    changes["relative_sigma"] = None
    a, b = (build(folder, **changes, sigma=folder / f"{name}.npy") for name in ("by_trace", "by_sample"))
    x = models(a, 1)
    assert_array_equal(a.sigma, np.repeat(by_trace, N_SAMPLES))
    assert_allclose(a(x)[0], b(x)[0], rtol=1e-12)


FAULTS = {
    "unstable": ({"velocity_range": (1500.0, 9000.0)}, ["time.dt", "unstable at 9000 m/s", "dt <=", "substeps = 4"]),
    "too coarse": ({"wavelet__frequency": 60.0}, ["grid.spacing", "nodes per wavelength", "too coarse", "spacing <= "]),
    "shot outside": ({"shots__first": 5000.0}, ["shot 1", "x 5000 m", "lies outside"]),
    "receiver outside": ({"receivers__depth": 500.0}, ["shot 1, receiver 1", "lies outside"]),
    "no data": ({"synthetic": None}, ["data", "synthetic"]),
    "two sigmas": ({"sigma": 1.0}, ["sigma", "relative_sigma"]),
    "no file": ({"synthetic__model": "nowhere.npy"}, ["nowhere.npy", "cannot be read"]),
    "wrong shape": ({"grid__shape": (13, 18)}, ["true.npy", "shape", "(13, 18)"]),
    "all known": ({"known__depth": 1e4, "known__velocity": 1500.0}, ["known", "nothing is left"]),
    "half known": ({"known__depth": 10.0}, ["known", "depth and velocity"]),
    "truth too fast": ({"velocity_range": (1500.0, 2100.0)}, ["synthetic.model", "leave velocity_range"]),
}


@pytest.mark.parametrize(("changes", "words"), FAULTS.values(), ids=FAULTS)
def test_fault_in_settings_is_named(folder, changes, words):
    with pytest.raises((ConfigError, ValueError)) as error:
        build(folder, **changes)
    for word in words:
        assert word in str(error.value)


def test_fault_in_data_is_named(folder):
    changes, data = write_waveforms(folder)

    def fails(array, *words, **more):
        np.save(folder / "data.npy", array)
        with pytest.raises(ConfigError) as error:
            build(folder, **(changes | more))
        for word in ("data.npy", *words):
            assert word in str(error.value)

    fails(data[:, :4], "12 traces", "make 15 traces")
    fails(data[:, :, :50], "time.samples", "50 samples")
    dead, not_a_number = data.copy(), data.copy()
    dead[1, 2] = 0
    not_a_number[2, 0, 7] = np.nan
    fails(dead, "trace 8", "all zero", "mask")
    fails(not_a_number, "trace 11", "not finite", "mask")
    fails(np.zeros_like(data), "masked", dead_traces="mask")


def test_wrong_sampling_of_segy_is_named(folder):
    changes, data = write_waveforms(folder)
    forward = build(folder)
    write_segy(folder / "data.sgy", data, forward.survey.sources, forward.survey.receivers[0], dt_us=4000)
    with pytest.raises(ConfigError, match=r"time\.dt: 0\.002: the data are sampled every 0\.004 s"):
        build(folder, **(changes | {"data": "data.sgy"}))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("shot,depth,x\n1,10,20\n4,10,30\n", ["line 3, column shot", "1 to 3"]),
        ("shot,depth,x\n2,10,20\n1,10,30\n3,10,30\n", ["line 3, column shot", "order"]),
        ("shot,depth,x\n1,10,20\n2,10,30\n", ["shot: 3", "no receivers"]),
        ("depth,x\n10,abc\n", ["line 2, column x", "abc"]),
    ],
)
def test_fault_in_geometry_is_named(folder, rows, words):
    changes, _ = write_waveforms(folder)
    (folder / "receivers.csv").write_text(rows)
    with pytest.raises(ConfigError) as error:
        build(folder, **changes)
    for word in ("receivers.csv", *words):
        assert word in str(error.value)


def test_particle_out_of_range_is_named(folder):
    forward = build(folder)
    x = models(forward, 3)
    x[1, 4] = 4000.0
    with pytest.raises(ForwardError, match=r"particle 1: velocities from .* to 4000 m/s leave velocity_range"):
        forward(x)


def test_prior_must_stay_in_range(folder):
    forward = build(folder)
    wide, inside = np.full(forward.ndim, 3000.0), np.full(forward.ndim, 2500.0)
    forward.check_prior(np.full(forward.ndim, 1600.0), inside)
    forward.check_prior(np.full(forward.ndim, -np.inf), np.full(forward.ndim, np.inf))
    with pytest.raises(ConfigError, match=r"prior\.velocity\.upper: 3000"):
        forward.check_prior(np.full(forward.ndim, 1600.0), wide)


def test_section_from_segy_and_at_another_spacing(folder):
    segyio = pytest.importorskip("segyio", reason="segyio is not installed")
    truth = np.load(folder / "true.npy")
    segyio.tools.from_array(str(folder / "true.sgy"), np.ascontiguousarray(truth.T, np.float32))
    assert_allclose(build(folder, synthetic__model="true.sgy").true_model, truth.ravel(), rtol=1e-6)
    plane = 1600 + 2 * 5.0 * np.arange(27)[:, None] + 3 * 5.0 * np.arange(35)
    np.savetxt(folder / "fine.txt", plane)
    resampled = build(folder, synthetic__model="fine.txt", synthetic__spacing=5.0).true_model.reshape(SHAPE)
    assert_allclose(resampled, plane[::2, ::2])
