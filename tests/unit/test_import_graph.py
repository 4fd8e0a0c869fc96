"""Who may import whom (DESIGN.md, Rooms), and what `import vip` must not cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"vip", "forward", "kernels_c", "jobs"}
FOUNDATION = {"vip.errors", "vip.protocols"}

ALLOWED = {
    "kernels_c": {"kernels_c"},
    "forward": {"forward", "kernels_c", *FOUNDATION},
    "vip/errors.py": set(),
    "vip/protocols.py": {"vip.errors"},
    "vip/rng.py": FOUNDATION,
    "vip/algorithms": {"vip.algorithms", *FOUNDATION},
    "vip/dispatch": {"vip.dispatch", *FOUNDATION},
    "vip/store.py": FOUNDATION,
    "vip/runner.py": {"vip.rng", *FOUNDATION},
    "vip/combine.py": FOUNDATION,
    "vip/gradients.py": FOUNDATION,
    "vip/diagnostics.py": FOUNDATION,
    "vip/report": {"vip"},
    "vip": {"vip", "jobs"},
    "jobs": {"jobs", "vip.errors"},
}
"""Of our own modules, by room."""

DOORS = {"vip/algorithms/stein_kernels.py": {"vip.kernels_c.stein_groups"}}
"""Of our own modules, by file: what it may import beyond its room."""

THIRD_PARTY = {"kernels_c": {"numpy"}, "vip/errors.py": set(), "vip/protocols.py": {"numpy"}}
"""Where it is restricted too."""

HEAVY = {"torch", "zuko", "jax", "sklearn", "matplotlib", "mpi4py", "dask_jobqueue", "pandas", "xarray", "scipy"}
HEAVY |= {"distributed", "h5py"}
AT_USE = {"torch", "zuko", "jax", "sklearn", "matplotlib", "mpi4py", "dask_jobqueue", "obspy", "pyproj"}
"""To be imported only inside the functions that use them, but for the room of figures."""


def sources(room):
    """Python and Cython files of a room."""
    path = ROOT / room
    files = [path] if path.is_file() else [*path.rglob("*.py"), *path.rglob("*.pyx")]
    assert files, f"there is no {room}"
    return files


def package(file):
    """Dotted name of the package that holds a file."""
    return file.relative_to(ROOT).parent.parts


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
    """Of Cython, the lines that are plain imports."""
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


@pytest.mark.parametrize("room", ALLOWED)
def test_rooms_import_only_what_they_may(room):
    for file in sources(room):
        allowed = ALLOWED[room] | DOORS.get(str(file.relative_to(ROOT)), set())
        for name in imports(file):
            top = name.split(".")[0]
            if top in OURS:
                assert under(name, allowed), f"{file.relative_to(ROOT)} imports {name}"
            elif room in THIRD_PARTY and top not in sys.stdlib_module_names:
                assert top in THIRD_PARTY[room], f"{file.relative_to(ROOT)} imports {name}"


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
        "from ..store import Store\nfrom . import serial\ndef f():\n    import forward.a as b\nfrom vip import store\n"
    )
    assert sorted(imports(file)) == ["forward.a", "vip.dispatch.serial", "vip.store", "vip.store.Store"]
    assert "forward.a" not in imports(file, top_level=True)


def loaded_by(statement):
    """Top-level names of the modules that a fresh interpreter has loaded after a statement, and all its own modules."""
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return {name.split(".")[0] for name in out.split()}


def test_import_vip_is_light():
    assert not loaded_by("import vip") & HEAVY


@pytest.mark.parametrize("module", ["vip.inversion", "vip.algorithms", "vip.store", "vip.runner"])
def test_running_loads_no_figures_no_cluster_and_no_physics(module):
    """Physics is found by entry point when a configuration names it."""
    assert not loaded_by(f"import {module}") & (AT_USE | {"forward", "kernels_c"})
