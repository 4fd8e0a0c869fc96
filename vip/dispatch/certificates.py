"""TLS between the processes of a run: whoever reaches a Dask scheduler can run code as its user."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vip.errors import ConfigError

if TYPE_CHECKING:
    from distributed.security import Security

FILES = {"tls_ca_file": "ca.pem", "tls_cert": "cert.pem", "tls_key": "key.pem"}


def in_memory() -> Security:
    """A certificate for the processes of this machine; it is never written to disk."""
    from distributed.security import Security

    security: Security = Security.temporary()
    return security


def made_for_run(folder: Path) -> Security:
    """A new certificate and its key in a folder that only the user can read, for workers on other machines."""
    from distributed.security import Security

    made = Security.temporary()
    folder.mkdir(mode=0o700, exist_ok=True)
    content = {"tls_ca_file": made.tls_ca_file, "tls_cert": made.tls_scheduler_cert, "tls_key": made.tls_scheduler_key}
    for key, name in FILES.items():
        (folder / name).unlink(missing_ok=True)
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content[key])
    return from_folder(folder)


def from_folder(folder: Path) -> Security:
    """The certificates of a folder with ca.pem, cert.pem and key.pem.

    Raises
    ------
    ConfigError
        If one of the files is missing.
    """
    for name in FILES.values():
        if not (folder / name).is_file():
            raise ConfigError("dispatch.certificates", folder, f"there is no {name} in it")
    return expected_in(folder)


def expected_in(folder: Path) -> Security:
    """The certificates that will be in a folder."""
    from distributed.security import Security

    ca, cert, key = (str(folder / FILES[part]) for part in ("tls_ca_file", "tls_cert", "tls_key"))
    files: dict[str, str] = {}
    for role in ("client", "scheduler", "worker"):
        files |= {f"tls_{role}_cert": cert, f"tls_{role}_key": key}
    return Security(require_encryption=True, tls_ca_file=ca, **files)


def from_dask() -> Security:
    """The certificates that Dask's own configuration names (``distributed.comm.tls``).

    Raises
    ------
    ConfigError
        If it names none.
    """
    from distributed.security import Security

    security = Security(require_encryption=True)
    if not security.get_tls_config_for_role("client").get("ca_file"):
        remedy = "say in which folder the ca.pem, cert.pem and key.pem of that scheduler are, in [dispatch]"
        raise ConfigError("dispatch.certificates", None, remedy)
    return security


def remove(folder: Path) -> None:
    """Delete the certificate that was made for a run, and nothing else."""
    for name in FILES.values():
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
