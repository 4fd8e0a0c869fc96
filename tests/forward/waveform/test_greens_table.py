"""Tables of Green's functions against the solver that fills them, run from the source, and against closed forms."""

import resource

import numpy as np
import pytest

from vip.errors import ConfigError, StoreError, VIPError
from vip.forward.waveform.earth import Earth
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.greens import Plan, Table, fill, open_table, store
from vip.kernels_c.elastic3d import MomentSource

H, SHAPE, SEA = 10.0, (23, 23, 26), 6
BOX = [[40, 180], [40, 180], [100, 220]]
HYDROPHONE = Channel("A", "H", "pressure", (53.0, 112.0, 20.0), (0.0, 0.0, 0.0))
GEOPHONE = Channel("B", "Z", "velocity", (172.0, 97.0, 78.0), (0.6, 0.0, 0.8))
TENSOR = np.array([[1.0, 0.4, -0.7], [0.4, -0.5, 0.3], [-0.7, 0.3, 2.0]])
COMPONENTS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def rough_earth(seed=1, water=True):
    """Velocity that grows with depth and is disturbed, below a sea."""
    x, y, z = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    a, b, c = np.random.default_rng(seed).uniform(0, 6, 3)
    vp = (2000 + 1.5 * H * z) * (1 + 0.05 * np.sin(x / 4 + a) * np.cos(y / 5 + b) * np.sin(z / 4 + c))
    vs, density = vp / 1.8, np.full(SHAPE, 2200.0)
    if water:
        vp[..., :SEA], vs[..., :SEA], density[..., :SEA] = 1500, 0, 1000
    return Earth(*(a.astype(np.float32) for a in (vp, vs, density)), np.full(3, H), np.zeros(3))


def plan_of(earth=None, channels=(HYDROPHONE, GEOPHONE), **changes):
    settings = {
        "box": BOX,
        "frequency": 18.0,
        "dt": 0.004,
        "duration": 0.3,
        "tolerance": 0.003,
        "every": 2,
        "layer": 6,
    } | changes
    return Plan(rough_earth() if earth is None else earth, channels, **settings)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    plan = plan_of()
    file = tmp_path_factory.mktemp("greens") / "greens.h5"
    return plan, fill(plan, file), file


def lost(found, truth):
    """Part of the energy of a trace that an error has."""
    return ((found - truth) ** 2).sum() / (truth**2).sum()


def simulated(plan, solver, place, tensor):
    """Traces of both channels, by the solver run from the source: pressure, and velocity along the direction."""
    source = MomentSource(place, tensor, plan.rate)
    receivers = [channel.position for channel in (HYDROPHONE, GEOPHONE)]
    names = ["pressure", "vx", "vy", "vz"]
    traces = solver.run([source], receivers, plan.steps, names)
    times = plan.start + plan.dt * np.arange(plan.samples)
    pressure = np.interp(times, solver.times("pressure", plan.steps) + plan.start, traces[0, 0])
    velocity = np.array(GEOPHONE.direction) @ traces[1, 1:]
    return pressure, np.interp(times, solver.times("vx", plan.steps) + plan.start, velocity)


def contracted(tensor, elementary):
    """Seismograms (channels, samples) of a tensor from elementary ones."""
    return np.einsum("k,cks->cs", [tensor[i] for i in COMPONENTS], elementary.astype(float))


@pytest.mark.parametrize("tensor", [np.eye(3), TENSOR], ids=["explosion", "tensor"])
def test_places_between_nodes_are_those_of_the_solver(made, tensor):
    """A table made for a loss of 0.3 % loses less than 2 % of any trace and 1 % on average."""
    plan, table, _ = made
    solver, rng, losses = plan.solver(), np.random.default_rng(4), []
    for _ in range(3):
        place = rng.uniform(plan.box[:, 0], plan.box[:, 1])
        found = contracted(tensor, table.elementary(place[None]).traces[0])
        losses.append([lost(f, t) for f, t in zip(found, simulated(plan, solver, place, tensor), strict=True)])
    assert np.max(losses) < 0.02
    assert np.mean(losses) < 0.01


def test_a_fine_table_is_exact_on_its_nodes(tmp_path):
    """What is left of reciprocity, times, signs and factors if nothing is compressed: half a time step would be 1e-3."""
    plan = plan_of(tolerance=1e-6, every=4)
    table = fill(plan, tmp_path / "fine.h5")
    nodes = np.array([[axis[2] for axis in plan.axes()]])
    for tensor in (np.eye(3), TENSOR):
        found = contracted(tensor, table.elementary(nodes).traces[0])
        for ours, truth in zip(found, simulated(plan, plan.solver(), nodes[0], tensor), strict=True):
            assert lost(ours, truth) < 1e-4


def test_explosions_of_a_full_space(tmp_path):
    """p = kappa / (4 pi density vp^4 r) s'(t - r / vp), s the moment rate."""
    vp, vs, density = 2500.0, 1400.0, 2200.0
    earth = Earth(*(np.full(SHAPE, v, np.float32) for v in (vp, vs, density)), np.full(3, H), np.zeros(3))
    plan = plan_of(earth, [HYDROPHONE], every=4, layer=14)
    table = fill(plan, tmp_path / "space.h5")
    times = plan.start + plan.dt * np.arange(plan.samples)
    places = np.random.default_rng(2).uniform(plan.box[:, 0], plan.box[:, 1], (5, 3))
    traces = table.elementary(places).traces[:, 0, :3].sum(axis=1)
    for place, found in zip(places, traces, strict=True):
        r = np.linalg.norm(place - HYDROPHONE.position)
        u = (times - r / vp) / plan.width
        slope = -u / plan.width * np.exp(-0.5 * u**2) / (plan.width * np.sqrt(2 * np.pi))
        kappa = density * (vp**2 - 4 / 3 * vs**2)
        assert lost(found, kappa / (4 * np.pi * density * vp**4 * r) * slope) < 0.01


def test_tensors_of_a_full_space(tmp_path):
    """Velocity of any tensor with near, intermediate and far terms, and all six components, against the closed form."""
    fullspace = pytest.importorskip("vip.forward.waveform.fullspace", reason="the closed form is not there")
    vp, vs, density = 2500.0, 1400.0, 2200.0
    earth = Earth(*(np.full(SHAPE, v, np.float32) for v in (vp, vs, density)), np.full(3, H), np.zeros(3))
    geophone = GEOPHONE._replace(position=(112.0, 97.0, 30.0))
    plan = plan_of(earth, [geophone], layer=14)
    table = fill(plan, tmp_path / "space.h5")
    closed = fullspace.FullSpace(vp, vs, density, [geophone], plan.box, plan.width, plan.dt, plan.samples, plan.start)
    places = np.random.default_rng(3).uniform(plan.box[:, 0], plan.box[:, 1], (8, 3))
    for found, truth in zip(table.elementary(places).traces[:, 0], closed.elementary(places).traces[:, 0], strict=True):
        assert lost(found, truth) < 0.01


def test_slopes_are_those_of_the_traces(made):
    """Materials are linear between nodes of the earth, so that slopes jump there: no place is nearer to one than the step."""
    plan, table, _ = made
    rng = np.random.default_rng(5)
    places = rng.uniform(plan.box[:, 0] + 1, plan.box[:, 1] - 1, (8, 3))
    assert np.abs(places / H - np.rint(places / H)).min() * H > 0.05
    slopes = table.elementary(places, slopes=True).slopes
    step = 0.05
    for axis in range(3):
        move = step * np.eye(3)[axis]
        there, back = (table.elementary(places + sign * move).traces.astype(float) for sign in (1, -1))
        size = np.abs(slopes[..., axis]).max(axis=-1, keepdims=True)
        assert (np.abs((there - back) / (2 * step) - slopes[..., axis]) < 5e-3 * size + 1e-30).all()


def test_the_table_knows_what_it_loses(made):
    for part in made[1].content.parts:
        assert 0 < part.loss.median <= part.loss.worst
        assert part.loss.mean < made[0].tolerance or part.loss.bound


def test_pulse(made):
    plan, table, _ = made
    assert len(table.pulse) % 2 == 1
    assert table.pulse.argmax() == len(table.pulse) // 2
    np.testing.assert_allclose(table.pulse.sum() * table.dt, 1)
    shape = np.abs(np.exp(-2j * np.pi * plan.frequency * table.dt * np.arange(len(table.pulse))) @ table.pulse) * table.dt
    np.testing.assert_allclose(shape, 0.01, rtol=1e-3)


def test_a_file_gives_the_same_table(made):
    plan, table, file = made
    place = np.mean(BOX, axis=1)[None]
    np.testing.assert_array_equal(table.elementary(place).traces, open_table(file, plan).elementary(place).traces)
    one = plan_of(plan.earth, [GEOPHONE])
    np.testing.assert_array_equal(table.elementary(place).traces[:, 1:], open_table(file, one).elementary(place).traces)


class Killed(Exception):
    """What ends a process in a test."""


def test_a_killed_table_goes_on_and_is_the_same_to_the_last_bit(made, tmp_path):
    plan, _, whole = made
    file = tmp_path / "again.h5"

    def kill(done):
        if done >= 1.4:
            raise Killed

    with pytest.raises(Killed):
        fill(plan, file, tell=kill)
    assert not file.exists()
    assert len(list((tmp_path / "again.h5.parts").glob("*.h5"))) == 1
    steps = []
    fill(plan, file, tell=steps.append)
    assert min(steps) >= 1
    assert file.read_bytes() == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [file]


def refused(content, text):
    with pytest.raises(StoreError) as caught:
        content()
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_are_refused(made, tmp_path):
    plan, _, file = made
    refused(lambda: open_table(tmp_path / "none.h5"), "none.h5: does not exist: make it with `vip greens")
    short, text, empty = (tmp_path / name for name in ("short.h5", "text.h5", "empty.h5"))
    short.write_bytes(file.read_bytes()[:-5000])
    text.write_text("depth,vp\n")
    empty.write_bytes(b"")
    for bad in (short, text, empty):
        refused(lambda bad=bad: open_table(bad), f"{bad}: is damaged or truncated")
    refused(lambda: open_table(file, plan_of(rough_earth(2))), "was made for another earth")
    refused(lambda: open_table(file, plan_of(plan.earth, frequency=17.0)), "was made for another earth, band")
    moved = HYDROPHONE._replace(position=(53.0, 112.0, 21.0))
    refused(lambda: open_table(file, plan_of(plan.earth, [moved])), "has no receiver A H at [53.0, 112.0, 21.0]")
    wide = [[30, 180], *BOX[1:]]
    refused(lambda: open_table(file, plan_of(plan.earth, box=wide)), "does not hold the box [[30.0, 180.0]")


def test_places_outside_the_box_are_refused(made):
    with pytest.raises(ValueError, match=r"row 1: \[40\.0, 40\.0, 220\.1\] m is outside the box"):
        made[1].elementary(np.array([[40.0, 40.0, 220.0], [40.0, 40.0, 220.1]]))


def test_merged(made):
    _, table, file = made
    content = store.read(file)
    one, two = (store.trimmed(content, [station]) for station in "AB")
    both = Table(store.merged([one, two], [file, file]))
    place = np.mean(BOX, axis=1)[None] + 3
    np.testing.assert_array_equal(both.elementary(place).traces, table.elementary(place).traces)
    refused(lambda: store.merged([one, content], [file, file]), "A H: is in another table too")
    refused(lambda: store.merged([one, two._replace(mark="x")], [file, file]), "cannot be merged")


def test_trimmed(made):
    """Places in the smaller box have the same seismograms as in a larger table, of random numbers."""
    content, rng = made[1].content, np.random.default_rng(8)
    part = content.parts[0]
    large = part._replace(
        coefficients=rng.normal(size=(22, 23, 24, *part.coefficients.shape[3:])).astype(np.float16),
        slowness=0.4 + 0.01 * np.sin(np.add.outer(np.add.outer(np.arange(20) / 4, np.arange(21) / 5), np.arange(22) / 6)),
    )
    end = part.origin + part.spacing * [19, 20, 21]
    content = content._replace(parts=(large,), box=np.stack([part.origin, end], axis=1))
    box = np.stack([part.origin + 7.3 * part.spacing, part.origin + 11.6 * part.spacing], axis=1)
    cut = Table(store.trimmed(content, box=box))
    places = rng.uniform(box[:, 0], box[:, 1], (20, 3))
    found, truth = cut.elementary(places).traces, Table(content).elementary(places).traces
    assert np.abs(found - truth).max() < 1e-3 * np.abs(truth).max()
    assert cut.content.parts[0].nbytes < 0.2 * large.nbytes
    with pytest.raises(ConfigError, match="must grow, inside that of the table"):
        store.trimmed(content, box=content.box + 1.0)
    with pytest.raises(ConfigError, match="C: expected one of A"):
        store.trimmed(content, ["C"])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"frequency": 40.0}, "nodes in the shortest wavelength of S"),
        ({"dt": 0.02}, "dt: 0.02: must be at most 0.01389 s for waves of 18 Hz"),
        ({"box": [[70, 180], [70, 330], [150, 220]]}, "box: y from 70 to 330 m: must grow, inside the earth, 0 to 220 m"),
        ({"box": [[70, 180], [90, 70], [150, 220]]}, "box: y from 90 to 70 m"),
        ({"every": 40}, "every: 40: the earth has no 121 nodes"),
        ({"channels": []}, "receivers: no channel: expected at least one"),
        ({"earth": rough_earth()._replace(vp=rough_earth().vp * np.nan)}, "vp: node x 0, y 0, z 0: nan: must be a number"),
        ({"duration": 0.001}, "duration: 0.001: receiver A H is reached after"),
        (
            {"channels": [HYDROPHONE._replace(position=(0.0, 0.0, 400.0))]},
            "receiver A H: [0.0, 0.0, 400.0]: is outside the earth",
        ),
        ({"channels": [GEOPHONE._replace(direction=(1.0, 0.0, 1.0))]}, "receiver B Z: [1.0, 0.0, 1.0]: must be a unit vector"),
    ],
)
def test_plans_that_are_refused(changes, text):
    with pytest.raises(ConfigError) as caught:
        plan_of(**changes)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def small_disk():
    """Files may not grow beyond 10 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said(made, tmp_path, small_disk):
    plan, table, _ = made
    with pytest.raises(VIPError, match=r"greens\.h5: cannot be written: File too large"):
        store.write(table.content, tmp_path / "greens.h5")
    assert not list(tmp_path.iterdir())
    with pytest.raises(VIPError, match=r"greens\.h5\.parts: strains of 0\.\d+ GB cannot be kept: File too large"):
        fill(plan, tmp_path / "greens.h5")
