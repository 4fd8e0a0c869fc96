"""Stations and picks for earthquake location: every format in its published form, and every fault with its place and remedy."""

import logging
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vip.errors import ConfigError
from vip.forward.earthquakes.picks import PickRules
from vip.forward.earthquakes.reading import read_picks, read_stations
from vip.forward.earthquakes.stations import Stations

STATIONS = Stations(
    ["XX.AAA", "XX.BBB", "XX.CCC", "YY.CCC", "DDD"],
    np.array([[45.0, 7.0, 0.5], [45.1, 7.2, 0.0], [44.9, 7.1, 1.2], [44.8, 7.3, 0.1], [45.3, 6.9, -0.2]]),
    {"P": np.zeros(5), "S": np.zeros(5)},
    geographic=True,
)

GOOD = """\
event,station,phase,time,sigma
e1,XX.AAA,P,2024-05-17T09:30:12.340,0.05
e1,XX.AAA,S,2024-05-17T09:30:15.100,0.10
e1,BBB,Pn,2024-05-17T09:30:13.000001,0.05
e1,DDD,Sg,2024-05-17T09:30:17.5,0.20
"""

STATIONXML = """<?xml version="1.0" encoding="UTF-8"?>
<FDSNStationXML xmlns="http://www.fdsn.org/xml/station/1" schemaVersion="1.1">
 <Source>test</Source><Created>2024-01-01T00:00:00</Created>
 <Network code="XX">
  <Station code="AAA" startDate="2010-01-01T00:00:00" endDate="2015-01-01T00:00:00">
   <Latitude>45.0</Latitude><Longitude>7.0</Longitude><Elevation>500.0</Elevation><Site><Name>a</Name></Site>
  </Station>
  <Station code="AAA" startDate="2015-01-01T00:00:00">
   <Latitude>{latitude}</Latitude><Longitude>7.0</Longitude><Elevation>510.0</Elevation><Site><Name>a</Name></Site>
  </Station>
  <Station code="BBB" startDate="2010-01-01T00:00:00">
   <Latitude>-45.5</Latitude><Longitude>-7.25</Longitude><Elevation>-20.0</Elevation><Site><Name>b</Name></Site>
  </Station>
 </Network>
</FDSNStationXML>
"""

NONLINLOC = """\
# two events
PUBLIC_ID smi:local/first
AAA    ?    ?    ? P      ? 20240517 0930 12.3400 GAU  5.00e-02 -1.00e+00 -1.00e+00 -1.00e+00
AAA    ?    ?    ? S      ? 20240517 0930 15.1000 GAU  1.00e-01 -1.00e+00 -1.00e+00 -1.00e+00
BBB    SP   Z    i P      U 20240517 0929 73.0000 GAU  5.00e-02 -1.00e+00 -1.00e+00 -1.00e+00    0.5000
DDD    ?    ?    ? S      ? 20240517 0931 -42.500 GAU  2.00e-01 -1.00e+00 -1.00e+00 -1.00e+00    1.0000
BBB    ?    ?    ? S      ? 20240517 0931 -42.500 GAU  2.00e-01 -1.00e+00 -1.00e+00 -1.00e+00    0.0000

AAA    ?    ?    ? P      ? 20240518 2359 59.9000 GAU  5.00e-02 -1.00e+00 -1.00e+00 -1.00e+00
BBB    ?    ?    ? P      ? 20240519 0000  0.1000 GAU  5.00e-02 -1.00e+00 -1.00e+00 -1.00e+00
DDD    ?    ?    ? P      ? 20240519 0000  0.2000 GAU  5.00e-02 -1.00e+00 -1.00e+00 -1.00e+00
DDD    ?    ?    ? S      ? 20240519 0000  1.2000 GAU  5.00e-02 -1.00e+00 -1.00e+00 -1.00e+00 > 1.2 0.0 1.0
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="input.csv"):
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


# Stations


def test_stations_from_csv_in_degrees(written):
    rows = "station,latitude,longitude,elevation_m,correction_s\nXX.AAA,45,7,500,0.2\nBBB,-45.5,-7.25,-20,-0.1\n"
    stations = read_stations(written("# comment\n" + rows))
    assert stations.names == ["XX.AAA", "BBB"]
    np.testing.assert_allclose(stations.position, [[45, 7, 0.5], [-45.5, -7.25, -0.02]])
    np.testing.assert_array_equal(stations.corrections["P"], [0, 0])
    np.testing.assert_array_equal(stations.corrections["S"], [0.2, -0.1])
    assert stations.geographic


def test_an_elevation_without_a_unit_is_in_m_where_most_cannot_be_in_km(written):
    text = "station\tlongitude\tlatitude\televation\nCI.BOM..HH\t7\t45\t-54\nCI.WES..HH\t7\t46\t8\nCI.SAL..HH\t8\t46\t254.6\n"
    stations = read_stations(written(text))
    np.testing.assert_allclose(stations.position, [[45, 7, -0.054], [46, 7, 0.008], [46, 8, 0.2546]])


@pytest.mark.parametrize(
    "text",
    [
        "id,longitude,latitude,elevation(m)\nXX.A,7.5,45.25,500\nXX.B,8,46,1500\n",
        "id\tlatitude\tlongitude\televation\nXX.A\t45.25\t7.5\t500\nXX.B\t46\t8\t1500\n",
        "station_id,network,station,longitude,latitude,elevation_m\nXX.A..HH,XX,A,7.5,45.25,500\nXX.B..HH,XX,B,8,46,1500\n",
    ],
)
def test_tables_of_stations_of_other_associators(written, text):
    """GaMMA's with and without our names beside its own, and PyOcto's."""
    stations = read_stations(written(text))
    assert stations.names == ["XX.A", "XX.B"]
    np.testing.assert_array_equal(stations.position, [[45.25, 7.5, 0.5], [46, 8, 1.5]])


def test_stations_from_csv_in_km_are_y_before_x(written):
    stations = read_stations(written("station,x,y,elevation_km,network\nAAA,1,2,0.3,XX\nBBB,4,5,0,\n"))
    assert stations.names == ["XX.AAA", "BBB"]
    np.testing.assert_allclose(stations.position, [[2, 1, 0.3], [5, 4, 0]])
    assert not stations.geographic


def test_a_code_alone_finds_its_station_where_only_one_network_has_it():
    names = ["XX.AAA", "AAA", "XX.BBB", "BBB", "XX.CCC", "YY.CCC", "CCC", "DDD", "YY.AAA"]
    assert STATIONS.indices(names) == {"XX.AAA": 0, "AAA": 0, "XX.BBB": 1, "BBB": 1, "XX.CCC": 2, "YY.CCC": 3, "DDD": 4}


@pytest.mark.parametrize(
    ("stations", "name", "index"),
    [
        (["CI.BOM..HH", "CI.WES..HH"], "CI.BOM..HH", 0),
        (["CI.BOM..HH", "CI.WES..HH"], "CI.WES", 1),
        (["CI.BOM..HH", "CI.WES..HH"], "WES", 1),
        (["CI.BOM..HH", "CI.WES..HH"], "CI.WES.", 1),
        (["CI.BOM..HH", "CI.WES..HH"], "CI.WES..HN", 1),
        (["CI.BOM", "CI.WES"], "CI.WES..HH", 1),
        (["BOM", "WES"], "CI.WES..HH", 1),
        (["CI.BOM..HH", "CI.WES..HH"], "AZ.WES..HH", None),
        (["CI.BOM..HH", "AZ.BOM..HH"], "BOM", None),
        (["CI.BOM..HH", "AZ.BOM..HH"], "AZ.BOM", 1),
        (["CI.BOM.00.HH", "CI.BOM.10.HH"], "CI.BOM", None),
        (["CI.BOM.00.HH", "CI.BOM.10.HH"], "CI.BOM.10", 1),
        (["CI.BOM.00.HH", "CI.BOM.10.HH"], "CI.BOM.20.HH", None),
        (["BOM", "CI.BOM"], "BOM", 0),
        (["a.b.c.d.e"], "a.b.c.d.e", 0),
    ],
)
def test_a_name_finds_the_only_station_that_it_can_mean(stations, name, index):
    of_names = Stations(stations, np.zeros((len(stations), 3)), {}, geographic=True)
    assert of_names.indices([name]).get(name) == index


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("station,latitude,longitude\nA,1,2\n", "no elevation: expected one column, elevation_m or"),
        (
            "station,latitude,longitude,elevation\nA,1,2,3\nB,1,3,0.5\nC,2,3,1200\n",
            "column elevation: 0.5 to 1200: may be in m or in km; name the column elevation_m or elevation_km",
        ),
        ("station,latitude,elevation_m\nA,1,3\n", "expected latitude and longitude, or x and y"),
        ("code,latitude,longitude,elevation_m\nA,1,2,3\n", "there is no column 'station'"),
        ("station,latitude,longitude,elevation_m\nA,1,2,3\nA,1,2,3\n", "line 3, column station: A: this station is already"),
        ("station,latitude,longitude,elevation_m\n,1,2,3\n", "line 2, column station: nothing: a station needs a name"),
        ("station,latitude,longitude,elevation_m\nA,91,2,3\n", "line 2, column latitude: 91.0: must be between -90 and 90 deg"),
        ("station,latitude,longitude,elevation_m\nA,1,x,3\n", "line 2, column longitude: x: must be a finite number"),
        ("station,latitude,longitude,elevation_km\nA,1,2,1200\n", "elevation_km: 1200.0: .* is it in m?"),
        ("station,latitude,longitude,elevation_m\n", "at least one is needed"),
        (b"station,x,y,elevation_km\n\xff\xfe,1,2,3\n", "is not a table of stations"),
        ("GTSRCE AAA LATLON 45 7 0\n", "line 1: AAA LATLON 45 7 0: expected GTSRCE label"),
        ("GTSRCE AAA LATLON 45 7 0 0\nGTSRCE B XYZ 45 7 0 0\n", "line 2: XYZ: XYZ and geographic"),
    ],
)
def test_faults_of_stations_name_file_line_and_remedy(written, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_stations(written(text))
    assert "input.csv" in str(caught.value)


def test_stations_from_nonlinloc(written):
    text = """\
# control file
GTFILES  ./model/layer  ./time/layer P
GTSRCE  AAA  LATLON   45.0  7.0  0.0  0.5
GTSRCE  BBB  LATLONDM  45 30.0 S  7 15.0 W  0.2  0.1
GTSRCE  CCC  LATLONDS  45 30 36.0 N  7 15 18.0 E  0.0  1.2
"""
    stations = read_stations(written(text, "run.in"))
    assert stations.names == ["AAA", "BBB", "CCC"]
    np.testing.assert_allclose(stations.position, [[45, 7, 0.5], [-45.5, -7.25, -0.1], [45.51, 7.255, 1.2]])
    local = read_stations(written("GTSRCE AAA XYZ 1.0 2.0 0.1 0.5\n", "local.in"))
    np.testing.assert_allclose(local.position, [[2, 1, 0.4]])
    assert not local.geographic


def test_stations_from_stationxml(written):
    pytest.importorskip("obspy", reason="StationXML is read by obspy")
    stations = read_stations(written(STATIONXML.format(latitude=45.0005), "stations.xml"))
    assert stations.names == ["XX.AAA", "XX.BBB"]
    np.testing.assert_allclose(stations.position, [[45.0005, 7, 0.51], [-45.5, -7.25, -0.02]])
    with pytest.raises(ConfigError, match=r"XX.AAA: its epochs are 11.1 km apart"):
        read_stations(written(STATIONXML.format(latitude=45.1), "stations.xml"))
    with pytest.raises(ConfigError, match="is not StationXML"):
        read_stations(written("<html></html>", "stations.xml"))


# Picks


def test_picks_from_csv(written):
    picks, faults = read_picks(written(GOOD), STATIONS)
    assert not faults
    assert picks.events == ["e1"]
    np.testing.assert_array_equal(picks.start, [0, 4])
    np.testing.assert_array_equal(picks.station, [0, 0, 1, 4])
    assert list(picks.phase) == ["P", "S", "P", "S"]
    assert picks.reference[0] == np.datetime64("2024-05-17T09:30:12")
    np.testing.assert_allclose(picks.time, [0.34, 3.1, 1.000001, 5.5], atol=1e-9)
    np.testing.assert_array_equal(picks.sigma, [0.05, 0.1, 0.05, 0.2])
    np.testing.assert_array_equal(picks.weight, 1)
    assert picks.source == ["line 2", "line 3", "line 4", "line 5"]
    assert picks.absolute_time()[2] == np.datetime64("2024-05-17T09:30:13.000001")


def test_events_may_be_interleaved_and_keep_their_order(written):
    rows = GOOD.splitlines()
    others = [row.replace("e1", "e0").replace("2024", "1965") for row in rows[1:]]
    mixed = [rows[0], *(row for pair in zip(rows[1:], others, strict=True) for row in pair)]
    picks, _ = read_picks(written("\n".join(mixed)), STATIONS)
    assert picks.events == ["e1", "e0"]
    np.testing.assert_array_equal(picks.start, [0, 4, 8])
    np.testing.assert_allclose(picks.time[:4], picks.time[4:])
    assert picks.reference[1] == np.datetime64("1965-05-17T09:30:12")
    assert picks.source[4:] == ["line 3", "line 5", "line 7", "line 9"]


def test_offsets_are_converted_to_utc(written):
    picks, faults = read_picks(written(GOOD), STATIONS)
    for offset, hour in (("Z", 9), ("+00:00", 9), ("+02:00", 11), ("-0130", 8)):
        minute = 0 if offset == "-0130" else 30
        shifted = "\n".join(
            row if i == 0 else row.replace("T09:30:", f"T{hour:02d}:{minute:02d}:").replace(",0.", f"{offset},0.")
            for i, row in enumerate(GOOD.splitlines())
        )
        again, faults = read_picks(written(shifted), STATIONS)
        assert not faults
        np.testing.assert_array_equal(again.absolute_time(), picks.absolute_time())


def test_weights_and_a_weight_of_zero(written):
    rows = GOOD.splitlines()
    text = "\n".join([rows[0] + ",weight", *(row + ",0.5" for row in rows[1:]), "e1,NOWHERE,P,unreadable,x,0"])
    picks, faults = read_picks(written(text), STATIONS)
    assert not faults
    np.testing.assert_array_equal(picks.weight, 0.5)


def test_other_phases_are_left_out_with_a_notice(written, caplog):
    with caplog.at_level(logging.WARNING):
        picks, faults = read_picks(
            written(GOOD + "e1,DDD,PmP,2024-05-17T09:30:16,0.2\ne1,DDD,,2024-05-17T09:30:16,0.2\n"), STATIONS
        )
    assert not faults
    assert len(picks.time) == 4
    assert "PmP (1)" in caplog.text
    assert "no name (1)" in caplog.text


def test_of_pg_and_pn_the_first_arrival_counts(written, caplog):
    with caplog.at_level(logging.WARNING):
        picks, faults = read_picks(written(GOOD + "e1,BBB,Pg,2024-05-17T09:30:12.9,0.3\n"), STATIONS)
    assert not faults
    assert picks.source == ["line 2", "line 3", "line 5", "line 6"]
    assert "1 later arrivals" in caplog.text


FAULTS = [
    ("e1,NONE,P,2024-05-17T09:30:13,0.1", {}, 6, "station 'NONE': there is no such station; add it"),
    ("e1,CCC,P,2024-05-17T09:30:13,0.1", {}, 6, "station 'CCC': there is no such station"),
    ("e1,XX.AAA,P,2024-05-17T09:30:14,0.1", {}, 6, "station 'XX.AAA', phase 'P': picked twice"),
    ("e1,AAA,P,2024-05-17T09:30:14,0.1", {}, 6, "station 'AAA', phase 'P': picked twice"),
    ("e1,BBB,S,2024-05-17T09:30:14Z,0.1", {}, 6, "time '2024-05-17T09:30:14Z': this event has times of different offsets"),
    ("e1,BBB,S,2024-05-17T11:30:14+02:00,0.1", {}, 6, "different offsets"),
    ("e1,BBB,S,2024-05-17T09:30:14,0", {}, 6, "sigma '0': must be a positive number of seconds"),
    ("e1,BBB,S,2024-05-17T09:30:14,-1", {}, 6, "sigma '-1': must be a positive number"),
    ("e1,BBB,S,2024-05-17T09:30:14,nan", {}, 6, "sigma 'nan': must be a positive number"),
    ("e1,BBB,S,2024-05-17T09:30:14,inf", {}, 6, "sigma 'inf': must be a positive number"),
    ("e1,BBB,S,2024-05-17T09:30:14,", {}, 6, "no sigma; give it (s), or a default for phase S"),
    ("e1,BBB,S,yesterday,0.1", {}, 6, "time 'yesterday': cannot be read; write it as 2024-05-17T09:30:12.34"),
    ("e1,BBB,S,2024-05-17,0.1", {}, 6, "time '2024-05-17': cannot be read"),
    ("e1,BBB,S,2024-13-17T09:30:14,0.1", {}, 6, "time '2024-13-17T09:30:14': cannot be read"),
    ("e1,BBB,S,2024-05-18T09:30:14,0.1", {}, 6, "time '2024-05-18T09:30:14': more than 3600 s from another pick"),
    ("e1,BBB,S,2024-05-16T09:30:14,0.1", {}, 6, "more than 3600 s from another pick; is the date right?"),
    ("e1,BBB,S,2024-05-17T09:31:14,0.1", {"longest": 60.0}, 6, "more than 60 s from another pick"),
    ("", {"phases": frozenset("P")}, 3, "phase 'S': the model has no velocity of S"),
    ("", {"inside": STATIONS.position[:, 0] < 45.2}, 5, "station 'DDD': lies outside the model"),
    (
        "",
        {"inside": STATIONS.position[:, 0] < 45.2, "model": "this (0 to 1)"},
        5,
        "station 'DDD': lies outside this (0 to 1); enlarge the model, or leave this pick out",
    ),
    ("", {"fewest": 5}, 2, "4 picks of P and S; at least 5 are needed"),
]


@pytest.mark.parametrize(("row", "rules", "line", "message"), FAULTS)
def test_a_fault_of_one_event_names_it_its_line_and_a_remedy(written, row, rules, line, message):
    file = written(GOOD + row + "\n")
    picks, faults = read_picks(file, STATIONS, PickRules(**rules))
    assert len(picks.time) == 0
    assert len(faults) == 1
    assert faults[0].event == "e1"
    assert faults[0].place == f"{file}, line {line}"
    assert message in faults[0].message
    assert str(faults[0]).startswith(f"event e1: {file}, line {line}: ")


@pytest.mark.parametrize("row", [row for row, rules, *_ in FAULTS if row and not rules])
def test_a_fault_does_not_stop_the_other_events(written, row):
    good = "\n".join(line.replace("e1", "e2") for line in GOOD.splitlines()[1:])
    picks, faults = read_picks(written(f"{GOOD}{row}\n{good}\n"), STATIONS)
    assert picks.events == ["e2"]
    assert [fault.event for fault in faults] == ["e1"]
    np.testing.assert_array_equal(picks.start, [0, 4])


def test_fewer_than_four_picks_and_an_event_without_a_name(written):
    _, faults = read_picks(written("\n".join(GOOD.splitlines()[:4])), STATIONS)
    assert faults[0].message.startswith("3 picks of P and S; at least 4 are needed")
    _, faults = read_picks(written(GOOD.replace("e1", "")), STATIONS)
    assert faults[0].message.startswith("an event needs a name")


def test_several_faults_of_an_event_are_all_reported(written):
    rows = "e1,NONE,P,2024-05-17T09:30:13,0.1\ne1,OTHER,P,2024-05-17T09:30:13,0.1\ne1,BBB,S,2024-05-17T09:30:14,-1\n"
    _, faults = read_picks(written(GOOD + rows), STATIONS)
    assert [fault.place.rsplit(" ", 1)[1] for fault in faults] == ["6", "8"]


def test_a_default_sigma_is_used_only_where_none_is_given(written):
    text = GOOD.replace("12.340,0.05", "12.340,").replace("15.100,0.10", "15.100,")
    picks, faults = read_picks(written(text), STATIONS, PickRules(default_sigma={"P": 0.07, "S": 0.3}))
    assert not faults
    np.testing.assert_array_equal(picks.sigma, [0.07, 0.3, 0.05, 0.2])


def test_a_table_without_sigmas(written):
    text = "\n".join(row.rpartition(",")[0] for row in GOOD.splitlines())
    picks, faults = read_picks(written(text), STATIONS, PickRules(default_sigma={"P": 0.07, "S": 0.3}))
    assert not faults
    np.testing.assert_array_equal(picks.sigma, [0.07, 0.3, 0.07, 0.3])
    _, faults = read_picks(written(text), STATIONS)
    assert faults[0].message.startswith("no sigma; give it (s), or a default for phase P")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event,station,phase,when,sigma\n", "there is no column 'time'"),
        ("event,station,phase,time,sigma\n", "at least one is needed"),
        ("", "at least one is needed"),
        (
            "event;station;phase;time;sigma\ne1;AAA;P;2024-05-17T09:30;0.1\n",
            "line 1: event;.*: expected a CSV table, QuakeML or .*between commas or tabs",
        ),
        (b"event,station,phase,time,sigma\n\xff,a,P,b,c\n", "is not a CSV table"),
    ],
)
def test_what_is_wrong_with_the_whole_file_is_an_error(written, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_picks(written(text), STATIONS)
    assert "input.csv" in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.csv: cannot be read"):
        read_picks(tmp_path / "none.csv", STATIONS)


def test_picks_from_nonlinloc(written):
    picks, faults = read_picks(written(NONLINLOC, "two.obs"), STATIONS)
    assert not faults
    assert picks.events == ["smi:local/first", "two-2"]
    np.testing.assert_array_equal(picks.start, [0, 4, 8])
    np.testing.assert_allclose(picks.time[:4], [0.34, 3.1, 1.0, 5.5], atol=1e-9)
    np.testing.assert_array_equal(picks.weight[:4], [1, 1, 0.5, 1])
    np.testing.assert_array_equal(picks.sigma[:4], [0.05, 0.1, 0.05, 0.2])
    assert picks.reference[1] == np.datetime64("2024-05-18T23:59:59")
    np.testing.assert_allclose(picks.time[4:], [0.9, 1.1, 1.2, 2.2], atol=1e-9)
    assert picks.source[0] == "line 3"
    assert picks.source[4] == "line 9"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("15.1000 GAU", "15.1000 QUAL", "sigma 'QUAL 1.00e-01': must be a positive number of seconds (NonLinLoc: GAU 0.05)"),
        ("1.00e-01", "-1.00e+00", "sigma '-1.00e+00': must be a positive"),
        ("20240517 0930 15.1000", "20241317 0930 15.1000", "time '20241317 0930 15.1000': cannot be read"),
        ("20240517 0930 15.1000", "20240517 0930", "cannot be read"),
    ],
)
def test_faults_of_nonlinloc_events(written, old, new, message):
    picks, faults = read_picks(written(NONLINLOC.replace(old, new, 1), "two.obs"), STATIONS)
    assert picks.events == ["two-2"]
    assert faults[0].event == "smi:local/first"
    assert faults[0].place.endswith("two.obs, line 4")
    assert message in faults[0].message


def test_nonlinloc_picks_written_by_obspy(tmp_path):
    """An independent writer of the format."""
    obspy = pytest.importorskip("obspy", reason="its writer is the reference")
    event = quakeml_event(obspy)
    with pytest.warns(UserWarning, match="without time uncertainty"):
        obspy.Catalog([event]).write(str(tmp_path / "a.obs"), format="NLLOC_OBS")
    _, faults = read_picks(tmp_path / "a.obs", STATIONS)
    assert "sigma '0.00e+00': must be a positive" in faults[0].message
    event.picks.pop()
    obspy.Catalog([event]).write(str(tmp_path / "a.obs"), format="NLLOC_OBS")
    picks, faults = read_picks(tmp_path / "a.obs", STATIONS)
    assert not faults
    assert picks.events == ["smi:local/quake1"]
    codes = [STATIONS.names[i].rpartition(".")[2] for i in picks.station]
    found = zip(codes, picks.phase, map(str, picks.absolute_time()), picks.sigma.round(9), strict=True)
    assert sorted(found) == sorted(
        (pick.waveform_id.station_code, pick.phase_hint[0], str(pick.time).rstrip("Z"), round(pick.time_errors.uncertainty, 9))
        for pick in event.picks
    )


@pytest.fixture
def published():
    """A sample file of NonLinLoc that obspy comes with."""
    obspy = pytest.importorskip("obspy", reason="its sample files are read")

    def find(name):
        file = Path(obspy.__file__).parent / "io" / "nlloc" / "tests" / "data" / name
        if not file.is_file():
            pytest.skip(f"this obspy comes without {name}")
        return obspy, file

    return find


def stations_at(*codes):
    n = len(codes)
    return Stations(list(codes), np.tile([45.0, 7.0, 0.0], (n, 1)), {"P": np.zeros(n), "S": np.zeros(n)}, geographic=True)


def test_a_published_phase_file(published):
    _, file = published("nlloc.obs")
    picks, faults = read_picks(file, stations_at("UH1", "UH2", "UH3", "UH4"))
    assert not faults
    assert picks.events == ["smi:local/cd1f535c-e75e-4dc6-8170-82e47cb40501"]
    np.testing.assert_array_equal(picks.station, [0, 0, 1, 1, 2, 2, 3, 3])
    assert "".join(picks.phase) == "PSPSPSPS"
    np.testing.assert_array_equal(picks.sigma, [0.02, 0.03, 0.03, 0.06, 0.02, 0.06, 0.06, 0.11])
    assert picks.absolute_time()[6] == np.datetime64("2010-05-27T16:56:26.925000")


@pytest.mark.parametrize("name", ["nlloc.hyp", "nlloc_custom.hyp", "nlloc_post_version_6.hyp", "nlloc_v7.hyp"])
def test_phases_of_published_locations_are_those_that_obspy_reads(published, name):
    """One of them has errors of -1, which are none."""
    obspy, file = published(name)
    expected = obspy.read_events(str(file), format="NLLOC_HYP")[0].picks
    codes = list(dict.fromkeys(pick.waveform_id.station_code for pick in expected))
    picks, faults = read_picks(file, stations_at(*codes), PickRules(fewest=1))
    if name == "nlloc_v7.hyp":
        assert "sigma '-1.00e+00': must be a positive number" in faults[0].message
        return
    assert not faults
    assert [codes[i] for i in picks.station] == [pick.waveform_id.station_code for pick in expected]
    assert list(picks.phase) == [pick.phase_hint for pick in expected]
    np.testing.assert_allclose(picks.sigma, [pick.time_errors.uncertainty for pick in expected])
    times = [np.datetime64(str(pick.time).rstrip("Z")) for pick in expected]
    assert np.abs((picks.absolute_time() - times) / np.timedelta64(1, "us")).max() <= 1


def quakeml_event(obspy):
    """Five picks, the last without an uncertainty."""
    from obspy.core.event import Event, Pick, WaveformStreamID

    event = Event(resource_id="smi:local/quake1")
    for i, (station, phase) in enumerate([("XX.AAA", "P"), ("XX.AAA", "Sg"), (".DDD", "P"), ("XX.BBB", "P"), ("XX.BBB", "S")]):
        network, code = station.split(".")
        pick = Pick(
            resource_id=f"smi:local/pick{i}",
            time=obspy.UTCDateTime("2024-05-17T09:30:12.123400") + i,
            waveform_id=WaveformStreamID(network_code=network, station_code=code),
            phase_hint=phase,
        )
        if i < 4:
            pick.time_errors.uncertainty = 0.05 + i / 100
        event.picks.append(pick)
    return event


def test_picks_from_quakeml(tmp_path):
    obspy = pytest.importorskip("obspy", reason="QuakeML is read by obspy")
    event = quakeml_event(obspy)
    event.picks[2].time_errors.uncertainty = None
    event.picks[2].time_errors.lower_uncertainty, event.picks[2].time_errors.upper_uncertainty = 0.1, 0.3
    file = tmp_path / "quake.xml"
    obspy.Catalog([event]).write(str(file), format="QUAKEML")
    picks, faults = read_picks(file, STATIONS, PickRules(default_sigma={"P": 0.1, "S": 0.4}))
    assert not faults
    assert picks.events == ["smi:local/quake1"]
    np.testing.assert_array_equal(picks.station, [0, 0, 4, 1, 1])
    np.testing.assert_allclose(picks.time, 0.1234 + np.arange(5), atol=1e-9)
    np.testing.assert_allclose(picks.sigma, [0.05, 0.06, 0.2, 0.08, 0.4])
    assert picks.source == [f"smi:local/pick{i}" for i in range(5)]
    _, faults = read_picks(file, STATIONS)
    assert faults[0] == (
        "smi:local/quake1",
        f"{file}, smi:local/pick4",
        "no sigma; give it (s), or a default for phase S (`sigma`; --sigma of `vip locate`)",
    )


def test_quakeml_picks_of_the_preferred_origin_alone(tmp_path):
    obspy = pytest.importorskip("obspy", reason="QuakeML is read by obspy")
    from obspy.core.event import Arrival, Origin

    event = quakeml_event(obspy)
    event.picks[0].evaluation_status = "rejected"
    origins = [Origin(time=event.picks[0].time, latitude=45, longitude=7) for _ in range(2)]
    origins[1].arrivals = [Arrival(pick_id=event.picks[i].resource_id, phase="P" if i != 1 else "S") for i in (3, 1, 0)]
    event.origins, event.preferred_origin_id = origins, origins[1].resource_id
    file = tmp_path / "quake.xml"
    obspy.Catalog([event]).write(str(file), format="QUAKEML")
    picks, faults = read_picks(file, STATIONS, PickRules(fewest=2))
    assert not faults
    assert picks.source == ["smi:local/pick3", "smi:local/pick1"]


def test_an_event_of_quakeml_without_picks_is_not_lost(tmp_path):
    obspy = pytest.importorskip("obspy", reason="QuakeML is read by obspy")
    event = quakeml_event(obspy)
    event.picks.pop()
    empty = obspy.core.event.Event(resource_id="smi:local/empty")
    file = tmp_path / "quake.xml"
    obspy.Catalog([empty, event]).write(str(file), format="QUAKEML")
    picks, faults = read_picks(file, STATIONS)
    assert picks.events == ["smi:local/quake1"]
    assert [fault.event for fault in faults] == ["smi:local/empty"]
    assert faults[0].message.startswith("0 picks of P and S")


def test_what_is_not_quakeml(written):
    pytest.importorskip("obspy", reason="QuakeML is read by obspy")
    with pytest.raises(ConfigError, match=r"picks\.xml: is not QuakeML"):
        read_picks(written("<html><body/></html>", "picks.xml"), STATIONS)


@given(
    times=st.lists(
        st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)),
        min_size=1,
        max_size=5,
    ),
    offsets=st.lists(st.floats(0, 600).map(lambda s: round(s, 6)), min_size=4, max_size=4),
    sigma=st.floats(1e-6, 1e3),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_time_comes_back_to_the_microsecond(tmp_path, times, offsets, sigma):
    places = [("XX.AAA", "P"), ("XX.AAA", "S"), ("XX.BBB", "P"), ("XX.BBB", "S")]
    rows, expected = ["event,station,phase,time,sigma"], []
    for i, time in enumerate(times):
        for (station, phase), offset in zip(places, offsets, strict=True):
            picked = np.datetime64(time, "us") + np.timedelta64(round(offset * 1e6), "us")
            expected.append(picked)
            rows.append(f"event {i},{station},{phase},{picked},{sigma!r}")
    file = tmp_path / "any.csv"
    file.write_text("\n".join(rows))
    picks, faults = read_picks(file, STATIONS)
    assert not faults
    np.testing.assert_array_equal(picks.absolute_time(), np.array(expected))
    np.testing.assert_allclose(picks.sigma, sigma, rtol=1e-14)
    first = picks.start[:-1]
    assert (np.minimum.reduceat(picks.time, first) >= 0).all()
    assert (np.minimum.reduceat(picks.time, first) < 1).all()


@given(
    cells=st.lists(st.text(st.characters(codec="utf-8", exclude_characters='\r\n"#,<'), max_size=12), min_size=5, max_size=5)
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_fault_and_never_a_crash(tmp_path, cells):
    file = tmp_path / "any.csv"
    file.write_text(
        "event,station,phase,time,sigma\nx,AAA,P,2024-05-17T09:30:12,0.1\n" + ",".join(cells) + "\n", encoding="utf-8"
    )
    picks, faults = read_picks(file, STATIONS)
    assert not picks.events
    assert faults
