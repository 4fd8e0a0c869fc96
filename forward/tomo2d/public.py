"""Public data sets of travel times."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from vip.protocols import DataSet

BRITISH_ISLES = DataSet(
    "https://raw.githubusercontent.com/xin2zhang/VIP/4857809/tests/tomo_UK/input",
    {
        "sources.txt": "sha256:ceed0eb3f47b5cca44f50463e7823c81b0d1de5412a4ce852b10797a7cdca843",
        "receivers.txt": "sha256:ceed0eb3f47b5cca44f50463e7823c81b0d1de5412a4ce852b10797a7cdca843",
        "ttimes.txt": "sha256:776fdf24195c7e33c80f6e698cdffd460c6b9621c744d55b3fb4b726a6ecb756",
    },
    ("galetti_2017",),
)
"""Love-wave group travel times under the British Isles (Galetti et al. 2017), from a commit of the repository xin2zhang/VIP."""

DATA_SETS: Mapping[str, DataSet] = MappingProxyType({"british-isles": BRITISH_ISLES})
