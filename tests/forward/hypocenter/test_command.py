"""The configuration that `vip locate` makes: the starter's with what the command says, read as it was written."""

import tomllib
from pathlib import Path

from vip.forward.hypocenter import Hypocenters
from vip.forward.hypocenter.command import _configuration, _toml
from vip.forward.hypocenter.settings import HypocenterSettings

FILES = {name: Path("/data") / 'Sør "1" 😀' / name for name in ("picks", "stations", "velocity")}


def made(sigma=None):
    return _configuration(**FILES, depth=(-1.0, 1e-7), likelihood="gaussian", sigma=sigma, run_dir=Path("/data/c.run"))


def test_it_is_read_as_it_was_written():
    assert tomllib.loads(_toml(made(sigma=0.1))) == made(sigma=0.1)
    table = {"a": {"b": {"c": {"d": 1}}, "e": "last", "f": []}, "g": True, "h": {}}
    assert tomllib.loads(_toml(table)) == table


def test_it_is_the_starter_with_what_the_command_says():
    starter = tomllib.loads(Hypocenters.starter_config())
    said = {**{name: str(file) for name, file in FILES.items()}, "likelihood": "gaussian", "region": {"depth": [-1.0, 1e-7]}}
    assert made() == {**starter, "forward": starter["forward"] | said, "run": {"output": "/data/c.run"}}
    settings = HypocenterSettings.model_validate({key: value for key, value in made(0.2)["forward"].items() if key != "plugin"})
    assert settings.sigma == {"P": 0.2, "S": 0.2}
    assert settings.region.depth == (-1.0, 1e-7)
