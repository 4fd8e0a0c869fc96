"""Builds the native kernels; everything else is in pyproject.toml."""

import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

OPENMP = [] if sys.platform == "darwin" else ["-fopenmp"]
# Strict IEEE results except errno and traps: the same numbers on every run, vectorised square roots.
COMPILE = ["-std=gnu11", "-O3", "-fno-math-errno", "-fno-trapping-math", "-Wno-unused-function", *OPENMP]

EXTENSIONS = [
    Extension(
        "kernels_c.eikonal2d._eikonal2d",
        ["kernels_c/eikonal2d/_eikonal2d.pyx", "kernels_c/eikonal2d/eikonal2d.c"],
        depends=["kernels_c/eikonal2d/eikonal2d.h", "kernels_c/eikonal2d/eikonal2d_lanes.h"],
        include_dirs=["kernels_c/eikonal2d"],
        extra_compile_args=COMPILE,
        extra_link_args=OPENMP,
    ),
]

setup(ext_modules=cythonize(EXTENSIONS, language_level=3))
