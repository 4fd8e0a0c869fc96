import re
import subprocess
import sys

import numpy as np
import pytest

import vip
from vip.errors import ConfigError
from vip.forward.tomo2d.synthetic import write_example
from vip.report import write_report
from vip.report.comparison import comparison
from vip.report.findings import Findings
from vip.report.layout import kind, panels
from vip.runs.result import Result
from vip.runs.store import Store

PNG_START = b"\x89PNG\r\n\x1a\n"

TOY = '''
import numpy as np
from vip.protocols import ModelSpace, Variable

class Toy:
    """A line with depth, numbers, and what has no picture of its own; none of the optional abilities."""

    def __init__(self, n):
        self.space = ModelSpace((
            Variable("vs", "km/s", ("depth",), {"depth": np.linspace(0, 30, n)}, "speed <b>$x$ & $</b>", {"depth": "km"}),
            Variable("shift", "s", ("phase",), {"phase": np.array(["P", "S"])}),
            Variable("log_noise", "1"),
            Variable("cube", "1", ("a", "b", "c"), {axis: np.arange(2.0) for axis in "abc"}),
            Variable("place", "km", ("event", "axis"), {"event": np.arange(3.0), "axis": np.array(["x", "y"])}),
        ))
        self.ndim = self.space.size

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls(**settings)

    def __call__(self, models):
        return -0.5 * np.sum((models - 2) ** 2, axis=1), 2 - models
'''
GAUSSIAN = "".join(
    f'[prior.{name}]\nkind = "gaussian"\nmean = 2.0\nsd = 1.0\n' for name in ("vs", "shift", "log_noise", "cube", "place")
)
TOY_CONFIG = f"""# <script>alert("mine")</script>
[forward]
plugin = "./toy.py:Toy"
n = 9
{GAUSSIAN}
[algorithm]
name = "advi"
iterations = 20
draws = 40
step_size = 0.05
"""
CHAINS = """[algorithm]
name = "ssvgd"
particles = 4
iterations = 12
burn_in = 4
warm_up = 2
step_size = 2.0
metric = "gradient"
"""


@pytest.fixture(scope="module")
def tomography(tmp_path_factory):
    config = write_example(tmp_path_factory.mktemp("tomo2d"), seed=1)
    config.write_text(config.read_text().split("[algorithm]")[0] + CHAINS)
    return vip.run(vip.load_problem(config))


@pytest.fixture(scope="module")
def tomography_page(tomography):
    return write_report(tomography)


@pytest.fixture
def toy_problem(tmp_path):
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "toy.toml").write_text(TOY_CONFIG)
    return vip.load_problem(tmp_path / "toy.toml")


def check_self_contained(page):
    assert "<script" not in page
    assert "<link" not in page
    assert "href" not in page
    assert "url(" not in page
    sources = re.findall(r'src="([^"]{22})', page)
    assert sources
    assert set(sources) == {"data:image/png;base64,"}


def pictures(folder):
    files = {path.stem: path.read_bytes() for path in folder.glob("*.png")}
    for content in files.values():
        assert content.startswith(PNG_START)
        assert len(content) > 5000
    return set(files)


def test_tomography_has_every_figure_in_one_page(tomography, tomography_page):
    assert tomography_page == tomography.path / "report" / "index.html"
    page = tomography_page.read_text()
    check_self_contained(page)
    maps = {f"velocity_{what}" for what in ("mean_std", "samples", "contraction", "truth", "profile")}
    expected = maps | {"expected_coverage", "coverage", "data_fit", "station_residuals", "trace"}
    assert pictures(tomography_page.parent) == expected
    assert page.count("<img") == len(expected)


def test_page_gives_the_numbers(tomography, tomography_page):
    page = tomography_page.read_text()
    forward = tomography.problem.forward
    chosen = np.linspace(0, len(tomography.flat) - 1, 32).astype(int)
    residuals = (forward.observed - forward.simulate(tomography.flat[chosen].astype(float))) / forward.sigma
    assert f"χ² per datum {np.mean(residuals**2):,.0f}, from" in page
    assert "12 of 12" in page
    assert "32: 4 chains of 8" in page
    assert "52 models" in page
    assert '<p class="headline">not converged: R-hat above 1.05 in ' in page
    assert f"vip resume {tomography.path} --iterations" in page
    assert "<li>data fitted too badly: χ² per datum" in page
    assert tomography.store.provenance["machine"] in page


def test_forward_without_abilities_leaves_figures_out(toy_problem, tmp_path):
    index = write_report(vip.run(toy_problem, tmp_path / "run"), tmp_path / "elsewhere")
    assert index == tmp_path / "elsewhere" / "index.html"
    assert pictures(index.parent) == {"vs", "vs_contraction", "shift", "log_noise", "cube", "place", "trace"}
    page = index.read_text()
    assert "χ²" not in page
    assert "R-hat" not in page  # advi has no chains


def test_user_text_is_escaped(toy_problem, tmp_path):
    page = write_report(vip.run(toy_problem, tmp_path / "run")).read_text()
    check_self_contained(page)
    assert "<b>" not in page
    assert "speed &lt;b&gt;$x$ &amp; $&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(&#34;mine&#34;)&lt;/script&gt;" in page


def test_run_without_samples_has_its_trace(toy_problem, tmp_path):
    asked = iter(range(100))
    index = write_report(vip.run(toy_problem, tmp_path / "run", stop=lambda: next(asked) >= 5))
    assert pictures(index.parent) == {"trace"}
    page = index.read_text()
    assert "interrupted" in page
    assert "5 of 20" in page
    assert "none yet" in page


def test_panels_share_out_the_model_vector(toy_problem):
    model = np.arange(float(toy_problem.space.size))
    kinds = [kind(variable) for variable in toy_problem.space.variables]
    assert kinds == ["lines", "numbers", "numbers", "entries", "entries"]
    shared = [panel.of(model).ravel() for v in toy_problem.space.variables for panel in panels(toy_problem.space, v)]
    np.testing.assert_array_equal(np.concatenate(shared), model)


def test_fit_of_the_truth_is_that_of_the_noise(tomography):
    findings = Findings(tomography)
    findings.flat = tomography.problem.forward.true_model[None]
    # Noise was added with these sigmas: the mean of 401 squares has a standard deviation of 0.07.
    assert findings.fit.chi2_after == pytest.approx(1, abs=0.3)
    assert findings.fit.chi2_before > 100


def test_runs_are_compared_each_in_its_column(tomography):
    other = Result(Store(tomography.path), tomography.problem)
    other.mean_model, other.std_model = tomography.mean_model + 1.0, 2 * tomography.std_model
    expected = [tomography.mean_model, other.mean_model, tomography.std_model, other.std_model]
    drawn = [ax.collections[0].get_array().ravel() for ax in comparison([tomography, other], ["one", "two"]).axes[:4]]
    for values, model in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(values, model)


def test_runs_without_the_same_maps_are_refused(tomography, toy_problem, tmp_path):
    toy = vip.run(toy_problem, tmp_path / "toy")
    with pytest.raises(ConfigError, match=r"toy: its models have no maps"):
        comparison([toy, tomography], ["one", "two"])
    with pytest.raises(ConfigError, match=r"toy: has not the same grid of velocity"):
        comparison([tomography, toy], ["one", "two"])


def test_importing_vip_leaves_matplotlib_out():
    code = "import sys, vip; sys.exit('matplotlib' in sys.modules or 'jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
