"""The page of an association: what was found in one line, counts, and all pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vip.errors import ConfigError
from vip.forward.association.pictures.moveout import moveout
from vip.forward.association.pictures.places import places
from vip.forward.association.pictures.probabilities import probabilities
from vip.forward.association.pictures.record import rates, reasons
from vip.forward.association.pictures.residuals import distances, stations
from vip.forward.association.pictures.shown import Shown
from vip.forward.association.pictures.speeds import corrections, speeds
from vip.forward.association.pictures.truth import Truth, read_truth
from vip.forward.association.pictures.window import window
from vip.forward.association.record.catalogue import Catalogue
from vip.pages.page import write_page
from vip.pages.style import Picture
from vip.protocols import Floats

OF_A_KIND = 4
"""Number of events of each kind that have a picture of their own."""


def write_report(
    catalogue: Catalogue,
    directory: str | Path,
    truth: Truth | str | Path | None = None,
    events: Sequence[str] = (),
    title: str = "Association",
) -> Path:
    """Write pictures of a catalogue and a page with all of them, ``index.html``.

    Parameters
    ----------
    catalogue : Catalogue
    directory : path
        Folder of the page.
    truth : Truth or path, optional
        The truth, or a folder with it, see `read_truth`: true places, shares that are right.
    events : sequence of str
        Names of events with a picture of their own; four each of the most and the least sure and of those with most picks if
        none is named.
    title : str

    Returns
    -------
    Path
        Path of the page.

    Raises
    ------
    ConfigError
        If there is no such event, or something is wrong with the truth.
    """
    shown = Shown(catalogue, read_truth(truth) if isinstance(truth, str | Path) else truth)
    chosen = _named(catalogue, events) if events else _of_all_kinds(catalogue)
    return write_page(Path(directory), title, catalogue.summary(), _summary(shown), pictures(shown, chosen))


def pictures(shown: Shown, chosen: dict[int, str]) -> Iterator[Picture]:
    """All pictures; those of single events for the `chosen`, each with the reason why."""
    yield from places(shown)
    yield rates(shown)
    for draw in (window, probabilities, reasons, stations, distances, speeds, corrections):
        picture = draw(shown)
        if picture is not None:
            yield picture
    for event, why in chosen.items():
        yield moveout(shown, event, why)


def _named(catalogue: Catalogue, names: Sequence[str]) -> dict[int, str]:
    known = {name: i for i, name in enumerate(catalogue.events["event"])}
    for name in names:
        if name not in known:
            raise ConfigError("events", name, "there is no such event; the table of events has their names")
    return {known[name]: "Asked for" for name in names}


def _of_all_kinds(catalogue: Catalogue) -> dict[int, str]:
    """The surest events, the most doubtful ones and those with most picks, each once."""
    odds, picks = (catalogue.events[name].to_numpy(float) for name in ("log_odds", "picks"))
    chosen: dict[int, str] = {}
    for why, value in (("Among the surest", -odds), ("Among the most doubtful", odds), ("Among those with most picks", -picks)):
        for event in _first(value, chosen):
            chosen[event] = why
    return chosen


def _first(value: Floats, taken: dict[int, str]) -> list[int]:
    order = [int(i) for i in np.argsort(value, kind="stable") if int(i) not in taken]
    return order[:OF_A_KIND]


def _summary(shown: Shown) -> dict[str, str]:
    """Rows of the table of the page."""
    catalogue, time = shown.catalogue, shown.picks["time"]
    learned = catalogue.learned
    rows = {"Events": f"{len(catalogue.events):,}"}
    rows |= _of_truth(shown)
    used = (shown.picks["event"] >= 0).mean()
    rows["Picks"] = f"{len(time):,} at {len(shown.network.place):,} stations; {used:.1%} are of an event"
    rows["Record"] = f"{_text(time.min())} to {_text(time.max())}"
    rows["Standard deviations"] = ", ".join(f"{phase} {sigma:.3g} s" for phase, sigma in learned.sigma.items())
    rows["Standard deviations"] += ", of picks without one of their own"
    rows["Probability of a pick"] = f"{learned.detection:.2f}"
    if catalogue.faults:
        rows["Rows that are no picks"] = f"{len(catalogue.faults):,}, the first: {catalogue.faults[0]}"
    return rows


def _of_truth(shown: Shown) -> dict[str, str]:
    if shown.truth is None:
        return {}
    n_true, used = len(shown.truth.events), (shown.picks["event"] >= 0).to_numpy()
    found = int((shown.matched >= 0).sum())
    rows = {"True events": f"{found:,} of {n_true:,} found; {len(shown.matched) - found:,} events are none of them"}
    rows["Right picks"] = f"{shown.right.mean():.1%} of all"
    if used.any():
        rows["Right picks"] += f", {shown.right[used].mean():.1%} of those of events; their mean probability is "
        rows["Right picks"] += f"{shown.picks['probability'][used].mean():.1%}"
    return rows


def _text(time: object) -> str:
    return str(time)[:19] + " UTC"
