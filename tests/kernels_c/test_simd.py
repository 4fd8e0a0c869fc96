"""What the compiler makes of simd.h."""

import platform
import shutil
import subprocess

import pytest

from vip import kernels_c

PROGRAM = r"""
#include <stdio.h>
#include "simd.h"
MULTIVERSION static int answer(void) { return 42; }
int main(void) { return answer() == 42 && puts(simd_level_name()) >= 0 ? 0 : 1; }
"""


@pytest.fixture
def level(tmp_path):
    """Compile a program with options of the compiler's; the level that it finds here."""

    def compiled(*options):
        line = ["gcc", *options, f"-I{kernels_c.__path__[0]}", "-x", "c", "-", "-o", tmp_path / "program"]
        subprocess.run(line, input=PROGRAM, text=True, check=True)
        return subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True).stdout.strip()

    if not shutil.which("gcc"):
        pytest.skip("no gcc here")
    return compiled


def test_plain_c_when_asked(level):
    assert level("-DVIP_PLAIN_C") == "plain C"


def test_levels_of_x86(level):
    if platform.machine() != "x86_64":
        assert level() == "plain C"
    else:
        assert level() in {"AVX-512", "AVX2", "plain C"}
