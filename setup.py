"""Builds the native kernels; everything else is in pyproject.toml.

``VIP_PLAIN_C=1`` in the environment builds what other processors than x86-64 get.
"""

import os
import sys

from Cython.Build import cythonize
from setuptools import Extension, find_packages, setup

OPENMP = [] if sys.platform == "darwin" else ["-fopenmp"]
# Strict IEEE results except errno and traps: the same numbers on every run, vectorised square roots.
COMPILE = ["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-unused-function", *OPENMP]
MACROS: list[tuple[str, str | None]] = [("VIP_PLAIN_C", None)] if os.environ.get("VIP_PLAIN_C") else []


def kernel(name: str, *headers: str) -> Extension:
    """A folder of kernels_c: NAME.c behind its door, _NAME.pyx."""
    folder = f"kernels_c/{name}"
    return Extension(
        f"vip.kernels_c.{name}._{name}",
        [f"{folder}/_{name}.pyx", f"{folder}/{name}.c"],
        depends=["kernels_c/simd.h", "kernels_c/denormals.h", *(f"{folder}/{header}" for header in headers)],
        include_dirs=[folder, "kernels_c"],
        define_macros=MACROS,
        extra_compile_args=COMPILE,
        extra_link_args=OPENMP,
    )


OUTSIDE = ("forward", "kernels_c", "jobs")
"""Folders beside ``vip`` that are installed inside it, as ``vip.forward`` and so on."""
PACKAGES = find_packages(include=["vip", "vip.*"])
PACKAGES += [f"vip.{name}" for folder in OUTSIDE for name in find_packages(include=[folder, f"{folder}.*"])]

EXTENSIONS = [
    kernel("eikonal2d", "eikonal2d.h", "eikonal2d_lanes.h"),
    kernel("acoustic2d", "acoustic2d.h", "acoustic2d_lanes.h"),
    kernel("eikonal3d", "eikonal3d.h", "eikonal3d_queue.h"),
    kernel("edt", "edt.h", "edt_lanes.h"),
    kernel("stein_groups", "stein_groups.h"),
    kernel("timetables", "timetables.h"),
    kernel("backprojection", "backprojection.h"),
    kernel("matching", "matching.h"),
    kernel("elastic3d", "elastic3d.h", "elastic3d_rows.h", "elastic3d_sweep.h"),
    kernel("exchange", "exchange.h"),
    kernel("seismograms", "seismograms.h"),
]

setup(
    packages=PACKAGES,
    package_dir={f"vip.{folder}": folder for folder in OUTSIDE},
    ext_modules=cythonize(EXTENSIONS, language_level=3),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},
)
