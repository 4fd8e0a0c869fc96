"""What reports, exports, checks, `vip init` and `vip doctor` ask of a forward: abilities that no run needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from vip.protocols.space import Floats


@runtime_checkable
class HasDataLabel(Protocol):
    """A forward that says what its data are, with their unit: for axes."""

    data_label: str


@runtime_checkable
class HasTruth(Protocol):
    """A forward of synthetic data."""

    true_model: Floats | None
    """The true model (d,), or None where the data are real."""


@runtime_checkable
class HasStations(Protocol):
    """A forward that says where its data come from, for maps."""

    geographic: bool
    """Whether coordinates are degrees of latitude and longitude."""
    stations: Floats
    """Row and column coordinates (n, 2) of the stations."""


@runtime_checkable
class HasCoverage(Protocol):
    """A forward that says how well its data cover the model."""

    def coverage(self, model: Floats) -> Floats:
        """Ray length (km) per node of a model (d,), in the shape of the first variable."""


class Gather(NamedTuple):
    """Traces that are drawn side by side: those of one shot, or of one event."""

    label: str
    data: slice
    """Where the traces are in the data vector, as (traces, samples)."""
    distance: Floats
    """Distance (traces,) along the section, m."""
    time: Floats
    """Time (samples,), s."""


@runtime_checkable
class RecordsGathers(Protocol):
    """A forward whose data are waveforms, in gathers."""

    gathers: Sequence[Gather]


@runtime_checkable
class HasWells(Protocol):
    """A forward that says at which distances (n,) along the section marginals with depth are wanted; None for anywhere."""

    wells: Floats | None


@runtime_checkable
class Exports(Protocol):
    """A forward whose results have formats of their own, such as catalogues."""

    formats: Mapping[str, str]
    """File suffix of each format, by the format's name."""

    def export(self, models: Floats, name: str, path: Path) -> None:
        """Write samples (n, d) of the posterior in the format of this name."""


@runtime_checkable
class Draws(Protocol):
    """A forward with figures of its own for the report."""

    def pictures(self, models: Floats) -> Iterator[tuple[str, str, str, Any]]:
        """Name, title, caption and matplotlib figure of each picture, from samples (n, d) of the posterior."""


@runtime_checkable
class HasFacts(Protocol):
    """A forward that has facts of its own to show before a run."""

    def facts(self) -> list[tuple[str, str]]:
        """Names and values of the facts, for a person to read."""


@runtime_checkable
class HasNativeCode(Protocol):
    """A plugin that reports to `vip doctor` what its native code uses."""

    @staticmethod
    def native_code() -> str:
        """One line, such as the instruction set in use."""


@runtime_checkable
class HasStarter(Protocol):
    """A plugin that helps to start: ``vip init NAME``."""

    @staticmethod
    def starter_config() -> str:
        """A commented configuration (TOML)."""


@runtime_checkable
class HasExample(Protocol):
    """A plugin with synthetic data: ``vip simulate NAME DIRECTORY``."""

    @staticmethod
    def write_example(directory: Path, seed: int) -> Path:
        """Write data with a known truth, and the configuration that inverts them; returns the path of the latter."""


@runtime_checkable
class Cites(Protocol):
    """A method's settings, a forward or a prior that rests on papers: ``vip cite RUN``."""

    papers: Sequence[str]
    """Keys of this package's ``references.bib``, or whole BibTeX entries."""


class DataSet(NamedTuple):
    """A public data set."""

    url: str
    """Folder that the files are downloaded from."""
    files: Mapping[str, str]
    """Checksum (``sha256:...``) of each file, by its name."""
    papers: Sequence[str] = ()
    """Papers that published it: keys of ``vip/references.bib``, or whole BibTeX entries."""


@runtime_checkable
class HasDataSets(Protocol):
    """A plugin with public data sets to try it on: ``vip data NAME``."""

    data_sets: Mapping[str, DataSet]
