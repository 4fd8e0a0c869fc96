"""Located events: regions of confidence, and the files they are written to."""

import dataclasses
import struct

import numpy as np
import pandas as pd
import pytest

from vip.errors import VIPError
from vip.forward.earthquakes.formats import csv, quakeml
from vip.forward.earthquakes.formats.nonlinloc import phases
from vip.forward.earthquakes.formats.nonlinloc.phases import second_gap, write_scatter
from vip.forward.earthquakes.network import Network
from vip.forward.earthquakes.origins import (
    Arrivals,
    Mode,
    Origin,
    azimuthal_gap,
    confidence_ellipsoid,
    horizontal_ellipse,
)
from vip.forward.earthquakes.picks import Picks
from vip.forward.earthquakes.reading import read_picks
from vip.forward.earthquakes.stations import Stations

STATIONS = Stations(
    ["XX.AAA", "XX.BBB", "DDD"],
    np.array([[45.0, 7.0, 0.5], [45.1, 7.2, 0.0], [45.3, 6.9, -0.2]]),
    {"P": np.zeros(3), "S": np.zeros(3)},
    geographic=True,
)

PICKS = Picks(
    events=["e 1", "smi:local/quake2"],
    start=np.array([0, 5, 9]),
    reference=np.array(["2024-05-17T09:30:12", "1965-05-18T00:00:00"], dtype="datetime64[us]"),
    station=np.array([0, 0, 1, 1, 2, 0, 0, 1, 2]),
    phase=np.array(["P", "S", "P", "S", "P", "P", "S", "P", "P"]),
    time=np.array([0.123456, 2.5, 0.999999, 3.1, 4.0, 0.5, 1.5, 2.5, 3.000001]),
    sigma=np.array([0.05, 0.1, 0.05, 0.1, 0.2, 0.05, 0.1, 0.05, 0.3]),
    weight=np.ones(9),
    source=[*(f"line {i}" for i in range(2, 7)), *(f"smi:local/pick{i}" for i in range(4))],
)

COVARIANCE = np.array([[2.0, 0.6, -0.4], [0.6, 1.0, 0.3], [-0.4, 0.3, 4.0]])


def origin(event, number, **changes):
    rng = np.random.default_rng(4)
    samples = rng.multivariate_normal([1.0, 2.0, 8.0], COVARIANCE, 50)
    values = {
        "event": event,
        "time": np.datetime64("2024-05-17T09:30:08.765432", "us"),
        "time_uncertainty": 0.12,
        "latitude": 45.0512345,
        "longitude": 7.0498765,
        "depth": 8.25,
        "geographic": True,
        "mean": np.array([1.0, 2.0, 8.0]),
        "covariance": COVARIANCE,
        "modes": (Mode(0.9, np.array([1.0, 2.0, 8.0]), COVARIANCE),),
        "gap": 170.5,
        "nearest": 4.2,
        "rms": 0.03,
        "arrivals": Arrivals(
            *rng.uniform(0.1, 1, (3, number)), distance=np.linspace(4.2, 60, number), azimuth=np.arange(number)
        ),
        "samples": samples,
        "sample_times": rng.normal(0, 0.1, 50),
    }
    return Origin(**(values | changes))


ORIGINS = [origin("e 1", 5), origin("smi:local/quake2", 4, time=np.datetime64("1965-05-17T23:59:58.000001", "us"))]


# Regions of confidence


def direction(azimuth, plunge):
    """Unit vector east, north, down of angles in degrees."""
    azimuth, plunge = np.radians([azimuth, plunge])
    return np.array([np.sin(azimuth) * np.cos(plunge), np.cos(azimuth) * np.cos(plunge), np.sin(plunge)])


@pytest.mark.parametrize("seed", range(8))
def test_ellipsoid_is_the_eigen_decomposition(seed):
    root = np.random.default_rng(seed).normal(size=(3, 3))
    covariance = root @ root.T
    ellipsoid = confidence_ellipsoid(covariance, 0.9)
    axes = np.array([direction(*angles) for angles in zip(ellipsoid.azimuths, ellipsoid.plunges, strict=True)])
    scaled = axes.T * ellipsoid.semi_axes
    np.testing.assert_allclose(scaled @ scaled.T, covariance * 6.251388631, rtol=1e-8, atol=1e-10)
    assert (np.diff(ellipsoid.semi_axes) <= 0).all()
    assert (ellipsoid.plunges >= 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_the_three_angles_of_quakeml_give_the_ellipsoid_back(seed):
    """Rotations about down, east and north of axes north, east, down."""
    root = np.random.default_rng(seed).normal(size=(3, 3))
    covariance = root @ root.T
    ellipsoid = confidence_ellipsoid(covariance)
    psi, phi, theta = np.radians([ellipsoid.azimuths[0], ellipsoid.plunges[0], ellipsoid.rotation])
    about_down = np.array([[np.cos(psi), -np.sin(psi), 0], [np.sin(psi), np.cos(psi), 0], [0, 0, 1]])
    about_east = np.array([[np.cos(phi), 0, -np.sin(phi)], [0, 1, 0], [np.sin(phi), 0, np.cos(phi)]])
    about_north = np.array([[1, 0, 0], [0, np.cos(theta), -np.sin(theta)], [0, np.sin(theta), np.cos(theta)]])
    longest, middle, shortest = ellipsoid.semi_axes
    scaled = about_down @ about_east @ about_north * np.array([longest, shortest, middle])
    swapped = (scaled @ scaled.T)[np.ix_([1, 0, 2], [1, 0, 2])]
    np.testing.assert_allclose(swapped / 3.5058, covariance, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("level", [0.39, 0.68, 0.95])
def test_regions_hold_their_share_of_samples(level):
    samples = np.random.default_rng(5).multivariate_normal(np.zeros(3), COVARIANCE, 40000)
    ellipsoid = confidence_ellipsoid(COVARIANCE, level)
    axes = np.array([direction(*angles) for angles in zip(ellipsoid.azimuths, ellipsoid.plunges, strict=True)])
    inside = (((samples @ axes.T) / ellipsoid.semi_axes) ** 2).sum(axis=1) <= 1
    assert abs(inside.mean() - level) < 4 * np.sqrt(level * (1 - level) / 40000)
    ellipse = horizontal_ellipse(COVARIANCE, level)
    axes = np.array([direction(ellipse.azimuth, 0), direction(ellipse.azimuth + 90, 0)])[:, :2]
    inside = (((samples[:, :2] @ axes.T) / [ellipse.semi_major, ellipse.semi_minor]) ** 2).sum(axis=1) <= 1
    assert abs(inside.mean() - level) < 4 * np.sqrt(level * (1 - level) / 40000)


def test_ellipse_and_ellipsoid_of_known_axes():
    ellipse = horizontal_ellipse(np.diag([9.0, 1.0, 100.0]), 0.5)
    np.testing.assert_allclose(ellipse, [3 * np.sqrt(2 * np.log(2)), np.sqrt(2 * np.log(2)), 90])
    ellipsoid = confidence_ellipsoid(np.diag([9.0, 1.0, 100.0]))
    np.testing.assert_allclose(ellipsoid.plunges, [90, 0, 0])
    np.testing.assert_allclose(ellipsoid.azimuths[1:] % 180, [90, 0])


@pytest.mark.parametrize(
    ("azimuths", "gap"), [([0, 90, 180, 270], 90), ([10, 20, 350], 330), ([-10, 350, 30], 320), ([45], 360), ([0, 180], 180)]
)
def test_azimuthal_gap(azimuths, gap):
    assert azimuthal_gap(np.array(azimuths)) == gap


# Files


def test_catalogue(tmp_path):
    csv.write_origins(ORIGINS, tmp_path / "catalogue.csv")
    table = pd.read_csv(tmp_path / "catalogue.csv")
    assert list(table["event"]) == ["e 1", "smi:local/quake2"]
    assert list(table["time"]) == ["2024-05-17T09:30:08.765432Z", "1965-05-17T23:59:58.000001Z"]
    row = table.iloc[0]
    np.testing.assert_allclose(row[["latitude", "longitude", "depth"]].astype(float), [45.051234, 7.049876, 8.25], atol=1e-6)
    np.testing.assert_allclose(row[["sigma_east", "sigma_north", "sigma_down"]].astype(float), np.sqrt([2, 1, 4]), atol=1e-6)
    np.testing.assert_allclose(
        row[["semi_major", "semi_minor", "azimuth"]].astype(float), horizontal_ellipse(COVARIANCE), atol=1e-5
    )
    assert list(table["picks"]) == [5, 4]
    local = [dataclasses.replace(one, geographic=False) for one in ORIGINS]
    csv.write_origins(local, tmp_path / "catalogue.csv")
    assert {"y", "x"} < set(pd.read_csv(tmp_path / "catalogue.csv").columns)


def test_scatter_file_has_the_published_layout(tmp_path):
    write_scatter(ORIGINS[0], tmp_path / "e.scat")
    raw = (tmp_path / "e.scat").read_bytes()
    assert len(raw) == 16 * 51
    assert struct.unpack("<if", raw[:8]) == (50, 1.0)
    np.testing.assert_allclose(struct.unpack("<4f", raw[16:32]), [*ORIGINS[0].samples[0], 1], rtol=1e-6)
    records = np.frombuffer(raw[16:], "<f4").reshape(-1, 4)
    np.testing.assert_allclose(records[:, :3], ORIGINS[0].samples, rtol=1e-6)


def test_scatter_file_is_read_by_obspy(tmp_path):
    util = pytest.importorskip("obspy.io.nlloc.util", reason="its reader is the reference")
    write_scatter(ORIGINS[0], tmp_path / "e.scat")
    found = util.read_nlloc_scatter(str(tmp_path / "e.scat"))
    expected = ORIGINS[0].samples[-len(found) :]  # obspy 1.5 leaves out the first samples with the header
    np.testing.assert_allclose(np.stack([found["x"], found["y"], found["z"]], axis=1), expected, rtol=1e-6)
    assert len(found) >= 47


NETWORK = Network(STATIONS, np.array([[-4.0, -9.0, -0.5], [12.0, 2.0, 0.0], [-11.0, 24.0, 0.2]]), None)
CORRECTION = np.arange(9) / 100


@pytest.fixture
def nonlinloc(tmp_path):
    """What obspy reads of the hypocentre-phase file of each event."""
    obspy = pytest.importorskip("obspy", reason="its reader is the reference")
    phases.write_origins(ORIGINS, PICKS, NETWORK, CORRECTION, tmp_path / "new" / "folder", level=0.68)
    files = [tmp_path / "new" / "folder" / f"{name}.hyp" for name in ("e_1", "smi_local_quake2")]
    return [obspy.read_events(str(file), format="NLLOC_HYP")[0] for file in files], files


def test_nonlinloc_holds_origin_and_uncertainty(nonlinloc):
    ellipsoid, ellipse = confidence_ellipsoid(COVARIANCE), horizontal_ellipse(COVARIANCE)
    for event, located in zip(nonlinloc[0], ORIGINS, strict=True):
        found = event.preferred_origin()
        assert event.resource_id.id == located.event
        assert np.datetime64(str(found.time).rstrip("Z")) == located.time
        np.testing.assert_allclose([found.latitude, found.longitude, found.depth], [45.0512345, 7.0498765, 8250], rtol=1e-9)
        np.testing.assert_allclose(found.depth_errors.uncertainty, 2000)
        np.testing.assert_allclose(found.latitude_errors.uncertainty, 1 / 111.195, rtol=1e-4)
        np.testing.assert_allclose(found.longitude_errors.uncertainty, np.sqrt(2) / 111.195, rtol=1e-4)  # of a great circle
        across = found.origin_uncertainty
        np.testing.assert_allclose(across.max_horizontal_uncertainty, 1000 * ellipse.semi_major)
        np.testing.assert_allclose(across.min_horizontal_uncertainty, 1000 * ellipse.semi_minor)
        np.testing.assert_allclose(across.azimuth_max_horizontal_uncertainty, ellipse.azimuth)
        axes = across.confidence_ellipsoid  # obspy 1.5 leaves its lengths in km
        lengths = (axes.semi_major_axis_length, axes.semi_intermediate_axis_length, axes.semi_minor_axis_length)
        np.testing.assert_allclose(lengths, ellipsoid.semi_axes)
        np.testing.assert_allclose(
            [axes.major_axis_plunge, axes.major_axis_azimuth], [ellipsoid.plunges[0], ellipsoid.azimuths[0]]
        )
        quality = found.quality
        assert (quality.azimuthal_gap, quality.standard_error, quality.used_station_count) == (170.5, 0.03, 3)
        assert quality.used_phase_count == quality.associated_phase_count == located.n_picks
        np.testing.assert_allclose(
            [quality.minimum_distance, quality.maximum_distance], np.array([4.2, 60]) / 111.195, rtol=1e-4
        )


def test_nonlinloc_holds_picks_and_residuals(nonlinloc):
    times = PICKS.absolute_time()
    for k, (event, located) in enumerate(zip(nonlinloc[0], ORIGINS, strict=True)):
        own = slice(*PICKS.start[k : k + 2])
        assert [pick.waveform_id.station_code for pick in event.picks] == [
            STATIONS.names[i].rpartition(".")[2] for i in PICKS.station[own]
        ]
        assert [pick.phase_hint for pick in event.picks] == list(PICKS.phase[own])
        assert [np.datetime64(str(pick.time).rstrip("Z")) for pick in event.picks] == list(times[own])
        np.testing.assert_allclose([pick.time_errors.uncertainty for pick in event.picks], PICKS.sigma[own])
        found, seen = event.preferred_origin().arrivals, located.arrivals
        np.testing.assert_allclose([arrival.time_residual for arrival in found], seen.residual, atol=1e-6)
        np.testing.assert_allclose([arrival.time_weight for arrival in found], seen.weight, atol=1e-4)
        np.testing.assert_allclose([arrival.distance for arrival in found], seen.distance / 111.195, rtol=1e-4)
        np.testing.assert_allclose([arrival.azimuth for arrival in found], seen.azimuth, atol=1e-2)


def test_nonlinloc_lines_are_consistent(nonlinloc):
    """Observed = origin + predicted + correction + residual; the expectation is that of the scatter file beside it."""
    lines = {line.split()[0]: line.split() for line in nonlinloc[1][0].read_text().splitlines() if line}
    np.testing.assert_allclose(np.array(lines["STATISTICS"][2:8:2], float), ORIGINS[0].mean)
    np.testing.assert_allclose(np.array(lines["STATISTICS"][8:20:2], float), COVARIANCE[np.triu_indices(3)])
    assert float(lines["STATISTICS"][-1]) > float(lines["STATISTICS"][-3])
    assert lines["TRANSFORM"] == ["TRANSFORM", "NONE"]
    phase = lines["BBB"]
    np.testing.assert_allclose([float(phase[16]), float(phase[27])], [ORIGINS[0].arrivals.predicted[3] - 0.03, 0.03], atol=1e-4)
    np.testing.assert_allclose(np.array(phase[19:22], float), NETWORK.place[1])
    assert (nonlinloc[1][0].parent / "e_1.scat").stat().st_size == 16 * 51


def test_phases_of_nonlinloc_can_be_located_again(nonlinloc):
    """What was written is read as picks, with the names of events."""
    both = nonlinloc[1][0].parent / "both.hyp"
    both.write_text("".join(file.read_text() for file in nonlinloc[1]))
    picks, faults = read_picks(both, STATIONS)
    assert not faults
    assert picks.events == PICKS.events
    for field in ("start", "reference", "station", "phase", "sigma", "weight"):
        np.testing.assert_array_equal(getattr(picks, field), getattr(PICKS, field))
    np.testing.assert_array_equal(picks.absolute_time(), PICKS.absolute_time())


@pytest.mark.parametrize(
    ("covariance", "longest", "ellipse"),
    [
        ((110.261, 8.30876, 5.92278, 24.536, -3.09884, 110.066), (20.2574, 42.8141, 86.61), (15.9824, 7.38902, 84.5147)),
        (
            (0.254371, -0.0208796, 0.315039, 0.069208, -0.0616818, 0.700232),
            (1.75087, 62.344, 99.9628),
            (0.768376, 0.392212, 96.3545),
        ),
    ],
)
def test_regions_are_those_that_nonlinloc_published(covariance, longest, ellipse):
    """From two of its files, distributed with obspy: nlloc_v7.hyp and nlloc_post_version_6.hyp, at 68.3 %."""
    matrix = np.zeros((3, 3))
    matrix[np.triu_indices(3)] = covariance
    matrix = matrix + matrix.T - np.diag(np.diag(matrix))
    found = confidence_ellipsoid(matrix, 0.683)
    np.testing.assert_allclose([found.semi_axes[0], found.plunges[0], found.azimuths[0]], longest, rtol=1e-3)
    np.testing.assert_allclose(horizontal_ellipse(matrix, 0.683), ellipse, rtol=1e-3)


@pytest.mark.parametrize(
    ("azimuths", "gap"),
    [([0, 90, 180, 270], 180), ([0, 0, 90, 180, 180, 200], 250), ([10, 10], 360), ([5, 185], 360), ([7], 360)],
)
def test_second_gap(azimuths, gap):
    assert second_gap(np.array(azimuths, float)) == gap


def test_quakeml_comes_back_with_the_same_picks(tmp_path):
    pytest.importorskip("obspy", reason="QuakeML is written by obspy")
    file = tmp_path / "located.xml"
    quakeml.write_origins(ORIGINS, PICKS, STATIONS, file)
    picks, faults = read_picks(file, STATIONS)
    assert not faults
    assert picks.events == ["e_1", "smi:local/quake2"]
    for field in ("start", "reference", "station", "phase", "sigma", "weight"):
        np.testing.assert_array_equal(getattr(picks, field), getattr(PICKS, field))
    np.testing.assert_array_equal(picks.absolute_time(), PICKS.absolute_time())
    assert picks.source == [*(f"smi:local/event/e_1/pick/line_{i}" for i in range(2, 7)), *PICKS.source[5:]]


def test_stations_named_as_in_seed_come_back(tmp_path):
    """Network, station, location and channel are written apart, and NonLinLoc has the station's code alone."""
    pytest.importorskip("obspy", reason="QuakeML is written by obspy")
    from obspy import read_events

    stations = STATIONS._replace(names=["CI.AAA..HH", "CI.BBB.00.HH", "DDD"])
    file = tmp_path / "located.xml"
    quakeml.write_origins(ORIGINS, PICKS, stations, file)
    found = [pick.waveform_id.get_seed_string() for pick in read_events(str(file))[0].picks]
    assert found == ["CI.AAA..HH", "CI.AAA..HH", "CI.BBB.00.HH", "CI.BBB.00.HH", ".DDD.."]
    picks, faults = read_picks(file, stations)
    assert not faults
    np.testing.assert_array_equal(picks.station, PICKS.station)
    phases.write_origins(ORIGINS, PICKS, NETWORK._replace(stations=stations), CORRECTION, tmp_path)
    lines = (tmp_path / "e_1.hyp").read_text().splitlines()
    assert [line.split()[0] for line in lines if " GAU " in line] == ["AAA", "AAA", "BBB", "BBB", "DDD"]


def test_quakeml_holds_origin_uncertainty_and_arrivals(tmp_path):
    obspy = pytest.importorskip("obspy", reason="QuakeML is written by obspy")
    file = tmp_path / "located.xml"
    quakeml.write_origins(ORIGINS, PICKS, STATIONS, file, level=0.9)
    for event, located in zip(obspy.read_events(str(file)), ORIGINS, strict=True):
        found = event.preferred_origin()
        assert np.datetime64(str(found.time).rstrip("Z")) == located.time
        assert (found.latitude, found.longitude, found.depth) == (located.latitude, located.longitude, 8250.0)
        assert found.time_errors.uncertainty == 0.12
        assert found.depth_errors.uncertainty == 2000.0
        np.testing.assert_allclose(found.latitude_errors.uncertainty, 1 / 111.195, rtol=1e-6)
        np.testing.assert_allclose(
            found.longitude_errors.uncertainty, np.sqrt(2) / 111.195 / np.cos(np.radians(45.0512345)), rtol=1e-6
        )
        assert found.quality.azimuthal_gap == 170.5
        assert found.quality.standard_error == 0.03
        assert found.quality.used_phase_count == located.n_picks
        assert found.quality.used_station_count == 3
        uncertainty, ellipsoid = found.origin_uncertainty, confidence_ellipsoid(COVARIANCE, 0.9)
        assert uncertainty.confidence_level == 90
        np.testing.assert_allclose(
            uncertainty.max_horizontal_uncertainty, 1000 * horizontal_ellipse(COVARIANCE, 0.9).semi_major
        )
        np.testing.assert_allclose(uncertainty.confidence_ellipsoid.semi_minor_axis_length, 1000 * ellipsoid.semi_axes[2])
        np.testing.assert_allclose(uncertainty.confidence_ellipsoid.major_axis_azimuth, ellipsoid.azimuths[0])
        np.testing.assert_allclose([arrival.time_residual for arrival in found.arrivals], located.arrivals.residual)
        assert [arrival.pick_id.id for arrival in found.arrivals] == [pick.resource_id.id for pick in event.picks]


def test_quakeml_needs_degrees(tmp_path):
    pytest.importorskip("obspy", reason="QuakeML is written by obspy")
    with pytest.raises(VIPError, match=r"located\.xml: event e 1: QuakeML needs degrees; write a CSV"):
        quakeml.write_origins([dataclasses.replace(ORIGINS[0], geographic=False)], PICKS, STATIONS, tmp_path / "located.xml")


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_writer_that_fails_leaves_what_was_there(tmp_path, monkeypatch, fault):
    file = tmp_path / "catalogue.csv"
    file.write_text("before")

    def half(frame, opened, **options):
        opened.write("half of it")
        raise fault

    monkeypatch.setattr(pd.DataFrame, "to_csv", half)
    with pytest.raises((VIPError, KeyboardInterrupt)):
        csv.write_origins(ORIGINS, file)
    assert [path.name for path in tmp_path.iterdir()] == ["catalogue.csv"]
    assert file.read_text() == "before"


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(VIPError, match=r"e\.scat: cannot be written: No such file"):
        write_scatter(ORIGINS[0], tmp_path / "none" / "e.scat")
