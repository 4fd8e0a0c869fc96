"""The catalogue of pieces and finished windows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from vip.forward.association.catalogue import Catalogue, catalogue
from vip.forward.association.inputs import Inputs
from vip.forward.association.located import locate
from vip.forward.association.pieces import Piece
from vip.forward.association.stream import PICK, Finder, Store
from vip.forward.association.windows import LENGTH, Window, joined, margin


def gathered(store: Store, finder: Finder, done: float) -> Catalogue:
    """The catalogue of all pieces and windows.

    Parameters
    ----------
    store : Store
    finder : Finder
    done : float
        Number of the last window that is finished; infinite if all are.
    """
    return of_pieces(list(store.pieces()), 0, store.windows(), finder, done)


def of_pieces(pieces: list[Piece], first: int, windows: Iterable[Window], finder: Finder, done: float) -> Catalogue:
    """The catalogue of some pieces one after the other, of which the first begins with the row `first` of the input."""
    inputs = _inputs(pieces, finder)
    at = np.full(len(inputs.rows), -1)
    at[inputs.row] = np.arange(len(inputs.row))
    found = joined((window._replace(pick=at[window.pick - first]) for window in windows), len(inputs.row))
    waiting = np.floor_divide(inputs.arrivals.time + margin(finder.nodes), LENGTH) > done
    return catalogue(inputs, found, locate(inputs, found, finder.rules), finder.learned, waiting)


def _inputs(pieces: list[Piece], finder: Finder) -> Inputs:
    rows = pd.concat([piece.rows for piece in pieces], ignore_index=True)
    before = np.cumsum([0, *(len(piece.rows) for piece in pieces)])
    picks = np.zeros(sum(len(piece.row) for piece in pieces), PICK)
    picks["row"] = np.concatenate([start + piece.row for start, piece in zip(before, pieces, strict=False)])
    picks["is_s"] = np.concatenate([piece.phase == "S" for piece in pieces])
    for name in ("time", "sigma", "probability", "station"):
        picks[name] = np.concatenate([getattr(piece, name) for piece in pieces])
    arrivals = finder.arrivals(picks)
    order = np.lexsort((arrivals.time, arrivals.channel))
    faults = [fault for piece in pieces for fault in piece.faults]
    return Inputs(rows, faults, finder.site, arrivals.of(order), picks["row"][order], finder.reference)
