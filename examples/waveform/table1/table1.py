"""Table 1 of Spurio Mancini et al. (2021) on the authors' own traces: python examples/waveform/table1/table1.py --out table1

Each method learns from the authors' 2000 training traces at one receiver and is tried on their 1000 test traces, which must be
in the folder `seismoml` of VIP_DATA_DIR. A training that is done is not done again, so the command may be stopped
and given anew.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from vip.forward.waveform import emulators
from vip.forward.waveform.emulators.emulator import Emulator
from vip.forward.waveform.emulators.measures import correlations, measured

SPACING = np.array([12.5, 12.5, 10.0])
"""Metres between nodes of the authors' grid."""
RECEIVER = np.array([41, 41, 244])
NOISE = 250.0
"""Standard deviation of the noise in the paper, in the unit of the traces."""
PAPER = {
    "direct": 0.9500,
    "pca_nn": 0.9443,
    "pca_gp": 0.9433,
    "ae_nn": 0.9496,
    "ae_gp": 0.9472,
    "cvae": 0.9477,
    "wgan_gp": 0.9214,
}
ROWS = {
    "kriged": ("kriged", {}),
    "scattered": ("scattered", {}),
    "pca_nn": ("pca_nn", {}),
    "direct": ("direct", {}),
    "pca_nn whole": ("pca_nn", {"whole": True}),
    "pca_gp": ("pca_gp", {}),
    "cvae": ("cvae", {}),
    "ae_nn": ("ae_nn", {}),
    "ae_gp": ("ae_gp", {}),
    "wgan_gp": ("wgan_gp", {"epochs": 150}),
}
"""Rows of the table: method and options. The adversarial network needs 100 steps of the critic for one of the generator."""
SHORT = {"epochs": 5}
HEAD = (
    "method",
    "seeds",
    "R2D",
    "paper",
    "median",
    "worst 5%",
    "delay",
    "95%",
    "misfit",
    "95%",
    "train s",
    "us one",
    "us of 100",
    "MB",
)


def main(arguments: list[str] | None = None) -> None:
    """Train what is not trained yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("table1"), help="folder of emulators, numbers and figures")
    parser.add_argument("--methods", nargs="+", choices=ROWS, default=list(ROWS), help="rows of the table")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds of each method")
    parser.add_argument("--short", action="store_true", help="60 traces and 5 epochs, to see that all works")
    asked = parser.parse_args(arguments)
    data = read()
    if asked.short:
        data = {name: values[:60] for name, values in data.items()}
    asked.out.mkdir(parents=True, exist_ok=True)
    for seed in range(asked.seeds):
        for row in asked.methods:
            one(row, seed, data, asked.out, asked.short)
    print(table(asked.out))
    picture(asked.out, data)


def read() -> dict[str, np.ndarray]:
    """Positions, m, and traces of training and test."""
    file = Path(os.environ.get("VIP_DATA_DIR", "")) / "seismoml" / "das18_receiver0.npz"
    if "VIP_DATA_DIR" not in os.environ or not file.is_file():
        sys.exit("table1: VIP_DATA_DIR does not hold seismoml/das18_receiver0.npz, the traces of the paper's authors")
    with np.load(file) as held:
        places = {f"at_{name}": held[f"xyz_{name}"] * SPACING for name in ("train", "test")}
        return places | {name: held[name].astype(float) for name in ("train", "test")}


def one(row: str, seed: int, data: dict[str, np.ndarray], out: Path, short: bool) -> None:
    """Train and measure one row with one seed, unless that is done."""
    method, options = ROWS[row]
    name = f"{row.replace(' ', '_')}_{seed}"
    if (out / f"{name}.json").is_file():
        return
    if short and method not in ("kriged", "scattered", "pca_gp"):
        options = {**options, **SHORT} | ({"critic_steps": 2} if method == "wgan_gp" else {})
    begun = time.process_time()
    emulator = emulators.fit(method, data["at_train"], data["train"], RECEIVER * SPACING, seed, **options)
    seconds = time.process_time() - begun
    emulator.save(out / f"{name}.safetensors")
    # In the short form, sources of the test are outside the box of the few of the training.
    found = measured(data["test"], emulator(data["at_test"], outside=True), NOISE)._asdict()
    size = (out / f"{name}.safetensors").stat().st_size / 1e6
    numbers = {
        "row": row,
        "seed": seed,
        **found,
        "seconds": seconds,
        "one": speed(emulator, data, 1),
        "hundred": speed(emulator, data, 100),
    }
    (out / f"{name}.json").write_text(json.dumps(numbers | {"MB": size}))
    print(f"{row}, seed {seed}: R2D {found['r2d']:.4f} after {seconds:.0f} s", flush=True)


def speed(emulator: Emulator, data: dict[str, np.ndarray], together: int) -> float:
    """Microseconds of the processor for a trace, in batches."""
    at, used, count = data["at_test"][:together], 0.0, 0
    emulator(at, outside=True)
    begun = time.process_time()
    while (used := time.process_time() - begun) < 0.5:
        emulator(at, outside=True)
        count += len(at)
    return 1e6 * used / count


def table(out: Path) -> str:
    """The table of all numbers in a folder, in Markdown: means over seeds, and the standard deviation of R2D."""
    held = [json.loads(file.read_text()) for file in sorted(out.glob("*.json"))]
    lines = ["| " + " | ".join(HEAD) + " |", "|---" * len(HEAD) + "|"]
    for row in ROWS:
        seeds = [each for each in held if each["row"] == row]
        if not seeds:
            continue
        mean = {key: float(np.mean([each[key] for each in seeds])) for key in seeds[0] if key not in ("row", "seed")}
        spread = f" +- {np.std([each['r2d'] for each in seeds], ddof=1):.4f}" if len(seeds) > 1 else ""
        cells = [row, str(len(seeds)), f"{mean['r2d']:.4f}{spread}", f"{PAPER[row]:.4f}" if row in PAPER else ""]
        cells += [f"{mean[key]:.3f}" for key in ("median", "worst")] + [
            f"{mean[key]:.2f}" for key in ("delay", "delayed", "misfit", "misfits")
        ]
        cells += [f"{mean[key]:.0f}" for key in ("seconds", "one", "hundred")] + [f"{mean['MB']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(out: Path, data: dict[str, np.ndarray]) -> None:
    """Draw traces of three test sources, and the correlation of every test trace over its distance."""
    import matplotlib.pyplot as plt

    files = {row: out / f"{row.replace(' ', '_')}_0.safetensors" for row in ("direct", "kriged")}
    known = {row: emulators.load(file) for row, file in files.items() if file.is_file()}
    distance = np.linalg.norm(data["at_test"] - RECEIVER * SPACING, axis=1)
    order = distance.argsort()
    shown = order[[len(order) // 20, len(order) // 2, -len(order) // 20]]
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.5), layout="constrained")
    below = figure.add_subplot(axes[1, 0].get_gridspec()[1, :])
    for axis in axes[1]:
        axis.remove()
    for axis, i in zip(axes[0], shown, strict=True):
        axis.plot(data["test"][i] / NOISE, color="0.6", lw=3, label="simulated")
        axis.set(title=f"{distance[i]:.0f} m from the receiver", xlabel="sample", ylabel="pressure / noise")
        middle = int(np.abs(data["test"][i]).argmax())
        axis.set_xlim(middle - 50, middle + 70)
    for row, emulator in known.items():
        found = emulator(data["at_test"], outside=True)
        for axis, i in zip(axes[0], shown, strict=True):
            axis.plot(found[i] / NOISE, lw=1, label=row)
        below.plot(distance, correlations(data["test"], found), ".", ms=3, label=row)
    axes[0, 0].legend(frameon=False)
    below.set(xlabel="distance from the receiver, m", ylabel="correlation of a test trace", ylim=(-0.25, 1.02))
    below.legend(frameon=False)
    figure.savefig(out / "table1.png", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
