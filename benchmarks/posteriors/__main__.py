"""How far each algorithm is from the truth after so many forward evaluations: python benchmarks/posteriors --help.

Results are lines of JSON, one for each problem, method and budget; those that are there are not made again. `--figure` draws
them and writes a table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from figure import draw, table
from measure import measured, sampled
from methods import LEAPFROG_STEPS, chain, methods
from problems import Target, Truth, banana, funnel, independent, linear, travel_times, two_modes

HERE = Path(__file__).parent
BUDGETS = {
    "linear": [1000, 4000, 16_000, 64_000],
    "independent": [20_000],
    "toy": [2000, 20_000, 100_000],
    "travel times": [16_000, 160_000],
}
REFERENCE = 400_000
"""Evaluations of the HMC run that stands for the truth of the nonlinear tomography."""
SHORT = 1000
"""Evaluations with `--short`."""


def targets(names: list[str], folder: Path, reference: int) -> dict[str, tuple[Target, list[int]]]:
    """Target and budgets by the name of the problem."""
    chosen: dict[str, tuple[Target, list[int]]] = {}
    for d in (100, 400, 1558):
        if f"linear {d}" in names:
            chosen[f"linear {d}"] = linear(d), BUDGETS["linear"]
    for name, make in {"banana": banana, "funnel": funnel, "two modes": two_modes}.items():
        if name in names:
            chosen[name] = make(), BUDGETS["toy"]
    if "independent" in names:
        chosen["independent"] = independent(), BUDGETS["independent"]
    if "travel times" in names:
        chosen["travel times"] = with_reference(travel_times(folder), reference), BUDGETS["travel times"]
    return chosen


def with_reference(target: Target, evaluations: int) -> Target:
    """The moments of a long run of HMC, and how well its chains agree; those that are there are not made again."""
    from arviz_stats.base import array_stats

    kept = HERE / f"reference_{evaluations}.npz"
    if kept.is_file():
        with np.load(kept) as moments:
            return target._replace(truth=Truth(**moments))
    steps = (LEAPFROG_STEPS + 1) / 2
    settings = chain("hmc", 20, evaluations, steps, leapfrog_steps=LEAPFROG_STEPS, metric="low-rank", rank=100)
    models, spent, seconds = sampled(target.with_algorithm(settings, seed=99))
    chains = models.reshape(-1, 20, models.shape[1]).swapaxes(0, 1)
    r_hat, ess = (f(chains, chain_axis=0, draw_axis=1) for f in (array_stats.rhat, array_stats.ess))
    agreement = f"R-hat at most {r_hat.max():.3f}, ESS at least {ess.min():.0f}"
    print(f"reference: {spent} evaluations, {seconds:.0f} s, {agreement}", flush=True)
    truth = Truth.of_samples(models, target.truth.pairs)
    np.savez_compressed(kept, **vars(truth))
    return target._replace(truth=truth)


def main() -> None:
    """Measure what is asked for, and draw what is there."""
    problems = ["linear 100", "linear 400", "linear 1558", "independent", "banana", "funnel", "two modes", "travel times"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", nargs="*", default=problems, choices=problems)
    parser.add_argument("--methods", nargs="*", help="labels; all without it")
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} evaluations each")
    parser.add_argument("--figure", type=Path, help="folder for the figure and the table")
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.is_file() else []
    done = {(line["problem"], line["method"], line["budget"]) for line in lines}
    with tempfile.TemporaryDirectory() as folder:
        wanted = [] if options.figure else options.problems
        chosen = targets(wanted, Path(folder), 20 * SHORT if options.short else REFERENCE)
        for problem, (target, budgets) in chosen.items():
            for budget in [SHORT] if options.short else budgets:
                for method, settings in methods(budget, target.forward.ndim).items():
                    if (problem, method, budget) in done or (options.methods and method not in options.methods):
                        continue
                    found = measured(target.with_algorithm(settings), target.truth)
                    line = {"problem": problem, "method": method, "budget": budget, **found}
                    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in line.items()}), flush=True)
                    with options.results.open("a") as file:
                        file.write(json.dumps({k: None if v != v else v for k, v in line.items()}) + "\n")
    if options.figure:
        draw(lines, options.figure)
        table(lines, options.figure)


if __name__ == "__main__":
    np.seterr(over="ignore", invalid="ignore")  # what diverges is reported as such
    main()
