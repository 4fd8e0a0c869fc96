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
"""Abilities that an object which stands for a forward has if the forward has them: all that reports, exports and checks ask
for, so that no new ability is forgotten."""


def lend(source: object, to: object) -> None:
    """Give an object the abilities of the forward that it stands for; it keeps the abilities that it has itself."""
    for protocol in STANDS_FOR:
        if isinstance(source, protocol) and not isinstance(to, protocol):
            for name in get_protocol_members(protocol):
                setattr(to, name, getattr(source, name))
