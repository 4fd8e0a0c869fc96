"""`vip plugins`."""

from __future__ import annotations

from vip.plugins import installed


def plugins() -> None:
    """List the forward plugins that are installed."""
    for name, place in sorted(installed().items()):
        print(f"{name:<16} {place}")
    print('Your own: plugin = "./file.py:Class" or "package.module:Class" in [forward]')
