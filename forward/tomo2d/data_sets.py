"""Public data sets of travel times."""

from __future__ import annotations

from vip.protocols import DataSet

COMMIT = "4857809"
"""Commit of the public repository xin2zhang/VIP that the files are taken from."""

DATA_SETS = {
    "british-isles": DataSet(
        f"https://raw.githubusercontent.com/xin2zhang/VIP/{COMMIT}/tests/tomo_UK/input/",
        {
            "sources.txt": "sha256:ceed0eb3f47b5cca44f50463e7823c81b0d1de5412a4ce852b10797a7cdca843",
            "receivers.txt": "sha256:ceed0eb3f47b5cca44f50463e7823c81b0d1de5412a4ce852b10797a7cdca843",
            "ttimes.txt": "sha256:776fdf24195c7e33c80f6e698cdffd460c6b9621c744d55b3fb4b726a6ecb756",
        },
        ("galetti_2017",),
    )
}
"""Data sets by the name that ``vip data`` knows them by."""
