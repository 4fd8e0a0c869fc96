"""Public data sets: where they are kept, and how one is downloaded and checked. Plugins say which there are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vip.errors import VIPError


def data_dir() -> Path:
    """Folder of the data sets: ``VIP_DATA_DIR``, else the user's cache."""
    import pooch

    return Path(os.environ.get("VIP_DATA_DIR") or pooch.os_cache("vip"))


def folder_of(name: str) -> Path:
    """Folder of a data set.

    Examples
    --------
    >>> folder_of("british-isles").name
    'british_isles'
    """
    return data_dir() / name.replace("-", "_")


def fetch(name: str, url: str, files: Mapping[str, str]) -> Path:
    """Download the files of a data set, unless they are there already, and return its folder.

    Parameters
    ----------
    name : str
    url : str
        Where the files are.
    files : mapping of str to str
        Checksum (``sha256:...``) of each file, by its name.

    Raises
    ------
    VIPError
        If a file cannot be downloaded or is not what it was.
    """
    import pooch

    folder = folder_of(name)
    downloader = pooch.create(folder, url, registry=dict(files))
    try:
        for file in files:
            downloader.fetch(file)
    except (OSError, ValueError) as error:
        raise VIPError(f"data: {name}: {error}; or put the files into {folder} yourself, or set VIP_DATA_DIR") from error
    return folder
