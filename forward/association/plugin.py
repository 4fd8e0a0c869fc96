"""Events whose picks are not known as a forward plugin: the hypocentres and origin times of all events are one model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from vip.errors import ConfigError
from vip.forward.association.facts import facts
from vip.forward.association.record.door import ended
from vip.forward.association.record.gathering import Associated, gathered
from vip.forward.association.record.inputs import Earth, survey
from vip.forward.association.record.parameters import Parameters
from vip.forward.association.settings import AssociationSettings
from vip.forward.association.trials.synthetic import starter_config, write_example
from vip.forward.association.window.chance import local_rates
from vip.forward.association.window.channels import within
from vip.forward.association.window.marginal import Marginal
from vip.forward.earthquakes.reading import velocity_files
from vip.protocols import Floats, ModelSpace, Variable

log = logging.getLogger(__name__)


class MarginalHypocenters:
    """Log-likelihood of the hypocentres and origin times of some events, over all ways to give the picks of a record to them.

    Models are x of all events, then y, then depth (km), then origin times (s after the reference time of the picks). The number
    of events, the channels that see each, and the rates of chance picks are those of an association, from which a run starts.
    Events that share no picks there are groups of their own, each with a kernel in SVGD.

    Parameters
    ----------
    association : Associated

    Raises
    ------
    ConfigError
        If the association has no event.
    """

    settings_class = AssociationSettings
    papers = ("sethian_1996", "fomel_2009", "luo_qian_2012")

    def __init__(self, association: Associated) -> None:
        inputs, found, located = association.inputs, association.found, association.located
        if not located.origins:
            raise ConfigError("picks", "no event", "an association finds none in them: nothing has a posterior")
        self.association = association
        self.inputs: list[Path] = []
        self.events = found.events.of(located.order)
        arrivals, channels, rules = inputs.arrivals, inputs.site.channels, association.finder.rules
        log_rate = np.log(local_rates(arrivals, channels, found.event < 0, float(np.ptp(arrivals.time))))
        seen = within(self.events.reach, channels.nearest_first(self.events.x))
        self.marginal = Marginal(arrivals, log_rate, channels, rules, seen)
        names = np.array(located.picks.events)
        axes = [Variable(name, "km", ("event",), {"event": names}) for name in ("x", "y", "depth")]
        when = f"origin time after {inputs.reference} UTC"
        self.space = ModelSpace((*axes, Variable("origin_time", "s", ("event",), {"event": names}, when)))
        self.groups = np.tile(self.marginal.groups(self.events.x, self.events.time), 4)
        self.lower, self.upper = self._ends()
        self.bounds = {
            variable.name: (np.full(len(names), low), np.full(len(names), high))
            for variable, low, high in zip(self.space.variables, self.lower, self.upper, strict=True)
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Self:
        """Build from the ``[forward]`` table; paths are relative to `base_dir`."""
        s = AssociationSettings.model_validate(settings)
        earth = Earth(s.region, s.between, s.projection, s.cache)
        sigma = {str(phase): value for phase, value in s.sigma.items()}
        asked = Parameters(s.region.depth, sigma=sigma or None, detection=s.detection, least=s.least, spacing=s.spacing)
        known = survey(base_dir / s.stations, base_dir / s.velocity, earth, sigma)
        found = gathered(ended(base_dir / s.picks, known, asked))
        for fault in found.inputs.faults:
            log.warning("left out: %s", fault)
        plugin = cls(found)
        plugin.inputs = [base_dir / s.stations, base_dir / s.picks, *velocity_files(base_dir / s.velocity)]
        return plugin

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) over that of chance alone, and its gradient (n, d)."""
        places = self.by_event(models)
        value, gradient = self.marginal(places[..., :3], places[..., 3])
        return value, _by_variable(gradient)

    def start(self, n: int, rng: np.random.Generator) -> Floats:
        """Models (n, d) drawn from the Gaussian of the least-squares fit of each event, mirrored at the region's border."""
        curvature = self.marginal.information(self.events.x, self.events.time) + self.association.finder.rules.prior
        middle = np.concatenate([self.events.x, self.events.time[:, None]], axis=1)
        root = np.linalg.cholesky(np.linalg.inv(curvature))
        places = middle + np.einsum("eij,nej->nei", root, rng.standard_normal((n, *middle.shape)))
        width = self.upper - self.lower
        return _by_variable(self.lower + width - np.abs((places - self.lower) % (2 * width) - width))

    def check_prior(self, lower: Floats, upper: Floats) -> None:
        """Raise `ConfigError` for bounds (d,) beyond the region, where there are no travel times."""
        for axis, variable in enumerate(self.space.variables[:3]):
            own = self.space.slices()[variable.name]
            low, high = lower[own].min(), upper[own].max()
            if low < self.lower[axis] or high > self.upper[axis]:
                region = f"the region, {self.lower[axis]:.1f} to {self.upper[axis]:.1f} km"
                remedy = f"reaches beyond {region}: bound it to this, or make the region larger"
                raise ConfigError(f"prior.{variable.name}", f"{low:.1f} to {high:.1f}", remedy)

    def facts(self) -> list[tuple[str, str]]:
        """Names and values of the association for `vip check`."""
        return facts(self.association)

    starter_config = staticmethod(starter_config)
    write_example = staticmethod(write_example)

    def by_event(self, models: Floats) -> Floats:
        """Places and times (n, n_events, 4) of models (n, d)."""
        return np.moveaxis(models.reshape(len(models), 4, -1), 1, 2)

    def _ends(self) -> tuple[Floats, Floats]:
        """Lower and upper bounds (4,): those of the region, and the times of events that may have picks in the record."""
        box, time = self.association.inputs.site.box, self.association.inputs.arrivals.time
        longest = float(self.association.finder.nodes.delay.max())
        return np.append(box.lower, time.min() - longest), np.append(box.upper, time.max())


def _by_variable(places: Floats) -> Floats:
    """Models (n, d) of places and times (n, n_events, 4)."""
    return np.moveaxis(places, 2, 1).reshape(len(places), -1)
