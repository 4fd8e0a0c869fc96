"""What is installed, and that files of a user's own with our folders' names do no harm."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import vip

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
KERNELS = sorted(file.parent.name for file in ROOT.glob("kernels_c/*/_*.pyx"))
SHIPPED = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "vip", "forward", "kernels_c", "jobs")

DATA_SUFFIXES = {".toml", ".html", ".template", ".typed", ".safetensors"}
OWN_NAMES = ("forward.py", "jobs.py", "kernels_c.py")


def python(*arguments, folder, **environment):
    """A fresh interpreter in a folder; its output, once it has ended well."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def own_folder(tmp_path):
    """A user's folder with files that have our folders' names, and a problem."""
    for name in OWN_NAMES:
        (tmp_path / name).write_text("raise ImportError('not the file that vip wants')\n")
    python("-m", "vip", "simulate", "tomo2d", "data", folder=tmp_path)
    shutil.copytree(tmp_path / "data", tmp_path, dirs_exist_ok=True)
    config = tmp_path / "tomo2d.toml"
    text = config.read_text(encoding="utf-8")
    for key, value in {"iterations": 4, "burn_in": 1, "warm_up": 0, "thin": 1}.items():
        text = re.sub(rf"(?m)^{key} = .*", f"{key} = {value}", text)
    config.write_text(text, encoding="utf-8")
    return tmp_path


def test_a_script_beside_own_files(own_folder):
    script = "from pathlib import Path\nimport vip\nvip.load_problem(Path('tomo2d.toml'))\n"
    (own_folder / "script.py").write_text(script)
    python("script.py", folder=own_folder)


@pytest.mark.parametrize("dispatch", ["serial", "local"])
def test_the_command_beside_own_files(own_folder, dispatch):
    python("-m", "vip", "check", "tomo2d.toml", folder=own_folder)
    python("-m", "vip", "run", "tomo2d.toml", "--output", "run", "--dispatch", dispatch, folder=own_folder)
    assert vip.Store(own_folder / "run").checkpoint().status == "finished"


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """Folder with what builds the package."""
    folder = tmp_path_factory.mktemp("tools")
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, *PROJECT["build-system"]["requires"]]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing to build with here: {done.stderr.splitlines()[-1]}")
    return folder


@pytest.fixture(scope="session")
def sdist(tools, tmp_path_factory):
    """Source distribution, made of a clean copy of the sources."""
    folder = tmp_path_factory.mktemp("sdist")
    built = shutil.ignore_patterns("*.so", "__pycache__", *(f"_{name}.c" for name in KERNELS))
    for name in filter(lambda name: (ROOT / name).exists(), SHIPPED):
        path = ROOT / name
        shutil.copytree(path, folder / name, ignore=built) if path.is_dir() else shutil.copy(path, folder)
    make = "from setuptools.build_meta import build_sdist; build_sdist('dist')"
    python("-c", make, folder=folder, PYTHONPATH=str(tools))
    (file,) = (folder / "dist").iterdir()
    return file


@pytest.fixture(scope="session")
def wheel(tools, sdist, tmp_path_factory):
    """Wheel that is built from the source distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    line = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(sdist))
    python(*line, folder=folder, PYTHONPATH=str(tools), VIP_PLAIN_C="1")  # one instruction set builds in a third of the time
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """Folder that the wheel is installed into."""
    folder = tmp_path_factory.mktemp("site")
    python("-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(wheel), folder=folder)
    return folder


def test_the_sdist_holds_all_sources_of_the_kernels(sdist):
    with tarfile.open(sdist) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    wanted = {path.relative_to(ROOT).as_posix() for kind in ("*.h", "*.pyx") for path in (ROOT / "kernels_c").rglob(kind)}
    wanted |= {f"kernels_c/{name}/{name}.c" for name in KERNELS}
    assert wanted <= names
    assert not [name for name in names if name.startswith("tests/")]


def test_the_wheel_holds_one_package(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"vip", f"vip_inversion-{PROJECT['project']['version']}.dist-info"}
    assert not [name for name in names if "tests" in name.split("/")]


def test_the_wheel_holds_rooms_kernels_and_data(installed):
    for name in KERNELS:
        assert list((installed / "vip/kernels_c" / name).glob(f"_{name}.*.so")), name
    data = [path for folder in ("vip", "forward") for path in (ROOT / folder).rglob("*") if path.suffix in DATA_SUFFIXES]
    for path in data:
        inside = path.relative_to(ROOT if path.is_relative_to(ROOT / "vip") else ROOT / "forward")
        assert (installed / ("" if inside.parts[0] == "vip" else "vip/forward") / inside).is_file(), path
    assert data
    assert (installed / "vip/jobs/slurm.py").is_file()


def test_the_installed_copy_is_imported(installed, tmp_path):
    code = f"""
import sys
sys.meta_path = [finder for finder in sys.meta_path if "Editable" not in getattr(finder, "__name__", "")]
sys.path.insert(0, {str(installed)!r})
import vip.forward.tomo2d, vip.jobs, vip.kernels_c.eikonal2d
print(vip.__file__, vip.forward.__file__, vip.kernels_c.__file__, vip.jobs.__file__, sep="\\n")
"""
    files = python("-I", "-c", code, folder=tmp_path).split()
    assert len(files) == 4
    assert all(Path(file).is_relative_to(installed) for file in files)


@pytest.mark.full
def test_the_wheel_in_an_environment_of_its_own(wheel, tmp_path):
    python("-m", "venv", str(tmp_path / "venv"), folder=tmp_path)
    own = str(tmp_path / "venv/bin/python")
    subprocess.run([own, "-m", "pip", "install", "--quiet", str(wheel)], check=True, cwd=tmp_path)
    subprocess.run([own, "-m", "vip", "simulate", "tomo2d", "data"], check=True, cwd=tmp_path)


def test_one_version():
    cited = re.search(r"(?m)^version: (.*)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"))[1]
    assert cited == PROJECT["project"]["version"]
    assert vip.__version__ == metadata.version("vip-inversion")
