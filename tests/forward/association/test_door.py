"""From files or tables to a catalogue: a synthetic record, what became of each pick, the files, and every error in one line."""

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import vip
from vip.errors import ConfigError, VIPError
from vip.forward.association.command import associate
from vip.forward.association.pictures.command import report
from vip.forward.association.trials.synthetic import write_example
from vip.forward.association.window.reasons import ANOTHER, NO_EVENT, REJECTED, WEIGHTLESS, WRONG
from vip.forward.earthquakes.formats.csv import write_table
from vip.forward.earthquakes.reading import read_picks, read_stations

FILES = ("picks", "stations", "velocity")
GIVEN = {"margin": 25.0, "depth": (0.0, 20.0), "sigma": 0.1, "detection": 0.9, "threads": 1}
"""Parameters that make an association of a small record fast; nothing is learned."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of a short record of eight events at ten stations."""
    folder = tmp_path_factory.mktemp("example")
    write_example(folder, 3, events=8, stations=10, length=300.0)
    return folder


@pytest.fixture(scope="module")
def tables(made):
    return {name: pd.read_csv(made / f"{name}.csv") for name in FILES}


@pytest.fixture(scope="module")
def found(made):
    return vip.associate(*(made / f"{name}.csv" for name in FILES), **GIVEN)


def associated(tables, **changes):
    parts = tables | {name: changes.pop(name) for name in FILES if name in changes}
    return vip.associate(*(parts[name] for name in FILES), **(GIVEN | changes))


def by_id(catalogue):
    return catalogue.assignments.set_index("id").sort_index()


# What is found


def test_all_events_are_found_with_their_picks(made, found):
    truth = pd.read_csv(made / "truth.csv")
    assert len(found.events) == len(truth)
    apart = pd.to_datetime(truth["time"]).to_numpy("datetime64[us]") - found.events["time"].to_numpy("datetime64[us]")
    assert np.abs(apart / np.timedelta64(1, "s")).max() < 0.5
    assert np.abs(truth["latitude"] - found.events["latitude"]).max() < 0.03
    true = pd.read_csv(made / "truth_assignments.csv", keep_default_na=False).set_index("id")["event"]
    names = dict(zip(found.events["event"], truth["event"], strict=True)) | {"": ""}
    mine = by_id(found)["event"].map(names)
    assert (mine == true.sort_index()).mean() > 0.98


def test_every_row_is_there_in_its_order(found, tables):
    assignments = found.assignments
    assert assignments["id"].tolist() == tables["picks"]["id"].tolist()
    assert assignments["station"].tolist() == tables["picks"]["station"].tolist()
    assert (assignments["time"] == pd.to_datetime(tables["picks"]["time"])).all()
    assert assignments["probability"].between(0, 1).all()
    used = assignments["event"] != ""
    assert (assignments["reason"] == "")[used].all()
    assert assignments["reason"][~used].str.len().all()
    assert assignments["residual"].notna().tolist() == used.tolist()


def test_picks_of_two_pickers_are_told(tables, caplog):
    """Each event would be found twice, once from each: nothing in the result would say so."""
    late = tables["picks"].assign(
        time=pd.to_datetime(tables["picks"]["time"]) + pd.Timedelta("10ms"), id=lambda t: t["id"] + "b"
    )
    associated(tables, picks=pd.concat([tables["picks"], late.assign(time=late["time"].astype(str))], ignore_index=True))
    assert "from two pickers" in caplog.text
    caplog.clear()
    associated(tables)
    assert "pickers" not in caplog.text


def test_counts_of_events_are_those_of_their_picks(found):
    used = found.assignments[found.assignments["event"] != ""]
    counts = used.groupby(["event", "phase"]).size().unstack()
    for event in found.events.itertuples():
        assert (event.picks_p, event.picks_s) == (counts.loc[event.event, "P"], counts.loc[event.event, "S"])
        assert event.picks == event.picks_p + event.picks_s
        own = used.loc[used["event"] == event.event, "residual"]
        assert event.rms == pytest.approx(np.sqrt(np.mean(own**2)))
    assert set(found.events["event"]) == set(used["event"])
    assert (found.events["log_odds"] > 0).all()


def test_epicentres_are_as_far_off_as_their_uncertainty_says(made, found):
    """Sigma of S is 0.1 s, that of P half of it, so that nothing may be far outside."""
    truth = pd.read_csv(made / "truth.csv")
    north = (truth["latitude"] - found.events["latitude"]) * 111.2
    assert np.sqrt(np.mean((north / found.events["sigma_north"]) ** 2)) < 2


def test_what_is_not_given_is_learned(tables):
    learned = associated(tables, sigma=None, detection=None).learned
    assert 0.03 < learned.sigma["P"] < 0.08
    assert 0.06 < learned.sigma["S"] < 0.16
    assert 0.8 < learned.detection < 0.98
    assert associated(tables).learned == ({"P": 0.1, "S": 0.1}, 0.9)


# The same from other inputs


def test_tables_and_files_give_the_same(found, tables):
    again = associated(tables)
    pd.testing.assert_frame_equal(again.events, found.events)
    pd.testing.assert_frame_equal(again.assignments, found.assignments)


def test_the_order_of_rows_does_not_matter(found, tables):
    shuffled = associated(tables, picks=tables["picks"].sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(shuffled.events, found.events)
    pd.testing.assert_frame_equal(by_id(shuffled), by_id(found))


def test_a_pick_added_twice_is_a_wrong_row(found, tables):
    """The copy is left out and named; all others stay as they are."""
    twice = pd.concat([tables["picks"], tables["picks"][:3].assign(id=["c1", "c2", "c3"])])
    again = associated(tables, picks=twice)
    pd.testing.assert_frame_equal(again.events, found.events)
    pd.testing.assert_frame_equal(again.assignments[:-3], found.assignments)
    copies = again.assignments[-3:]
    assert copies["id"].tolist() == ["c1", "c2", "c3"]
    assert copies["reason"].str.startswith(f"{WRONG}: station").all()
    assert copies["reason"].str.contains("in the file twice").all()


def test_one_pick_of_another_year_leaves_events_as_they_are(found, tables):
    """Events are not expected to be rarer, as they would be over all the time between: by exp(-10)."""
    odd = tables["picks"][:1].assign(id="odd", time="2027-03-01T00:00:00Z")
    again = associated(tables, picks=pd.concat([tables["picks"], odd]))
    assert by_id(again)["event"].drop("odd").tolist() == by_id(found)["event"].tolist()
    assert np.abs(again.events["log_odds"] - found.events["log_odds"]).max() < 3


def test_rows_without_identifiers_are_numbered(found, tables):
    numbered = associated(tables, picks=tables["picks"].drop(columns="id"))
    assert numbered.assignments["id"].tolist() == [str(i) for i in range(len(tables["picks"]))]
    assert numbered.assignments["event"].tolist() == found.assignments["event"].tolist()


# Reasons


def test_reasons(found, tables):
    """A copy of a pick somewhat later loses to the first; one long after the record is of no event; wrong rows say why."""
    picks, event = tables["picks"], found.assignments["event"]
    own = picks[event == event.iloc[-20:].max()].iloc[0]
    row = {"station": own["station"], "phase": own["phase"]}
    later = pd.to_datetime(own["time"])
    rows = [
        row | {"id": "second", "time": (later + pd.Timedelta("0.3s")).isoformat()},
        row | {"id": "late", "time": (later + pd.Timedelta("1h")).isoformat()},
        row | {"id": "unknown", "time": own["time"], "station": "XX.NONE"},
        row | {"id": "PKP", "time": own["time"], "phase": "PKP"},
        row | {"id": "unreadable", "time": "noon"},
        row | {"id": "weightless", "time": own["time"], "weight": 0},
    ]
    more = by_id(associated(tables, picks=pd.concat([picks, pd.DataFrame(rows)])))
    reason = more["reason"]
    assert (more.loc[[row["id"] for row in rows], "event"] == "").all()
    assert reason["second"].startswith(f"{ANOTHER}: {own['id']} is of event ")
    assert reason["late"] == f"{NO_EVENT}: none within 600 s"
    assert reason["unknown"] == (
        f"{WRONG}: station 'XX.NONE': there is no such station; add it to the stations, or leave this pick out"
    )
    assert reason["PKP"].startswith(f"{WRONG}: phase 'PKP'")
    assert reason["unreadable"].startswith(f"{WRONG}: time 'noon': cannot be read")
    assert reason["weightless"] == WEIGHTLESS
    assert more.loc["unknown":"unreadable", "probability"].isna().sum() == 2


def test_an_event_of_too_few_picks_is_told(found, tables):
    """The nearest stations' picks of one event, two fewer than are asked: each says how many there were."""
    event = found.events["event"].iloc[3]
    own = tables["picks"][(found.assignments["event"] == event).to_numpy()].sort_values("time")[:6]
    others = tables["picks"][(found.assignments["event"] != event).to_numpy()]
    again = by_id(associated(tables, picks=pd.concat([others, own]), least=8))
    assert (again.loc[own["id"], "event"] == "").all()
    assert again.loc[own["id"], "reason"].tolist() == [f"{REJECTED}: 6 picks, 8 needed"] * 6


def test_picks_of_no_event_at_all(tables):
    """Too few picks for one: every row has its reason, and the tables their columns."""
    few = tables["picks"].drop_duplicates("station")[:6]
    nothing = associated(tables, picks=few.assign(time=[f"2026-01-01T0{i}:00:00Z" for i in range(6)]))
    assert nothing.events.empty
    assert list(nothing.events)[:4] == ["event", "time", "latitude", "longitude"]
    assert nothing.assignments["reason"].tolist() == [f"{NO_EVENT}: none within 600 s"] * 6


# Files


def test_phases_for_hypodd_are_read_by_obspy(found, tmp_path):
    """Times of picks, stations, phases and weights; events are numbered, since HypoDD knows no names."""
    obspy = pytest.importorskip("obspy", reason="reads HypoDD's phases")
    assert found.write(tmp_path / "c.pha") == [tmp_path / "c.pha"]
    events = obspy.read_events(str(tmp_path / "c.pha"), format="HYPODDPHA")
    assert len(events) == len(found.events)
    for event, row in zip(events, found.events.itertuples(), strict=True):
        origin = event.origins[0]
        assert abs(origin.time - obspy.UTCDateTime(row.time.isoformat())) < 1e-5
        assert (origin.latitude, origin.longitude) == pytest.approx((row.latitude, row.longitude), abs=1e-5)
        assert origin.depth / 1000 == pytest.approx(row.depth, abs=1e-3)
        mine = found.assignments[found.assignments["event"] == row.event].sort_values("time")
        picks = sorted(event.picks, key=lambda pick: pick.time)
        assert [pick.phase_hint for pick in picks] == mine["phase"].tolist()
        assert [pick.waveform_id.station_code for pick in picks] == mine["station"].str.partition(".")[2].tolist()
        for pick, time in zip(picks, mine["time"], strict=True):
            assert abs(pick.time - obspy.UTCDateTime(time.isoformat())) < 1e-3


def test_phases_of_nonlinloc_are_read_again(made, found, tmp_path):
    found.write(tmp_path / "c.obs")
    picks, faults = read_picks(tmp_path / "c.obs", read_stations(made / "stations.csv"))
    assert not faults
    assert picks.events == found.events["event"].tolist()
    mine = found.picks_table()
    np.testing.assert_array_equal(picks.absolute_time(), mine["time"].dt.tz_localize(None).to_numpy("M8[us]"))
    assert picks.phase.tolist() == mine["phase"].tolist()
    np.testing.assert_allclose(picks.sigma, mine["sigma"], rtol=1e-4)


def test_quakeml_is_read_by_obspy_and_by_the_own_reader(made, found, tmp_path):
    obspy = pytest.importorskip("obspy", reason="QuakeML is written by obspy")
    assert found.write(tmp_path / "c.xml") == [tmp_path / "c.xml"]
    catalogue = obspy.read_events(str(tmp_path / "c.xml"))
    assert len(catalogue) == len(found.to_obspy()) == len(found.events)
    mine = by_id(found)
    for event, row in zip(catalogue, found.events.itertuples(), strict=True):
        assert event.resource_id.id == f"smi:local/event/{row.event}"
        assert event.comments[0].text == f"log-odds of an event: {row.log_odds:.2f}"
        assert len(event.picks) == len(event.origins[0].arrivals) == row.picks
        for arrival in event.origins[0].arrivals:
            pick = mine.loc[arrival.pick_id.id.rpartition("/")[2]]
            assert pick["event"] == row.event
            assert arrival.time_residual == pytest.approx(pick["residual"])
            assert arrival.comments[0].text == f"association probability: {pick['probability']:.4f}"
    picks, faults = read_picks(tmp_path / "c.xml", read_stations(made / "stations.csv"))
    assert not faults
    assert picks.events == found.events["event"].tolist()
    np.testing.assert_array_equal(np.diff(picks.start), found.events["picks"])


def test_two_tables(found, tmp_path):
    files = found.write(tmp_path / "c.csv")
    assert [file.name for file in files] == ["c.csv", "c_assignments.csv"]
    events, assignments = (pd.read_csv(file, keep_default_na=False) for file in files)
    assert events.columns.tolist() == found.events.columns.tolist()
    np.testing.assert_allclose(events["latitude"], found.events["latitude"], atol=1e-6)
    assert (pd.to_datetime(events["time"]) == found.events["time"]).all()
    for column in ("id", "station", "phase", "event", "reason"):
        assert assignments[column].tolist() == found.assignments[column].tolist()
    assert (pd.to_datetime(assignments["time"]) == found.assignments["time"]).all()


def test_text_and_html_begin_with_the_counts(found):
    used, rows = (found.assignments["event"] != "").sum(), len(found.assignments)
    assert repr(found).startswith(f"{len(found.events)} events, {used} of {rows} picks; left out: {NO_EVENT} ")
    assert found._repr_html_().startswith(f"<p>{found.summary()}</p><table")


def test_stations_in_km(tables, tmp_path):
    """The same region in km has no QuakeML, and no phases for HypoDD."""
    stations = tables["stations"]
    y, x = (stations[name] - stations[name].mean() for name in ("latitude", "longitude"))
    flat = pd.DataFrame({"station": stations["station"], "x": 93.3 * x, "y": 111.0 * y, "elevation_km": 0.0})
    in_km = associated(tables, stations=flat, sigma=0.2)
    assert list(in_km.events)[2:4] == ["y", "x"]
    assert len(in_km.events) == 8
    with pytest.raises(VIPError, match="QuakeML needs degrees"):
        in_km.to_obspy()
    with pytest.raises(VIPError, match="HypoDD needs degrees"):
        in_km.write(tmp_path / "km.pha")
    assert not (tmp_path / "km.pha").exists()


# Errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sigma": 0.0}, "sigma: 0.0: must be a positive number of seconds"),
        ({"sigma": 1e6}, "sigma: 1000000.0: must be from 1e-06 to 10; is it in seconds?"),
        ({"margin": 1e7}, "margin: 10000000.0: input should be less than or equal to 2000"),
        ({"sigma": {"PKP": 0.1}}, "sigma: PKP: expected P or S"),
        ({"detection": 1.0}, "detection: 1.0: must be a probability between 0 and 1"),
        ({"least": 3}, "least: 3: must be at least 4, the number of unknowns of an event"),
        (
            {"least": 40},
            "stations and phases with picks: 20: an event needs 40 picks, at most one of each phase at each station",
        ),
        ({"spacing": -1.0}, "spacing: -1.0: must be a positive number of km"),
        ({"threads": 0}, "threads: 0: must be at least 1"),
        ({"margin": -1.0}, "margin: -1.0: input should be greater than or equal to 0"),
        ({"depth": (10.0, 0.0)}, "depth: (10.0, 0.0): the second must be larger than the first"),
        ({"depth": (0.0, 20000.0)}, "depth: (0.0, 20000.0): must be in km, and not deeper than 1000 km; is it in m?"),
        (
            {"region": {"latitude": (50.0, 51.0), "longitude": (8.0, 9.0)}},
            "region: no station: none of the stations with picks",
        ),
        (
            {"region": {"x": (0.0, 1.0), "y": (0.0, 1.0)}},
            "region.y: (0.0, 1.0): stations are in degrees, and so must be the region",
        ),
        ({"region": {"north": (0.0, 1.0)}}, "north: (0.0, 1.0): extra inputs are not permitted"),
        ({"projection": "EPSG:4326"}, "projection: EPSG:4326: has degrees; expected one in metres"),
    ],
)
def test_a_wrong_parameter_is_named(tables, changes, message):
    with pytest.raises(ConfigError) as caught:
        associated(tables, **changes)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "picks",
            lambda t: t.drop(columns="time"),
            "picks (rows counted from 0): columns: id, station, phase: there is no column",
        ),
        ("picks", lambda t: t[:0], "picks (rows counted from 0): picks: none: at least one is needed"),
        ("picks", lambda t: t.assign(station="NO"), "most have a fault; the commonest"),
        ("picks", lambda t: t.assign(weight=0), "picks (rows counted from 0): picks: none: at least one is needed"),
        (
            "stations",
            lambda t: t.assign(latitude=91.0),
            "stations (rows counted from 0): line 0, column latitude: 91.0: must be",
        ),
        ("stations", lambda t: t.drop(columns="station"), "stations (rows counted from 0): columns: latitude, longitude,"),
        (
            "velocity",
            lambda t: t.assign(vp=5800.0),
            "velocity (rows counted from 0): line 0, column vp: 5800.0: must be in km/s;",
        ),
        (
            "velocity",
            lambda t: t.drop(columns=["vs", "vp"]),
            "velocity (rows counted from 0): columns: depth: there is no column",
        ),
    ],
)
def test_a_wrong_table_is_named(tables, name, change, message):
    with pytest.raises(ConfigError) as caught:
        associated(tables, **{name: change(tables[name])})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_speed_of_s_leaves_picks_of_s_out(tables):
    """More than half of the picks are of P here, so that this is no error of the whole."""
    picks = tables["picks"]
    some = pd.concat([picks[picks["phase"] == "P"], picks[picks["phase"] == "S"][:10]])
    without = associated(tables, picks=some, velocity=tables["velocity"].drop(columns="vs"))
    of_s = without.assignments[without.assignments["phase"] == "S"]
    assert of_s["reason"].str.startswith(f"{WRONG}: phase 'S': the model has no velocity of S").all()
    assert len(without.events) >= 6


def test_a_name_with_another_end_is_refused(found, tmp_path):
    with pytest.raises(ConfigError, match=r"expected a name that ends in .csv \(two tables\), .xml \(QuakeML\), .pha"):
        found.write(tmp_path / "c.json")


# The command


@pytest.fixture
def command(made):
    def run(*arguments):
        script = "from vip.cli.main import main; main()"
        options = ["--stations", "stations.csv", "--velocity", "velocity.csv", "--margin", "25", "--depth", "0", "20"]
        options += ["--sigma", "0.1", "--detection", "0.9", "--threads", "1"]
        line = [sys.executable, "-c", script, "associate", *map(str, arguments), *options]
        return subprocess.run(line, cwd=made, capture_output=True, text=True, timeout=300)

    return run


def test_the_command_prints_counts_and_where_the_pictures_are(command, made, found, tmp_path):
    output = tmp_path / "c.csv"
    done = command("picks.csv", "-o", output)
    assert done.returncode == 0, done.stderr
    counts = f"{output}, {tmp_path / 'c_assignments.csv'}: {found.summary()}"
    assert done.stdout == f"{counts}\npictures: vip report {tmp_path / 'c.run'}\n"
    shutil.rmtree(tmp_path / "c.run")
    again = command("picks.csv", "-o", output)
    assert (again.returncode, again.stderr) == (1, f"vip: {output}: exists; choose another --output or use --overwrite\n")


def test_errors_of_the_command_are_one_line(command, tmp_path):
    for arguments, message in (
        (("nothing.csv", "-o", tmp_path / "c.csv"), "vip: nothing.csv: cannot be read: No such file or directory\n"),
        (("picks.csv", "-o", tmp_path / "c.txt"), f"vip: output: {tmp_path / 'c.txt'}: expected a name that ends in .csv"),
        (
            ("picks.csv", "-o", tmp_path / "c.csv", *["--region", "10", "11", "10", "11"]),
            "vip: region: no station: none of",
        ),
    ):
        done = command(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith(message)
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["associate", "report"])
def test_help_says_what_stands_for_an_option_that_is_not_given(name):
    command = {"associate": associate, "report": report}[name]
    app = typer.Typer()
    app.command()(command)
    text = CliRunner().invoke(app, ["--help"]).output
    assert {"associate": "[learned]", "report": "[12:"}[name] in text


def test_the_table_that_is_handed_to_vip_locate_is_read_without_a_fault(made, found, tmp_path):
    write_table(found.picks_table(), tmp_path / "c_picks.csv")
    picks, faults = read_picks(tmp_path / "c_picks.csv", read_stations(made / "stations.csv"))
    assert not faults
    assert picks.events == found.events["event"].tolist()
    np.testing.assert_array_equal(np.diff(picks.start), found.events["picks"])
