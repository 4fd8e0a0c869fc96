"""Whitening against the covariance that it stands for."""

import numpy as np
from scipy.linalg import toeplitz
from scipy.signal import lfilter

from vip.forward.waveform.noise import Whitener, estimated, levinson, white

COVARIANCE = np.array([2.0, 1.3, 0.5, -0.1])


def continued(n):
    """Autocovariance of the process that begins as COVARIANCE: the Yule-Walker equations go on."""
    process, made = levinson(COVARIANCE), list(COVARIANCE)
    while len(made) < n:
        made.append(float(process.predictions[3] @ made[:-4:-1]))
    return np.array(made)


def test_filter_is_the_inverse_root_of_the_covariance():
    """The first rows too, which know fewer samples than the order."""
    n = 40
    matrix = toeplitz(continued(n))
    whitener = Whitener([levinson(COVARIANCE), white(0.5)], n)
    w = whitener(np.broadcast_to(np.eye(n)[:, None, None], (n, 2, 1, n)).copy())[:, :, 0]
    np.testing.assert_allclose(w[:, 0].T @ matrix @ w[:, 0], np.eye(n), atol=1e-10)
    np.testing.assert_allclose(w[:, 1], 2 * np.eye(n))
    expected = -0.5 * (np.linalg.slogdet(matrix)[1] + n * np.log(0.25))
    assert np.isclose(whitener.log_determinant, expected)


def test_transpose():
    rng = np.random.default_rng(1)
    whitener = Whitener([levinson(COVARIANCE), white(3.0)], 50)
    a, b = rng.standard_normal((2, 3, 2, 4, 50))
    assert np.isclose((whitener(a) * b).sum(), (a * whitener.transpose(b)).sum())


def test_estimate_finds_the_process():
    """Order and coefficients of a long record of known noise; a constant offset does not matter."""
    rng = np.random.default_rng(3)
    noise = lfilter([1.0], [1, -1.2, 0.5], rng.standard_normal(20_000)) + 7.0
    found = estimated(noise)
    assert 2 <= len(found.variances) - 1 <= 4
    np.testing.assert_allclose(found.predictions[-1][:2], [1.2, -0.5], atol=0.03)
    assert np.isclose(found.variances[-1], 1.0, rtol=0.03)
    uncorrelated = estimated(rng.standard_normal(5000))
    assert len(uncorrelated.variances) - 1 <= 1
