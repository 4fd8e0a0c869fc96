"""HypoDD (Waldhauser 2001): events and their picks, the input of its program ph2dt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from vip.errors import VIPError
from vip.files import whole
from vip.forward.earthquakes.origins import Origin, horizontal_ellipse
from vip.forward.earthquakes.picks import Picks
from vip.forward.earthquakes.stations import Stations


@contextmanager
def growing(file: Path) -> Iterator[Callable[[Sequence[Origin], Picks, Stations], None]]:
    """A function to write parts of a catalogue with; the file is there when all are written.

    HypoDD knows events by numbers of at most nine digits: here from 1 in the order of the catalogue. A pick is its travel time
    and a weight from 0 to 1, which is the probability that it is of this event, where that is known. There are no magnitudes,
    which is written as 0.

    Raises
    ------
    VIPError
        If origins are not in degrees.
    """
    with whole(file) as part, part.open("w", encoding="utf-8") as opened:
        numbers = count(1)

        def add(origins: Sequence[Origin], picks: Picks, stations: Stations) -> None:
            index, codes = {event: i for i, event in enumerate(picks.events)}, stations.codes()
            times = picks.absolute_time()
            for origin in origins:
                if not origin.geographic:
                    raise VIPError(f"{file}: HypoDD needs degrees, and these places are in km: choose a name in .csv")
                own = slice(*picks.start[index[origin.event] :][:2])
                after = (times[own] - origin.time) / np.timedelta64(1, "s")
                seen = origin.arrivals.probability
                weights = np.ones(len(after)) if seen is None else seen
                rows = zip(picks.station[own], after, weights, picks.phase[own], strict=True)
                lines = (f"{codes[station]:<7} {time:10.4f} {weight:6.3f} {phase}\n" for station, time, weight, phase in rows)
                opened.writelines([_event(origin, next(numbers)), *lines])

        yield add


def _event(origin: Origin, number: int) -> str:
    """The line of an event: time, place, magnitude, horizontal and vertical error (km), rms (s) and number."""
    time = pd.Timestamp(origin.time)
    second = time.second + time.microsecond / 1e6
    where = f"{origin.latitude:10.6f} {origin.longitude:11.6f} {origin.depth:9.4f}"
    errors = f"{horizontal_ellipse(origin.covariance).semi_major:8.4f} {np.sqrt(origin.covariance[2, 2]):8.4f}"
    return f"# {time:%Y %m %d %H %M} {second:9.6f} {where} 0.0 {errors} {origin.rms:8.4f} {number:9d}\n"
