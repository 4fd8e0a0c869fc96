"""`vip export` of a run whose samples have weights."""

import numpy as np

import vip
from vip.cli.export import export

FORWARD = """
import numpy as np
from vip.protocols import ModelSpace, Variable

class Peak:
    space = ModelSpace((Variable("x", "1", ("entry",), {"entry": np.arange(2)}),))
    formats = {"csv": ".csv"}
    has_gradient = False

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls()

    def __call__(self, models):
        return -0.5 * ((models - 3.0) ** 2).sum(axis=1) / 0.01**2, np.zeros(models.shape)

    def export(self, models, name, path):
        np.savetxt(path, models)
"""
CONFIG = """
seed = 1
[forward]
plugin = "./peak.py:Peak"
[prior.x]
kind = "uniform"
lower = 0.0
upper = 10.0
[algorithm]
name = "nested"
particles = 60
[run]
output = "run"
"""


def test_samples_of_nested_sampling_have_equal_weight(tmp_path, monkeypatch):
    """The peak, and not the way to it, is written: the dead points of nested sampling are spread over the whole prior."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "peak.py").write_text(FORWARD)
    (tmp_path / "peak.toml").write_text(CONFIG)
    result = vip.run(vip.load_problem("peak.toml"))
    export(result.path, tmp_path / "samples.csv", "csv")
    samples = np.loadtxt(tmp_path / "samples.csv")
    assert np.abs(samples.mean(axis=0) - 3).max() < 0.005
    assert samples.std(axis=0).max() < 0.02
