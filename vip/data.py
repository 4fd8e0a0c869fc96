"""Public data sets: downloaded once, checked, and kept in a cache."""

from __future__ import annotations

import os
from pathlib import Path

from vip.errors import VIPError

COMMIT = "4857809"
"""Commit of the public repository xin2zhang/VIP that the files are taken from."""

BASE_URL = f"https://raw.githubusercontent.com/xin2zhang/VIP/{COMMIT}/tests/tomo_UK/input/"

DATASETS = {
    "british-isles": {
        "sources.txt": "sha256:ceed0eb3f47b5cca44f50463e7823c81b0d1de5412a4ce852b10797a7cdca843",
        "receivers.txt": "sha256:ceed0eb3f47b5cca44f50463e7823c81b0d1de5412a4ce852b10797a7cdca843",
        "ttimes.txt": "sha256:776fdf24195c7e33c80f6e698cdffd460c6b9621c744d55b3fb4b726a6ecb756",
    }
}

PAPERS = {"british-isles": ("galetti_2017",)}
"""Where each was published: keys of ``references.bib``."""


def data_dir() -> Path:
    """Folder of the data sets: ``VIP_DATA_DIR``, else the user's cache."""
    import pooch

    return Path(os.environ.get("VIP_DATA_DIR") or pooch.os_cache("vip"))


def fetch(name: str) -> Path:
    """Download a data set, unless it is there already, and return its folder.

    Raises
    ------
    VIPError
        If it cannot be downloaded or is not what it was.
    """
    import pooch

    folder = data_dir() / name.replace("-", "_")
    downloader = pooch.create(folder, BASE_URL, registry=DATASETS[name])
    try:
        for file in DATASETS[name]:
            downloader.fetch(file)
    except (OSError, ValueError) as error:
        raise VIPError(f"data: {name}: {error}; or put the files into {folder} yourself, or set VIP_DATA_DIR") from error
    return folder
