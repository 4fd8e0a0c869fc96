"""A smooth basin, by the logarithm of its depth at a few knots: to copy where the model has other parameters than the code."""

import numpy as np

from vip.forward.combine import EXPONENTIAL, Map, Reparameterised, interpolation
from vip.plugins import find
from vip.protocols import Variable


class Basin(Reparameterised):
    """A forward of many narrow columns, whose depth is the exponential of a spline; its other variables stay as they are."""

    @classmethod
    def from_settings(cls, settings, base_dir):
        """Build the plugin of the table `fine`, and `knots` of the spline over its section."""
        fine = dict(settings["fine"])
        forward = find(fine.pop("plugin"), base_dir, "fine.plugin").from_settings(fine, base_dir)
        nodes = forward.space.variables[0].coords["position"]
        knots = np.linspace(nodes[0], nodes[-1], settings["knots"])
        log_depth = Variable("log_depth", "ln(km)", ("knot",), {"knot": knots}, "logarithm of depth", {"knot": "km"})
        return cls(forward, {"depth": Map(log_depth, interpolation(knots, nodes, degree=3), EXPONENTIAL)})
