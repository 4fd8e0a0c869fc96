"""Who may import whom: the table in CONTRIBUTING.md, and what `import vip` must not cost."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OUTSIDE = ("forward", "kernels_c", "jobs")
"""Folders beside ``vip`` that are installed inside it."""
GROUND = ("errors", "files", "settings", "progress", "rng", "earth", "data", "plugins")
FORBIDDEN = ("vip.cli.main", "vip.forward.tomo2d", "vip.forward.fwi2d")
"""Modules of which every room has one that it may not import."""


def table():
    """Rooms and the rooms that each may import, from CONTRIBUTING.md."""
    rows = re.findall(r"^\| `([^`]+)` \|[^|]*\|([^|]*)\|$", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
    return {room.rstrip("/"): [name.strip() for name in names.split(",") if name.strip()] for room, names in rows}


ROOMS = table()
THIRD_PARTY = {
    "kernels_c": {"numpy"},
    "vip/errors.py": set(),
    "vip/earth.py": set(),
    "vip/protocols": {"numpy", "typing_extensions"},
}
"""Where it is restricted too."""


def module(place):
    """Dotted name of a file or folder, or of the word that stands for it in the table.

    Those of `forward` keep their folder's name in front; others of the table are in ``vip``.
    """
    parts = place.removesuffix(".py").removesuffix("/__init__").split("/")
    return ".".join(parts if parts[0] == "vip" else ["vip", *parts])


def allowed(room):
    """Modules of ours that a room may import."""
    names = [name for word in ROOMS[room] for name in (GROUND if word == "ground" else (word,))]
    return {module(name) for name in names} | ({module(room)} if not room.endswith(".py") else set())


def inside(room):
    """Files in the folder of a row that have rows of their own."""
    return [other for other in ROOMS if room in ROOMS and other.startswith(f"{room}/") and other.endswith(".py")]


def found_rooms():
    """Every folder and loose file that must have a row; a file in a folder may have one."""
    for folder in (ROOT / "vip", ROOT / "forward"):
        yield from (path for path in folder.iterdir() if path.suffix == ".py" and path != ROOT / "forward" / "__init__.py")
        yield from (path for path in folder.iterdir() if path.is_dir() and any(path.glob("*.py")))
    yield from (ROOT / "kernels_c", ROOT / "jobs")


HEAVY = {"torch", "zuko", "jax", "sklearn", "matplotlib", "mpi4py", "dask_jobqueue", "pandas", "xarray", "scipy"}
HEAVY |= {"distributed", "h5py"}
AT_USE = {"torch", "zuko", "jax", "sklearn", "matplotlib", "mpi4py", "dask_jobqueue", "obspy", "pyproj"}
"""To be imported only inside the functions that use them, but for the room of figures."""


def sources(room):
    """Python and Cython files of a room."""
    path = ROOT / room
    files = [path] if path.is_file() else [*path.rglob("*.py"), *path.rglob("*.pyx")]
    files = [file for file in files if file not in {ROOT / other for other in inside(room)}]
    assert files, f"there is no {room}"
    return files


def package(file):
    """Dotted name of the package that holds a file."""
    return module(file.relative_to(ROOT).parent.as_posix()).split(".")


def imports(file, top_level=False):
    """Absolute names of all that a file imports: of modules, and of names in them, which may be modules."""
    tree = ast.parse(_python(file))
    nodes = _top_level(tree) if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package(file)[: len(package(file)) - node.level + 1] if node.level else ()
            module = ".".join([*parts, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _python(file):
    """Source of a file as Python: of Cython, the lines that are plain imports."""
    text = file.read_text()
    if file.suffix == ".py":
        return text
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line.startswith(("import ", "from ")) and " cimport " not in line)


def _top_level(node):
    """Statements that run on import: not those in functions or under TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _top_level(child)


def under(name, modules):
    return any(name == module or name.startswith(module + ".") for module in modules)


def refused(room, name):
    """Whether a room may not import a module."""
    top = name.split(".")[0]
    if top == "vip":
        of_others = under(name, {module(other) for other in inside(room)})
        return of_others or (name != "vip" and not under(name, allowed(room)) and name not in FACE)
    return room in THIRD_PARTY and top not in sys.stdlib_module_names and top not in THIRD_PARTY[room]


FACE = {f"vip.{name}" for name in ("invert", "load_problem", "run", "resume", "Problem", "Result", "Store")}
"""Names of the public face, which commands call."""


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_what_they_may(room):
    for file in sources(room):
        for name in imports(file):
            assert not refused(room, name), f"{file.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_row_refuses_something(room, tmp_path, monkeypatch):
    """This test of the test: an import that the room must not have is found, in whatever form."""
    forbidden = next(name for name in FORBIDDEN if not under(name, allowed(room)))
    parent, _, name = forbidden.rpartition(".")
    file = tmp_path / room if room.endswith(".py") else tmp_path / room / "x.py"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    for statement in (f"import {forbidden}", f"from {parent} import {name}", f"def f():\n    from {forbidden} import g"):
        file.write_text(statement)
        assert any(refused(room, name) for name in imports(file)), statement


def test_every_folder_and_ground_file_has_a_row():
    found = {path.relative_to(ROOT).as_posix() for path in found_rooms()}
    assert found == set(ROOMS) - {file for room in ROOMS for file in inside(room)}


def test_a_file_with_a_row_of_its_own_is_not_of_its_folder():
    """What it may import its folder may not, and its folder may not import it."""
    file, folder = "forward/hypocenter/command.py", "forward/hypocenter"
    assert inside(folder) == [file]
    assert ROOT / file not in sources(folder)
    assert ROOT / file in sources("forward")
    assert not refused(file, "vip.cli.options.Dispatch")
    assert refused(folder, "vip.cli.options.Dispatch")
    assert refused(folder, "vip.forward.hypocenter.command.locate")
    assert not refused(folder, "vip.forward.hypocenter.plugin.Hypocenters")


@pytest.mark.parametrize("room", ["vip", "forward", "kernels_c", "jobs"])
def test_heavy_packages_are_imported_at_use(room):
    for file in sources(room):
        if file.is_relative_to(ROOT / "vip" / "report"):
            continue
        found = {name.split(".")[0] for name in imports(file, top_level=True)} & AT_USE
        assert not found, f"{file.relative_to(ROOT)} imports {found}"


def test_the_parser_sees_every_form_of_import(tmp_path, monkeypatch):
    """This test of the test: relative, aliased and nested imports, and names that are modules."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "vip" / "dispatch").mkdir(parents=True)
    file = tmp_path / "vip" / "dispatch" / "x.py"
    file.write_text(
        "from ..store import Store\nfrom . import serial\ndef f():\n    import vip.forward.a as b\nfrom vip import store\n"
    )
    assert sorted(imports(file)) == ["vip.dispatch.serial", "vip.forward.a", "vip.store", "vip.store.Store"]
    assert "vip.forward.a" not in imports(file, top_level=True)


def loaded_by(statement):
    """Names of the modules that a fresh interpreter has loaded after a statement."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return set(out.split())


def test_import_vip_is_light():
    assert not {name.split(".")[0] for name in loaded_by("import vip")} & HEAVY


@pytest.mark.parametrize("module", ["vip.runs.inversion", "vip.algorithms", "vip.runs.store", "vip.inference.loop"])
def test_running_loads_no_figures_no_cluster_and_no_physics(module):
    """Physics is found by entry point when a configuration names it."""
    loaded = loaded_by(f"import {module}")
    assert not {name.split(".")[0] for name in loaded} & AT_USE
    assert not {name for name in loaded if name.startswith(("vip.forward.", "vip.kernels_c."))}


def modules():
    """File of every module of ours, by its dotted name."""
    files = [file for room in ("vip", *OUTSIDE) for file in sources(room) if "new_plugin" not in file.parts]
    return {module(file.relative_to(ROOT).as_posix().removesuffix(file.suffix)): file for file in files}


def imported_modules(file, known):
    """Modules of ours that a file imports, in functions and for types too; a package by itself where no module is named."""
    for name in imports(file):
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name and known[name] != file:
            yield name


def circle(graph):
    """Names of modules that import each other, from one back to itself; none if there is no such circle."""
    done = set()

    def walk(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        found = next(filter(None, (walk(other, [*path, name]) for other in graph.get(name, ()))), None)
        done.add(name)
        return found

    return next(filter(None, (walk(name, []) for name in sorted(graph))), None)


def test_no_modules_import_each_other_in_a_circle():
    """Under TYPE_CHECKING too: two files that need each other's names are one subject, or three."""
    known = modules()
    graph = {name: sorted(set(imported_modules(file, known))) for name, file in known.items()}
    found = circle(graph)
    assert found is None, " -> ".join(found)


def test_a_circle_is_found():
    """This test of the test: long ones and short ones, and no chain that only looks like one."""
    assert circle({"a": ["b", "c"], "b": ["c"], "c": []}) is None
    assert circle({"a": ["b"], "b": ["c"], "c": ["b"]}) == ["b", "c", "b"]
    assert circle({"a": ["a"]}) == ["a", "a"]
