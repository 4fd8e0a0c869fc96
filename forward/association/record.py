"""The directory of an association."""

from __future__ import annotations

from pathlib import Path

from vip.errors import StoreError
from vip.forward.association.catalogue import Catalogue


def load(directory: Path) -> Catalogue:
    """The catalogue that a directory keeps.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    raise StoreError(f"{directory}: cannot be read by this version")
