"""Public data sets: found where VIP_DATA_DIR says, checked, and explained when they cannot be had."""

import hashlib

import pytest

from vip import data
from vip.errors import VIPError
from vip.runs.plugins import data_sets

NOWHERE = "http://127.0.0.1:9/"
"""Nothing listens there."""


def test_a_file_that_is_not_what_it_was_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("VIP_DATA_DIR", str(tmp_path))
    files = data_sets()["british-isles"].files
    folder = tmp_path / "british_isles"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("tampered")
    with pytest.raises(VIPError, match=r"british-isles.*VIP_DATA_DIR"):
        data.fetch("british-isles", NOWHERE, files)


def test_a_whole_data_set_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("VIP_DATA_DIR", str(tmp_path))
    (tmp_path / "small_set").mkdir()
    (tmp_path / "small_set" / "a.txt").write_bytes(b"content")
    checksum = hashlib.sha256(b"content").hexdigest()
    assert data.fetch("small-set", NOWHERE, {"a.txt": f"sha256:{checksum}"}) == tmp_path / "small_set"
