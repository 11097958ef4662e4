"""The simulated fleet: sensors on the grid that report plausible weather, fail and recover.

Every measurement is a function of sensor and time (seasons, a day curve, slow weather,
the sensor's own offset) with a little noise, so late events tell the same story as punctual
ones. It is the same fleet in every run: which sensors fail, and the weather, do not depend on
the seed. The same seed and clock give the same records, byte for byte.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from faker import Factory
from faker.generator import Generator

from config.content import content_hash
from config.events import FAULTY, HUMIDITY_MAX
from config.grid import GRID, Grid
from kinesis.records import Disorder, Record

_DAY = 86_400
_YEAR = 365.2425 * _DAY
_COLDEST_DAY_OF_YEAR = 20
_WARMEST_HOUR = 15

_UNRELIABLE_SHARE = 0.15
_RESTING_SHARE = 0.05
_MISSING_WHEN_FAULTY = 0.6

_EVENT_TYPES = ("measurement", "heartbeat", "alert")
_USUAL_WEIGHTS = (0.90, 0.90 + 0.09, 1.0)
_FAULTY_WEIGHTS = (0.30, 0.30 + 0.20, 1.0)
"""Cumulative: a faulty sensor mostly raises alerts."""

_UUIDS_AT_ONCE = 256
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}


@dataclass(frozen=True, slots=True)
class Climate:
    """Air temperature, °C, and moisture of a region over time.

    ``waves`` are slow weather systems: (amplitude °C, period seconds, phase radians).
    """

    latitude: float
    longitude: float
    waves: tuple[tuple[float, float, float], ...]

    def at(self, timestamp: int) -> tuple[float, float]:
        """Temperature, and the logarithm of the vapour pressure, at an instant (epoch seconds)."""
        yearly = 2 * math.pi * (timestamp / _YEAR - _COLDEST_DAY_OF_YEAR / 365.2425)
        summer = -math.cos(yearly) * math.copysign(1, self.latitude)
        solar_hour = (timestamp % _DAY) / 3600 + self.longitude / 15
        daytime = math.cos(2 * math.pi * (solar_hour - _WARMEST_HOUR) / 24)
        weather = sum(
            amplitude * math.sin(2 * math.pi * timestamp / period + phase)
            for amplitude, period, phase in self.waves
        )
        swing = 4 + 1.5 * summer
        day_mean = 27.5 - 0.34 * abs(self.latitude) + 9.5 * summer + weather
        dew_point = day_mean - 3.5 - 0.3 * abs(weather)
        return day_mean + swing * daytime, _log_vapour_pressure(dew_point)


def _log_vapour_pressure(temperature: float) -> float:
    """Of saturated air at a temperature, °C, up to a constant: the Magnus formula."""
    return 17.625 * temperature / (243.04 + temperature)


@dataclass(frozen=True, slots=True)
class Sensor:
    """One sensor: its error of measurement, its cycle of states, and the JSON that never changes.

    ``cycle_ends`` are the seconds of the ``period`` at which each of ``cycle_statuses`` ends.
    ``json_before`` and ``json_between`` stand before and after the measurements in its events.
    """

    partition_key: str
    json_before: str
    json_between: str
    temperature_offset: float
    period: int
    phase: int
    cycle_ends: tuple[int, ...]
    cycle_statuses: tuple[str, ...]

    def status_at(self, timestamp: int) -> str:
        """The state that the sensor reports at an instant (epoch seconds)."""
        return self.cycle_statuses[bisect_right(self.cycle_ends, (timestamp + self.phase) % self.period)]


class Fleet:
    """Sensors that report in turn.

    A fleet larger than the grid puts several sensors at a point.

    Raises:
        ValueError: ``sensors`` is not positive.
    """

    def __init__(self, seed: int, sensors: int = GRID.size, grid: Grid = GRID) -> None:
        if sensors < 1:
            raise ValueError(f"a fleet needs at least one sensor, not {sensors}")
        self._faker: Generator = Factory.create("en_US", providers=[])
        self._faker.seed_instance(seed)
        self._random: random.Random = self._faker.random
        nature = random.Random("nature")  # noqa: S311 - a simulation, not a secret
        climate = Climate(
            latitude=grid.centre_latitude,
            longitude=grid.centre_longitude,
            waves=tuple(
                (amplitude, days * _DAY, nature.uniform(0, 2 * math.pi))
                for amplitude, days in ((2.5, 9.3), (1.5, 3.7), (0.8, 1.6))
            ),
        )
        self._climate_at = lru_cache(maxsize=4096)(climate.at)
        self.sensors = tuple(_make_sensor(number, grid, nature) for number in range(sensors))
        self._uuids = random_uuids(self._random)
        self._next = 0

    def record(self, timestamp: int, disorder: Disorder | None = None) -> Record:
        """The next sensor's report, as measured at ``timestamp`` (epoch seconds)."""
        draw = self._random.random
        sensor = self.sensors[self._next]
        self._next = (self._next + 1) % len(self.sensors)
        status = sensor.status_at(timestamp)
        regional, moisture = self._climate_at(timestamp)
        noise = draw() - 0.5
        temperature = round(regional + sensor.temperature_offset + 0.4 * noise, 2)
        saturation = math.exp(moisture - _log_vapour_pressure(temperature))
        humidity = round(min(100 * saturation + 2 * noise, HUMIDITY_MAX), 1)
        temperature_json, humidity_json, weights = repr(temperature), repr(humidity), _USUAL_WEIGHTS
        if status == FAULTY:
            weights = _FAULTY_WEIGHTS
            if draw() < _MISSING_WHEN_FAULTY:
                temperature_json = "null"
            if draw() < _MISSING_WHEN_FAULTY:
                humidity_json = "null"
        event_type = _EVENT_TYPES[bisect_right(weights, draw())]
        uuid = next(self._uuids)
        # Canonical content (config.content), written out by hand: many times as fast.
        data = (
            f'{sensor.json_before}{temperature_json},"humidity":{humidity_json}{sensor.json_between}'
            f'{status}","event_type":"{event_type}","timestamp":{timestamp},"uuid":"{uuid}"}}'
        ).encode("ascii")
        return Record(data, sensor.partition_key, uuid, timestamp, content_hash(data), disorder)


def random_uuids(rng: random.Random) -> Iterator[str]:
    """Random UUIDs (version 4) of a seeded generator, ten times as fast as by way of ``uuid.UUID``."""
    while True:
        digits = rng.randbytes(16 * _UUIDS_AT_ONCE).hex()
        for i in range(0, len(digits), 32):
            yield (
                f"{digits[i : i + 8]}-{digits[i + 8 : i + 12]}-4{digits[i + 13 : i + 16]}"
                f"-{_VARIANT[digits[i + 16]]}{digits[i + 17 : i + 20]}-{digits[i + 20 : i + 32]}"
            )


def _make_sensor(number: int, grid: Grid, rng: random.Random) -> Sensor:
    latitude, longitude = grid.place(number % grid.size)
    period = rng.randrange(600, 7200)
    cycle: tuple[tuple[int, str], ...]
    character = rng.random()
    if character < _UNRELIABLE_SHARE:
        failing = int(period * rng.uniform(0.2, 0.5))
        cycle = ((failing, FAULTY), (failing + failing // 4, "maintenance"), (period, "active"))
    elif character < _UNRELIABLE_SHARE + _RESTING_SHARE:
        cycle = ((int(period * rng.uniform(0.1, 0.4)), "inactive"), (period, "active"))
    else:
        cycle = ((period, "active"),)
    return Sensor(
        partition_key=str(number),
        json_before=f'{{"sensor_id":{number},"temperature":',
        json_between=f',"location":{{"latitude":{latitude!r},"longitude":{longitude!r}}},"status":"',
        temperature_offset=rng.gauss(0, 0.7),
        period=period,
        phase=rng.randrange(period),
        cycle_ends=tuple(end for end, _ in cycle),
        cycle_statuses=tuple(status for _, status in cycle),
    )
