"""Public data sets: found where VIP_DATA_DIR says, checked, and explained when they cannot be had."""

import pytest

from vip import data
from vip.errors import VIPError


def test_a_file_that_is_not_what_it_was_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("VIP_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(data, "BASE_URL", "http://127.0.0.1:9/")  # nothing listens there
    folder = tmp_path / "british_isles"
    folder.mkdir()
    for name in data.DATASETS["british-isles"]:
        (folder / name).write_text("tampered")
    with pytest.raises(VIPError, match=r"british-isles.*VIP_DATA_DIR"):
        data.fetch("british-isles")


def test_a_whole_data_set_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("VIP_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(data, "BASE_URL", "http://127.0.0.1:9/")
    monkeypatch.setattr(data, "DATASETS", {"small-set": {"a.txt": "sha256:" + _checksum(b"content")}})
    (tmp_path / "small_set").mkdir()
    (tmp_path / "small_set" / "a.txt").write_bytes(b"content")
    assert data.fetch("small-set") == tmp_path / "small_set"


def _checksum(content):
    import hashlib

    return hashlib.sha256(content).hexdigest()
