"""Velocity models and projections for earthquake location."""

import pickle

import numpy as np
import pytest
import xarray as xr

from vip.errors import ConfigError
from vip.forward.earthquakes.projection import MapProjection, Simple, centred_on, jacobian, read_transform
from vip.forward.earthquakes.velocity import (
    Layered,
    read_layers,
    read_netcdf,
    read_nonlinloc_grids,
    read_velocity,
    velocity_files,
)


@pytest.fixture
def written(tmp_path):
    def write(text, name="model.csv"):
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


# Layers


def test_constant_layers_from_csv(written):
    layers = read_layers(written("depth,vp,vs\n-2,4.0,2.2\n3,5.5,3.1\n30,8.0,4.5\n"))
    assert layers.phases == {"P", "S"}
    depths = np.array([[-5.0, -2.0, 2.9], [3.0, 29.9, 100.0]])
    np.testing.assert_array_equal(layers.at("P", depths), [[4, 4, 4], [5.5, 5.5, 8]])
    np.testing.assert_array_equal(layers.at("S", depths), [[2.2, 2.2, 2.2], [3.1, 3.1, 4.5]])
    assert layers.bounds("P", -2, 20) == (4.0, 5.5)
    assert layers.bounds("P", 5, 20) == (5.5, 5.5)


def test_linear_between_depths_with_a_discontinuity(written):
    layers = read_layers(written("depth,vp\n0,5\n10,6\n10,7\n30,8\n"), between="linear")
    np.testing.assert_allclose(layers.at("P", np.array([-1, 0, 5, 9.999, 10, 20, 30, 50])), [5, 5, 5.5, 5.9999, 7, 7.5, 8, 8])
    assert layers.phases == {"P"}
    low, high = layers.bounds("P", 5, 10)
    assert (low, high) == (5.5, 7.0)
    np.testing.assert_allclose(layers.bounds("P", 2, 9), (5.2, 5.9))


def test_vp_vs(written):
    layers = read_layers(written("depth,vp,vp_vs\n0,5.2,1.73\n"))
    np.testing.assert_allclose(layers.at("S", np.array([4.0])), 5.2 / 1.73)


def test_nonlinloc_layers_with_gradients(written):
    text = """\
VGTYPE P
# depth VpTop VpGrad VsTop VsGrad rhoTop rhoGrad
LAYER   0.0  5.0 0.1  2.9  0.05  2.7 0.0
LAYER  10.0  6.5 0.0  3.7  0.0   2.7 0.0
LAYER  30.0  8.0 0.01 4.6  0.0   3.3 0.0
"""
    layers = read_layers(written(text, "run.in"))
    depths = np.array([-1.0, 0.0, 5.0, 10.0, 40.0])
    np.testing.assert_allclose(layers.at("P", depths), [5, 5, 5.5, 6.5, 8.1])
    np.testing.assert_allclose(layers.at("S", depths), [2.9, 2.9, 3.15, 3.7, 4.6])
    np.testing.assert_allclose(layers.bounds("P", 5, 40), (5.5, 8.1))
    only_p = read_layers(written("LAYER 0 5 0 0 0 2.7 0\nLAYER 10 6 0 0 0 2.7 0\n", "p.in"), between="linear")
    assert only_p.phases == {"P"}
    np.testing.assert_allclose(only_p.at("P", np.array([5.0])), 5.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth,vp\n0,5\n10,6\n5,7\n", "line 4, column depth: 5.0: depths must increase"),
        ("depth,vp\n0,5\n0,6\n", "line 3, column depth: 0.0: depths must increase"),
        ("depth,vp\n0,5\n32000,6\n", "line 3, column depth: 32000.0: must be in km below sea level; is it in m?"),
        ("depth,vp\n0,5\n10,6000\n", "line 3, column vp: 6000.0: must be in km/s; is it in m/s?"),
        ("depth,vp\n0,-5\n", "line 2, column vp: -5.0: must be a positive number, km/s"),
        ("depth,vp\n0,nan\n", "line 2, column vp: nan: must be a finite number"),
        ("depth,vp,vs\n0,5,0\n", "line 2, column vs: 0.0: must be a positive number"),
        ("depth,vp,vs\n0,5,5.1\n", "line 2, column vs: 5.1: must be smaller than the velocity of P, 5"),
        ("depth,vp,vp_vs\n0,5,0.9\n", "line 2, column vp_vs: 0.9: must be larger than 1"),
        ("depth,vp,vp_vs,vs\n0,5,1.7,3\n", "vs, vp_vs: give one of the two"),
        ("depth,vs\n0,5\n", "there is no column 'vp'"),
        ("LAYER 0 5 0 3\n", "line 1: 0 5 0 3: expected LAYER depth VpTop"),
        ("LAYER 0 5 0 3 x\n", "line 1: 0 5 0 3 x: expected LAYER"),
        ("LAYER 0 5500 0 3 0\n", "line 1, column vp: 5500.0: .* is it in m/s?"),
    ],
)
def test_faults_of_layers_name_file_line_and_remedy(written, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_layers(written(text))
    assert "model.csv" in str(caught.value)


# Grids


def grid(**units):
    rng = np.random.default_rng(1)
    shape = (3, 4, 5)
    coords = {"latitude": [44.0, 45.0, 46.0], "longitude": [6.0, 7.0, 8.0, 9.0], "depth": [-2.0, 0.0, 5.0, 10.0, 30.0]}
    values = rng.uniform(5, 8, shape)
    data = xr.Dataset({"vp": (tuple(coords), values), "vs": (tuple(coords), 1000 * values / 1.75)}, coords)
    data["vp"].attrs["units"], data["vs"].attrs["units"] = "km/s", "m/s"
    for name, unit in units.items():
        data[name].attrs["units"] = unit
    return data


def test_grid_from_netcdf(tmp_path):
    data = grid()
    data.transpose("depth", "longitude", "latitude").isel(latitude=slice(None, None, -1)).to_netcdf(tmp_path / "v.nc")
    model = read_netcdf(tmp_path / "v.nc")
    assert model.geographic
    assert model.phases == {"P", "S"}
    np.testing.assert_allclose(model.velocity["P"], data["vp"])
    np.testing.assert_allclose(model.velocity["S"], data["vp"] / 1.75)
    np.testing.assert_array_equal(model.axes[2], [-2, 0, 5, 10, 30])
    points = np.array([[44.5, 6.5, 2.5], [46.0, 9.0, 30.0], [47.0, 7.0, 1.0]])
    np.testing.assert_array_equal(model.contains(points), [True, True, False])
    np.testing.assert_allclose(model.at("P", points)[0], data["vp"][:2, :2, 1:3].mean())
    np.testing.assert_allclose(model.at("P", points)[1], data["vp"][-1, -1, -1])
    np.testing.assert_array_equal(model.at("P", points[2:]), model.at("P", np.array([[46.0, 7.0, 1.0]])))  # it goes on outside
    assert model.bounds("P") == (float(data["vp"].min()), float(data["vp"].max()))


def test_cartesian_grid_with_lengths_in_m(tmp_path):
    data = grid().rename(latitude="y", longitude="x")
    data = data.assign_coords({axis: (data[axis] - data[axis][0]) * 1000 for axis in ("y", "x", "depth")})
    for axis in ("y", "x", "depth"):
        data[axis].attrs["units"] = "m"
    data.to_netcdf(tmp_path / "v.nc")
    model = read_netcdf(tmp_path / "v.nc")
    assert not model.geographic
    np.testing.assert_allclose(model.axes[1], [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.drop_vars("vp"), "variables: vs: expected vp"),
        (lambda data: data.rename(depth="z"), "expected latitude, longitude, depth or x, y, depth"),
        (lambda data: grid(vp="miles/h"), "units of vp: miles/h: expected one of km/s"),
        (lambda data: grid(vp=""), "units of vp: none: expected one of km/s"),
        (lambda data: grid(vp="km/s", depth="feet"), "units of depth: feet: expected one of km"),
        (lambda data: grid(vs="km/s"), "velocity of S at latitude 44, longitude 6, depth -2: .*is it in m/s?"),
        (lambda data: data.where(data["latitude"] != 45), "velocity of P at latitude 45, .*: nan: must be a positive"),
        (lambda data: data.assign_coords(depth=1000 * data["depth"]), "depth: 30000.0: must be in km .*give it the units m"),
        (lambda data: data.isel(depth=[0]), "depth: 1 nodes: at least two"),
        (lambda data: data.isel(depth=[0, 0, 1]), "depth: 3 nodes: .*each once"),
        (lambda data: data.isel(depth=0, drop=True).assign_coords(depth=[0.0, 1.0]), "expected the axes latitude"),
    ],
)
def test_faults_of_netcdf(tmp_path, change, message):
    change(grid()).to_netcdf(tmp_path / "v.nc")
    with pytest.raises(ConfigError, match=message) as caught:
        read_netcdf(tmp_path / "v.nc")
    assert "v.nc" in str(caught.value)


def test_what_is_not_netcdf(written, tmp_path):
    with pytest.raises(ConfigError, match=r"none\.nc: cannot be read: No such file"):
        read_netcdf(tmp_path / "none.nc")
    with pytest.raises(ConfigError, match=r"v\.nc: is not NetCDF"):
        read_netcdf(written("text", "v.nc"))


def nonlinloc(tmp_path, kind, values, end="", name="layer.P.mod"):
    """A grid in the published form: x slowest, depth fastest."""
    header = tmp_path / f"{name}.hdr"
    numbers = f"{values.shape[0]} {values.shape[1]} {values.shape[2]}  -10.0 -20.0 -2.0  2.0 2.0 2.0 {kind}{end}\n"
    header.write_text(numbers + "TRANSFORM  SIMPLE LatOrig 45.000000  LongOrig 7.000000  RotCW 0.000000\n")
    header.with_suffix(".buf").write_bytes(values.astype("<f8" if "DOUBLE" in end else "<f4").tobytes())
    return header


VELOCITY = np.random.default_rng(2).uniform(4, 8, (3, 4, 5))


@pytest.mark.parametrize(
    ("kind", "values", "end"),
    [
        ("VELOCITY", VELOCITY, ""),
        ("VELOCITY", VELOCITY, " FLOAT"),
        ("VELOCITY_METERS", 1000 * VELOCITY, ""),
        ("SLOWNESS", 1 / VELOCITY, ""),
        ("SLOW_LEN", 2.0 / VELOCITY, ""),
        ("SLOW_LEN", 2.0 / VELOCITY, " DOUBLE"),
    ],
)
def test_nonlinloc_grids(tmp_path, kind, values, end):
    slow = nonlinloc(tmp_path, "VELOCITY", VELOCITY / 1.75, name="layer.S.mod")
    model = read_nonlinloc_grids({"P": nonlinloc(tmp_path, kind, values, end), "S": slow})
    y, x, depth = model.axes
    np.testing.assert_allclose(x, [-10, -8, -6])
    np.testing.assert_allclose(y, [-20, -18, -16, -14])
    np.testing.assert_allclose(depth, [-2, 0, 2, 4, 6])
    np.testing.assert_allclose(model.velocity["P"][3, 2], VELOCITY[2, 3], rtol=1e-6)
    np.testing.assert_allclose(model.at("P", np.array([[-18.0, -6.0, 2.0]])), VELOCITY[2, 1, 2], rtol=1e-6)
    np.testing.assert_allclose(model.velocity["S"], model.velocity["P"] / 1.75, rtol=1e-6)


def test_a_header_of_p_finds_that_of_s(tmp_path):
    header = nonlinloc(tmp_path, "VELOCITY", VELOCITY)
    assert read_velocity(header).phases == {"P"}
    assert [file.name for file in velocity_files(header)] == ["layer.P.mod.hdr", "layer.P.mod.buf"]
    nonlinloc(tmp_path, "VELOCITY", VELOCITY / 1.75, name="layer.S.mod")
    model = read_velocity(header)
    assert model.phases == {"P", "S"}
    assert [file.name for file in velocity_files(header)[2:]] == ["layer.S.mod.hdr", "layer.S.mod.buf"]
    np.testing.assert_allclose(model.velocity["S"], model.velocity["P"] / 1.75, rtol=1e-6)
    assert read_transform(model.transform) == Simple(45.0, 7.0)
    with pytest.raises(ConfigError, match=r"layer\.S\.mod\.hdr: expected the grid of P, with \.P\. in its name"):
        read_velocity(tmp_path / "layer.S.mod.hdr")


def test_the_kind_of_a_velocity_is_told_by_its_suffix(tmp_path, written):
    grid().to_netcdf(tmp_path / "v.nc4")
    assert read_velocity(tmp_path / "v.nc4").geographic
    assert isinstance(read_velocity(written("depth,vp\n0,5\n", "v.csv")), Layered)
    assert read_velocity(written("depth,vp\n0,5\n10,6\n"), "linear").at("P", np.array([5.0])) == 5.5


def test_faults_of_nonlinloc_grids(tmp_path):
    def fails(message, header):
        with pytest.raises(ConfigError, match=message):
            read_nonlinloc_grids({"P": header})

    fails("gridType: TIME: expected one of VELOCITY", nonlinloc(tmp_path, "TIME", VELOCITY))
    header = nonlinloc(tmp_path, "VELOCITY", VELOCITY)
    header.write_text(header.read_text().splitlines()[0] + "\nTRANSFORM  GLOBAL\n")
    fails("TRANSFORM: GLOBAL: has degrees for x and y; write this grid as NetCDF", header)
    fails("xNum: 2: this is the grid of a layered model", nonlinloc(tmp_path, "SLOW_LEN", VELOCITY[:2]))
    fails(r"layer\.P\.mod\.buf: size: 480 bytes: 3 x 4 x 5 nodes take 240 bytes", double_size(tmp_path))
    fails("velocity of P at y -20, x -10, depth -2: 5046.*is it in m/s?", nonlinloc(tmp_path, "VELOCITY", 1000 * VELOCITY))
    fails("velocity of P .*: inf: must be a positive number", nonlinloc(tmp_path, "SLOWNESS", 0 * VELOCITY))
    header = nonlinloc(tmp_path, "VELOCITY", VELOCITY)
    header.with_suffix(".buf").unlink()
    fails(r"layer\.P\.mod\.buf: cannot be read", header)
    header.write_text("3 4\n")
    fails(r"layer\.P\.mod\.hdr: line 1: 3 4: expected xNum yNum", header)
    grids = {
        "P": nonlinloc(tmp_path, "VELOCITY", VELOCITY),
        "S": nonlinloc(tmp_path, "VELOCITY", VELOCITY[:, :3], name="layer.S.mod"),
    }
    with pytest.raises(ConfigError, match="nodes: those of S: expected those of P"):
        read_nonlinloc_grids(grids)


def double_size(tmp_path):
    header = nonlinloc(tmp_path, "VELOCITY", VELOCITY)
    header.with_suffix(".buf").write_bytes(VELOCITY.tobytes())
    return header


# Projection


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
