"""An association in its directory: killed and gone on with, cut into any pieces, followed; and every error in one line."""

import multiprocessing
import os
import shutil
import signal
import sys
import time

import numpy as np
import pandas as pd
import pytest

import vip
from vip.cli.main import main
from vip.errors import StoreError
from vip.forward.association.record import finder, pieces, stream
from vip.forward.association.record.carry import begun, carried, followed, new_files, read
from vip.forward.association.record.catalogue import write
from vip.forward.association.record.directory import Files, Record, load
from vip.forward.association.record.door import follow
from vip.forward.association.record.gathering import gathered, parts
from vip.forward.association.record.parameters import Parameters
from vip.forward.association.trials.synthetic import write_example
from vip.forward.association.window.reasons import LATE, WAITING

GIVEN = {"margin": 25.0, "depth": (0.0, 20.0), "sigma": 0.1, "detection": 0.9}
OPTIONS = ["--margin", "25", "--depth", "0", "20", "--sigma", "0.1", "--detection", "0.9", "--threads", "1"]
fork = multiprocessing.get_context("fork")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of forty minutes with a dozen events at eight stations."""
    folder = tmp_path_factory.mktemp("example")
    write_example(folder, 3, events=12, stations=8, length=2400.0)
    return Files(*(folder / f"{name}.csv" for name in ("picks", "stations", "velocity")))


@pytest.fixture(scope="module")
def whole(made):
    return vip.associate(*made, **GIVEN, threads=1)


@pytest.fixture(scope="module")
def table(made):
    return pd.read_csv(made.picks)


@pytest.fixture
def few(monkeypatch):
    """Learning from sixty picks, pieces of seventy-seven rows, and a folder looked at often."""
    monkeypatch.setattr(stream, "SAMPLE", 60)
    monkeypatch.setattr(pieces, "ROWS", 77)
    monkeypatch.setattr("vip.forward.association.record.carry.POLL", 0.01)


@pytest.fixture(autouse=True, scope="module")
def coarse():
    """Nodes far apart, with which the large network of the example takes less time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finder, "SPACING", 9.0)
        yield


def same(mine, its):
    """Whether two catalogues agree in every bit."""
    pd.testing.assert_frame_equal(mine.events, its.events, check_exact=True)
    pd.testing.assert_frame_equal(mine.assignments, its.assignments, check_exact=True)
    assert mine.learned == its.learned
    assert mine.faults == its.faults


def done(directory, files, stop=lambda: False, **changes):
    """What is found in a directory, until a request to stop."""
    with begun(directory, files, Parameters(**(GIVEN | changes)), 1) as going:
        if read(going, files.picks, stop):
            carried(going, stop)
        return gathered(going).catalogue() if going.store.basis else None


def started(made, output, *options):
    """A process with the command, whose output goes to files beside the catalogue."""

    def run():
        sys.stdout, sys.stderr = (output.with_suffix(end).open("w") for end in (".out", ".err"))
        given = ["associate", str(made.picks)] if "--follow" not in options else ["associate"]
        files = ["--stations", str(made.stations), "--velocity", str(made.velocity), "-o", str(output)]
        sys.argv = ["vip", *given, *files, *OPTIONS, *map(str, options)]
        main()

    process = fork.Process(target=run)
    process.start()
    return process


def found_windows(output):
    return len(list(output.with_suffix(".run").glob("windows/*.npz")))


def wait_for(condition, process=None):
    for _ in range(6000):
        if condition() or (process is not None and not process.is_alive()):
            return
        time.sleep(0.005)
    raise TimeoutError


# Killed and gone on with


def test_killed_at_any_moment_and_gone_on_with(made, whole, tmp_path):
    """SIGKILL in the first tenth of a second and after windows; the files are those of one go."""
    output = tmp_path / "c.csv"
    for seconds in (0.01, 0.05, 0.1):
        process = started(made, output)
        time.sleep(seconds)
        process.kill()
        process.join()
    for windows in (1, 3):
        process = started(made, output)
        wait_for(lambda n=windows: found_windows(output) >= n, process)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    assert not output.exists()
    assert 3 <= found_windows(output) < 5
    assert (load(output.with_suffix(".run")).assignments["reason"] == WAITING).any()
    process = started(made, output)
    process.join()
    expected = whole.write(tmp_path / "whole.csv")
    for file, name in zip(expected, ("c.csv", "c_assignments.csv"), strict=True):
        assert (tmp_path / name).read_bytes() == file.read_bytes()
    assert output.with_suffix(".out").read_text() == (
        f"{output}, {tmp_path / 'c_assignments.csv'}: {whole.summary()}\npictures: vip report {tmp_path / 'c.run'}\n"
    )
    assert not list(tmp_path.glob("**/*.part"))
    same(load(output.with_suffix(".run")), whole)


def test_ctrl_c_saves_and_a_finished_one_says_so(made, whole, tmp_path):
    output = tmp_path / "c.csv"
    process = started(made, output)
    wait_for(lambda: found_windows(output) >= 1)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 130
    assert output.with_suffix(".out").read_text() == f"{tmp_path / 'c.run'}: saved; the same command goes on\n"
    assert not output.exists()
    for first in ("", f"{tmp_path / 'c.run'}: was finished before\n"):
        process = started(made, output)
        process.join()
        assert output.with_suffix(".out").read_text().startswith(f"{first}{output}, ")
    assert (tmp_path / "c.csv").read_bytes() == whole.write(tmp_path / "whole.csv")[0].read_bytes()


# The state


def test_a_directory_that_was_moved_is_loaded_without_the_input(made, whole, tmp_path):
    files = Files(*(shutil.copy(file, tmp_path) for file in made))
    files = Files(*(tmp_path / file.name for file in made))
    done(tmp_path / "c.run", files)
    shutil.move(tmp_path / "c.run", tmp_path / "elsewhere.run")
    moved = Files(*(shutil.move(file, file.with_name(f"moved_{file.name}")) for file in files))
    same(load(tmp_path / "elsewhere.run"), whole.__class__(**(vars(whole) | {"faults": whole.faults})))
    same(done(tmp_path / "elsewhere.run", moved), whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"detection": 0.8}, "detection was 0.9, now it is 0.8; use --overwrite to begin anew, or another --output"),
        ({"depth": (0.0, 21.0)}, "depth was [0.0, 20.0], now it is [0.0, 21.0]; use"),
        ("picks", "picks: ../picks.csv is not what it was; use --overwrite"),
        ("stations", "stations: ../stations.csv is not what it was; use --overwrite"),
        ("velocity", "velocity: ../velocity.csv is not what it was; use --overwrite"),
    ],
)
def test_what_is_not_as_it_was_is_named(made, tmp_path, change, message):
    for file in made:
        shutil.copy(file, tmp_path)
    files = Files(*(tmp_path / file.name for file in made))
    stops = iter([False] * 2 + [True])
    assert done(tmp_path / "c.run", files, lambda: next(stops)) is not None
    if isinstance(change, str):
        lines = getattr(files, change).read_text().splitlines()
        getattr(files, change).write_text("\n".join([*lines, *lines[-1:]] if change == "picks" else lines) + "\n\n")
        change = {}
    with pytest.raises(StoreError) as caught:
        done(tmp_path / "c.run", files, **change)
    assert str(caught.value).startswith(f"{tmp_path / 'c.run'}: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("association.json", "use --overwrite to begin anew, or another --output"),
        ("picks/0.npz", "use --overwrite to begin anew, or another --output"),
        ("windows/1.npz", "delete it and the later ones beside it, and the same command finds them again"),
    ],
)
def test_a_damaged_file_is_named(made, whole, tmp_path, name, remedy):
    done(tmp_path / "c.run", made)
    file = tmp_path / "c.run" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = b"\0" * (len(content) - len(content) // 2)
    file.write_bytes(content)
    with pytest.raises(StoreError) as caught:
        done(tmp_path / "c.run", made)
    assert str(caught.value) == f"{file}: is damaged: {remedy}"
    if name.startswith("windows"):
        for later in range(1, 5):
            (tmp_path / "c.run" / f"windows/{later}.npz").unlink(missing_ok=True)
        assert not Record(tmp_path / "c.run").finished
        same(done(tmp_path / "c.run", made), whole)


def test_a_state_without_its_entries_is_damaged(tmp_path):
    (tmp_path / "association.json").write_text('{"schema": 2}')
    with pytest.raises(StoreError, match=r"association\.json: is damaged: use --overwrite"):
        load(tmp_path)


def test_other_folders_and_versions_are_left_alone(made, tmp_path):
    (tmp_path / "c.run").mkdir()
    (tmp_path / "c.run" / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match=r"holds other files \(thesis.tex\); choose another --output"):
        done(tmp_path / "c.run", made)
    with pytest.raises(StoreError, match="not an association: name a folder that `vip associate` made"):
        load(tmp_path)
    (tmp_path / "d.run" / "report").mkdir(parents=True)  # of an earlier one
    done(tmp_path / "d.run", made, lambda: True)
    assert not (tmp_path / "d.run" / "report").exists()
    with pytest.raises(StoreError, match="nothing has been found yet"):
        load(tmp_path / "d.run")
    state = tmp_path / "d.run" / "association.json"
    state.write_text(state.read_text().replace('"schema": 2', '"schema": 99'))
    with pytest.raises(StoreError, match="has layout 99, this version reads 2"):
        Record(tmp_path / "d.run")


def test_two_processes_do_not_work_in_one_directory(made, tmp_path):
    with begun(tmp_path / "c.run", made, Parameters(**GIVEN), 1):
        process = started(made, tmp_path / "c.csv")
        process.join()
    assert process.exitcode == 1
    assert (
        tmp_path.joinpath("c.err").read_text()
        == f"vip: {tmp_path / 'c.run'}: another process is at work here; wait for its end\n"
    )


# Pieces


@pytest.mark.parametrize("seed", range(2))
def test_how_rows_are_cut_changes_nothing(made, table, seed):
    """Copies and identifiers that are there twice, rows of no station and weights of 0 are found across cuts too."""
    rng = np.random.default_rng(seed)
    odd = pd.concat([table, table[5:8].assign(id=["a", "b", "c"]), table[:2].assign(time="2026-01-01T00:01:00Z")])
    odd = pd.concat([odd, table[9:11].assign(id=["d", "e"], station="XX.NO")]).assign(weight="")
    odd.iloc[20, odd.columns.get_loc("weight")] = "0"
    cuts = np.sort(rng.integers(0, len(odd) + 1, (3, 30)[seed])).tolist()
    in_pieces = (odd[i:j] for i, j in zip([0, *cuts], [*cuts, len(odd)], strict=True))
    given = made._replace(picks=odd)
    expected = vip.associate(*given, **GIVEN, threads=1)
    same(vip.associate(in_pieces, *given[1:], **GIVEN, threads=1), expected)
    assert len(expected.faults) == 7


@pytest.mark.parametrize("order", ["by time", "by station"])
def test_a_catalogue_in_parts_is_the_whole(made, table, tmp_path, few, order):
    """A part needs only what is near if rows are by time; others are written all at once."""
    rows = table if order == "by time" else table.sort_values(["station", "time"])
    rows.to_csv(tmp_path / "picks.csv", index=False)
    files = made._replace(picks=tmp_path / "picks.csv")
    expected = vip.associate(*files, **GIVEN, threads=1)
    with begun(tmp_path / "c.run", files, Parameters(**GIVEN), 1) as going:
        read(going, files.picks, lambda: False)
        carried(going, lambda: False)
        cut = list(parts(going, 77))
    assert len(cut) == (-(-len(rows) // 77) if order == "by time" else 1)
    for name in ("mine.csv", "mine.xml"):
        assert write(cut, tmp_path / name) == expected.counts()
        expected.write(tmp_path / name.replace("mine", "its"))
    for name in ("mine.csv", "mine_assignments.csv", "mine.xml"):
        assert (tmp_path / name).read_bytes() == (tmp_path / name.replace("mine", "its")).read_bytes()


# Streams


def streamed(made, table, cuts):
    found = list(
        follow((table[i:j] for i, j in zip([0, *cuts], [*cuts, len(table)], strict=True)), *made[1:], **GIVEN, threads=1)
    )
    return found, pd.concat([part.events for part in found if len(part.events)], ignore_index=True)


@pytest.mark.parametrize("seed", range(2))
def test_how_a_stream_is_cut_changes_nothing(made, whole, table, few, seed):
    table = table.drop(columns="id")
    found, events = streamed(made, table, [])
    cuts = np.sort(np.random.default_rng(seed).integers(0, len(table) + 1, (9, 30)[seed])).tolist()
    others, other_events = streamed(made, table, cuts)
    pd.testing.assert_frame_equal(other_events, events, check_exact=True)
    for mine, its in zip(others, found, strict=True):
        pd.testing.assert_frame_equal(mine.assignments, its.assignments, check_exact=True)
    assert events["event"].tolist() == whole.events["event"].tolist()
    own = pd.concat([part.assignments for part in found])
    assert len(own[own["event"] != ""]) == (whole.assignments["event"] != "").sum()
    assert set(own["id"]) == {str(i) for i in range(len(table))}


def test_a_pick_that_comes_too_late_is_named_and_changes_nothing(made, table, few):
    """And one with a date of the next year makes no other late."""
    odd = pd.concat([table[:150], table[150:151].assign(id="next", time="2027-01-01T00:00:00Z"), table[150:]])
    late = pd.concat([odd, table[3:4].assign(id="late", time="2026-01-01T00:00:03Z"), odd[-1:].assign(id="copy")])
    _, events = streamed(made, table, [])
    found, with_late = streamed(made, late, [100, 170, len(odd)])
    pd.testing.assert_frame_equal(with_late, events, check_exact=True)
    reasons = pd.concat([part.assignments for part in found]).set_index("id")["reason"]
    assert reasons["late"] == f"{LATE}: what was found at its time had been finished"
    assert reasons["copy"].startswith("wrong row: station")
    assert (reasons["next"] == "no event within reach: none within 600 s").all()


def test_a_stream_keeps_only_what_is_near(made, table, few, tmp_path):
    with begun(tmp_path / "c.run", made._replace(picks=tmp_path), Parameters(**GIVEN), 1, live=True) as going:
        for i in range(0, len(table), 20):
            table[i : i + 20].to_csv(tmp_path / f"{i:04d}.csv", index=False)
        most = 0
        for _ in followed(going, tmp_path, lambda: len(going.sources) * 20 >= len(table)):
            pass
        most = len(going.picks)
    assert most < len(table) * 0.8


def test_a_folder_is_followed_and_gone_on_with(made, table, few, tmp_path):
    """Files by their names, whole ones alone; stopped after each, and the same as from one process."""
    _, events = streamed(made, table, [])
    folder, cuts = tmp_path / "in", range(0, len(table), 60)
    folder.mkdir()
    (folder / ".hidden.csv").write_text("x")
    (folder / "half.csv.part").write_text("x")
    table[:0].to_csv(folder / "0000a.csv", index=False)
    files, asked = made._replace(picks=folder), Parameters(**GIVEN)
    for i in cuts:
        rows = table[i : i + 60].drop(columns="id")
        rows.to_csv(folder / f"{i:04d}.csv", index=False)
        assert len(new_files(folder, set())) == 1 + len(range(0, i + 1, 60))
        with begun(tmp_path / "c.run", files, asked, 1, live=True) as going:
            for _ in followed(going, folder, lambda stream=going: not new_files(folder, stream.sources)):
                pass
    so_far = load(tmp_path / "c.run")
    assert (so_far.assignments["reason"] == WAITING).any()
    with begun(tmp_path / "c.run", files, asked, 1, live=True) as going:
        for _ in followed(going, folder, lambda: not going.left(), idle=0.01):
            pass
        found = gathered(going).catalogue()
    pd.testing.assert_frame_equal(found.events, events, check_exact=True)
    assert found.assignments["id"].tolist() == [str(i) for i in range(len(table))]
    with pytest.raises(StoreError, match="was made with --follow; use --overwrite"):
        done(tmp_path / "c.run", made)
    process = started(made, tmp_path / "c.csv", "--follow", folder, "--idle", "0.01")
    wait_for((tmp_path / "c.csv").exists, process)
    os.kill(process.pid, signal.SIGINT)
    process.join()
    assert process.exitcode == 130
    assert (tmp_path / "c.out").read_text().endswith(f"\n{tmp_path / 'c.run'}: saved; the same command goes on\n")
