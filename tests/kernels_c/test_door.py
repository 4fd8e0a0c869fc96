"""Every argument of every kernel at its door: any real dtype and memory order gives the same, the rest is refused by name."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vip.kernels_c import acoustic2d, door, edt, eikonal2d, eikonal3d, stein_groups, timetables


class Door(NamedTuple):
    """A kernel: a function that calls it, arguments that it takes, and which of them are whole numbers.

    Real arguments hold whole numbers from 1 to 100, which every dtype can hold.
    """

    call: object
    arguments: dict
    whole: tuple = ()
    scalars: tuple = ("threads",)


def waves(velocity, sources, receivers, wavelets, by_trace):
    grid = acoustic2d.Grid((7, 6), (5.0, 5.0), 0.002, 5, layer_speed=50.0)
    found = acoustic2d.propagate(velocity, acoustic2d.Shot(grid, sources, receivers), wavelets)
    return found.traces, found.gradient(by_trace)


def plane(sources, receivers, source_of_pair, velocity, observed, weight, threads):
    grid = eikonal2d.Grid((4, 5), (0.0, 0.0), (1.0, 1.0), False)
    return eikonal2d.travel_times(velocity, eikonal2d.Plan(grid, sources, receivers, source_of_pair), observed, weight, threads)


def field(velocity, source):
    grid = eikonal2d.Grid((4, 5), (0.0, 0.0), (1.0, 1.0), False)
    return eikonal2d.time_field(velocity, eikonal2d.Plan(grid, [[1, 1]], [[2, 2]], [0], "float64"), source)


def tables(slowness, places, origin, spacing, hypocentres, event, table, threads):
    return timetables.TimeTables(slowness, places, origin, spacing).evaluate(hypocentres, event, table, threads)


RNG = np.random.default_rng(4)


def some(*shape):
    """Whole numbers as floats."""
    return RNG.integers(1, 9, shape).astype(float)


DOORS = {
    "acoustic2d": Door(
        waves,
        {
            "velocity": some(7, 6) + 40,
            "sources": np.array([[7.0, 9.0]]),
            "receivers": np.array([[10.0, 21.0], [3.0, 1.0]]),
            "wavelets": some(5, 1),
            "by_trace": some(5, 2),
        },
        scalars=(),
    ),
    "edt": Door(
        edt.log_edt,
        {
            "residual": some(3, 5),
            "variance": some(3, 5),
            "start": np.array([0, 2, 5]),
            "weight": some(5),
            "tolerance": 0.0,
            "threads": 1,
        },
        whole=("start",),
        scalars=("tolerance", "threads"),
    ),
    "eikonal2d": Door(
        plane,
        {
            "sources": np.array([[1.0, 1.0], [2.0, 1.0]]),
            "receivers": np.array([[2.0, 3.0], [1.0, 2.0], [3.0, 3.0]]),
            "source_of_pair": np.array([1, 0, 1]),
            "velocity": some(2, 20),
            "observed": some(3),
            "weight": some(3),
            "threads": 1,
        },
        whole=("source_of_pair",),
    ),
    "eikonal2d, a field": Door(field, {"velocity": some(20), "source": 0}, scalars=("source",)),
    "eikonal3d": Door(
        lambda velocity, source, spacing, origin, threads: eikonal3d.solve(
            velocity, source, spacing, origin=origin, threads=threads
        ),
        {
            "velocity": some(4, 3, 5),
            "source": np.array([[2.0, 3.0, 4.0], [2.0, 2.0, 3.0]]),
            "spacing": np.array([1.0, 1.0, 2.0]),
            "origin": np.array([1.0, 2.0, 1.0]),
            "threads": 1,
        },
    ),
    "stein_groups": Door(
        stein_groups.direction,
        {"particles": some(4, 3), "gradient": some(4, 3), "groups": np.array([0, 1, 0]), "widening": 1.0, "threads": 1},
        whole=("groups",),
        scalars=("widening", "threads"),
    ),
    "timetables": Door(
        tables,
        {
            "slowness": some(2, 4, 5, 4),
            "places": some(2, 3),
            "origin": np.array([1.0, 1.0, 1.0]),
            "spacing": np.array([2.0, 3.0, 4.0]),
            "hypocentres": some(3, 2, 3) % 4 + 2,
            "event": np.array([0, 1, 1]),
            "table": np.array([1, 1, 0]),
            "threads": 1,
        },
        whole=("event", "table"),
    ),
}

ARRAYS = [(kernel, name) for kernel, door_ in DOORS.items() for name, x in door_.arguments.items() if name not in door_.scalars]
SCALARS = [(kernel, name) for kernel, door_ in DOORS.items() for name in door_.scalars]

WHOLE = [f"{order}{kind}" for order in "<>" for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")]
REAL = [*WHOLE, *(f"{order}{kind}" for order in "<>" for kind in ("f2", "f4", "f8")), "longdouble"]
NOT_REAL = [bool, complex, object, str, bytes, "M8[s]", "m8[s]"]

LAYOUTS = {
    "in C order": np.ascontiguousarray,
    "in Fortran order": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 3, axis=-1)[..., ::3],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "unaligned": lambda x: np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "a list": lambda x: x.tolist(),
}


def called(kernel, **changes):
    """Results of a kernel as a list of arrays, with some of its arguments changed."""
    door_ = DOORS[kernel]
    found = door_.call(**{**door_.arguments, **changes})
    return [np.asarray(x) for x in (found if isinstance(found, tuple) else (found,))]


def refused(kernel, error, name, value):
    """A wrong argument, by its name at the start of the message, and by nothing but an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(error, match=f"^{name}: "):
            called(kernel, **{name: value})


@given(st.data(), st.sampled_from(ARRAYS))
@settings(max_examples=400, deadline=None)
def test_any_dtype_and_order_gives_the_same(data, argument):
    kernel, name = argument
    plain = DOORS[kernel].arguments[name]
    dtype = data.draw(st.sampled_from(WHOLE if name in DOORS[kernel].whole else REAL))
    layout = data.draw(st.sampled_from(sorted(LAYOUTS)))
    given_ = LAYOUTS[layout](plain.astype(dtype))
    before = np.array(given_)
    for a, b in zip(called(kernel, **{name: given_}), called(kernel), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(np.array(given_), before)


@pytest.mark.parametrize(("kernel", "name"), ARRAYS)
@pytest.mark.parametrize("dtype", NOT_REAL, ids=str)
def test_other_dtypes_are_refused(kernel, name, dtype):
    refused(kernel, TypeError, name, DOORS[kernel].arguments[name].astype(dtype))


@pytest.mark.parametrize(("kernel", "name"), [(k, n) for k, n in ARRAYS if n in DOORS[k].whole])
def test_indices_are_whole_numbers_in_range(kernel, name):
    good = DOORS[kernel].arguments[name]
    refused(kernel, TypeError, name, good.astype(float))
    for wrong in (-1, 2**31, 2**63 - 1, -(2**31) - 1):
        refused(kernel, ValueError, name, np.where(np.arange(len(good)) == 1, wrong, good))
    refused(kernel, ValueError, name, np.where(np.arange(len(good)) == 1, np.uint64(2**64 - 1), good.astype(np.uint64)))


@pytest.mark.parametrize(("kernel", "name"), ARRAYS)
def test_other_shapes_are_refused(kernel, name):
    good = DOORS[kernel].arguments[name]
    for wrong in (good[None], good.reshape(*good.shape, 1), good[:0], good[..., :-1][..., :0], np.array(3.0), [[1, 2], [3]]):
        wrong = wrong.astype(int) if name in DOORS[kernel].whole and isinstance(wrong, np.ndarray) else wrong
        refused(kernel, ValueError, name, wrong)


@pytest.mark.parametrize(("kernel", "name"), [(k, n) for k, n in ARRAYS if n not in DOORS[k].whole])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_what_is_not_finite_is_refused_wherever_it_stands(kernel, name, value, dtype):
    for place in (0, -1):
        wrong = DOORS[kernel].arguments[name].astype(dtype)
        wrong.flat[place] = value
        refused(kernel, ValueError, name, wrong)


@pytest.mark.parametrize(("kernel", "name"), SCALARS)
def test_scalars_are_checked_too(kernel, name):
    for wrong in ("1", None, 1j, np.array("1")):
        refused(kernel, TypeError, name, wrong)
    for wrong in (-1, 2**40, 10**30):
        refused(kernel, (ValueError, TypeError), name, wrong)


@given(st.floats(), st.floats(-10, 10), st.floats(-10, 10))
def test_the_range_is_that_of_the_message(value, a, b):
    low, high = min(a, b), max(a, b)
    if low <= value <= high:
        assert door.real("x", [value], ("n",), low=low, high=high)[0] == value
    else:
        with pytest.raises(ValueError) as caught:
            door.real("x", [value], ("n",), low=low, high=high)
        assert str(caught.value) == f"x: entry 0: {np.float64(value)}: must be from {low:g} to {high:g}"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (("n", 3), r"expected \(n, 3\), n at least 1"),
        (("n", "d", "e"), r"expected \(n, d, e\), n and d and e at least 1"),
        ((4,), r"expected \(4,\)"),
    ],
)
def test_the_shape_that_is_expected_is_said(shape, said):
    with pytest.raises(ValueError, match=said):
        door.real("x", [[1.0, 2.0]], shape)


def test_what_is_right_already_is_not_copied():
    x = np.ones((3, 4))
    assert door.real("x", x, (3, 4)) is x
    assert door.real("x", x.T, (4, 3), strided=True).base is x
    assert door.real("x", x.T, (4, 3)).flags.c_contiguous


def test_no_door_has_checks_of_its_own():
    """Every array passes the one door: a kernel that looks at dtypes by itself has checks that the others lack."""
    for file in Path(door.__file__).parent.glob("*/_*.pyx"):
        assert "from vip.kernels_c import door" in file.read_text(), file
        assert ".dtype.kind" not in file.read_text(), file
