"""Velocity models in every format, and every fault with its place and remedy."""

import numpy as np
import pytest
import xarray as xr

from vip.errors import ConfigError
from vip.forward.earthquakes.formats import netcdf
from vip.forward.earthquakes.formats.nonlinloc import grids
from vip.forward.earthquakes.formats.nonlinloc.control import read_transform
from vip.forward.earthquakes.projection import Simple
from vip.forward.earthquakes.reading import read_layers, read_velocity, velocity_files
from vip.forward.earthquakes.velocity import Layered


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
        ("depth,vp\n0,5\n0,6\n", "line 3, column depth: 0.0: depths must increase.*leave out the layer"),
        ("depth,vp\n0,5\n32000,6\n", "line 3, column depth: 32000.0: must be in km below sea level; is it in m?"),
        ("depth,vp\n0,5\n10,6000\n", "line 3, column vp: 6000.0: must be in km/s; is it in m/s?"),
        ("depth,vp\n0,-5\n", "line 2, column vp: -5.0: must be a positive number, km/s"),
        ("depth,vp,vs\n", "model.csv: layers: none: at least one is needed"),
        ("depth,vp,vs\n0,1.5,0.0001\n", "line 2, column vs: 0.0001: must be at least 0.01; is it in km/s"),
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
    model = netcdf.read_velocity(tmp_path / "v.nc")
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
    model = netcdf.read_velocity(tmp_path / "v.nc")
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
        netcdf.read_velocity(tmp_path / "v.nc")
    assert "v.nc" in str(caught.value)


def test_what_is_not_netcdf(written, tmp_path):
    with pytest.raises(ConfigError, match=r"none\.nc: cannot be read: No such file"):
        netcdf.read_velocity(tmp_path / "none.nc")
    with pytest.raises(ConfigError, match=r"v\.nc: is not NetCDF"):
        netcdf.read_velocity(written("text", "v.nc"))


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
    model = grids.read_grids({"P": nonlinloc(tmp_path, kind, values, end), "S": slow})
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
            grids.read_grids({"P": header})

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
    both = {
        "P": nonlinloc(tmp_path, "VELOCITY", VELOCITY),
        "S": nonlinloc(tmp_path, "VELOCITY", VELOCITY[:, :3], name="layer.S.mod"),
    }
    with pytest.raises(ConfigError, match="nodes: those of S: expected those of P"):
        grids.read_grids(both)


def double_size(tmp_path):
    header = nonlinloc(tmp_path, "VELOCITY", VELOCITY)
    header.with_suffix(".buf").write_bytes(VELOCITY.tobytes())
    return header
