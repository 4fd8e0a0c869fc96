"""Bad input of every kind: one line that names the file, the key or place, what was found and what would be right."""

import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

import vip
from vip.errors import ConfigError
from vip.forward.tomo2d.synthetic import write_example


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return write_example(tmp_path_factory.mktemp("example"), 1).parent


@pytest.fixture
def files(example, tmp_path):
    """A valid set of files to spoil."""
    shutil.copytree(example, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "tomo2d.toml"
    config.write_text(re.sub("#.*", "", config.read_text()))
    return tmp_path


def edit(file, old, new):
    """Replace the first match of the pattern `old`."""
    text, n = re.subn(old, new, file.read_text(), count=1, flags=re.MULTILINE)
    assert n == 1, f"{old} is not in {file}"
    file.write_text(text)


def message(config):
    """The one line of the error that loading raises."""
    with pytest.raises(ConfigError) as caught:
        vip.load_problem(config)
    text = str(caught.value)
    assert "\n" not in text
    assert "np." not in text, "a user reads numbers, not numpy's names for them"
    return text


def check(text, *parts):
    """All parts are there, one after the other."""
    place = 0
    for part in parts:
        assert part in text[place:], f"{part!r} is missing, or out of order, in {text!r}"
        place = text.index(part, place) + len(part)


# The configuration: pattern, replacement; key, value, remedy

ALGORITHM = r"\[algorithm\][^\[]*"
ADVI = '[algorithm]\nname = "advi"\niterations = 10\nstep_size = 0.1\n'
PRIOR = r"\[prior.velocity\][^\[]*"

BAD_CONFIGURATIONS = {
    "unknown key": ("^thin =", "thn =", "algorithm.thn", "4", "did you mean 'thin'?"),
    "unknown key of a prior": ("^bounds =", "bunds =", "prior.velocity.bunds", "logit", "did you mean 'bounds'?"),
    "unknown key of the plugin": ("stations =", "station =", "forward.station", "stations.csv", "'stations'?"),
    "unknown key in a table of the plugin": ("refinement =", "refinment =", "forward.grid.refinment", "2", "'refinement'?"),
    "unknown table": (r"\[dispatch\]", "[dispach]", "dispach", "auto", "did you mean 'dispatch'?"),
    "wrong unit": ('"km/s"', '"m/s"', "prior.velocity.unit", "m/s", "'km/s'"),
    "wrong unit of the grid": ('"degrees"', '"radians"', "forward.grid.unit", "radians", "'degrees' or 'km'"),
    "wrong type": ("particles = 20", 'particles = "many"', "algorithm.particles", "many", "integer"),
    "whole number wanted": ("particles = 20", "particles = 20.5", "algorithm.particles", "20.5", "integer"),
    "too few particles": ("particles = 20", "particles = 1", "algorithm.particles", "1", "greater than or equal to 2"),
    "missing key": ("^plugin = .*", "", "forward", "plugin", "missing"),
    "missing name": ('^name = "ssvgd"', "", "algorithm", "name", "missing"),
    "missing prior": (PRIOR, "", "prior", "velocity", "give a prior"),
    "negative step": ("step_size = 2.0", "step_size = -2.0", "algorithm.step_size", "-2.0", "greater than 0"),
    "negative seed": ("seed = 1", "seed = -1", "seed", "-1", "greater than or equal to 0"),
    "crossing bounds": ("lower = 1.6", "lower = 5.6", "prior.velocity.upper", "4.6", "larger than lower", "5.6"),
    "infinite bound": ("upper = 4.6", "upper = inf", "prior.velocity.upper", "inf", "finite"),
    "unknown prior variable": (r"\[prior.velocity\]", "[prior.density]", "prior.density", "density", "velocity"),
    "no prior for a variable": (
        r"^true_model.*\nunknown_noise = false",
        "unknown_noise = true",
        "prior",
        "log_noise",
        "[prior.log_noise]",
    ),
    "clip with advi": (f"(?s)logit(.*){ALGORITHM}", rf"clip\1{ADVI}", "prior", "clip", "logit"),
    "burn-in without samples": ("burn_in = 800", "burn_in = 3000", "algorithm.burn_in", "3000", "smaller than"),
    "warm-up beyond burn-in": ("warm_up = 300", "warm_up = 2000", "algorithm.warm_up", "2000", "burn_in", "800"),
    "unknown algorithm": ('name = "ssvgd"', 'name = "mcmc"', "algorithm.name", "mcmc", "'advi'", "'ssvgd'"),
    "unknown prior": ('kind = "uniform"', 'kind = "flat"', "prior.velocity.kind", "flat", "'uniform'"),
    "unknown plugin": ('plugin = "tomo2d"', 'plugin = "tomo3d"', "forward.plugin", "tomo3d", "tomo2d"),
    "missing plugin file": ('plugin = "tomo2d"', 'plugin = "./my.py:T"', "forward.plugin", "./my.py:T", "no file"),
    "missing plugin module": ('plugin = "tomo2d"', 'plugin = "no_such.module:T"', "forward.plugin", "no_such.module:T"),
    "missing plugin class": ('plugin = "tomo2d"', 'plugin = "vip.rng:T"', "forward.plugin", "vip.rng:T", "has no T"),
    "no data": ("^times = .*", "", "forward.times", "times or periods"),
    "grid over the pole": (r"origin = \[47.0", "origin = [95.0", "forward.grid", "95.0", "poles"),
    "flat cells": (r"spacing = \[-0.325", "spacing = [-0.01", "forward.grid.spacing", "0.01", "must not exceed"),
    "station outside the grid": (r"shape = \[41, 38\]", "shape = [20, 38]", "station S", "outside the grid", "enlarge"),
}


@pytest.mark.parametrize(
    ("old", "new", "parts"), [(a, b, c) for a, b, *c in BAD_CONFIGURATIONS.values()], ids=BAD_CONFIGURATIONS
)
def test_bad_configuration(files, old, new, parts):
    config = files / "tomo2d.toml"
    edit(config, old, new)
    check(message(config), str(config), *parts)


def test_the_example_itself_is_good(files):
    assert vip.load_problem(files / "tomo2d.toml").space.size == 41 * 38


OPTIONS = {
    "# [prior.velocity.smoothness]": "[prior.velocity.smoothness]",
    "# sigma": "sigma",
    "# correlation_length": "correlation_length",
    "unknown_noise = false": "unknown_noise = true",
    "# [prior.log_noise]": "[prior.log_noise]",
    "# kind": "kind",
    "# mean": "mean",
    "# sd": "sd",
}


def test_what_the_example_has_in_comments_is_good(example, tmp_path):
    """All options that its comments offer, switched on."""
    shutil.copytree(example, tmp_path, dirs_exist_ok=True)
    config = tmp_path / "tomo2d.toml"
    for old, new in OPTIONS.items():
        edit(config, "^" + re.escape(old), new)
    assert vip.load_problem(config).space.size == 41 * 38 + 1


def test_not_toml(files):
    config = files / "tomo2d.toml"
    edit(config, "particles = 20", "particles = = 20")
    line = config.read_text().split("\n").index(next(x for x in config.read_text().split("\n") if "= =" in x)) + 1
    check(message(config), str(config), "not valid TOML", f"line {line}")


def test_no_configuration(tmp_path):
    check(message(tmp_path / "none.toml"), str(tmp_path / "none.toml"), "cannot be read")


def test_several_faults_are_several_lines(files):
    config = files / "tomo2d.toml"
    edit(config, "particles = 20", "particles = 0")
    edit(config, "^thin =", "thn =")
    with pytest.raises(ConfigError) as caught:
        vip.load_problem(config)
    lines = str(caught.value).split("\n")
    assert len(lines) == 2
    assert all(line.startswith(str(config)) for line in lines)


# The data: file, pattern, replacement; place, value, remedy

FIRST_PICK, SECOND_PICK = r"(?<=sigma\n).*", r"(?<=sigma\n)(.*\n).*"
BAD_DATA = {
    "non-positive sigma": ("times.csv", FIRST_PICK, "S01,S02,100,-0.5", "line 2, column sigma", "-0.5", "positive"),
    "non-positive time": ("times.csv", FIRST_PICK, "S01,S02,0,0.5", "line 2, column time", "0.0", "positive"),
    "NaN": ("times.csv", FIRST_PICK, "S01,S02,nan,0.5", "line 2, column time", "nan", "finite number"),
    "empty field": ("times.csv", FIRST_PICK, "S01,S02,,0.5", "line 2, column time", "nothing", "finite number"),
    "infinity": ("times.csv", FIRST_PICK, "S01,S02,100,inf", "line 2, column sigma", "inf", "finite number"),
    "not a number": ("times.csv", FIRST_PICK, "S01,S02,100 s,1", "line 2, column time", "100 s", "finite number"),
    "unknown station": ("times.csv", FIRST_PICK, "S01,S99,100,1", "line 2, column receiver", "S99", "stations.csv"),
    "same station twice": ("times.csv", FIRST_PICK, "S01,S01,100,1", "S01", "same station"),
    "duplicate station": ("stations.csv", "^S02", "S01", "line 3, column name", "S01", "already"),
    "latitude is no number": ("stations.csv", "^S02,[^,]*", "S02,north", "line 3, column latitude", "north", "number"),
    "missing column": ("times.csv", ",sigma", ",error", "columns", "error", "sigma"),
    "ragged row": ("times.csv", SECOND_PICK, r"\1S01,S02,100,1,1,1", "not a CSV table", "line 3"),
    "ragged first row": ("times.csv", FIRST_PICK, "S01,S02,100,1,1,1", "line 2"),
}


@pytest.mark.parametrize(("file", "old", "new", "parts"), [(a, b, c, d) for a, b, c, *d in BAD_DATA.values()], ids=BAD_DATA)
def test_bad_data(files, file, old, new, parts):
    edit(files / file, old, new)
    check(message(files / "tomo2d.toml"), str(files / file), *parts)


def test_lines_are_counted_as_an_editor_does(files):
    """Comments and blank lines before a fault."""
    edit(files / "times.csv", FIRST_PICK, "# picked by hand\n\nS01,S02,100,-1")
    check(message(files / "tomo2d.toml"), "line 4", "sigma")


@pytest.mark.parametrize("name", ["stations.csv", "times.csv"])
@pytest.mark.parametrize(("content", "remedy"), [(None, "cannot be read"), (b"", "CSV"), (b"\xff\xfe\x00\x01", "CSV table")])
def test_unreadable_table(files, name, content, remedy):
    (files / name).unlink() if content is None else (files / name).write_bytes(content)
    check(message(files / "tomo2d.toml"), name, remedy)


def test_names_of_stations_are_text(files):
    """Zero-padded and numeric-looking names are names: 01 is neither 1 nor 1.0, and NA is a name, not a gap."""
    new = {"S01": "01", "S02": "1", "S03": "1.0", "S04": "NA", "S05": "null"}
    for name in ("stations.csv", "times.csv"):
        text = (files / name).read_text()
        (files / name).write_text(re.sub("S0[1-5]", lambda found: new[found[0]], text))
    picks = vip.load_problem(files / "tomo2d.toml").forward.picks[""]
    assert picks.station_names[:6] == ["01", "1", "1.0", "NA", "null", "S06"]


def test_numbered_stations(files):
    """All names are whole numbers with leading zeros, as in many tables."""
    for name in ("stations.csv", "times.csv"):
        text = (files / name).read_text()
        (files / name).write_text(text.replace("S0", "00").replace("S", "0"))
    picks = vip.load_problem(files / "tomo2d.toml").forward.picks[""]
    assert picks.station_names[:2] == ["001", "002"]


@pytest.fixture
def plain_text(files):
    """The same kind of problem in plain text: 3 sources, 2 receivers."""
    np.savetxt(files / "sources.txt", [[45.0, -41.0], [43.0, -36.0], [39.0, -42.0]])
    np.savetxt(files / "receivers.txt", [[38.0, -36.0], [40.0, -39.0]])
    np.savetxt(files / "times.txt", np.full((6, 2), [200.0, 1.0]))
    edit(
        files / "tomo2d.toml",
        "^stations.*\ntimes.*",
        '''sources = "sources.txt"
receivers = "receivers.txt"
times = "times.txt"''',
    )
    return files


def test_plain_text_is_good(plain_text):
    assert len(vip.load_problem(plain_text / "tomo2d.toml").forward.observed) == 6


@pytest.mark.parametrize(
    ("file", "rows", "parts"),
    [
        ("times.txt", np.full((5, 2), 1.0), ("rows", "5", "3 sources x 2 receivers = 6 rows")),
        ("times.txt", np.full((6, 3), 1.0), ("columns", "3", "expected 2")),
        ("times.txt", np.zeros((6, 2)), ("no measurement", "at least one")),
        ("times.txt", [[9, 1], [9, 1], [9, 0], [9, 1], [9, 1], [9, 1]], ("line 3", "sigma", "0.0", "positive")),
        ("times.txt", [[0, 0], [9, 1], [-9, 1], [9, 1], [9, 1], [9, 1]], ("line 3", "time", "-9.0", "positive")),
        ("sources.txt", [[45, -41], [43, np.nan], [39, -42]], ("line 2, column longitude or x", "nan", "finite")),
        ("receivers.txt", [[45, -41], [38, -36]], ("1", "same station")),
    ],
    ids=["wrong number of rows", "wrong number of columns", "no data", "sigma", "time", "NaN", "same station"],
)
def test_bad_plain_text(plain_text, file, rows, parts):
    np.savetxt(plain_text / file, rows)
    file = file if "same station" not in parts else "times.txt"
    check(message(plain_text / "tomo2d.toml"), str(plain_text / file), *parts)


# Files of the prior


@pytest.mark.parametrize("suffix", [".npy", ".txt"])
@pytest.mark.parametrize(
    ("covariance", "remedy"),
    [
        (-np.eye(4), "positive definite"),
        (np.ones((4, 4)), "positive definite"),
        (np.triu(np.ones((4, 4))), "symmetric"),
        (np.eye(3), "(3, 3), expected (4, 4)"),
        (None, "cannot be read"),
    ],
    ids=["negative", "singular", "asymmetric", "shape", "missing"],
)
def test_bad_covariance(files, covariance, remedy, suffix):
    file, config = files / f"covariance{suffix}", files / "tomo2d.toml"
    edit(config, "^true_model.*", "")
    edit(config, PRIOR, f'[prior.velocity]\nkind = "gaussian"\nmean = 3.0\ncovariance_file = "{file.name}"\n')
    edit(config, r"shape = .*\norigin = .*\nspacing = .*", "shape = [2, 2]\norigin = [47.0, -45.0]\nspacing = [-13.0, 15.0]")
    if covariance is not None:
        np.save(file, covariance) if suffix == ".npy" else np.savetxt(file, covariance)
    check(message(config), str(config), "prior.velocity.covariance_file", str(file), remedy)


ROWS = 41
"""Number of rows of the example's velocity; the first is at 47.0, southwards."""


def bounds_file(files, rows, more=""):
    np.savetxt(files / "bounds.txt", rows)
    edit(files / "tomo2d.toml", PRIOR, f'[prior.velocity]\nkind = "uniform"\nbounds_file = "bounds.txt"\n{more}\n')
    return files / "tomo2d.toml"


def test_bounds_by_row(files):
    rows = np.stack([1.5 + 0.01 * np.arange(ROWS), 4.0 + 0.02 * np.arange(ROWS)], axis=1)
    prior = vip.load_problem(bounds_file(files, rows)).prior
    np.testing.assert_array_equal(prior.lower.reshape(ROWS, -1), np.broadcast_to(rows[:, :1], (ROWS, 38)))
    np.testing.assert_array_equal(prior.upper.reshape(ROWS, -1), np.broadcast_to(rows[:, 1:], (ROWS, 38)))


def test_bounds_are_interpolated_where_their_spacing_is_given(files):
    """Linear bounds stay linear at any row: at latitude y, 1 + y / 100 and 4 + y / 50."""
    rows = np.array([[1.0, 4.0], [1.2, 4.4], [1.4, 4.8], [1.6, 5.2]])
    problem = vip.load_problem(bounds_file(files, rows, "bounds_spacing = 20.0"))
    latitude = problem.space.variables[0].coords["latitude"]
    np.testing.assert_allclose(problem.prior.lower.reshape(ROWS, -1)[:, 5], 1 + latitude / 100)
    np.testing.assert_allclose(problem.prior.upper.reshape(ROWS, -1)[:, 0], 4 + latitude / 50)


@pytest.mark.parametrize(
    ("rows", "more", "parts"),
    [
        (np.ones((ROWS - 1, 2)) * [1, 4], "", ["prior.velocity.bounds_file", "40 rows", "velocity has 41"]),
        (np.ones((ROWS, 2)) * [4, 1], "", ["bounds_file", "bounds.txt", "larger upper"]),
        (np.ones((ROWS, 3)), "", ["bounds_file", "bounds.txt", "larger upper"]),
        (np.ones((3, 2)) * [1, 4], "bounds_spacing = 10.0", ["bounds_file", "0 to 20", "34 to 47"]),
        (np.ones((ROWS, 2)) * [1, 4], "lower = 1.0", ["lower", "1.0", "either"]),
    ],
)
def test_bad_bounds(files, rows, more, parts):
    check(message(bounds_file(files, rows, more)), "tomo2d.toml", *parts)


def test_data_blocks_of_a_forward_without_any(files):
    edit(files / "tomo2d.toml", "^iterations", "data_blocks = 3\niterations")
    check(message(files / "tomo2d.toml"), "tomo2d.toml", "algorithm.data_blocks", "3", "no data blocks")


def test_true_model_of_the_wrong_size(files):
    pd.DataFrame(np.ones((3, 3))).to_csv(files / "true_velocity.txt", sep=" ", header=False, index=False)
    check(message(files / "tomo2d.toml"), "forward.true_model", "true_velocity.txt", "9", "1558")


# User plugins

PLUGIN = """
import numpy as np
from vip.protocols import ModelSpace, Variable

class Mine:
    space, ndim = ModelSpace((Variable("velocity", "km/s", ("i",), {"i": np.arange(2.0)}),)), 2

    @classmethod
    def from_settings(cls, settings, base_dir):
        mine = cls()
        mine.settings, mine.base_dir = dict(settings), base_dir
        return mine

    def __call__(self, models):
        return -models.sum(axis=1), -np.ones(models.shape)
"""


@pytest.mark.parametrize("reference", ["./my_forward.py:Mine", "{folder}/my_forward.py:Mine", "my_package.forward:Mine"])
def test_user_plugins_load(files, monkeypatch, reference):
    (files / "my_package").mkdir()
    for place in ("my_forward.py", "my_package/forward.py"):
        (files / place).write_text(PLUGIN)
    monkeypatch.syspath_prepend(files)
    config = files / "tomo2d.toml"
    table = f'[forward]\nplugin = "{reference.format(folder=files)}"\nanything = [1, 2]\n\n[prior'
    edit(config, r"(?s)\[forward\].*?\[prior", table)
    problem = vip.load_problem(config)
    assert type(problem.forward).__name__ == "Mine"
    assert problem.forward.settings == {"anything": [1, 2]}
    assert problem.forward.base_dir == files
    value, gradient, *_ = problem.log_density(np.zeros((3, 2)))
    assert value.shape == (3,)
    assert gradient.shape == (3, 2)
    sys.modules.pop("my_package", None), sys.modules.pop("my_package.forward", None)


@pytest.mark.parametrize("source", ["def (", "import no_such_module", "1 / 0"])
def test_a_plugin_that_cannot_be_imported(files, source):
    (files / "my_forward.py").write_text(source)
    config = files / "tomo2d.toml"
    edit(config, '"tomo2d"', '"./my_forward.py:Mine"')
    check(message(config), str(config), "forward.plugin", "./my_forward.py:Mine", "cannot be imported")


def test_the_schema_that_is_read(files):
    config = files / "tomo2d.toml"
    config.write_text("schema = 1\n" + config.read_text())
    vip.load_problem(config)
    edit(config, "schema = 1", "schema = 2")
    check(message(config), "tomo2d.toml", "schema", "2", "this release reads schema 1")
