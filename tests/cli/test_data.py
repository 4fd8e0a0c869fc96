"""`vip data` and `vip doctor` ask plugins: a user's package with a data set, beside one that cannot be imported."""

import hashlib

import pytest

PLUGIN = """
    from vip.protocols import DataSet

    class Plugin:
        data_sets = {{"small-set": DataSet("http://127.0.0.1:9", {{"a.txt": "sha256:{checksum}"}})}}

        @staticmethod
        def native_code():
            return "a slide rule"

        @classmethod
        def from_settings(cls, settings, base_dir):
            from vip.errors import ConfigError
            raise ConfigError("times", settings["times"], "cannot be read: No such file or directory")
"""


@pytest.fixture
def plugin(install, tmp_path, monkeypatch):
    """Install them; the data set is not there yet."""
    monkeypatch.setenv("VIP_DATA_DIR", str(tmp_path / "data"))
    install("mine", PLUGIN.format(checksum=hashlib.sha256(b"content").hexdigest()), "vip.forward", mine="mine:Plugin")
    install("broken", "raise RuntimeError('out of order')", "vip.forward", broken="broken:Plugin")


def test_data_sets_are_those_of_all_plugins(plugin, vip, tmp_path):
    listed = vip("data")
    assert listed.returncode == 0, listed.stderr
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["british-isles", "small-set"]
    assert "not here; get it with: vip data small-set" in listed.stdout
    unknown = vip("data", "atlantis")
    assert unknown.returncode == 2
    assert unknown.stderr == "vip: data: atlantis: expected one of british-isles, small-set\n"
    folder = tmp_path / "data" / "small_set"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"content")
    assert vip("data", "small-set").stdout == f"{folder}\n"
    assert f"small-set        {folder}\n" in vip("data").stdout


def test_doctor_says_which_are_there_and_what_plugins_use(plugin, vip):
    lines = vip("doctor").stdout.splitlines()
    found = {what: line for line in lines for what in ("plugin mine", "plugin broken", "data small-set") if what in line}
    assert "a slide rule" in found["plugin mine"]
    assert "out of order" in found["plugin broken"]
    assert "vip data small-set" in found["data small-set"]


@pytest.mark.parametrize(
    ("folder", "hint"),
    [("small_set", "get the data with `vip data small-set`"), ("other", "VIP_DATA_DIR says where data sets are")],
)
def test_an_error_says_how_to_get_the_data_that_are_missing(plugin, vip, tmp_path, folder, hint):
    config = tmp_path / "mine.toml"
    config.write_text(f"""
seed = 1
[forward]
plugin = "mine"
times = "${{VIP_DATA_DIR}}/{folder}/a.txt"
[algorithm]
name = "svgd"
particles = 2
iterations = 1
step_size = 0.1
""")
    failed = vip("run", config)
    assert failed.returncode == 2
    assert hint in failed.stderr


def test_what_a_plugin_does_not_have(plugin, vip):
    for command, lacking in ((("init", "mine"), "starter configuration"), (("simulate", "mine", "there"), "synthetic example")):
        refused = vip(*command)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
        assert f"mine: has no {lacking}" in refused.stderr
