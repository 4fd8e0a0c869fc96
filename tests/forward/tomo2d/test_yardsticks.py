"""The yardsticks find wrong posteriors, and `vip amortise` trains and measures."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from numpy.testing import assert_allclose

from vip.forward.tomo2d.amortised.examples import draw_examples
from vip.forward.tomo2d.amortised.judges import STRAIGHT, Judge, load_judge, of_graph_mdn
from vip.forward.tomo2d.amortised.posterior import Mixture
from vip.forward.tomo2d.amortised.settings import AmortisedSettings, SurveySettings
from vip.forward.tomo2d.amortised.yardsticks import groups, judged, ranks, yardstick

SMALL = SurveySettings(nodes=(5, 5), stations=(6, 6), sigma=(0.05, 0.05), ratio=(1.5, 1.5), white=1.0, uneven=0.0)


def prior_judge(widen=1.0, shift=0.0):
    """One who answers with the prior, or with what is wrong in a known way."""

    def answers(one, _number):
        n = one.z.shape[1]
        return Mixture(one.survey.prior, np.zeros(1), np.full((1, n), shift), np.eye(n)[None] / widen**2)

    return Judge("prior", answers, {})


def test_the_prior_gains_nothing_and_is_calibrated():
    (found,) = judged([prior_judge()], SMALL, 400)
    assert_allclose([mark.gain for mark in found.marks], 0, atol=1e-9)
    for coverage, error in (found.cells(), found.joint()):
        assert (abs(coverage - [0.5, 0.9, 0.95]) < 4 * error + 0.01).all()
    assert ranks([found], "likelihood").mean() > 0.9  # which sees what coverage cannot: the data were not used
    for name in ("cells", "paths"):
        share = ranks([found], name)
        assert abs(share.mean() - 0.5) < 4 * 0.29 / np.sqrt(len(found.marks)), name


@pytest.mark.parametrize(("widen", "sign"), [(0.7, -1), (1.4, 1)])
def test_a_wrong_width_shows_in_coverage_and_gain(widen, sign):
    (found,) = judged([prior_judge(widen)], SMALL, 40)
    assert found.mean("gain")[0] < -1
    for coverage, error in (found.cells(), found.joint()):
        assert (sign * (coverage - [0.5, 0.9, 0.95])[0] > 2 * error[0]).all()


def test_a_wrong_place_shows_in_ranks():
    (found,) = judged([prior_judge(shift=0.5)], SMALL, 40)
    assert ranks([found], "cells").mean() < 0.4  # truths lie below draws that are too fast
    assert ranks([found], "paths").mean() > 0.65  # and their times are too short
    assert found.mean("chi2")[0] > 2


def test_data_are_worth_something_to_straight_rays_and_all_judges_see_the_same():
    one, other = judged([STRAIGHT, prior_judge()], SMALL, 16)
    assert one.mean("gain")[0] > 1
    (again,) = judged([STRAIGHT], SMALL, 16)
    assert [mark.gain for mark in again.marks] == [mark.gain for mark in one.marks]
    assert other.mean("gain")[0] == pytest.approx(0)


def test_groups_stay_within_what_a_network_learnt():
    surveys = SurveySettings(nodes=(6, 8), stations=(8, 12), sigma=(0.015, 0.03), ratio=(1.3, 1.6), white=0.0)
    base = yardstick(surveys)
    assert (base.nodes, base.stations, base.ratio[0], base.white) == ((8, 8), (12, 12), 1.6, 0.0)
    assert [(kind.stations, kind.sigma[0]) for kind in groups(surveys)] == [((8, 8), 0.02), ((10, 12), 0.02)]


def test_a_graph_mdn_is_read_back_and_gives_the_density_it_learns(tmp_path):
    pytest.importorskip("torch", reason="the extra 'neural' is not installed")
    from vip.forward.tomo2d.amortised.graph_mdn import GraphMDN
    from vip.forward.tomo2d.amortised.training import save

    surveys = SMALL.model_copy(update={"most_paths": 15})
    settings = AmortisedSettings(kind="graph-mdn", seed=4, steps=1, surveys=surveys)
    mdn = GraphMDN(settings, layers=((4, 2), (8, 1)), hidden=(16,), after=24)
    save(mdn, tmp_path / "mdn.safetensors")
    judge = load_judge(tmp_path / "mdn.safetensors")
    one = draw_examples(surveys, 3, 2, np.random.default_rng(0))
    expected = mdn.gain(one).detach().numpy()
    prior = one.survey.prior
    for asked in (judge, of_graph_mdn(mdn, {})):
        for i in range(3):
            density = asked.answers(one, i).log_density(prior.velocity(one.z[i : i + 1]))[0]
            assert density + one.z.shape[1] * np.log(prior.upper - prior.lower) == pytest.approx(expected[i], abs=2e-3)


TINY = """
steps = {steps}
maps = 3
draws = [1, 2]
width = 6
rounds = 1
gates = 2
refinement = 2
data_refinement = 2
checked = 3
[surveys]
nodes = [5, 5]
stations = [6, 8]
sigma = [0.015, 0.03]
most_paths = 20
"""


def amortise(*words, **more):
    code = "from vip.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code, "amortise", *map(str, words)], capture_output=True, text=True, **more)


@pytest.fixture
def settings(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="the extra 'neural' is not installed")
    monkeypatch.chdir(tmp_path)

    def write(steps, more=""):
        (tmp_path / "t.toml").write_text(TINY.format(steps=steps).replace("steps", f"{more}\nsteps", 1))
        return tmp_path / "t.toml"

    return write


def test_train_then_test_as_a_user_does(settings, tmp_path):
    done = amortise("train", settings(6), "-o", "net.safetensors")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "net.safetensors: trained; `vip amortise test net.safetensors` measures it"
    again = amortise("train", settings(6), "-o", "net.safetensors")
    assert again.returncode == 1
    assert "net.safetensors: exists" in again.stderr
    tested = amortise("test", "net.safetensors", "--maps", 2, "-o", "page")
    assert tested.returncode == 0, tested.stderr
    assert "6 to 8 stations, noise 0.02: gain" in tested.stdout
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Calibration by stations and noise" in page
    assert "steps done" in page


def test_a_training_that_is_stopped_goes_on_to_the_same_network(settings, tmp_path):
    def weights(name):
        judge = load_judge(tmp_path / name)
        one = draw_examples(SurveySettings(**judge.about["surveys"]), 1, 2, np.random.default_rng(0))
        return judge.answers(one, 0).means, judge.about["curve"]

    assert amortise("train", settings(60), "-o", "whole.safetensors").returncode == 0
    code = "from vip.cli.main import main; main()"
    words = [sys.executable, "-c", code, "amortise", "train", "t.toml", "-o", "cut.safetensors"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(5)  # while it learns, or before it begins, or after its end on a fast machine: what follows holds for all
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (0, 130, -signal.SIGINT)
    if process.returncode != 0:
        assert not (tmp_path / "cut.safetensors").exists()
        assert amortise("train", "t.toml", "-o", "cut.safetensors").returncode == 0
    for one, other in zip(weights("cut.safetensors"), weights("whole.safetensors"), strict=True):
        assert_allclose(one, other, rtol=0, atol=0)
    assert not list(tmp_path.glob("*.state.safetensors"))


def test_the_state_of_other_settings_is_refused(settings, tmp_path):
    from vip.errors import ConfigError
    from vip.forward.tomo2d.amortised.training import train

    asked = AmortisedSettings(steps=6, maps=2, draws=(1,), width=4, rounds=1, gates=1, refinement=2, surveys=SMALL, checked=2)
    assert not train(asked, tmp_path / "n.safetensors", stop=lambda: True)
    with pytest.raises(ConfigError, match=r"n\.state\.safetensors: format: .*settings"):
        train(asked.model_copy(update={"seed": 1}), tmp_path / "n.safetensors")
    assert train(asked, tmp_path / "n.safetensors")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("stps = 4", r"t.toml: stps"),
        ("step_size = -1", r"t.toml: step_size: -1"),
        ("kind = 'graph-mdn'", "surveys: graph-mdn: needs one grid and one prior"),
        ("steps = = 3", "is not valid TOML"),
    ],
)
def test_bad_settings_are_one_line(settings, more, expected):
    done = amortise("train", settings(6, more), "-o", "net.safetensors")
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_files_are_one_line(settings, tmp_path):
    (tmp_path / "net.safetensors").write_bytes(json.dumps({"no": "network"}).encode())
    done = amortise("test", "net.safetensors")
    assert done.returncode == 2
    assert "net.safetensors: is no trained network" in done.stderr
    assert amortise("test", "none.safetensors").returncode == 2
    assert amortise("train", "none.toml", "-o", "a.safetensors").returncode == 2
    assert amortise("train", settings(3), "-o", "a.net").returncode == 2
