"""Public data sets: found where VIP_DATA_DIR says, checked, and explained when they cannot be had."""

import hashlib

import pytest

from vip import data
from vip.errors import VIPError
from vip.protocols import DataSet

SMALL = DataSet("http://127.0.0.1:9/", {"a.txt": "sha256:" + hashlib.sha256(b"content").hexdigest()})
"""Nothing listens there."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder of a data set "small-set"."""
    monkeypatch.setenv("VIP_DATA_DIR", str(tmp_path))
    assert data.folder("small-set") == tmp_path / "small_set"
    (tmp_path / "small_set").mkdir()
    return tmp_path / "small_set"


def test_a_file_that_is_not_what_it_was_is_refused(folder):
    (folder / "a.txt").write_text("tampered")
    with pytest.raises(VIPError, match=r"small-set.*VIP_DATA_DIR"):
        data.fetch("small-set", SMALL)


def test_a_whole_data_set_needs_no_network(folder):
    assert not data.is_there("small-set", SMALL)
    (folder / "a.txt").write_bytes(b"content")
    assert data.is_there("small-set", SMALL)
    assert data.fetch("small-set", SMALL) == folder
