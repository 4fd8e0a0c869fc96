"""Pictures of an association: the numbers behind them, and a page for catalogues of every size."""

import re
from dataclasses import replace

import matplotlib
import numpy as np
import pandas as pd
import pytest

import vip
from vip.errors import ConfigError
from vip.forward.association.pictures import moveout, places, window
from vip.forward.association.pictures.report import write_report
from vip.forward.association.pictures.shown import Shown, by_distance, by_station, by_time, reliability
from vip.forward.association.pictures.speeds import corrections, speeds
from vip.forward.association.pictures.truth import read_truth
from vip.forward.association.trials.measures import names
from vip.forward.association.trials.synthetic import write_example
from vip.pages.style import STYLE

FILES = ("picks", "stations", "velocity")
GIVEN = {"margin": 25.0, "depth": (0.0, 20.0), "sigma": 0.1, "detection": 0.9, "threads": 1}
WHOLE = {"rates", "probabilities", "reasons"}
"""Pictures that need no event."""
OF_EVENTS = {"map", "window", "residuals_by_station", "residuals_by_distance"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of a short record of eight events at ten stations, with its truth."""
    folder = tmp_path_factory.mktemp("example")
    write_example(folder, 3, events=8, stations=10, length=300.0)
    return folder


@pytest.fixture(scope="module")
def tables(made):
    return {name: pd.read_csv(made / f"{name}.csv") for name in FILES}


@pytest.fixture(scope="module")
def found(made):
    return vip.associate(*(made / f"{name}.csv" for name in FILES), **GIVEN)


@pytest.fixture(scope="module")
def shown(made, found):
    return Shown(found, read_truth(made))


@pytest.fixture(autouse=True)
def style():
    with matplotlib.rc_context(STYLE):
        yield


def drawn(folder):
    return {file.stem for file in folder.glob("*.png")}


# The numbers


def test_picks_are_where_and_when_their_events_say(found, shown):
    """Time is that of the origin, of the way and the residual; distances are those of the location."""
    own = shown.own
    assert len(own) == found.events["picks"].sum() > 100
    expected, index = found._expected, {}
    for channel, (station, phase) in enumerate(zip(expected.station, expected.phase, strict=True)):
        index[station, phase] = channel
    channel = [index[key] for key in zip(own["station"], own["phase"], strict=True)]
    after = (own["time"].to_numpy() - shown.time[own["event"]]) / np.timedelta64(1, "s")
    np.testing.assert_allclose(after, expected.time[own["event"], channel] + own["residual"], atol=2e-6)
    for event, origin in enumerate(found._origins):
        distance = own.loc[own["event"] == event, "distance"]
        np.testing.assert_allclose(np.sort(distance), np.sort(origin.arrivals.distance), atol=0.01)
        assert found._stations.names[int(shown.distance[event].argmin())] in found.assignments["station"].values


def test_places_are_on_one_map(made, shown):
    """Events lie on the true ones within their uncertainty; stations are as far apart as degrees say."""
    off = np.linalg.norm(shown.place[:, :2] - shown.true_place[shown.matched][:, :2], axis=1)
    assert off.max() < 3
    stations = pd.read_csv(made / "stations.csv").set_index("station").loc[shown.network.stations.names]
    north = 111.0 * (stations["latitude"] - stations["latitude"].mean())
    np.testing.assert_allclose(shown.network.place[:, 1] - shown.network.place[:, 1].mean(), north, atol=0.5)


def test_right_picks_are_those_with_the_true_event(made, found, shown):
    """By names: each event found stands for the true one at its time. Some truths are changed, so that not all are right."""
    changed = shown.truth.assignments.copy()
    changed.loc[::40, "event"], changed.loc[20::40, "event"] = "", "true002"
    shown = Shown(found, shown.truth._replace(assignments=changed))
    truth = changed.set_index("id")["event"]
    true_events = pd.read_csv(made / "truth.csv")
    nearest = np.abs(pd.to_datetime(true_events["time"]).to_numpy("M8[us]") - shown.time[:, None]).argmin(axis=1)
    assert shown.matched.tolist() == nearest.tolist()
    true_of = dict(zip(found.events["event"], true_events["event"].iloc[nearest], strict=True)) | {"": ""}
    mine = found.assignments.set_index("id").loc[shown.picks["id"], "event"].map(true_of)
    right = mine.to_numpy() == truth.loc[shown.picks["id"]].to_numpy()
    assert shown.right.tolist() == right.tolist()
    assert 0.9 < right.mean() < 1


def test_a_true_event_is_matched_once_and_chance_picks_never():
    event, true = np.array([0, 0, 0, 1, 1, 2, -1, 3]), np.array([4, 4, 4, 4, 4, -1, 4, 0])
    assert names(event, true).tolist() == [4, -1, -1, 0]


def test_learned_speeds_and_corrections_beside_the_truth(shown, found, tables, tmp_path):
    """Corners of layers are where the table has them, and a difference of 0.1 km/s is one; known speeds have no picture."""
    assert speeds(shown) is corrections(shown) is None
    learned = tables["velocity"].assign(sigma_vp=0.05, sigma_vs=0.02)
    learned["vp"] += 0.1
    columns = {"correction_p": 0.1, "sigma_p": 0.02, "correction_s": -0.2, "sigma_s": 0.04}
    catalogue = replace(found, speed=learned, stations=tables["stations"].assign(**columns))
    other = Shown(catalogue, shown.truth)
    profile, difference = speeds(other).figure.axes
    assert profile.lines[0].get_xdata().tolist() == np.repeat(learned["vp"], 2).tolist()
    assert profile.lines[0].get_ydata()[:3].tolist() == [learned["depth"][0], *[learned["depth"][1]] * 2]
    np.testing.assert_allclose(difference.lines[0].get_xdata(), 0.1)
    (axes,) = corrections(other).figure.axes
    assert [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == len(tables["stations"])] == [0.1, -0.2]
    assert len(speeds(Shown(catalogue)).figure.axes) == 1


def test_an_event_that_is_none_has_no_right_picks(shown):
    """Picks of chance in an event without a true one are wrong, though both have no number."""
    other = Shown(shown.catalogue, shown.truth._replace(assignments=shown.truth.assignments.assign(event="")))
    assert (other.matched == -1).all()
    assert other.right.tolist() == (other.picks["event"] < 0).tolist()
    assert moveout.moveout(other, 0, "Asked for").figure.get_suptitle().endswith(", no true event")
    assert "no true event" not in moveout.moveout(shown, 0, "Asked for").figure.get_suptitle()


def test_reliability_counts():
    said = np.array([0.05, 0.5, 0.55, 0.59, 0.6, 1.0, 1.0, 0.995])
    right = np.array([False, True, True, False, True, True, True, False])
    got = reliability(said, right)
    assert got.number.tolist() == [1, 3, 1, 3]
    np.testing.assert_allclose(got.said, [0.05, 1.64 / 3, 0.6, 2.995 / 3])
    np.testing.assert_allclose(got.right, [0, 2 / 3, 1, 2 / 3])
    assert (got.low <= got.right).all()
    assert (got.right <= got.high).all()
    z = 1.959964  # Wilson's interval of one that is right out of one
    assert got.low[2] == pytest.approx(1 / (1 + z**2), abs=1e-4)


def test_shares_in_time(found, shown):
    course = by_time(shown)
    assert course.width == pd.Timedelta("1min"), "the record is short"
    time = found.assignments["time"].dt.tz_localize(None).to_numpy("M8[us]")
    used = (found.assignments["event"] != "").to_numpy()
    for i, start in enumerate(course.start):
        inside = (time >= start) & (time < start + course.width)
        assert (course.picks[i], course.used[i]) == (inside.sum(), (inside & used).sum())
    assert course.picks.sum() == len(time)
    assert course.events.sum() == len(found.events)


@pytest.mark.parametrize(
    ("length", "width"), [("14min", "1min"), ("2h", "10min"), ("1D", "1h"), ("31D", "1D"), ("3650D", "30D")]
)
def test_bins_follow_the_length_of_the_record(shown, length, width):
    """At least twelve of them, of the widest that gives so many."""
    other = Shown(shown.catalogue)
    picks = shown.picks.copy()
    picks.loc[picks.index[-1], "time"] = picks["time"].iloc[0] + pd.Timedelta(length)
    other.__dict__["picks"] = picks  # as if it had been computed
    course = by_time(other)
    assert course.width == pd.Timedelta(width)
    assert course.picks.sum() == len(picks)


def test_residuals_by_station_are_quartiles_of_the_table(found, shown):
    got = by_station(shown)
    used = found.assignments[found.assignments["event"] != ""]
    assert got["number"].sum() == len(used)
    for (station, phase), row in got.iterrows():
        own = used[(used["station"] == found._stations.names[station]) & (used["phase"] == phase)]["residual"]
        assert row["number"] == len(own)
        np.testing.assert_allclose(row[["low", "median", "high"]].astype(float), np.quantile(own, [0.25, 0.5, 0.75]))


@pytest.mark.parametrize(("number", "bins"), [(5, 1), (60, 3), (1000, 12)])
def test_residuals_by_distance_are_in_bins_of_as_many_picks(number, bins):
    rng = np.random.default_rng(1)
    distance = rng.permutation(np.arange(float(number)))
    got = by_distance(pd.DataFrame({"distance": distance, "residual": distance + 1.0}))
    assert len(got) == bins
    np.testing.assert_allclose(got["median"], got["distance"] + 1.0)
    assert got["distance"].is_monotonic_increasing


def test_the_densest_events(shown, monkeypatch):
    monkeypatch.setattr("vip.forward.association.pictures.shown.TOGETHER", 3)
    time = shown.time
    spans = {i: time[i + 2] - time[i] for i in range(len(time) - 2)}
    assert shown.densest().tolist() == [min(spans, key=spans.get) + k for k in range(3)]


# What is drawn


def test_an_event_shows_all_its_picks(found, shown):
    """At their distances and times, the others within the picture in the background."""
    event = int(found.events["picks"].argmax())
    figure = moveout.moveout(shown, event, "Asked for").figure
    ax = figure.axes[0]
    names = {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}
    own = shown.picks[shown.picks["event"] == event]
    faces = [mark for mark in ax.collections if mark.get_zorder() == 5]
    points = np.concatenate([mark.get_offsets() for mark in faces])
    after = (own["time"].to_numpy() - shown.time[event]) / np.timedelta64(1, "s")
    by_place = np.lexsort(points.T)
    expected = np.column_stack([own["distance"], after])
    np.testing.assert_allclose(points[by_place], expected[np.lexsort(expected.T)], atol=1e-6)
    alphas = np.concatenate([mark.get_facecolor()[:, 3] for mark in faces])
    np.testing.assert_allclose(np.sort(alphas), np.sort(own["probability"]), atol=1e-6)
    _, latest = ax.get_ylim()
    time = (shown.picks["time"].to_numpy() - shown.time[event]) / np.timedelta64(1, "s")
    away = shown.distance[event][shown.picks["station"]]
    inside = (time >= ax.get_ylim()[0]) & (time <= latest) & (away <= ax.get_xlim()[1])
    background = sum(len(names[f"{phase} of {kind}"].get_xdata()) for phase in "PS" for kind in ("others", "no event"))
    assert background == inside.sum() - len(own)


def test_the_window_has_found_and_true_colours(shown):
    """Rings are of the event found, what is inside of the true one: they differ where an association is wrong."""
    picture = window.window(shown)
    (ax,) = picture.figure.axes
    rings = np.concatenate([mark.get_edgecolor() for mark in ax.collections[1::2]])
    inner = np.concatenate([mark.get_facecolor() for mark in ax.collections[2::2]])
    assert len(rings) == len(inner) > 100
    offsets = np.concatenate([mark.get_offsets() for mark in ax.collections[1::2]])
    of_events = np.concatenate([mark.get_offsets() for mark in ax.collections[1::2] if mark.get_linewidth()[0] > 1])
    assert len(of_events) == len(shown.own), "all events are in it"
    white = (inner[:, :3] == 1).all(axis=1)
    start = shown.time[0].astype("M8[s]")
    time = (shown.picks["time"].to_numpy() - start) / np.timedelta64(1, "s")
    seen = (time >= offsets[:, 0].min()) & (time <= offsets[:, 0].max())
    assert white.sum() == (seen & (shown.picks["true"] == -1)).sum()
    same = np.isclose(rings, inner).all(axis=1)
    used = np.isin(offsets[:, 0], of_events[:, 0])
    assert same[used].sum() == shown.right[(shown.picks["event"] >= 0).to_numpy()].sum()


def test_an_ellipse_holds_its_share():
    """The semi-axes of a covariance along known directions, by chi-square of two degrees of freedom."""
    ax = matplotlib.figure.Figure().subplots()
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    places.add_ellipses(ax, np.zeros((1, 2)), (turn @ np.diag([9.0, 1.0]) @ turn.T)[None])
    (drawn_one,) = ax.collections
    axes = sorted([drawn_one.get_widths()[0], drawn_one.get_heights()[0]])
    np.testing.assert_allclose(axes, 2 * np.sqrt(-2 * np.log(0.32)) * np.array([1, 3]))
    long_is_wide = drawn_one.get_widths()[0] > drawn_one.get_heights()[0]
    angle = drawn_one.get_angles()[0] + (0 if long_is_wide else 90)
    assert angle % 180 == pytest.approx(np.degrees(0.5))


# The page


def test_the_page_has_all_pictures(made, found, tmp_path):
    names = found.events["event"].tolist()
    index = write_report(found, tmp_path / "report", made, names[:1])
    page = index.read_text()
    assert index == tmp_path / "report" / "index.html"
    singles = {f"event_{name}".replace(".", "_") for name in names[:1]}
    assert drawn(index.parent) == {"map", "reliability"} | (WHOLE | OF_EVENTS | singles) - {"probabilities"}
    assert page.count("data:image/png;base64,") == len(drawn(index.parent))
    assert found.summary() in page
    assert "8 of 8 found; 0 events are none of them" in page


def test_events_of_all_kinds_are_shown_once(found, monkeypatch):
    monkeypatch.setattr("vip.forward.association.pictures.report.OF_A_KIND", 2)
    from vip.forward.association.pictures.report import _of_all_kinds

    chosen = _of_all_kinds(found)
    odds = found.events["log_odds"].to_numpy()
    assert len(chosen) == 6
    assert list(chosen)[:2] == np.argsort(-odds)[:2].tolist()
    assert list(chosen)[2:4] == np.argsort(odds)[:2].tolist()


def test_a_page_without_an_event(tables, tmp_path):
    few = tables["picks"].drop_duplicates("station")[:6].assign(time=[f"2026-01-01T0{i}:00:00Z" for i in range(6)])
    nothing = vip.associate(few, tables["stations"], tables["velocity"], **GIVEN)
    index = write_report(nothing, tmp_path)
    assert drawn(tmp_path) == WHOLE
    assert "0 events, 0 of 6 picks" in index.read_text()


def test_a_page_of_one_event_in_km(tables, made, tmp_path):
    """Stations and truth in km; picks of one event, so that none is left out."""
    truth = pd.read_csv(made / "truth_assignments.csv", keep_default_na=False)
    one = tables["picks"][tables["picks"]["id"].isin(truth.loc[truth["event"] == "true003", "id"])]
    stations = tables["stations"]
    y, x = (stations[name] - stations[name].mean() for name in ("latitude", "longitude"))
    flat = pd.DataFrame({"station": stations["station"], "x": 93.3 * x, "y": 111.0 * y, "elevation_km": 0.0})
    found = vip.associate(one, flat, tables["velocity"], **GIVEN)
    events = pd.read_csv(made / "truth.csv").assign(
        x=lambda t: 93.3 * (t["longitude"] - stations["longitude"].mean()),
        y=lambda t: 111.0 * (t["latitude"] - stations["latitude"].mean()),
    )
    events.drop(columns=["latitude", "longitude"]).to_csv(tmp_path / "truth.csv", index=False)
    truth.to_csv(tmp_path / "truth_assignments.csv", index=False)
    index = write_report(found, tmp_path / "report", tmp_path)
    name = found.events["event"][0].replace(".", "_")
    assert drawn(index.parent) == {"rates", "reliability", f"event_{name}"} | OF_EVENTS
    assert "1 of 8 found" in index.read_text()
    with pytest.raises(ConfigError, match="expected the columns y and x, as stations have them"):
        write_report(found, tmp_path / "other", made)


# Errors


def test_an_unknown_event_is_named(found, tmp_path):
    with pytest.raises(ConfigError, match="events: 1999: there is no such event"):
        write_report(found, tmp_path, events=["1999"])
    assert not drawn(tmp_path)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("truth.csv", None, "has no file truth.csv; a truth is truth.csv and truth_assignments.csv"),
        ("truth.csv", lambda t: t.drop(columns="depth"), "there is no column depth"),
        ("truth.csv", lambda t: t.drop(columns="latitude"), "expected latitude and longitude, or y and x"),
        ("truth.csv", lambda t: pd.concat([t, t[:1]]), "event: true001: is in the table twice"),
        ("truth_assignments.csv", lambda t: t.drop(columns="id"), "there is no column id"),
        ("truth_assignments.csv", lambda t: pd.concat([t, t[:1]]), "is in the table twice"),
        ("truth_assignments.csv", lambda t: t.assign(event="true999"), "event: true999: is not among the events of truth.csv"),
    ],
)
def test_a_wrong_truth_is_named(made, tmp_path, name, change, message):
    for file in ("truth.csv", "truth_assignments.csv"):
        table = pd.read_csv(made / file, keep_default_na=False)
        if file != name:
            table.to_csv(tmp_path / file, index=False)
        elif change is not None:
            change(table).to_csv(tmp_path / file, index=False)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read_truth(tmp_path)
    assert "\n" not in str(caught.value)
