"""A user's command that runs a problem and goes on with it by the functions that `vip run` and `vip resume` are made of."""

import shutil
from pathlib import Path

from vip.runs.store import Store

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_forward"
SOURCE = '''
    from pathlib import Path

    import typer

    import vip
    from vip.cli.carry_on import begin, go_on

    def decay(config: Path, run_dir: Path, iterations: int = 0) -> None:
        """Find the rate of a decay, or go on."""
        if run_dir.exists():
            result = go_on(run_dir, iterations or None, "serial", check=lambda problem: print(problem.space.size))
        else:
            result = begin(vip.load_problem(config), run_dir, dispatch="serial")
        print(result)
'''


def test_it_begins_goes_on_and_tells_its_progress(vip, install, tmp_path):
    folder = shutil.copytree(EXAMPLE, tmp_path / "own")
    config, run_dir = folder / "decay.toml", tmp_path / "run"
    text = config.read_text()
    for old, new in {
        "iterations = 3000": "iterations = 30",
        "burn_in = 1000": "burn_in = 10",
        "warm_up = 300": "warm_up = 5",
    }.items():
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    install("commands", SOURCE, "vip.commands", decay="commands:decay")

    begun = vip("decay", config, run_dir)
    shown = f"<vip.Result run: {run_dir}; status: finished, 30 of 30 iterations of "
    assert begun.returncode == 0, begun.stderr
    assert begun.stdout.startswith(shown)
    assert "30/30 log-posterior" in begun.stderr
    as_it_is = vip("decay", config, run_dir)
    assert as_it_is.stdout.startswith(f"2\n{shown}")
    assert as_it_is.stderr == ""
    extended = vip("decay", config, run_dir, "--iterations", 40)
    assert extended.returncode == 0, extended.stderr
    assert Store(run_dir).checkpoint().iteration == 40
    refused = vip("decay", config, run_dir, "--iterations", 20)
    assert refused.returncode == 2
    assert (
        refused.stderr == "vip: --iterations: 20: it has done 40 already; this is the new total, burn-in included: say more\n"
    )
