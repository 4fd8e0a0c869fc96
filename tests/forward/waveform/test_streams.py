"""MiniSEED, SAC and StationXML against the arrays that they were made from, and their faults."""

import tomllib

import numpy as np
import pytest

from vip.errors import ConfigError
from vip.forward.earthquakes.projection import centred_on
from vip.forward.waveform import Waveform
from vip.forward.waveform.channels import pointing
from vip.forward.waveform.elementary import Channel
from vip.forward.waveform.synthetic import STATIONS, network, starter_config, write_channels, write_example

obspy = pytest.importorskip("obspy")
pytest.importorskip("pyproj")

ORIGIN = (56.5, 3.2)
GAIN = 2.5e9
TURNED = {"H": ("BDH", None), "Z": ("BHZ", (0.0, 90.0)), "N": ("BH1", (30.0, 0.0)), "E": ("BH2", (120.0, 0.0))}
"""Codes, azimuths and dips in the files: horizontals turned by 30 degrees, and a vertical that counts down as positive."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("streams")
    write_example(directory, 2)
    channels, traces = turned(np.load(directory / "traces.npy"))
    np.save(directory / "turned.npy", traces)
    write_channels(channels, directory / "turned.csv")
    stream(channels, traces).write(str(directory / "all.mseed"), format="MSEED")
    inventory(channels).write(str(directory / "stations.xml"), format="STATIONXML")
    return directory


def turned(traces):
    """Channels and traces with the directions of `TURNED`."""
    channels = []
    made = np.empty_like(traces)
    for i, channel in enumerate(network()):
        code, angles = TURNED[channel.name]
        channels.append(
            Channel("XX." + channel.station, code, channel.kind, channel.position, pointing(*angles) if angles else (0.0,) * 3)
        )
        if channel.name in ("N", "E"):
            north, east = traces[i - i % 4 + 2], traces[i - i % 4 + 3]
            made[i] = np.cos(np.radians(angles[0])) * north + np.sin(np.radians(angles[0])) * east
        else:
            made[i] = -traces[i] if channel.name == "Z" else traces[i]
    return channels, made


def stream(channels, traces, dt=0.008):
    made = obspy.Stream()
    for channel, trace in zip(channels, traces, strict=True):
        network_code, station = channel.station.split(".")
        header = {"network": network_code, "station": station, "channel": channel.name, "delta": dt}
        made += obspy.Trace(GAIN * trace, header | {"starttime": obspy.UTCDateTime("2024-05-01T11:59:58")})
    return made


def inventory(channels, **changed):
    """StationXML with a flat response of pressure or velocity."""
    from obspy.core.inventory import Channel as Listed
    from obspy.core.inventory import Inventory, Network, Response, Station

    stations = []
    for name, (x, y) in STATIONS.items():
        latitude, longitude = centred_on(*(np.array([v]) for v in ORIGIN)).to_geographic(
            np.array([x / 1000]), np.array([y / 1000])
        )
        place = {"latitude": float(latitude[0]), "longitude": float(longitude[0]), "elevation": 80.0}
        listed = []
        for channel in (c for c in channels if c.station.endswith(name)):
            azimuth, dip = next((angles for code, angles in TURNED.values() if code == channel.name)) or (0.0, 0.0)
            unit = "PA" if channel.kind == "pressure" else changed.get("unit", "M/S")
            response = Response.from_paz([], [], GAIN, input_units=unit, output_units="COUNTS")
            values = {"azimuth": azimuth, "dip": dip, "depth": 0.0, "sample_rate": 125.0, "response": response} | changed.get(
                "channel", {}
            )
            listed.append(Listed(channel.name, "", **place, **values))
        stations.append(Station(name, **place, channels=listed))
    return Inventory([Network("XX", stations=stations)])


def settings(**changed):
    forward = tomllib.loads(starter_config())["forward"]
    del forward["plugin"]
    forward["time"] = {"window": [0.5, 1.9], "band": [2.0, 40.0]}
    files = {"data": "all.mseed", "channels": "stations.xml", "origin": list(ORIGIN), "sea_level": 80.0}
    forward |= files
    forward["time"]["reference"] = "2024-05-01T12:00:00"
    return forward | changed


def test_files_are_as_arrays(folder):
    """Counts, codes and degrees become the Pa, m/s and m of the arrays that they were made from; and so does the answer."""
    forward = Waveform.from_settings(settings(), folder)
    time = {"dt": 0.008, "start": -2.0, "window": [0.5, 1.9], "band": [2.0, 40.0]}
    arrays = settings(data="turned.npy", channels="turned.csv", time=time)
    wanted = Waveform.from_settings(arrays, folder)
    order = [
        forward.record.channels.index(next(c for c in forward.record.channels if c[:2] == w[:2]))
        for w in wanted.record.channels
    ]
    for i, channel in zip(order, wanted.record.channels, strict=True):
        found = forward.record.channels[i]
        np.testing.assert_allclose(found.position, channel.position, atol=0.3)  # 32-bit degrees and the scale of the map
        np.testing.assert_allclose(found.direction, channel.direction, atol=1e-6)
        assert found.kind == channel.kind
    gap = np.abs(forward.record.traces[order] - wanted.record.traces).max(axis=1)
    assert (gap < 0.01 * np.abs(wanted.record.traces).max(axis=1)).all()  # measured 8e-3, from tapers at the ends of the record
    assert forward.record.start == pytest.approx(wanted.record.start, abs=1e-6)
    truth = np.array([[412.7, 538.1, 1127.4, 0.6133]])
    residual = ((forward.observed - forward.simulate(truth)[0]) / forward.sigma).reshape(16, -1)
    assert 0.8 < np.sqrt((residual**2).mean()) < 1.25


def test_sac_is_as_miniseed(folder):
    files = []
    for trace in obspy.read(str(folder / "all.mseed")):
        files.append(f"{trace.id}.sac")
        trace.data = trace.data.astype(np.float32)
        trace.write(str(folder / files[-1]), format="SAC")
    both = [Waveform.from_settings(settings(data=data), folder).record for data in ("all.mseed", files)]
    np.testing.assert_allclose(both[0].traces, both[1].traces, atol=1e-5 * np.abs(both[0].traces).max())


def changed_stream(folder, change):
    made = obspy.read(str(folder / "all.mseed"))
    change(made)
    made.write(str(folder / "changed.mseed"), format="MSEED")


def later(made):
    made[3].stats.starttime += 0.1


def slower(made):
    made[3].stats.delta = 0.01


def renamed(made):
    made[3].stats.channel = "HHZ"


CHANGES = {
    "length": (lambda s: s[3].trim(endtime=s[3].stats.endtime - 0.1), ("has 512 samples", "525", "cut them alike")),
    "start": (later, ("begins at 2024-05-01T11:59:58.1", "cut them alike")),
    "interval": (slower, ("sampled every 0.01 s", "0.008 s", "resample")),
    "unknown": (renamed, ("XX.OB1..HHZ", "stations.xml", "no such channel")),
}


@pytest.mark.parametrize("name", CHANGES)
def test_faults_of_streams(folder, name):
    change, words = CHANGES[name]
    changed_stream(folder, change)
    with pytest.raises(ConfigError) as fault:
        Waveform.from_settings(settings(data="changed.mseed"), folder)
    assert "\n" not in str(fault.value)
    assert all(word in str(fault.value) for word in words), fault.value


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"unit": "V"}, ("XX.OB1", ": V: ", "other.xml", "M/S")),
        ({"channel": {"response": None}}, ("no response", "other.xml", "level of responses")),
        ({"channel": {"dip": None}}, ("no azimuth or dip", "other.xml", "direction")),
    ],
)
def test_faults_of_station_xml(folder, changed, words):
    inventory(turned(np.load(folder / "traces.npy"))[0], **changed).write(str(folder / "other.xml"), format="STATIONXML")
    with pytest.raises(ConfigError) as fault:
        Waveform.from_settings(settings(channels="other.xml"), folder)
    assert all(word in str(fault.value) for word in words), fault.value


def test_what_the_settings_lack(folder):
    lacking = {
        "origin": (None, "latitude and longitude"),
        "time": ({"window": [0.5, 1.9]}, "inside a band"),
        "data": ("stations.xml", "cannot be read as seismograms"),
    }
    for key, (value, words) in lacking.items():
        with pytest.raises(ConfigError, match=words):
            Waveform.from_settings(settings(**{key: value}), folder)


def test_gap_costs_its_channel(folder):
    def cut(made):
        start = made[0].stats.starttime
        part = made[0].copy()
        made[0].trim(endtime=start + 1.0)
        part.trim(starttime=start + 1.2)
        made.append(part)

    changed_stream(folder, cut)
    record = Waveform.from_settings(settings(data="changed.mseed"), folder).record
    assert len(record.channels) == 15
    assert "has a gap" in record.left_out[0]
