"""Answers in the service's shape: an object for one location, an array for many."""

from __future__ import annotations

from datetime import date
from typing import Any

from local_stack.open_meteo.query import Location, Query
from local_stack.open_meteo.weather_model import WeatherModel

_UNITS = {"temperature_2m_max": "°C", "temperature_2m_min": "°C", "precipitation_sum": "mm"}
_FIELDS = {
    "temperature_2m_max": "temperature_max",
    "temperature_2m_min": "temperature_min",
    "precipitation_sum": "precipitation",
}
_CELL = {"archive": 0.1, "forecast": 0.02}
"""Spacing of the models' own grids, degrees: answers carry the cell's coordinates, not the request's."""


def answer(query: Query, model: WeatherModel, archive_end: date) -> list[dict[str, Any]]:
    """One object per location, in the order of the request.

    The archive knows days up to ``archive_end``; later ones are null there.
    """
    return [
        _location(query, number, place, model, archive_end) for number, place in enumerate(query.locations)
    ]


def _location(
    query: Query, number: int, place: Location, model: WeatherModel, archive_end: date
) -> dict[str, Any]:
    daily: dict[str, list[Any]] = {"time": [day.isoformat() for day in place.days]}
    daily.update({name: [] for name in query.variables})
    of_day = model.observed if query.endpoint == "archive" else model.forecast
    for day in place.days:
        known = query.endpoint == "forecast" or day <= archive_end
        weather = of_day(place.latitude, place.longitude, day) if known else None
        for name in query.variables:
            daily[name].append(None if weather is None else getattr(weather, _FIELDS[name]))
    cell = _CELL[query.endpoint]
    answered: dict[str, Any] = {
        "latitude": round(round(place.latitude / cell) * cell, 6),
        "longitude": round(round(place.longitude / cell) * cell, 6),
        "generationtime_ms": 0.1,
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "timezone_abbreviation": "GMT",
        "elevation": 38.0,
        "daily_units": {"time": "iso8601", **{name: _UNITS[name] for name in query.variables}},
        "daily": daily,
    }
    if number:
        answered["location_id"] = number
    return answered
