"""What is reported while travel times or first samples take long."""

import logging
import sys

import numpy as np
import pytest

from vip import progress
from vip.algorithms.tempered import spread
from vip.cli.messages import messages_shown
from vip.forward.earthquakes.traveltimes import tables as times
from vip.forward.earthquakes.velocity import Layered


@pytest.fixture
def clock(monkeypatch):
    """A second goes by each time it is asked for."""
    ticks = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(ticks)))


def test_it_tells_how_far_it_is_at_most_every_few_seconds(clock, caplog):
    caplog.set_level(logging.INFO)
    tell = progress.Waiting("task", 100, "parts")
    for done in range(12):
        tell(done)
    assert [record.message for record in caplog.records] == [
        "task: 4 of 100 parts, 0:02:00 left",  # after 5 s
        "task: 9 of 100 parts, 0:01:41 left",
    ]


def test_nothing_done_has_no_estimate(clock, caplog):
    caplog.set_level(logging.INFO)
    tell = progress.Waiting("task", 100, "parts")
    for _ in range(5):
        tell(0)
    assert caplog.messages == ["task: 0 of 100 parts"]


def test_tables_are_told_and_kept_one_by_one(tmp_path, monkeypatch, caplog):
    """What was solved before an interruption is not solved again."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "EVERY", 0.0)
    solved, solve = [], times.solve

    def second_fails(velocity, sources, *others, **options):
        solved.append(len(sources))
        if len(solved) == 2:
            raise KeyboardInterrupt
        return solve(velocity, sources, *others, **options)

    monkeypatch.setattr(times, "solve", second_fails)
    model = Layered(np.array([0.0]), {"P": np.array([6.0])}, {"P": np.array([0.0])})
    solver = times.Solver(times.Box(np.zeros(3), np.full(3, 20.0)), 2.0, tmp_path)
    stations = np.array([[0.0, 0.0, depth] for depth in (0.0, 1.0, 2.0)])
    with pytest.raises(KeyboardInterrupt):
        solver.layered(model, ["P"] * 3, stations)
    assert len(list(tmp_path.glob("*.npy"))) == 1
    solver.layered(model, ["P"] * 3, stations)
    assert solved == [1, 1, 1, 1]
    assert caplog.messages[1].startswith("travel times of P on 306 nodes: 1 of 3 tables, 0:00:0")


def test_first_samples_are_reported(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "EVERY", 0.0)

    def log_likelihood(places, events):
        return -0.5 * (places**2).sum(axis=2) * 10.0 ** (2 * events)

    spread(log_likelihood, np.full((2, 1), -9.0), np.full((2, 1), 9.0), 50, np.random.default_rng(0))
    assert any(message.startswith("first samples: 1 of 2 problems, 0:00:0") for message in caplog.messages)


def test_the_user_is_told_on_standard_error_as_it_is_now(monkeypatch, capsys):
    """A progress bar replaces it while it is shown."""
    said = []

    class Bar:
        def write(self, text):
            said.append(text)

        def flush(self):
            pass

    with messages_shown():
        monkeypatch.setattr(sys, "stderr", Bar())
        logging.getLogger("vip.forward.hypocenter").warning("left out: %s", "e1")
        logging.getLogger("vip.forward.hypocenter").info("for the log file")
        progress.log.info("travel times: 1 of 2")
    assert "".join(said) == "vip: left out: e1\nvip: travel times: 1 of 2\n"
    assert not capsys.readouterr().err
