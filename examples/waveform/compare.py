"""Table 2 of Spurio Mancini et al. (2021) on the closed-form earth: place of one event by four methods.

Usage: python compare.py [--fast]     writes its data to data/; --fast leaves out the moment tensor

The paper's 1.7 h are of nested sampling with a network in the place of the elementary seismograms, for the first problem.
"""

import argparse
import time
import tomllib
from pathlib import Path

import make_data
import numpy as np

import vip
from vip.forward.waveform import Waveform
from vip.methods import named

HERE = Path(__file__).parent
PROBLEMS = {
    "place": ("explosion", {}),
    "place, origin time": ("explosion", {"origin_time": [-0.1, 0.1]}),
    "place, origin time, tensor": ("moment_tensor", {}),
}
METHODS = {
    "nested": {"particles": 100},
    "tempered": {"particles": 200},
    "svgd": {"particles": 100, "iterations": 30, "optimizer": "adam", "step_size": 0.1, "metric": "variance", "widening": 3.0},
    "hmc": {"particles": 20, "iterations": 60, "leapfrog_steps": 6},
}


def forward(name, folder, gradient, changes):
    """The forward of an example, with other settings; samples begin where its seismograms do."""
    settings = tomllib.loads((HERE / f"{name}.toml").read_text())["forward"] | {"gradient": gradient} | changes
    del settings["plugin"]
    return Waveform.from_settings(settings, folder)


def solve(name, folder, method, changes):
    """Samples (n, d) and seconds of this process's time."""
    made = forward(name, folder, method in ("svgd", "hmc"), changes)
    prior = {v.name: vip.priors.Uniform(*(np.ravel(end) for end in made.bounds[v.name])) for v in made.space.variables}
    start = time.process_time()
    result = vip.invert(made, prior, named(method)(**METHODS[method]), seed=1)
    return result.equal().astype(float), time.process_time() - start


def main(fast):
    """Print a row for each problem and method."""
    folder = HERE / "data"
    make_data.main(folder)
    print(f"{'unknown':28s}{'method':9s}{'x (m)':>17s}{'y (m)':>17s}{'depth (m)':>18s}{'seconds':>9s}")
    print(f"{'truth':37s}" + "".join(f"{value:{width}.1f}" for value, width in zip(make_data.PLACE, (11, 17, 18), strict=True)))
    for unknown, (name, changes) in PROBLEMS.items():
        if fast and name == "moment_tensor":
            continue
        for method in METHODS:
            samples, seconds = solve(name, folder, method, changes)
            cells = [f"{m:.2f} ± {s:.2f}" for m, s in zip(samples[:, :3].mean(axis=0), samples[:, :3].std(axis=0), strict=True)]
            print(f"{unknown:28s}{method:9s}" + "".join(f"{cell:>17s}" for cell in cells) + f"{seconds:10.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true")
    main(parser.parse_args().fast)
