"""Picks that carry no event, as detectors write them."""

import re

import numpy as np
import pytest

from vip.errors import ConfigError
from vip.forward.earthquakes.picks import PickRules
from vip.forward.earthquakes.reading import read_picks, read_unassociated
from vip.forward.earthquakes.stations import Stations

STATIONS = Stations(
    ["XX.AAA", "XX.BBB", "DDD"],
    np.array([[45.0, 7.0, 0.5], [45.1, 7.2, 0.0], [45.3, 6.9, -0.2]]),
    {"P": np.zeros(3), "S": np.zeros(3)},
    geographic=True,
)
CSV = """\
station,phase,time,sigma
XX.AAA,P,2024-05-17T09:30:12.340,0.05
DDD,S,2024-05-18T00:00:00.000001,0.20
AAA,P,2024-05-17T09:30:11.5,0.05
BBB,Pn,2024-05-17T09:30:12.9,0.10
BBB,Pg,2024-05-17T09:30:13.4,0.10
"""
PICK = """\
  <pick publicID="smi:local/pick{number}">
   <time><value>2024-05-17T09:30:{second}Z</value><uncertainty>0.1</uncertainty></time>
   <waveformID networkCode="XX" stationCode="{station}"/><phaseHint>{phase}</phaseHint>
   <evaluationMode>automatic</evaluationMode><evaluationStatus>{status}</evaluationStatus>
  </pick>"""
QUAKEML = """\
<?xml version="1.0" encoding="UTF-8"?>
<q:quakeml xmlns="http://quakeml.org/xmlns/bed/1.2" xmlns:q="http://quakeml.org/xmlns/quakeml/1.2">
 <eventParameters publicID="smi:local/all">
{outside}
  <event publicID="smi:local/quake1">
{inside}
   <origin publicID="smi:local/origin1">
    <time><value>2024-05-17T09:30:00Z</value></time>
    <latitude><value>45</value></latitude><longitude><value>7</value></longitude>
    <arrival publicID="smi:local/arrival1"><pickID>smi:local/pick3</pickID><phase>P</phase></arrival>
   </origin>
  </event>
 </eventParameters>
</q:quakeml>
"""


def pick(number, second, station="AAA", phase="P", status="preliminary"):
    return PICK.format(number=number, second=second, station=station, phase=phase, status=status)


def quakeml(*outside):
    inside = [pick(3, "20.5"), pick(4, "21.5", "BBB", "S"), pick(5, "22.5", status="rejected")]
    return QUAKEML.format(outside="\n".join(outside), inside="\n".join(inside))


@pytest.fixture
def written(tmp_path):
    def write(text, name="picks.csv"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


def test_a_table_without_a_column_of_events(written):
    """In the order of their times, however far apart, several of a phase at a station."""
    picks, faults = read_unassociated(written(CSV), STATIONS)
    assert not faults
    assert picks.source == ["line 4", "line 2", "line 5", "line 6", "line 3"]
    np.testing.assert_array_equal(picks.station, [0, 0, 1, 1, 2])
    assert "".join(picks.phase) == "PPPPS"
    assert picks.reference == np.datetime64("2024-05-17T09:30:11")
    np.testing.assert_allclose(picks.time[:4], [0.5, 1.34, 1.9, 2.4], atol=1e-9)
    assert picks.absolute_time()[4] == np.datetime64("2024-05-18T00:00:00.000001")
    np.testing.assert_array_equal(picks.sigma, [0.05, 0.05, 0.1, 0.1, 0.2])


def test_events_of_a_table_do_not_count(written):
    rows = CSV.splitlines()
    named = "\n".join([f"event,{rows[0]}", *(f"e{i % 2},{row}" for i, row in enumerate(rows[1:]))])
    with_events, without = (read_unassociated(written(text), STATIONS)[0] for text in (named, CSV))
    assert with_events.source == without.source
    np.testing.assert_array_equal(with_events.absolute_time(), without.absolute_time())


def test_events_cannot_be_located_without_a_column_of_events(written):
    with pytest.raises(ConfigError, match=r"picks\.csv: .*there is no column 'event'; expected event,station,phase,time"):
        read_picks(written(CSV), STATIONS)


FAULTS = [
    ("NONE,P,2024-05-17T09:30:13,0.1", {}, "station 'NONE': there is no such station; add it"),
    ("AAA,P,noon,0.1", {}, "time 'noon': cannot be read; write it as"),
    ("AAA,P,2024-05-17T09:30:13,", {}, "no sigma; give it (s), or a default for phase P"),
    ("AAA,P,2024-05-17T09:30:13,-1", {}, "sigma '-1': must be a positive number"),
    ("AAA,P,2024-05-17T09:30:13Z,0.1", {}, "time '2024-05-17T09:30:13Z': other times have another offset from UTC, or none"),
    ("AAA,P,2024-05-17T09:30:12.34,0.1", {}, "this pick is in the file twice; keep one of the two"),
    ("", {"phases": frozenset("P")}, "phase 'S': the model has no velocity of S"),
]


@pytest.mark.parametrize(("row", "rules", "message"), FAULTS)
def test_a_fault_leaves_its_pick_out_and_no_other(written, row, rules, message):
    file = written(f"{CSV}{row}\n")
    picks, (fault,) = read_unassociated(file, STATIONS, PickRules(**rules))
    line = 7 if row else 3
    assert str(fault).startswith(f"{file}, line {line}: ")
    assert message in fault.message
    assert len(picks.time) == (5 if row else 4)
    assert f"line {line}" not in picks.source


def test_all_rows_with_the_same_fault_are_named(written):
    _, faults = read_unassociated(written(CSV.replace("BBB", "NONE")), STATIONS)
    assert [fault.place.rpartition(" ")[2] for fault in faults] == ["5", "6"]


def test_no_pick_without_a_fault_is_no_pick(written):
    picks, faults = read_unassociated(written("station,phase,time,sigma\nNONE,P,2024-05-17T09:30:13,0.1\n"), STATIONS)
    assert len(faults) == 1
    assert len(picks.time) == len(picks.absolute_time()) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("station,phase,when\nAAA,P,2024-05-17T09:30:13\n", "there is no column 'time'; expected station,phase,time"),
        ("station,phase,time\n", "at least one is needed"),
    ],
)
def test_what_is_wrong_with_the_whole_file(written, text, message):
    with pytest.raises(ConfigError, match=rf"picks\.csv.*{re.escape(message)}"):
        read_unassociated(written(text), STATIONS)


def test_quakeml_picks_of_no_event(written):
    """Those outside of events, and those of events that no arrival refers to."""
    pytest.importorskip("obspy", reason="QuakeML is read by obspy")
    file = written(quakeml(pick(1, "23.5"), pick(2, "19.5", "BBB", "S")), "picks.xml")
    picks, faults = read_unassociated(file, STATIONS)
    assert not faults
    assert picks.source == [f"smi:local/pick{i}" for i in (2, 3, 4, 1)]
    np.testing.assert_array_equal(picks.station, [1, 0, 1, 0])
    assert "".join(picks.phase) == "SPSP"
    np.testing.assert_array_equal(picks.sigma, 0.1)
    assert picks.absolute_time()[0] == np.datetime64("2024-05-17T09:30:19.5")


def test_quakeml_picks_of_no_event_are_a_fault_where_events_are_located(written):
    pytest.importorskip("obspy", reason="QuakeML is read by obspy")
    file = written(quakeml(pick(1, "23.5")), "picks.xml")
    picks, (fault,) = read_picks(file, STATIONS, PickRules(fewest=1))
    assert picks.events == ["smi:local/quake1"]
    assert str(fault) == f"{file}, smi:local/pick1: an event needs a name; give this pick one, or leave it out"


def test_faults_of_quakeml_picks_name_them(written):
    pytest.importorskip("obspy", reason="QuakeML is read by obspy")
    file = written(quakeml(pick(1, "23.5", "ZZZ")), "picks.xml")
    picks, (fault,) = read_unassociated(file, STATIONS)
    assert str(fault).startswith(f"{file}, smi:local/pick1: station 'XX.ZZZ': there is no such station")
    assert len(picks.time) == 2


def test_nonlinloc_phases_without_their_events(written):
    lines = [
        f"{name}    ?    ?    ? P      ? 20240517 0930 {second} GAU  5.00e-02 -1.00e+00 -1.00e+00 -1.00e+00"
        for name, second in (("BBB", 15.5), ("AAA", 12.25))
    ]
    picks, faults = read_unassociated(written("\n\n".join(lines), "picks.obs"), STATIONS)
    assert not faults
    assert picks.source == ["line 3", "line 1"]
    np.testing.assert_allclose(picks.time, [0.25, 3.5], atol=1e-9)
