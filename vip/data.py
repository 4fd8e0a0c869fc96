"""Public data sets: where they are kept, and how one is downloaded and checked. Plugins say which data sets there are."""

from __future__ import annotations

import os
from pathlib import Path

from vip.errors import VIPError
from vip.protocols import DataSet


def data_dir() -> Path:
    """Folder of all data sets: ``VIP_DATA_DIR``, else the user's cache."""
    import pooch

    return Path(os.environ.get("VIP_DATA_DIR") or pooch.os_cache("vip"))


def folder(name: str) -> Path:
    """Folder of one data set, whether it is there or not."""
    return data_dir() / name.replace("-", "_")


def is_there(name: str, data_set: DataSet) -> bool:
    """Whether all files of a data set are in its folder; they are checked when it is fetched."""
    return all((folder(name) / file).is_file() for file in data_set.files)


def fetch(name: str, data_set: DataSet) -> Path:
    """Download a data set, unless it is there already, and return its folder.

    Raises
    ------
    VIPError
        If it cannot be downloaded, or a file has another checksum.
    """
    import pooch

    place = folder(name)
    downloader = pooch.create(place, f"{data_set.url.rstrip('/')}/", registry=dict(data_set.files))
    try:
        for file in data_set.files:
            downloader.fetch(file)
    except (OSError, ValueError) as error:
        raise VIPError(f"data: {name}: {error}; or put the files into {place} yourself, or set VIP_DATA_DIR") from error
    return place
