"""Abilities of one object lent to another that stands for it."""

from __future__ import annotations

import inspect
from typing import Any

from typing_extensions import get_protocol_members, is_protocol

from vip.protocols import forward, shown

STANDS_FOR: tuple[Any, ...] = (
    forward.Simulates,
    forward.FixesEntries,
    forward.InfersNoise,
    *(each for _, each in inspect.getmembers(shown, inspect.isclass) if is_protocol(each)),
)
"""What whoever stands for a forward can do if this can: all that is shown of it, so that no new ability is forgotten."""


def lend(source: object, to: object) -> None:
    """Give an object the abilities of the forward that it stands for; those that it has itself it keeps."""
    for protocol in STANDS_FOR:
        if isinstance(source, protocol) and not isinstance(to, protocol):
            for name in get_protocol_members(protocol):
                setattr(to, name, getattr(source, name))
