"""Earths from files, what is refused, and what is continuous in them."""

import h5py
import numpy as np
import pytest

from vip.errors import ConfigError
from vip.forward.waveform.earth import read_earth
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens import Plan
from vip.forward.waveform.greens.materials import materials_of, smooth
from vip.kernels_c.elastic3d import MomentSource, Solver
from vip.kernels_c.seismograms.reference import mixed

LAYERS = "depth,vp,vs,density\n0,1500,0,1000\n30,2000,1000,2000\n50,3000,1700,2300\n"
SPACING, EXTENT = np.full(3, 10.0), np.array([200.0, 150.0, 100.0])


def layered(folder, text=LAYERS, **options):
    file = folder / "layers.csv"
    file.write_text(text)
    return read_earth(file, **({"spacing": SPACING, "extent": EXTENT} | options))


def test_layers(tmp_path):
    earth = layered(tmp_path)
    assert earth.vp.shape == (21, 16, 11)
    assert earth.vp[3, 4].tolist() == [1500] * 3 + [2000] * 2 + [3000] * 6
    assert earth.vs[0, 0, :4].tolist() == [0, 0, 0, 1000]
    np.testing.assert_array_equal(earth.at("density", np.array([[3.0, 4.0, 27.0]])), [2000])


def test_volumes(tmp_path):
    """All formats and units give the same earth, whose mark says so; one node that differs has another mark."""
    earth = layered(tmp_path)
    volumes = {name: getattr(earth, name) for name in ("vp", "vs", "density")}
    np.save(tmp_path / "a.npy", np.stack(list(volumes.values())))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        for name, values in volumes.items():
            file[name] = values / 1000
        for axis, low, n in zip("xyz", (0.0, 0.0, 0.0), earth.vp.shape, strict=True):
            file[axis] = low + 0.01 * np.arange(n)
    assert read_earth(tmp_path / "a.npy", spacing=SPACING).mark == earth.mark
    other = read_earth(tmp_path / "b.h5", "km")
    np.testing.assert_allclose(other.spacing, SPACING)
    np.testing.assert_allclose(other.vp, earth.vp, rtol=1e-6)
    assert earth._replace(vp=np.where(np.arange(earth.vp.size).reshape(earth.vp.shape) == 7, 1501, earth.vp)).mark != earth.mark


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (LAYERS, {"units": "km"}, "vp: node x 0, y 0, z 0: 1.5e+06: expected 200 to 20000 m/s"),
        (LAYERS.replace("1500", "1.5").replace("2000,", "2,").replace("3000", "3"), {}, 'looks like km/s: say units = "km"'),
        (
            LAYERS.replace("2000,1000", "2000,1800"),
            {},
            "vs: node x 0, y 0, z 3: 1800 where vp is 2000: must be less than vp / 1.155",
        ),
        (LAYERS.replace("1500,0", "1500,300"), {}, "vs: node x 0, y 0, z 0: 300 where vp is 1500: must be 0 in water"),
        (LAYERS.replace("50,3000", "20,3000"), {}, "line 4, column depth: 20.0: depths must grow"),
        (LAYERS, {"extent": None}, "extent: is missing: layers need spacing and extent"),
        (LAYERS.replace("1700", "fast"), {}, "line 4, column vs: fast"),
        ("depth,vp,vs,density\n", {}, "depth: none: depths must grow"),
    ],
)
def test_layers_that_are_refused(tmp_path, text, options, message):
    with pytest.raises(ConfigError) as caught:
        layered(tmp_path, text, **options)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'layers.csv'}: ")
    assert "\n" not in str(caught.value)


def test_volumes_that_are_refused(tmp_path):
    np.save(tmp_path / "two.npy", np.ones((2, 3, 3, 3)))
    with pytest.raises(ConfigError, match=r"two\.npy: shape: \(2, 3, 3, 3\): expected vp, vs and density"):
        read_earth(tmp_path / "two.npy")
    (tmp_path / "short.h5").write_bytes(b"\x89HDF")
    with pytest.raises(ConfigError, match=r"short\.h5: cannot be read"):
        read_earth(tmp_path / "short.h5")
    with h5py.File(tmp_path / "uneven.h5", "w") as file:
        for name in ("vp", "vs", "density"):
            file[name] = np.full((3, 3, 3), 2000.0)
        file["x"], file["y"], file["z"] = [0.0, 1.0, 3.0], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0]
    with pytest.raises(ConfigError, match=r"uneven\.h5: x: .*must grow by equal steps"):
        read_earth(tmp_path / "uneven.h5")


def test_what_is_kept_is_continuous_across_an_interface(tmp_path):
    """Strains of the solver on a line through an interface: e_zz and e_xz jump, what a table keeps does not."""
    text = "depth,vp,vs,density\n0,2000,1000,2000\n105,3000,1700,2300\n"
    earth = layered(tmp_path, text, extent=np.array([200.0, 200.0, 200.0]))
    line = np.array([[120.0, 90.0, z] for z in range(40, 180, 10)])
    solver = Solver(*(v.astype(float) for v in earth[:3]), SPACING, 0.0015, absorber=6)
    source = MomentSource([40.0, 60.0, 30.0], np.eye(3), lambda t: np.exp(-(((t - 0.08) / 0.02) ** 2)))
    found = solver.run([source], line, 150, ("exx", "eyy", "ezz", "eyz", "exz", "exy"))
    receiver = Channel("A", "H", "pressure", (40.0, 60.0, 30.0), (0.0, 0.0, 0.0))
    plan = Plan(earth, [receiver], [[20, 180], [20, 180], [40, 170]], 15.0, 0.01, 0.3, every=1)
    factors = materials_of(plan).at(line)[0]
    kept = smooth(found, factors)
    for component in (2, 4):
        jump, kept_jump = (
            np.linalg.norm(np.diff(v[:, component], 2, axis=0), axis=1).max() / np.linalg.norm(v[:, component])
            for v in (found, kept)
        )
        assert kept_jump < jump / 2
    again = np.stack([mixed(quantities, by) for quantities, by in zip(kept, factors, strict=True)])
    np.testing.assert_allclose(again, found, rtol=1e-9, atol=1e-12 * np.abs(found).max())


def test_factors_between_nodes(tmp_path):
    """Slopes of the factors against differences, and a part of an earth against the whole."""
    rng = np.random.default_rng(1)
    shape = (12, 13, 14)
    vp = rng.uniform(2000, 3000, shape)
    np.save(tmp_path / "a.npy", np.stack([vp, vp / 2, np.full(shape, 2000.0)]))
    earth = read_earth(tmp_path / "a.npy", spacing=SPACING)
    receiver = Channel("A", "H", "pressure", (40.0, 60.0, 30.0), (0.0, 0.0, 0.0))
    found = materials_of(Plan(earth, [receiver], [[20, 90], [20, 90], [40, 110]], 15.0, 0.01, 0.3, every=1))
    places = rng.uniform(41, 79, (20, 3))
    value, slope = found.at(places)
    for axis in range(3):
        move = 1e-4 * np.eye(3)[axis]
        numbers = (found.at(places + move)[0] - found.at(places - move)[0]) / 2e-4
        np.testing.assert_allclose(slope[:, :, axis], numbers, atol=1e-6)
    part = found.within(np.array([[41.0, 79], [41, 79], [41, 79]]))
    assert part.factors.shape == (5, 5, 5, 4)
    np.testing.assert_allclose(part.at(places)[0], value, rtol=1e-12)
