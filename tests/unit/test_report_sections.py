import re

import numpy as np
import pytest
from matplotlib.figure import Figure

import vip
from vip.report import gathers, maps, trace, wells, write_report
from vip.report.agreement import agreement, correlation
from vip.report.convergence import convergence
from vip.report.findings import Findings
from vip.report.fit import spread
from vip.report.layout import panels

SECTION = '''
import numpy as np
from scipy.ndimage import gaussian_filter
from vip.protocols import Gather, ModelSpace, Variable

class Section:
    """Layers under water; its "waveforms" are blurred velocities of neighbouring columns times a wavelet."""

    data_label = "pressure (Pa)"

    def __init__(self, water):
        rows, columns, n_shots, n_samples = 40, 80, 3, 60
        depth, x = 25.0 + 50 * np.arange(rows), 50.0 * np.arange(columns)
        noise = Variable("log_noise", "1")
        velocity = Variable("velocity", "m/s", ("depth", "x"), {"depth": depth, "x": x}, "", {"depth": "m", "x": "m"})
        self.space = ModelSpace((velocity, noise))
        self.ndim = self.space.size
        self.shape, self.water = (rows, columns), water
        dip = depth[:, None] + 150 * np.sin(x / 600)
        layers = 1600 + 500 * np.floor(dip / 400) + 100 * np.sin(x / 300) * (depth[:, None] > 300)
        layers[:water] = 1500.0
        self.true_model = np.append(layers.ravel(), 0.5)
        self.fixed_nodes = np.append(np.arange(rows * columns) < water * columns, False)
        self.wells = np.array([3010.0, 990.0])
        distance, time = np.arange(0.0, 4000, 100), 0.01 * np.arange(n_samples)
        size = len(distance) * n_samples
        self.gathers = [
            Gather(f"shot {i + 1}", slice(i * size, (i + 1) * size), distance, time) for i in range(n_shots)
        ]
        wave = np.exp(-((time[None] - 0.05 - np.abs(distance[:, None] - 2000) / 8000) / 0.03) ** 2)
        self.wave = np.stack([np.roll(wave, 8 * i - 8, axis=0) for i in range(n_shots)])
        self.sigma = np.full(n_shots * size, 2.0)
        noise = np.random.default_rng(0).normal(0, 2.0, n_shots * size)
        self.observed = self.simulate(self.true_model[None])[0] + noise

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls(**settings)

    def simulate(self, models):
        maps = models[:, :-1].reshape(-1, *self.shape)
        blurred = np.stack([gaussian_filter(m, 3) for m in maps]) / 30
        echo = np.repeat(blurred[:, :, ::2].swapaxes(1, 2), 3, axis=2)[:, :, :60]  # (n, traces, samples)
        return ((echo - 60)[:, None] * np.sin(np.arange(60)) + 200 * self.wave).reshape(len(models), -1)

    def __call__(self, models):
        free = ~self.fixed_nodes
        pull = np.where(free, self.true_model - models, 0.0) / 150**2
        return -0.5 * np.sum(pull**2, axis=1) * 150**2, pull
'''
CONFIG = """[forward]
plugin = "./section.py:Section"
water = 4

[prior.velocity]
kind = "uniform"
lower = 1400.0
upper = 5000.0
[prior.log_noise]
kind = "gaussian"
mean = 0.0
sd = 1.0

[algorithm]
name = "ssvgd"
particles = 6
iterations = 120
burn_in = 60
warm_up = 40
step_size = 0.05
metric = "gradient"
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("section")
    (folder / "section.py").write_text(SECTION)
    (folder / "section.toml").write_text(CONFIG)
    return vip.run(vip.load_problem(folder / "section.toml"))
