"""Tensors on disk, as safetensors: these hold numbers and text, and no code that would run when they are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vip.errors import ConfigError
from vip.files import whole


def save_tensors(file: Path, format: str, about: Mapping[str, Any], tensors: Mapping[str, Any]) -> None:
    """Write tensors, and facts about them that JSON can hold, to a file that appears as a whole, since others may read it.

    Parameters
    ----------
    file : Path
        File to write; its folder is made if it is not there.
    format : str
        Name and version of the format, which `load_tensors` asks for.
    about : mapping
    tensors : mapping of str to tensor

    Raises
    ------
    VIPError
        If the file cannot be written.
    """
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with whole(file) as part:
        save_file(on_cpu, part, {"format": format, "shape": json.dumps(about)})


def format_of(file: Path) -> str:
    """Name and version of the format that `save_tensors` was given, empty if the file tells none.

    Raises
    ------
    ConfigError
        If the file cannot be read or is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "np") as opened:
            return str((opened.metadata() or {}).get("format", ""))
    except (OSError, SafetensorError) as error:
        raise ConfigError("", file, f"is no trained network: {error}") from error


def load_tensors(file: Path, format: str, needed: Iterable[str], device: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The `about` and the tensors that `save_tensors` was given, on a device (the CPU unless another is named).

    The device "numpy" stands for NumPy arrays, for which torch is not needed.

    Raises
    ------
    ConfigError
        If the file is damaged, has another format, or lacks one of the tensors that are needed.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, *(("np",) if device == "numpy" else ("pt", str(device or "cpu")))) as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ConfigError("", file, f"is no trained network: {error}; delete it, and it is trained again") from error
    if header.get("format") != format:
        raise ConfigError("format", header.get("format", "none"), f"expected {format!r}", file)
    missing = set(needed) - tensors.keys()
    if missing:
        raise ConfigError("tensors", ", ".join(sorted(missing)), "missing; delete the file, and it is trained again", file)
    return json.loads(header["shape"]), tensors
