"""A program of the user's as a forward plugin."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from vip.errors import ConfigError, ForwardError
from vip.forward.external.files import FORMATS, OutputError
from vip.forward.external.process import describe, run, tail
from vip.forward.external.settings import ExternalSettings
from vip.forward.external.template import fill
from vip.protocols import Floats

STARTER = Path(__file__).with_name("starter.toml")

# A child of the package's logger, so that it reaches the log file of a run.
log = logging.getLogger("vip.forward.external")


class EvaluationError(Exception):
    """One run of the program failed; the message says how, and in which folder its files are."""

    def __init__(self, reason: str, folder: Path | None = None) -> None:
        self.reason, self.folder = reason, folder
        super().__init__(reason)


class External:
    """Log-likelihood and gradient from a program, which reads a model from a file and writes both to files.

    Each evaluation has a folder of its own under `scratch` for these files and for what the program prints (``stdout.txt``,
    ``stderr.txt``). It is removed after a success, and kept after a failure. The program's working directory is `base_dir`, the
    configuration's folder, so that it finds its own files by the names that the configuration has; what it writes there it
    shares with the evaluations beside it.

    Parameters
    ----------
    settings : ExternalSettings
    base_dir : Path
        Where relative paths start.

    Attributes
    ----------
    threads : int
        Number of threads, given to the program as OMP_NUM_THREADS and ``{threads}``.
    inputs : list of Path
        Files that the program reads.

    Raises
    ------
    ConfigError
        If the program or an input cannot be found.
    """

    settings_class = ExternalSettings
    threads = 1
    batch = 1

    def __init__(self, settings: ExternalSettings, base_dir: Path) -> None:
        self.base_dir = base_dir.absolute()  # workers may start elsewhere
        self.settings = settings
        self.program = _find_program(settings, self.base_dir)
        self.space = settings.space()
        self.ndim = self.space.size
        self.inputs = [self.base_dir / file for file in settings.inputs]
        for file in self.inputs:
            if not file.is_file():
                raise ConfigError("inputs", file, "there is no such file")

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], base_dir: Path) -> Self:
        """Build from the ``[forward]`` table; paths are relative to `base_dir`."""
        return cls(ExternalSettings.model_validate(settings), base_dir)

    def __call__(self, models: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood (n,) and gradient (n, d), one particle after the other.

        Raises
        ------
        ForwardError
            If some particles failed, after all were tried; it holds the values of the others.
        """
        models = np.asarray(models, dtype=np.float64)
        if models.ndim != 2 or models.shape[1] != self.ndim:
            raise ValueError(f"models has shape {models.shape}, expected (n, {self.ndim})")
        values, gradients = np.full(len(models), np.nan), np.full(models.shape, np.nan)
        reasons = {}
        for i, model in enumerate(models):
            try:
                values[i], gradients[i] = self._evaluate(model)
            except EvaluationError as error:
                kept = f"; see {error.folder} on {socket.gethostname()}" if error.folder else ""
                reasons[i] = f"{self.program.name}: {error.reason}{kept}"
        if reasons:
            raise ForwardError(reasons, others=(values, gradients))
        return values, gradients

    def facts(self) -> list[tuple[str, str]]:
        """Facts for `vip check`: the program, and how it is run."""
        return [("program", str(self.program)), ("working directory", str(self.base_dir))]

    def _evaluate(self, model: Floats) -> tuple[float, Floats]:
        """Evaluate one model, with up to `retries` more tries after a failure."""
        retries = self.settings.retries
        for retry in range(retries):
            try:
                return self._try(model)
            except EvaluationError as error:
                log.warning("%s: %s; retry %d of %d", self.program.name, error.reason, retry + 1, retries)
                if error.folder:  # only the last failure's is kept
                    shutil.rmtree(error.folder, ignore_errors=True)
        return self._try(model)

    def _try(self, model: Floats) -> tuple[float, Floats]:
        """Run the program once, in a new folder, so that the files in it are those of this run."""
        exchange, timeout = FORMATS[self.settings.format], self.settings.timeout
        with _folder(self.settings.scratch and self.base_dir / self.settings.scratch) as folder:
            exchange.write(folder, model)
            stdout, stderr = folder / "stdout.txt", folder / "stderr.txt"
            code = run(self._arguments(folder), self.base_dir, self._environment(), timeout, stdout, stderr)
            said = tail(stdout, stderr)
            if code != 0:
                raise EvaluationError(f"{describe(code, timeout)}; {said}" if said else describe(code, timeout))
            try:
                return exchange.read(folder, self.ndim)
            except OutputError as error:
                raise EvaluationError(f"{error}; {said}" if said else str(error)) from error

    def _arguments(self, folder: Path) -> list[str]:
        paths = {name: str(folder / file) for name, file in FORMATS[self.settings.format].files.items()}
        values = {**paths, "threads": str(self.threads), "scratch": str(folder)}
        return [str(self.program), *(fill(argument, values) for argument in self.settings.command[1:])]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "OMP_NUM_THREADS": str(self.threads), **self.settings.environment}

    @staticmethod
    def starter_config() -> str:
        """A commented configuration to start from."""
        return STARTER.read_text(encoding="utf-8")


@contextmanager
def _folder(parent: Path | None) -> Iterator[Path]:
    """A new folder that only this user can read; kept if the evaluation fails, else removed, also when interrupted."""
    try:
        if parent is not None:
            parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="vip-external-", dir=parent))
    except OSError as error:
        raise EvaluationError(f"cannot make a scratch folder: {error}") from error
    try:
        yield folder
    except EvaluationError as error:
        raise EvaluationError(error.reason, folder) from error
    except OSError as error:  # a full disk, a program that is gone
        raise EvaluationError(str(error), folder) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _find_program(settings: ExternalSettings, base_dir: Path) -> Path:
    """Absolute path of the program."""
    name = settings.command[0]
    if os.sep not in name:
        found = shutil.which(name, path=settings.environment.get("PATH"))
        if found is None:
            raise ConfigError("command", name, f"is not on PATH; write ./{name} for a program beside the configuration")
        return Path(found).absolute()
    program = base_dir / name
    if not program.is_file():
        raise ConfigError("command", program, "there is no such program; build it first")
    if not os.access(program, os.X_OK):
        raise ConfigError("command", program, "is not executable; chmod +x, or name its interpreter first")
    return program
