"""Figures and one self-contained page of a run."""

from vip.report.page import write_report

__all__ = ["write_report"]
