"""The same picks from every format that detectors write, and real picks."""

import gzip
import os
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vip.errors import ConfigError
from vip.forward.earthquakes.picks import PickRules
from vip.forward.earthquakes.reading import (
    read_pick_parts,
    read_pick_rows,
    read_picks,
    read_stations,
    read_unassociated,
    read_velocity,
)
from vip.forward.earthquakes.stations import Stations

STATIONS = Stations(
    ["CI.BOM..HH", "CI.WES..HH", "AZ.WES..HH"],
    np.array([[33.4, -115.7, -0.05], [32.8, -115.7, 0.0], [32.9, -115.6, 0.1]]),
    {"P": np.zeros(3), "S": np.zeros(3)},
    geographic=True,
)
PICKS = pd.DataFrame(
    {
        "station": ["AZ.WES..HH", "CI.BOM..HH", "CI.WES..HH", "CI.BOM..HH", "CI.BOM..HH"],
        "phase": ["P", "P", "P", "S", "P"],
        "time": np.datetime64("2020-10-02") + np.array([-1750, -1500, 125, 2000, 32_400_000], dtype="timedelta64[ms]"),
        "probability": [0.5, 0.875, 1.0, 0.25, 0.75],
        "amplitude": [1e-6, 2.5e-5, 0.0, 3e-6, 1e-7],
    }
)
"""Five picks in the order of their times, on two days."""
SECONDS = (PICKS["time"] - pd.Timestamp("1970-01-01")).dt.total_seconds()
LEARNED = PickRules(sigma_needed=False)
NAMES = {
    "SeisBench": {},
    "PhaseNet": {
        "station": "station_id",
        "phase": "phase_type",
        "time": "phase_time",
        "probability": "phase_score",
        "amplitude": "phase_amplitude",
    },
    "GaMMA": {"station": "id", "phase": "type", "time": "timestamp", "probability": "prob", "amplitude": "amp"},
    "HARPA": {"station": "station_id", "phase": "type", "time": "timestamp", "probability": "prob", "amplitude": "amp"},
}


def as_real(folder):
    for station, phase, time, *others in PICKS.itertuples(index=False):
        day = time.normalize()
        file = folder / f"{day:%Y%m%d}" / f"{station}.{phase}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as lines:
            lines.write(" ".join(map(str, ((time - day).total_seconds(), *others))) + "\n")


def check_same(picks, faults):
    assert not faults
    np.testing.assert_array_equal(np.array(STATIONS.names)[picks.station], PICKS["station"])
    assert "".join(picks.phase) == "PPPSP"
    np.testing.assert_array_equal(picks.absolute_time(), PICKS["time"].to_numpy("datetime64[us]"))
    np.testing.assert_array_equal(picks.probability, PICKS["probability"])
    np.testing.assert_allclose(picks.amplitude, PICKS["amplitude"])
    assert np.isnan(picks.sigma).all()
    np.testing.assert_array_equal(picks.weight, 1)


@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("program", NAMES)
def test_columns_are_known_by_their_names(tmp_path, program, separator):
    file = tmp_path / "picks.csv"
    PICKS.rename(columns=NAMES[program]).to_csv(file, sep=separator, index=False)
    picks, faults = read_unassociated(file, STATIONS, LEARNED)
    check_same(picks, faults)
    assert picks.identifier == ["0", "1", "2", "3", "4"]
    assert picks.source[0] == "line 2"


def test_times_as_numbers(tmp_path):
    """As PyOcto has them."""
    file = tmp_path / "picks.csv"
    PICKS.assign(time=SECONDS).to_csv(file, index=False)
    check_same(*read_unassociated(file, STATIONS, LEARNED))


def test_a_compressed_file_is_read_once_and_in_parts(tmp_path):
    """A pipe cannot be read twice."""
    pipe, content = tmp_path / "picks.csv.gz", gzip.compress(b"# by a picker\n" + PICKS.to_csv(index=False).encode())
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[content])
    writer.start()
    parts = list(read_pick_parts(pipe, 2))
    writer.join()
    pipe.unlink()
    pipe.write_bytes(content)
    pd.testing.assert_frame_equal(pd.concat([part for part in parts if len(part)]), read_pick_rows(pipe))
    assert len(parts) > 1
    assert parts[-1]["source"].iloc[-1] == f"line {len(PICKS) + 2}"
    assert max(map(len, parts)) <= 2


def test_compressed(tmp_path):
    file = tmp_path / "picks.csv.gz"
    file.write_bytes(gzip.compress(PICKS.to_csv(index=False).encode()))
    check_same(*read_unassociated(file, STATIONS, LEARNED))
    damaged = tmp_path / "damaged.csv.gz"
    damaged.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ConfigError, match=r"damaged\.csv\.gz: cannot be read: "):
        read_unassociated(damaged, STATIONS, LEARNED)


@pytest.mark.parametrize("time", ["zoned", "local", "number", "text"])
def test_parquet(tmp_path, time):
    pytest.importorskip("pyarrow", reason="Parquet is read by pyarrow")
    times = {
        "zoned": PICKS["time"].dt.tz_localize("UTC").dt.tz_convert("Europe/Rome"),
        "local": PICKS["time"],
        "number": SECONDS,
        "text": PICKS["time"].astype(str),
    }
    file = tmp_path / "picks.parquet"
    table = PICKS.assign(time=times[time], id=[f"p{i}" for i in range(5)], phase=PICKS["phase"].astype("category"))
    table.loc[5] = table.loc[0].replace({"AZ.WES..HH": "NONE"})
    table.loc[5, ["probability", "amplitude"]] = np.nan
    table.to_parquet(file, engine="pyarrow")
    picks, (fault,) = read_unassociated(file, STATIONS, LEARNED)
    check_same(picks, [])
    assert picks.identifier == ["p0", "p1", "p2", "p3", "p4"]
    assert str(fault).startswith(f"{file}, row 5: station 'NONE'")


def test_parquet_needs_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    file = tmp_path / "picks.parquet"
    file.write_bytes(b"PAR1 of no matter")
    with pytest.raises(ConfigError, match=r"Parquet needs pyarrow: pip install 'vip-inversion\[parquet\]'"):
        read_unassociated(file, STATIONS, LEARNED)


def test_damaged_parquet(tmp_path):
    pytest.importorskip("pyarrow", reason="Parquet is read by pyarrow")
    file = tmp_path / "picks.parquet"
    file.write_bytes(b"PAR1 of no matter")
    with pytest.raises(ConfigError, match=r"picks\.parquet: is not Parquet"):
        read_unassociated(file, STATIONS, LEARNED)


def test_folders_of_real(tmp_path):
    as_real(tmp_path)
    picks, faults = read_unassociated(tmp_path, STATIONS, LEARNED)
    check_same(picks, faults)
    assert picks.identifier[3] == "20201002/CI.BOM..HH.S.txt:1"
    assert picks.source[3] == "20201002/CI.BOM..HH.S.txt, line 1"
    of_day, faults = read_unassociated(tmp_path / "20201002", STATIONS, LEARNED)
    assert not faults
    assert of_day.identifier == picks.identifier[2:]


def test_faults_of_a_folder_of_real(tmp_path):
    as_real(tmp_path)
    file = tmp_path / "20201002" / "CI.BOM..HH.P.txt"
    file.write_text(file.read_text() + "\nnoon 0.5 0\n90000 1.5 0\n1e9 0.5 0\n-10\n")
    picks, faults = read_unassociated(tmp_path, STATIONS, LEARNED)
    assert [fault.place for fault in faults] == [f"{tmp_path}, 20201002/CI.BOM..HH.P.txt, line {line}" for line in (3, 4, 5)]
    assert [fault.message.split(":")[0] for fault in faults] == ["time 'noon'", "probability '1.5'", "time '1e9'"]
    assert picks.absolute_time()[0] == np.datetime64("2020-10-01T23:59:50")
    assert picks.identifier[0].endswith(".P.txt:6")


def test_ratios_of_real_are_no_probabilities(tmp_path, caplog):
    as_real(tmp_path)
    for file in tmp_path.glob("*/*.txt"):
        file.write_text("".join(f"{line.split()[0]} 12.5 0\n" for line in file.read_text().splitlines()))
    picks, faults = read_unassociated(tmp_path, STATIONS, LEARNED)
    assert not faults
    np.testing.assert_array_equal(picks.probability, 1)
    assert "these are no probabilities" in caplog.text


def test_what_a_folder_is_not(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ConfigError, match="expected REAL's picks in this folder: a folder 20240517 for each day"):
        read_unassociated(tmp_path, STATIONS, LEARNED)
    with pytest.raises(ConfigError, match="is a folder, as of REAL, whose picks have no events"):
        read_picks(tmp_path, STATIONS)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("station_id,phase_type,time_of_day,end", "there is no column 'time'; .*, or phase_time or timestamp"),
        ("code,phase,time,end", "there is no column 'station'; expected station,phase,time between commas, or station_id"),
        ("station,phase,time,timestamp", "columns: time, timestamp: only one column may be the time; leave the others out"),
    ],
)
def test_columns_that_are_not_known(tmp_path, header, message):
    file = tmp_path / "picks.csv"
    file.write_text(f"{header}\nA,P,2024-05-17T09:30:13,2024-05-17T09:30:13\n")
    with pytest.raises(ConfigError, match=message):
        read_unassociated(file, STATIONS, LEARNED)


def real(*names):
    if not os.environ.get("VIP_DATA_DIR"):
        pytest.skip("needs the data sets: set VIP_DATA_DIR")
    folder = Path(os.environ["VIP_DATA_DIR"], "association")
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    return [folder / name for name in names]


def test_picks_of_westmorland():
    stations, file = real("westmorland_2020/stations.csv", "westmorland_2020/picks.csv.gz")
    network = read_stations(stations)
    np.testing.assert_allclose(network.position[0], [33.365, -115.73, -0.054])
    picks, faults = read_unassociated(file, network, LEARNED)
    assert len(picks.time) + len(faults) == 62_314
    assert not faults
    assert len(np.unique(picks.station)) == 16
    assert picks.probability.min() >= 0.3
    assert len(set(picks.identifier)) == len(picks.identifier)


def test_picks_of_italy():
    stations, file, layers = real(
        *(f"italy_2016_10_14/{name}" for name in ("stations.csv", "picks_phasenet.csv.gz", "velocity.csv"))
    )
    velocity = read_velocity(layers, between="linear")
    network = read_stations(stations)
    picks, faults = read_unassociated(file, network, LEARNED._replace(phases=velocity.phases))
    assert not faults
    assert len(picks.time) == 115_440
    assert len(network.names) == 60
    np.testing.assert_allclose(network.position[2], [42.5358, 13.409, 1.283])
