"""Particle methods, one a file. A method gets a log-density and a random generator, and nothing else."""

from vip.algorithms.advi import ADVI
from vip.algorithms.hmc import HMC
from vip.algorithms.langevin import MALA, SGLD
from vip.algorithms.metropolis import Metropolis
from vip.algorithms.nested import Nested
from vip.algorithms.pathfinder import Pathfinder
from vip.algorithms.projected_svgd import ProjectedSVGD
from vip.algorithms.ssvgd import SSVGD
from vip.algorithms.svgd import SVGD
from vip.algorithms.tempered import Tempered

__all__ = ["ADVI", "HMC", "MALA", "SGLD", "SSVGD", "SVGD", "Metropolis", "Nested", "Pathfinder", "ProjectedSVGD", "Tempered"]
