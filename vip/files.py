"""Writing files so that each is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from vip.errors import VIPError


@contextlib.contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A temporary path to write to, which becomes `file` when all is written; an error leaves what was there before."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(file)
    except OSError as error:
        raise VIPError(f"{file}: cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
