"""Results as a figure and as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = ["linear 100", "linear 400", "linear 1558", "travel times", "banana", "funnel", "two modes"]
COLUMNS = 4
SHOWN = {
    "ADVI mean-field": ("#E69F00", ":"),
    "ADVI low-rank": ("#E69F00", "--"),
    "ADVI full-rank": ("#E69F00", "-"),
    "SVGD": ("#8c8c8c", ":"),
    "SVGD local": ("#8c8c8c", "-"),
    "sSVGD": ("#0072B2", ":"),
    "sSVGD low-rank metric": ("#0072B2", "-"),
    "sSVGD adjusted, low-rank metric": ("#56B4E9", "-"),
    "MALA low-rank metric": ("#D55E00", "-"),
    "HMC": ("#000000", ":"),
    "HMC low-rank metric": ("#000000", "-"),
}
"""Colours (Okabe & Ito 2008) and lines of the methods in the figure: one colour a family, solid for its best form."""
GOAL = 0.05


def draw(lines: list[dict[str, Any]], folder: Path) -> None:
    """Error of the standard deviation against evaluations, a panel for each problem."""
    panels = [name for name in PANELS if any(line["problem"] == name for line in lines)]
    columns = min(COLUMNS, len(panels) + 1)
    rows = -(-(len(panels) + 1) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3.1 * columns, 3.6 * rows), sharey=True, squeeze=False, layout="constrained"
    )
    axes = grid.ravel()
    for ax, problem in zip(axes, panels, strict=False):
        for method, (color, style) in SHOWN.items():
            chosen = [x for x in lines if x["problem"] == problem and x["method"] == method and x["sd"] is not None]
            chosen.sort(key=lambda x: x["evaluations"])
            ax.plot(
                [x["evaluations"] for x in chosen],
                [x["sd"] for x in chosen],
                style,
                color=color,
                marker="o",
                ms=3,
                label=method,
            )
        ax.axhline(GOAL, color="0.75", lw=0.8, zorder=0)
        ax.set(xscale="log", yscale="log", title=problem, ylim=(0.008, 1.5))
        ax.set_xlabel("evaluations")
        ax.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1], ["1 %", "2 %", "5 %", "10 %", "20 %", "50 %", "100 %"])
        ax.minorticks_off()
        ax.spines[["top", "right"]].set_visible(False)
    for row in grid:
        row[0].set_ylabel("error of the standard deviation\n(mean over parameters)")
    for ax in axes[len(panels) :]:
        ax.axis("off")
    axes[-1].legend(*axes[0].get_legend_handles_labels(), loc="center", frameon=False, fontsize=9)
    figure.savefig(folder / "posterior_benchmark.png", dpi=150)


def table(lines: list[dict[str, Any]], folder: Path) -> None:
    """A Markdown table for each problem: a row for each method, its errors at every budget."""
    text = []
    for problem in dict.fromkeys(line["problem"] for line in lines):
        chosen = [line for line in lines if line["problem"] == problem]
        budgets = sorted({line["budget"] for line in chosen})
        head = "| method | " + " | ".join(f"{b:,}" for b in budgets) + " |"
        text += [f"### {problem}", "", head, "|---" * (len(budgets) + 1) + "|"]
        for method in dict.fromkeys(line["method"] for line in chosen):
            cells = [next((x for x in chosen if x["method"] == method and x["budget"] == b), None) for b in budgets]
            text.append(f"| {method} | " + " | ".join(cell(x) for x in cells) + " |")
        text.append("")
    (folder / "posterior_benchmark.md").write_text("\n".join(text))


def cell(line: dict[str, Any] | None) -> str:
    """Errors of mean, standard deviation (ninth decile) and correlation, in per cent, and evaluations if fewer than allowed."""
    if line is None or line["sd"] is None:
        return "–" if line is None else "diverged"
    errors = f"{line['mean']:.0%} / {line['sd']:.0%} ({line['sd 90%']:.0%})"
    errors += f" / {line['correlation']:.2f}" if line["correlation"] is not None else ""
    fewer = f" in {line['evaluations']:,.0f}" if line["evaluations"] < 0.7 * line["budget"] else ""
    return errors + fewer
