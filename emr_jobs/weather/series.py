"""The vocabulary of the extract: sensors, what is asked of which host, and one sensor's day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from config.days import DayRange
from config.grid import Grid, sensor_name
from config.weather import request_weight


class Source(StrEnum):
    """The host that a value came from."""

    ARCHIVE = "archive"
    FORECAST = "forecast"


@dataclass(frozen=True)
class Sensor:
    """A grid point: its name and where it stands, degrees."""

    name: str
    latitude: float
    longitude: float


def grid_sensors(grid: Grid) -> tuple[Sensor, ...]:
    """The grid's sensors in the order of their numbers."""
    return tuple(Sensor(sensor_name(number), *grid.place(number)) for number in range(grid.size))


@dataclass(frozen=True)
class Span:
    """Consecutive days of one sensor, both ends included. ``sensor`` is its number."""

    sensor: int
    start: date
    end: date

    @property
    def days(self) -> list[date]:
        """Every day of the span."""
        return DayRange(self.start, self.end).days

    @property
    def weight(self) -> float:
        """What it counts against the limits."""
        return request_weight((self.end - self.start).days + 1)


@dataclass(frozen=True)
class PlannedRequest:
    """One request: spans asked of one host, answered in this order."""

    source: Source
    spans: tuple[Span, ...]

    @property
    def weight(self) -> float:
        """What it counts against the limits."""
        return sum(span.weight for span in self.spans)

    @property
    def start(self) -> date:
        """Its first day."""
        return min(span.start for span in self.spans)

    @property
    def end(self) -> date:
        """Its last day."""
        return max(span.end for span in self.spans)

    def __str__(self) -> str:
        """For progress lines."""
        sensors = len({span.sensor for span in self.spans})
        return f"{self.source}, {sensors} sensors, {self.start} to {self.end}, weight {self.weight:.0f}"


@dataclass(frozen=True)
class DailyRecord:
    """One sensor's day as the service gave it: °C, °C, mm; None is missing."""

    temperature_max: float | None
    temperature_min: float | None
    precipitation: float | None
    source: Source

    @property
    def measures(self) -> tuple[float | None, float | None, float | None]:
        """The three measures in the order of ``DAILY_VARIABLES``."""
        return self.temperature_max, self.temperature_min, self.precipitation
