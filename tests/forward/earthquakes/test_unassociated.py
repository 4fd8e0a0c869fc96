"""Picks that carry no event, as detectors write them."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vip.errors import ConfigError
from vip.forward.earthquakes.picks import Before, PickRules, checked_unassociated
from vip.forward.earthquakes.reading import read_pick_parts, read_picks, read_stations, read_unassociated
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
STATIONXML = """<?xml version="1.0" encoding="UTF-8"?>
<FDSNStationXML xmlns="http://www.fdsn.org/xml/station/1" schemaVersion="1.1">
 <Source>test</Source><Created>2024-01-01T00:00:00</Created>
 <Network code="XX">
  <Station code="AAA" startDate="2010-01-01T00:00:00" endDate="2015-01-01T00:00:00">
   <Latitude>45.0</Latitude><Longitude>7.0</Longitude><Elevation>500.0</Elevation><Site><Name>a</Name></Site>
  </Station>
  <Station code="AAA" startDate="2015-01-01T00:00:00" endDate="2023-01-01T00:00:00">
   <Latitude>45.0</Latitude><Longitude>7.0</Longitude><Elevation>500.0</Elevation><Site><Name>a</Name></Site>
  </Station>
  <Station code="BBB" endDate="2015-01-01T00:00:00">
   <Latitude>45.5</Latitude><Longitude>7.2</Longitude><Elevation>20.0</Elevation><Site><Name>b</Name></Site>
  </Station>
  <Station code="BBB" startDate="2015-01-01T00:00:00">
   <Latitude>45.5</Latitude><Longitude>7.2</Longitude><Elevation>20.0</Elevation><Site><Name>b</Name></Site>
  </Station>
 </Network>
</FDSNStationXML>
"""
ROWS = [
    "a1,XX.AAA,P,2024-05-17T09:30:12.340Z,0.05,0.9,1e-6",
    "a2,AAA,S,2024-05-17T09:30:12.340Z,,0.8,",
    "a3,BBB,P,1715938212.34,0.1,,",
    "a4,BBB,P,2024-05-17T11:30:12.35+0200,0.1,,",
    "a5,DDD,s,2024-05-17T09:30:20Z,0.1,1,",
    "a6,DDD,p,2024-05-17T09:30:21Z,0.1,1,3",
    "b1,NONE,P,2024-05-17T09:30:12Z,0.1,,",
    "b2,AAA,P,2024-05-17T09:30:12,0.1,,",
    "b3,AAA,P,2024-05-17T09:30:12Z,0.1,2,",
]
"""Six picks and three that have a fault."""


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
    ("AAA,P,2024-05-17T09:30:13Z,0.1", {}, "time '2024-05-17T09:30:13Z': has an offset from UTC, most others have none"),
    ("AAA,P,1715938212340,0.1", {}, "time '1715938212340': cannot be read; write it as"),
    ("AAA,PKP,2024-05-17T09:30:13,0.1", {}, "phase 'PKP': is neither P nor S"),
    ("AAA,P,2024-05-17T09:30:13,0", {}, "sigma '0': must be a positive number"),
    ("AAA,P", {}, "time '': cannot be read; write it as"),
    ("AAA,P,2024-05-17T09:30:13,0.1AAA,P,2024-05-17", {}, "sigma '0.1AAA': must be a positive number"),
    ("AAA,P,2024-05-17T09:30:13,0.1,P,2024-05-17", {}, "'P': there are more fields than in the header; is a line broken?"),
    ("AAA,p,2024-05-17T09:30:12.34,0.1", {}, "this pick is in the file twice; keep one of the two"),
    (
        "",
        {"inside": np.array([True, True, False]), "model": "the grid"},
        "station 'DDD': lies outside the grid; enlarge",
    ),
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


def test_more_faults_than_picks_are_an_error_that_names_the_commonest(written):
    """Half of the rows may be wrong, but no more: then the file is not what it is taken for."""
    wrong = ["AAA,P,noon,0.1", "NONE,P,2024-05-17T09:30:14,0.1", "NONE,S,2024-05-17T09:30:15,0.1"]
    good = CSV.splitlines()[:4]
    _, faults = read_unassociated(written("\n".join([*good, *wrong])), STATIONS)
    assert len(faults) == 3
    file = written("\n".join([*good[:3], *wrong]))
    with pytest.raises(ConfigError) as caught:
        read_unassociated(file, STATIONS)
    message = f"{file}: picks: 3 of 5: most have a fault; the commonest, 2 times, first in line 5: station 'NONE': there is"
    assert str(caught.value).startswith(message)


def test_no_row_may_have_a_weight(written):
    """A weight of 0 leaves a pick out, which is no fault."""
    picks, faults = read_unassociated(written("station,phase,time,sigma,weight\nAAA,P,2024-05-17T09:30:13,0.1,0\n"), STATIONS)
    assert not faults
    assert len(picks.time) == len(picks.absolute_time()) == len(picks.identifier) == 0


def test_sigma_may_be_learned_later(written):
    text = "station,phase,time,sigma\nAAA,P,2024-05-17T09:30:13,\nAAA,S,2024-05-17T09:30:15,0.2\nBBB,S,2024-05-17T09:30:16,\n"
    rules = PickRules(default_sigma={"S": 0.3}, sigma_needed=False)
    picks, faults = read_unassociated(written(text), STATIONS, rules)
    assert not faults
    np.testing.assert_array_equal(picks.sigma, [np.nan, 0.2, 0.3])
    with_event = "event," + text.replace("\nAAA", "\ne,AAA").replace("\nBBB", "\ne,BBB")
    _, (fault,) = read_picks(written(with_event), STATIONS, rules._replace(fewest=1))
    assert "no sigma; give it (s), or a default for phase P" in fault.message


IDENTIFIED = """\
id,station,phase,time,sigma,probability,amplitude
a7,XX.AAA,P,2024-05-17T09:30:12.340Z,0.05,0.9,1e-6
a3,DDD,S,2024-05-17T11:31:00.000001+02:00,0.20,1,
,AAA,P,2024-05-17T09:30:11.5Z,0.05,,nan
a1,BBB,Pn,2024-05-17T09:30:12.9Z,0.10,0.25,0
"""


def test_a_comment_after_the_header(written):
    text = CSV.replace("sigma\n", "sigma,surplus  # s\n", 1).replace("0.05\n", "0.05,any\n")
    picks, faults = read_unassociated(written(text), STATIONS)
    assert not faults
    assert len(picks.time) == 5


def test_identifiers_go_through(written):
    """The file's own, or else the number of the row; several offsets from UTC are no fault."""
    picks, faults = read_unassociated(written("# picks of a day\n" + IDENTIFIED), STATIONS)
    assert not faults
    assert picks.identifier == ["2", "a7", "a1", "a3"]
    assert picks.source == ["line 5", "line 3", "line 6", "line 4"]
    np.testing.assert_array_equal(picks.probability, [1, 0.9, 0.25, 1])
    np.testing.assert_array_equal(picks.amplitude, [np.nan, 1e-6, 0, np.nan])
    assert picks.absolute_time()[3] == np.datetime64("2024-05-17T09:31:00.000001")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a9,AAA,P,2024-05-17T09:30:13Z,0.1,1.2,", "probability '1.2': must be larger than 0 and at most 1"),
        ("a9,AAA,P,2024-05-17T09:30:13Z,0.1,0,", "probability '0': must be larger than 0 and at most 1"),
        ("a9,AAA,P,2024-05-17T09:30:13Z,0.1,high,", "probability 'high': must be larger than 0 and at most 1"),
        ("a9,AAA,P,2024-05-17T09:30:13Z,50,,", "sigma '50': must be from 1e-06 to 10; is it in seconds?"),
        ("a9,AAA,P,2024-05-17T09:30:13Z,1e-9,,", "sigma '1e-9': must be from 1e-06 to 10; is it in seconds?"),
        ("a9,AAA,P,2024-05-17T09:30:13Z,0.1,,large", "amplitude 'large': must be a number, or empty"),
        ("a9,AAA,P,2024-05-17T09:30:13,0.1,,", "time '2024-05-17T09:30:13': has no offset from UTC, others have; add it"),
        ("a7,AAA,P,2024-05-17T09:30:13Z,0.1,,", "identifier 'a7': another pick has it; give each its own"),
    ],
)
def test_a_fault_of_what_a_detector_gives(written, row, message):
    file = written(f"{IDENTIFIED}{row}\n")
    picks, (fault,) = read_unassociated(file, STATIONS)
    assert str(fault).startswith(f"{file}, line 6: ")
    assert message in fault.message
    assert picks.identifier == ["2", "a7", "a1", "a3"]


def test_a_wrong_copy_does_not_displace_the_right_one(written):
    text = CSV.replace("DDD,S", "AAA,P,2024-05-17T09:30:11.5,-1\nDDD,S")
    picks, (fault,) = read_unassociated(written(text), STATIONS)
    assert "sigma '-1'" in fault.message
    assert len(picks.time) == 5


@pytest.mark.parametrize("year", [1970, 2062])
def test_a_wrong_year_is_a_fault_also_in_a_later_part(written, year):
    rows = "id,station,phase,time\na,AAA,P,2024-05-17T09:30:12Z\nb,AAA,P,2024-05-18T09:30:12Z\n"
    file = written(rows + f"c,AAA,P,{year}-05-17T09:30:12Z\nd,AAA,P,2035-05-17T09:30:12Z\n")
    rules, before = PickRules(sigma_needed=False), Before()
    found = [checked_unassociated(table, STATIONS, rules, file, before) for table in read_pick_parts(file, 3)]
    assert [len(picks.time) for picks, _ in found] == [2, 1]
    (fault,) = [fault for _, faults in found for fault in faults]
    assert f"time '{year}-05-17T09:30:12Z': is more than 15 years from most others; is the date right?" in str(fault)


def test_another_years_stations(written):
    """The epochs of StationXML say when a station ran; those of BBB have no beginning or no end, which is no limit."""
    pytest.importorskip("obspy", reason="StationXML is read by obspy")
    stations = read_stations(written(STATIONXML, "stations.xml"))
    rows = ["AAA,P,2014-12-31T23:59:59,0.1", "AAA,P,2009-05-17T09:30:12,0.1", "AAA,P,2023-01-01T00:00:01,0.1"]
    rows += ["BBB,P,2004-05-17T09:30:12,0.1", "BBB,P,2026-05-17T09:30:12,0.1"]
    picks, faults = read_unassociated(written("\n".join(["station,phase,time,sigma", *rows])), stations)
    assert [fault.place.rpartition(" ")[2] for fault in faults] == ["3", "4"]
    assert faults[0].message.startswith("time '2009-05-17T09:30:12': station 'AAA' had not begun or had ended by its epochs;")
    assert len(picks.time) == 3
    chosen = stations.chosen(np.array([0]))
    assert list(chosen.operation[0]) == [np.datetime64("2010-01-01"), np.datetime64("2023-01-01")]


@given(st.permutations(range(len(ROWS))))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_rows_does_not_matter(tmp_path, order):
    def read(rows):
        file = tmp_path / "picks.csv"
        file.write_text("\n".join([IDENTIFIED.splitlines()[0], *rows]))
        picks, faults = read_unassociated(file, STATIONS, PickRules(sigma_needed=False))
        values = zip(picks.station, picks.phase, picks.absolute_time(), picks.sigma, picks.probability, strict=True)
        return dict(zip(picks.identifier, map(repr, values), strict=True)), sorted(fault.message for fault in faults)

    assert read([ROWS[i] for i in order]) == read(ROWS)


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
    assert picks.source == picks.identifier == [f"smi:local/pick{i}" for i in (2, 3, 4, 1)]
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
    assert picks.identifier == ["1", "0"]
    np.testing.assert_allclose(picks.time, [0.25, 3.5], atol=1e-9)
