"""Papers that a run rests on: references that are whole, keys that exist, and `vip cite` on runs."""

import re
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import vip
from vip import plugins
from vip.errors import CitationError
from vip.forward.combine import Joint
from vip.forward.hypocenter.settings import HypocenterSettings
from vip.protocols import Cites, DataSet, ModelSpace, Variable
from vip.runs.citation import ALWAYS, citation, data_papers, entries, entry, references
from vip.runs.plugins import data_sets

PLUGIN = """
import numpy as np
from vip.protocols import ModelSpace, Variable

class Bowl:
    space = ModelSpace((Variable("x", "", ("entry",), {"entry": np.arange(2)}),))
    ndim = 2
    papers = PAPERS

    @classmethod
    def from_settings(cls, settings, base_dir):
        return cls()

    def __call__(self, models):
        return -(models**2).sum(axis=1) / 2, -models
"""

CONFIG = """
[forward]
plugin = "./bowl.py:Bowl"
[prior.x]
kind = "uniform"
lower = -5.0
upper = 5.0
[algorithm]
name = "svgd"
particles = 4
iterations = 2
step_size = 0.1
[dispatch]
kind = "serial"
"""

OWN = "@misc{own_2026,\n  author = {Me},\n  title = {Bowls},\n  year = {2026}\n}"


def run(folder, papers):
    """A small run of a forward that names papers."""
    (folder / "bowl.py").write_text(PLUGIN.replace("PAPERS", repr(papers)))
    (folder / "bowl.toml").write_text(CONFIG)
    return vip.run(vip.load_problem(folder / "bowl.toml"), folder / "out").store


def settings_classes(cls):
    yield cls
    for child in cls.__subclasses__():
        yield from settings_classes(child)


def named():
    """Every key that a method, a plugin or a data set of ours names."""
    yield from ALWAYS
    for data_set in data_sets().values():
        yield from data_set.papers
    base = import_module("vip.methods").Method
    classes = [*settings_classes(base), *(plugins.find(name, None, "") for name in plugins.installed())]
    for cls in classes:
        yield from cls.papers if isinstance(cls, Cites) and isinstance(cls.papers, tuple) else ()
    region = {"stations": "a", "picks": "b", "velocity": "c"}
    for times in ("tables", "eikonet"):
        for likelihood in ("edt", "gaussian"):
            chosen = {"likelihood": likelihood, "travel_times": times}
            yield from HypocenterSettings.model_construct(**region, **chosen).papers
    yield "zhao_curtis_2024"


def test_every_key_is_in_the_references():
    assert set(named()) <= set(references())


@pytest.mark.parametrize("key", references())
def test_every_reference_is_whole(key):
    text = references()[key]
    for field in ("author", "title", "year"):
        assert re.search(rf"^  {field} = \{{.+", text, re.M), f"{key} has no {field}"
    assert re.search(r"^  year = \{\d{4}\},?$", text, re.M)
    assert text.count("{") == text.count("}")


def test_nothing_of_the_references_is_lost():
    """An entry that the parser does not see, or sees twice, is not there."""
    from importlib import resources

    text = (resources.files("vip") / "references.bib").read_text()
    assert text.count("@") == len(references())
    assert "\n\n".join(references().values()) == text.strip()


def test_cite_prints_the_papers_of_a_run(tmp_path):
    store = run(tmp_path, ("lomax_2000", OWN, "zhang_curtis_2024"))
    out = subprocess.run([sys.executable, "-m", "vip", "cite", str(store.path)], capture_output=True, text=True, check=True)
    found = entries(out.stdout)
    assert set(found) >= {"vip", "zhang_curtis_2024", "lomax_2000", "own_2026"}
    assert found["own_2026"] == OWN
    assert out.stdout.count("@article{zhang_curtis_2024,") == 1


def test_an_unknown_key_is_named(tmp_path):
    with pytest.raises(CitationError, match=r"papers: 'nobody_1900': no such reference"):
        entry("nobody_1900")
    store = run(tmp_path, ("nobody_1900",))
    out = subprocess.run([sys.executable, "-m", "vip", "cite", str(store.path)], capture_output=True, text=True, check=False)
    assert (out.returncode, out.stdout) == (1, "")
    assert out.stderr.startswith("vip: papers: 'nobody_1900'")


def test_data_are_known_by_their_checksums(tmp_path, monkeypatch):
    store = run(tmp_path, ())
    assert list(data_papers(store)) == []
    checksum = next(iter(store.provenance["inputs"].values()))
    changed = DataSet("", {"anything.txt": f"sha256:{checksum}"}, ("galetti_2017",))
    monkeypatch.setattr("vip.runs.citation.data_sets", lambda: {"british-isles": changed})
    assert list(data_papers(store)) == ["galetti_2017"]
    assert "@article{galetti_2017," in citation(store)


class Part:
    space = ModelSpace((Variable("x", "", ("entry",), {"entry": np.arange(2)}),))
    ndim = 2

    def __call__(self, models):
        return models.sum(axis=1), np.ones_like(models)


def test_a_combined_forward_has_the_papers_of_its_parts():
    one, other, none = Part(), Part(), Part()
    one.papers, other.papers = ("a",), ("b", "c")
    assert Joint([one, none, other]).papers == ("a", "b", "c")
    assert not isinstance(Joint([none, none]), Cites)
