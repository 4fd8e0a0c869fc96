"""Parts of emulators: Gaussian processes beside those of scikit-learn, shifts, peaks and measures beside closed forms."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vip.forward.waveform.emulators import gaussian  # noqa: E402
from vip.forward.waveform.emulators.alignment import peaks, shifted  # noqa: E402
from vip.forward.waveform.emulators.layers import through, untrained  # noqa: E402
from vip.forward.waveform.emulators.measures import correlations, delays, measured, r2d  # noqa: E402


def some(n, seed):
    x = np.random.default_rng(seed).standard_normal((n, 4))
    return x, np.stack([np.sin(x[:, 0]) + x[:, 3] ** 2, np.cos(x[:, 1] - x[:, 2])], 1)


def test_processes_are_those_of_scikit_learn():
    process = pytest.importorskip("sklearn.gaussian_process")
    kernels = process.kernels
    x, y = some(120, 1)
    new, _ = some(50, 2)
    lengths, variance, noise = np.array([0.7, 1.5, 2.0, 4.0]), 1.7, 3e-3
    y = (y - y.mean(0)) / y.std(0, ddof=1).max()
    at = np.log([noise, variance, *lengths])
    ours = gaussian.conditioned([[0, 1, 2, 3]], torch.tensor(at), torch.tensor(x), torch.tensor(y))
    peer = process.GaussianProcessRegressor(
        kernels.ConstantKernel(variance) * kernels.Matern(lengths, nu=1.5), alpha=noise, optimizer=None
    ).fit(x, y)
    np.testing.assert_allclose(ours(torch.tensor(new)), peer.predict(new), rtol=0, atol=1e-9)
    value, gradient = gaussian._misfit(at, [[0, 1, 2, 3]], torch.tensor(x), torch.tensor(y))
    peer_value, peer_gradient = peer.log_marginal_likelihood(np.log([variance, *lengths]), eval_gradient=True)
    assert value == pytest.approx(-peer_value / y.size - np.log(2 * np.pi) / 2, rel=1e-9)
    np.testing.assert_allclose(gradient[1:], -peer_gradient / y.size, rtol=1e-6, atol=1e-10)


def test_the_likelihood_of_two_parts_has_the_gradient_of_differences():
    x, y = (torch.tensor(each) for each in some(40, 3))
    parts, at, step = [[2, 3], [0, 1, 2]], np.array([-4.0, 0.3, -1, 0.2, 0.5, -0.3, 0.1, 1]), 1e-6
    gradient = gaussian._misfit(at, parts, x, y)[1]
    for i, each in enumerate(np.eye(len(at)) * step):
        differences = (gaussian._misfit(at + each, parts, x, y)[0] - gaussian._misfit(at - each, parts, x, y)[0]) / (2 * step)
        assert gradient[i] == pytest.approx(differences, rel=1e-5, abs=1e-8)


def test_what_is_left_out_is_predicted_by_the_others():
    x, y = (torch.tensor(each) for each in some(30, 4))
    y = (y - y.mean(0)) / y.std(0).max()
    at, parts = torch.tensor(np.log([1e-2, 1, 1, 2, 1, 1])), [[0, 1, 2, 3]]
    wrong = gaussian.left_out(parts, at, x, y)
    others = [i for i in range(30) if i != 11]
    noise, variances, lengths = gaussian._split(parts, at)
    covariance = gaussian.kernel(parts, variances, lengths, x[others], x[others]) + noise * torch.eye(29).double()
    row = gaussian.kernel(parts, variances, lengths, x[11:12], x[others])
    predicted = row @ torch.linalg.solve(covariance, y[others])
    np.testing.assert_allclose(wrong[11], (y[11] - predicted)[0], rtol=1e-9)


def test_outputs_far_off_are_left_out():
    x, y = some(150, 5)
    y = y[:, :1].copy()
    clean = gaussian.fit([[0, 1, 2, 3]], torch.tensor(x), torch.tensor(y), 0)
    y[[3, 50, 99]] += 30
    most = gaussian.fit_most([[0, 1, 2, 3]], torch.tensor(x), torch.tensor(y), 0, least=0.5)
    new, true = some(100, 6)
    assert (most.weights[[3, 50, 99]] == 0).all()
    wrong = [np.median(np.abs(each(torch.tensor(new)).numpy()[:, 0] - true[:, 0])) for each in (clean, most)]
    assert wrong[1] < 1.5 * wrong[0]


def test_coincident_places_have_a_slope():
    x, y = (torch.tensor(each) for each in some(20, 7))
    process = gaussian.conditioned([[0, 1, 2, 3]], torch.tensor(np.log([1e-2, 1, 1, 1, 1, 1])), x, y)
    at = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(process(at).sum(), at)
    assert torch.isfinite(slope).all()


def pulse(at, n=200):
    u = ((np.arange(n) - np.asarray(at)[:, None]) / 6) ** 2
    return (1 - u) * np.exp(-u / 2)


def test_shifts_are_those_of_the_continuous_pulse():
    late = torch.tensor([0.0, 7.3, -41.77, 120.5])
    found = shifted(torch.tensor(pulse([70, 70, 70, 70])), late.double(), 260)
    np.testing.assert_allclose(found, pulse(70 + late.numpy().astype(float), 260), atol=1e-5)


def test_what_leaves_the_trace_does_not_come_in_at_the_other_end():
    for late in (-90.0, 210.0):
        found = shifted(torch.tensor(pulse([40.0])), torch.tensor([late]).double(), 200)
        assert float(found.abs().max()) < 1e-6


def test_peaks():
    true = np.array([40.0, 61.3, 88.72, 0.0, 199.0])
    time, height = peaks(5 * pulse(true), whole=False)
    np.testing.assert_allclose(time, true, atol=0.02)
    np.testing.assert_allclose(height, 5, rtol=2e-3)
    time, _ = peaks(5 * pulse(true), whole=True)
    np.testing.assert_array_equal(time, np.round(true))


def test_layers_are_products_and_rectifiers():
    tensors = untrained("a", (2, 3, 1), torch.Generator().manual_seed(1))
    tensors["a.bias0"] += 0.1
    x = np.random.default_rng(1).standard_normal((5, 2)).astype(np.float32)
    hidden = x @ tensors["a.weight0"].numpy().T + 0.1
    expected = np.where(hidden > 0, hidden, 0.2 * hidden) @ tensors["a.weight1"].numpy().T
    np.testing.assert_allclose(through("a", tensors, torch.tensor(x)), expected, rtol=1e-5, atol=1e-6)


def test_measures():
    true = pulse([60, 80, 100, 120.0])
    perfect = measured(true, 1.0 * true, 0.1)
    assert perfect == pytest.approx((1, 1, 1, 0, 0, 0, 0), abs=1e-12)
    np.testing.assert_allclose(delays(true, pulse([60, 81.25, 98.5, 120.0])), [0, 1.25, -1.5, 0], atol=0.03)
    assert correlations(true, -2 * true) == pytest.approx(-1)
    assert correlations(true, 0 * true) == pytest.approx(0)
    strong = true * np.array([[100.0], [1], [1], [1]])
    wrong = strong.copy()
    wrong[1:] *= -1  # R2D does not see that all but the strongest trace are upside down; the others do
    assert r2d(strong, wrong) > 0.999
    assert measured(strong, wrong, 1.0).median == pytest.approx(-1)
    noisy = measured(true, true + 0.2, 0.1)
    assert noisy.misfit == pytest.approx(2)
    assert r2d(true, np.zeros_like(true)) == 0
