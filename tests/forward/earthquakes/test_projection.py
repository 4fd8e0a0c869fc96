"""Maps: from degrees to km and back, as PROJ and NonLinLoc have them."""

import pickle

import numpy as np
import pytest

from vip.errors import ConfigError
from vip.forward.earthquakes.formats.nonlinloc.control import read_transform
from vip.forward.earthquakes.projection import MapProjection, Simple, centred_on, jacobian


@pytest.mark.parametrize(("latitude", "longitude"), [(0.0, 0.0), (45.0, 7.0), (-38.0, 179.5), (70.0, -20.0)])
def test_distances_within_300_km_are_right(latitude, longitude):
    geod = pytest.importorskip("pyproj", reason="the projection is PROJ's").Geod(ellps="WGS84")
    rng = np.random.default_rng(3)
    azimuth, distance = rng.uniform(0, 360, 400), rng.uniform(0, 300e3, 400)
    lon, lat, _ = geod.fwd(np.full(400, longitude), np.full(400, latitude), azimuth, distance)
    corners = np.array([longitude - 1, (longitude + 1 + 180) % 360 - 180])
    projection = centred_on(np.array([latitude - 1, latitude + 1]), corners)
    x, y = projection.to_local(lat, lon)
    true = geod.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])[2] / 1000
    np.testing.assert_allclose(np.hypot(np.diff(x), np.diff(y)), true, rtol=1e-3)
    again, back = projection.to_geographic(x, y)
    np.testing.assert_allclose(again, lat, atol=1e-9)
    np.testing.assert_allclose((back - lon + 180) % 360 - 180, 0, atol=1e-9)
    assert pickle.loads(pickle.dumps(projection)) == projection


@pytest.mark.parametrize(
    "make",
    [
        lambda: MapProjection("+proj=tmerc +lat_0=45 +lon_0=4 +k=0.9995 +datum=WGS84"),
        lambda: MapProjection("EPSG:32632"),
        lambda: MapProjection("EPSG:2225"),  # in feet
        lambda: MapProjection("EPSG:32632", 30.0),
        lambda: Simple(45.0, 6.0, 30.0),
    ],
)
def test_the_jacobian_turns_small_steps_to_true_east_and_north(make):
    geod = pytest.importorskip("pyproj", reason="geodesics are PROJ's").Geod(ellps="WGS84")
    projection = make()
    centre = (38.0, -122.0) if getattr(projection, "definition", "") == "EPSG:2225" else (46.0, 8.0)
    x, y = projection.to_local(*centre)
    for step in ((1.0, 0.0), (0.0, 1.0), (0.6, -0.8)):
        latitude, longitude = projection.to_geographic(x + 0.1 * step[0], y + 0.1 * step[1])
        azimuth, _, distance = geod.inv(centre[1], centre[0], longitude, latitude)
        expected = distance / 100 * np.array([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))])
        np.testing.assert_allclose(jacobian(projection, *centre)[0] @ step, expected, atol=1e-4)


def test_nonlinloc_simple_is_as_published():
    """x = (long - longOrig) 111.111 cos(lat), y = (lat - latOrig) 111.111 (NonLinLoc, TRANS); north is clockwise from y."""
    simple = read_transform("TRANS  SIMPLE  45.0  179.5  0.0")
    x, y = simple.to_local(np.array([46.0, 45.0]), np.array([179.5, -179.5]))
    np.testing.assert_allclose(x, [0, 10000 / 90 * np.cos(np.pi / 4)], atol=1e-9)
    np.testing.assert_allclose(y, [10000 / 90, 0], atol=1e-9)
    turned = read_transform("TRANSFORM  SIMPLE LatOrig 45.000000  LongOrig 179.500000  RotCW 30.000000")
    assert turned == Simple(45.0, 179.5, 30.0)
    x, y = turned.to_local(np.array([46.0]), np.array([179.5]))
    np.testing.assert_allclose([x[0], y[0]], [10000 / 90 * 0.5, 10000 / 90 * np.sqrt(0.75)])
    latitude, longitude = turned.to_geographic(*turned.to_local(np.array([44.0]), np.array([-179.0])))
    np.testing.assert_allclose([latitude[0], longitude[0]], [44, -179])


@pytest.mark.parametrize(
    ("line", "place", "x", "y"),
    [
        (
            "TRANSFORM  LAMBERT RefEllipsoid WGS-84  LatOrig -16.900000  LongOrig 165.700000  FirstStdParal -15.600000"
            "  SecondStdParal -16.000000  RotCW 0.000000",
            (-14.4937, 167.049),
            145.427,
            265.828,
        ),
        ("TRANS LAMBERT WGS-84 -16.9 165.7 -15.6 -16.0 0", (-15.0823, 166.905), 129.532, 200.78),
        (
            "TRANSFORM  LAMBERT RefEllipsoid Clarke-1880  LatOrig 51.656300  LongOrig 7.742580  FirstStdParal 50.000000"
            "  SecondStdParal 52.000000  RotCW 0.000000",
            (51.657659, 7.736781),
            -0.40125,
            0.15125,
        ),
    ],
)
def test_nonlinloc_lambert_is_as_published(line, place, x, y):
    """Hypocentres in both coordinates, to the digits of two files that obspy comes with: vanua.sum.grid0.loc.hyp, nlloc.hyp."""
    pytest.importorskip("pyproj", reason="the projection is PROJ's")
    projection = read_transform(line)
    digits = 0.06 if x > 1 else 2e-4
    np.testing.assert_allclose(projection.to_local(*np.array(place)), [x, y], atol=digits)
    np.testing.assert_allclose(projection.to_geographic(np.array(x), np.array(y)), place, atol=digits / 100)


def test_nonlinloc_transverse_mercator_and_rotation():
    """True to scale along its meridian, from its origin; north is clockwise from y."""
    pytest.importorskip("pyproj", reason="the projection is PROJ's")
    plain = read_transform("TRANS TRANS_MERC WGS-84 45 7 0")
    meridian = 111.14
    np.testing.assert_allclose(plain.to_local(np.array(46.0), np.array(7.0)), [0, meridian], atol=0.02)
    assert plain == read_transform(
        "TRANSFORM  TRANS_MERC RefEllipsoid WGS-84  LatOrig 45  LongOrig 7  RotCW 0  UseFalseEasting 0"
    )
    shifted = read_transform("TRANS TRANS_MERC WGS-84 45 7 0 1")
    np.testing.assert_allclose(shifted.to_local(np.array(46.0), np.array(7.0)), [500, meridian], atol=0.02)
    turned = read_transform("TRANS TRANS_MERC WGS-84 45 7 30")
    x, y = turned.to_local(np.array(46.0), np.array(7.0))
    np.testing.assert_allclose([x, y], [meridian / 2, meridian * np.sqrt(0.75)], atol=0.02)
    np.testing.assert_allclose(turned.to_geographic(x, y), [46, 7], atol=1e-9)
    assert pickle.loads(pickle.dumps(turned)) == turned


@pytest.mark.parametrize(
    "line",
    [
        "TRANS LAMBERT WGS-84 45 7 44 46",
        "TRANS LAMBERT Moon 45 7 44 46 0",
        "TRANS TRANS_MERC WGS-84 45 7 0 1 0.9996",
        "TRANSFORM  AZIMUTHAL_EQUIDIST RefEllipsoid WGS-84  LatOrig 45  LongOrig 7  RotCW 0",
        "TRANS SIMPLE 45 7",
        "TRANS SIMPLE a b c",
        "TRANS SIMPLE 45 7 nan",
        "TRANSFORM NONE",
        "TRANS",
        "",
    ],
)
def test_other_transformations_are_refused(line):
    with pytest.raises(ConfigError, match="expected SIMPLE, LAMBERT or TRANS_MERC with their numbers; give another as a PROJ"):
        read_transform(line)


@pytest.mark.parametrize(("definition", "message"), [("EPSG:4326", "has degrees"), ("nonsense", "expected a PROJ string")])
def test_a_definition_that_is_no_projection(definition, message):
    pytest.importorskip("pyproj", reason="the projection is PROJ's")
    with pytest.raises(ConfigError, match=message):
        MapProjection(definition)
