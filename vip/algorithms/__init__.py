"""Particle methods, one a file. Each sees a log-density and a random generator, and nothing else."""

from vip.algorithms.advi import ADVI
from vip.algorithms.ssvgd import SSVGD
from vip.algorithms.svgd import SVGD

REGISTRY = {"advi": ADVI, "svgd": SVGD, "ssvgd": SSVGD}
"""Every algorithm, by its name in a configuration. The contract tests run over all of them."""

__all__ = ["ADVI", "REGISTRY", "SSVGD", "SVGD"]
