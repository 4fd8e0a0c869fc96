"""Examples in docstrings, run on the installed package: as `vip.forward`, not as the folder `forward`."""

import doctest
import importlib
import pkgutil

import pytest

import vip
import vip.forward
import vip.jobs
import vip.kernels_c

LEFT_OUT = ("vip.__main__", "vip.runs.new_plugin.")
"""What runs when it is imported, and templates."""


def modules():
    """Names of all our modules in Python."""
    for package in (vip, vip.forward, vip.kernels_c, vip.jobs):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            compiled = found.name.rpartition(".")[2].startswith("_")
            if not compiled and not found.name.startswith(LEFT_OUT):
                yield found.name


@pytest.mark.parametrize("name", list(modules()))
def test_examples_in_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert not failed
