"""Every name asked of a forward is in a protocol, and asked by isinstance."""

import re
from pathlib import Path

import pytest
from typing_extensions import get_protocol_members, is_protocol

from vip import protocols
from vip.protocols import forward, shown

ROOT = Path(__file__).parents[2]
ASKED = re.compile(r"(?:getattr|hasattr)\(\s*(?:\w+\.)*_?(?:forward|plugin|part|code)\s*,")
"""A name looked up on a forward, a plugin, or a part of a combined forward."""


@pytest.mark.parametrize("file", sorted([*(ROOT / "vip").rglob("*.py"), *(ROOT / "forward").rglob("*.py")]), ids=str)
def test_no_name_is_looked_up_on_a_forward(file):
    assert not ASKED.findall(file.read_text())


@pytest.mark.parametrize("text", ["getattr(forward, 'x', 1)", "hasattr(self._forward, name)", "getattr(problem.forward, 'y')"])
def test_the_search_finds_what_it_is_for(text):
    assert ASKED.search(text)


def abilities():
    """Every protocol of forwards."""
    found = {name: each for module in (forward, shown) for name, each in vars(module).items() if isinstance(each, type)}
    return {name: each for name, each in found.items() if is_protocol(each)}


@pytest.mark.parametrize("name", abilities())
def test_every_ability_is_asked_for_somewhere(name):
    """A protocol that nobody asks for is a promise that nobody keeps."""
    files = [*(ROOT / "vip").rglob("*.py"), *(ROOT / "forward").rglob("*.py")]
    used = [file for file in files if "protocols" not in file.parts and re.search(rf"\b{name}\b", file.read_text())]
    assert used


def test_all_that_is_shown_of_a_forward_is_lent():
    """An ability that is added to `vip.protocols.shown` is lent without a line."""
    from vip.protocols.lend import STANDS_FOR

    shown_of = {each for each in vars(shown).values() if isinstance(each, type) and is_protocol(each)}
    assert shown_of <= set(STANDS_FOR)

    source, stands = type("Source", (), {})(), type("Stands", (), {})()
    for protocol in STANDS_FOR:
        for name in get_protocol_members(protocol):
            setattr(source, name, f"the source's {name}")
    protocols.lend(source, stands)
    for protocol in shown_of:
        assert isinstance(stands, protocol)
