"""TOML to frozen settings: the only place that reads configuration.

Every fault becomes a `ConfigError` that names file, key, value and what would be right.
"""

from vip.config.dispatch import ENGINES, DispatchSettings
from vip.config.faults import explain, prepend, table
from vip.config.method import read_method
from vip.config.priors import CustomPriorSettings, GaussianSettings, PriorSettings, SmoothSettings, UniformSettings
from vip.config.schema import Config, ForwardSettings, Plan, RunSettings
from vip.config.toml import load_config

__all__ = [
    "ENGINES",
    "Config",
    "CustomPriorSettings",
    "DispatchSettings",
    "ForwardSettings",
    "GaussianSettings",
    "Plan",
    "PriorSettings",
    "RunSettings",
    "SmoothSettings",
    "UniformSettings",
    "explain",
    "load_config",
    "prepend",
    "read_method",
    "table",
]
