"""Plausible weather as a pure function of seed, place and date.

A climate by latitude and season, and on it a sum of travelling waves as long and as slow as
pressure systems: so neighbours and successive days resemble each other.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import date

_KM_PER_DEGREE = 111.2
_YEAR = 365.25
_WARMEST_DAY = 201
"""Day of the year, in the northern hemisphere."""


@dataclass(frozen=True)
class DailyWeather:
    """One day at one place: temperatures in °C and precipitation in mm."""

    temperature_max: float
    temperature_min: float
    precipitation: float


@dataclass(frozen=True)
class _Wave:
    amplitude: float
    east: float
    north: float
    frequency: float
    phase: float

    def at(self, x: float, y: float, day: int) -> float:
        return self.amplitude * math.cos(self.east * x + self.north * y + self.frequency * day + self.phase)


class _Field:
    """A smooth random field over place (km) and day, standard deviation about 1."""

    def __init__(self, seed: str, *, shortest_km: float, longest_km: float, waves: int = 12) -> None:
        source = random.Random(seed)  # noqa: S311 - weather, not a secret
        self._waves = []
        for _ in range(waves):
            wavelength = math.exp(source.uniform(math.log(shortest_km), math.log(longest_km)))
            direction = source.uniform(0, math.tau)
            self._waves.append(
                _Wave(
                    amplitude=math.sqrt(2 / waves),
                    east=math.tau / wavelength * math.cos(direction),
                    north=math.tau / wavelength * math.sin(direction),
                    frequency=math.tau / source.uniform(2.5, 16.0),
                    phase=source.uniform(0, math.tau),
                )
            )

    def at(self, x: float, y: float, day: int) -> float:
        return sum(wave.at(x, y, day) for wave in self._waves)


class WeatherModel:
    """The weather of one seed. Equal seeds give equal weather on every machine."""

    def __init__(self, seed: int) -> None:
        self._systems = _Field(f"{seed}/temperature", shortest_km=600, longest_km=4000)
        self._moisture = _Field(f"{seed}/moisture", shortest_km=300, longest_km=2000)
        self._local = _Field(f"{seed}/local", shortest_km=30, longest_km=120)
        self._error = _Field(f"{seed}/forecast", shortest_km=200, longest_km=800)

    def observed(self, latitude: float, longitude: float, day: date) -> DailyWeather:
        """What the archive knows of a day, rounded as the service does (one decimal)."""
        return self._day(latitude, longitude, day, error=0.0)

    def forecast(self, latitude: float, longitude: float, day: date) -> DailyWeather:
        """What a forecast says of the same day: close to the truth, seldom equal to it."""
        x, y = _kilometres(latitude, longitude)
        return self._day(latitude, longitude, day, error=self._error.at(x, y, day.toordinal()))

    def _day(self, latitude: float, longitude: float, day: date, error: float) -> DailyWeather:
        x, y = _kilometres(latitude, longitude)
        number = day.toordinal()
        season = math.cos(math.tau * (day.timetuple().tm_yday - _WARMEST_DAY) / _YEAR)
        climate = 28.0 - 0.0068 * latitude**2 + 0.2 * latitude * season
        systems = self._systems.at(x, y, number)
        moisture = self._moisture.at(x, y, number) + 0.2 * error
        local = self._local.at(x, y, number)
        mean = climate + 3.5 * systems + 0.4 * local + 0.5 * error
        swing = max(1.0, 4.5 + 1.5 * season * math.copysign(1, latitude) - 1.2 * moisture + 0.3 * local)
        rain = max(0.0, moisture + 0.25 * local - 0.4)
        return DailyWeather(
            temperature_max=_tenths(mean + swing),
            temperature_min=_tenths(mean - swing),
            precipitation=_tenths(4.0 * rain**1.8),
        )


def _kilometres(latitude: float, longitude: float) -> tuple[float, float]:
    return longitude * _KM_PER_DEGREE * math.cos(math.radians(latitude)), latitude * _KM_PER_DEGREE


def _tenths(value: float) -> float:
    return round(value, 1) + 0.0
