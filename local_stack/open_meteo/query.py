"""A request's parameters, parsed and refused as the service does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from starlette.datastructures import QueryParams

from config.weather import DAILY_VARIABLES, FORECAST_PAST_DAYS, RequestLimits, request_weight

Endpoint = Literal["archive", "forecast"]

_ARCHIVE_START = date(1940, 1, 1)
_FORECAST_DAYS = 16
_KNOWN = {
    "latitude",
    "longitude",
    "daily",
    "start_date",
    "end_date",
    "timezone",
    "past_days",
    "forecast_days",
    "apikey",
}


class RefusedError(Exception):
    """An error body: ``{"error": true, "reason": ...}`` with its HTTP status."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Location:
    """A requested place and its days, both ends included."""

    latitude: float
    longitude: float
    start: date
    end: date

    @property
    def days(self) -> list[date]:
        """Every day of the interval."""
        return [self.start + timedelta(days=n) for n in range((self.end - self.start).days + 1)]


@dataclass(frozen=True)
class Query:
    """A request that the service would answer."""

    endpoint: Endpoint
    locations: tuple[Location, ...]
    variables: tuple[str, ...]

    @property
    def weight(self) -> float:
        """What it counts against the limits."""
        return sum(request_weight(len(place.days), len(self.variables)) for place in self.locations)


def parse_query(endpoint: Endpoint, params: QueryParams, today: date, limits: RequestLimits) -> Query:
    """Read and check the parameters.

    Raises:
        RefusedError: 400 in the service's own words; 501 for what the stand-in does not speak.
    """
    unknown = sorted(set(params.keys()) - _KNOWN)
    if unknown:
        raise RefusedError(501, f"The stand-in does not speak the parameter {', '.join(unknown)}")
    latitudes = _numbers(params, "latitude")
    longitudes = _numbers(params, "longitude")
    if len(latitudes) != len(longitudes):
        raise RefusedError(400, "Parameter 'latitude' and 'longitude' must have the same number of elements")
    _check_coordinates(latitudes, longitudes)
    variables = _variables(params)
    if params.get("timezone", "GMT") not in ("GMT", "UTC"):
        raise RefusedError(501, "The stand-in speaks timezone=GMT only")
    intervals = _intervals(endpoint, params, today, len(latitudes))
    if len(latitudes) > limits.locations_per_request:
        reason = f"Only up to {limits.locations_per_request} locations can be requested at once"
        raise RefusedError(400, reason)
    locations = tuple(
        Location(latitude, longitude, *interval)
        for latitude, longitude, interval in zip(latitudes, longitudes, intervals, strict=True)
    )
    query = Query(endpoint, locations, variables)
    if query.weight > limits.weight_per_request:
        raise RefusedError(
            400,
            "Your API call requests too much data. Please reduce the number of variables, "
            "locations and/or weather models.",
        )
    return query


def _values(params: QueryParams, name: str) -> list[str]:
    return [part for value in params.getlist(name) for part in value.split(",") if part]


def _numbers(params: QueryParams, name: str) -> list[float]:
    values = _values(params, name)
    if not values:
        raise RefusedError(400, f"Parameter '{name}' is required")
    try:
        return [float(value) for value in values]
    except ValueError:
        raise RefusedError(400, f"Data corrupted at path '{name}'. Expected a number.") from None


def _check_coordinates(latitudes: list[float], longitudes: list[float]) -> None:
    for latitude in latitudes:
        if not -90 <= latitude <= 90:
            raise RefusedError(400, f"Latitude must be in range of -90 to 90°. Given: {latitude}.")
    for longitude in longitudes:
        if not -180 <= longitude <= 180:
            raise RefusedError(400, f"Longitude must be in range of -180 to 180°. Given: {longitude}.")


def _variables(params: QueryParams) -> tuple[str, ...]:
    variables = tuple(_values(params, "daily"))
    for name in variables:
        if name not in DAILY_VARIABLES:
            raise RefusedError(
                400,
                "Data corrupted at path ''. Cannot initialize ForecastVariableDaily "
                f"from invalid String value {name}.",
            )
    if not variables:
        raise RefusedError(400, "Parameter 'daily' is required")
    return variables


def _intervals(endpoint: Endpoint, params: QueryParams, today: date, places: int) -> list[tuple[date, date]]:
    starts = _dates(params, "start_date")
    ends = _dates(params, "end_date")
    relative = [name for name in ("past_days", "forecast_days") if name in params]
    if starts and relative:
        raise RefusedError(
            400, f"Parameter '{relative[0]}' is mutually exclusive with 'start_date' and 'end_date'"
        )
    if bool(starts) != bool(ends) or (endpoint == "archive" and not starts):
        raise RefusedError(400, "Both 'start_date' and 'end_date' must be set in the url")
    if not starts:
        past = _count(params, "past_days", 0, 0, FORECAST_PAST_DAYS)
        ahead = _count(params, "forecast_days", 7, 0, _FORECAST_DAYS)
        return [(today - timedelta(days=past), today + timedelta(days=max(ahead, 1) - 1))] * places
    if len(starts) != len(ends):
        raise RefusedError(400, "Parameter 'start_date' and 'end_date' must have the same number of elements")
    if len(starts) not in (1, places):
        raise RefusedError(
            400,
            "Parameter 'start_date' and 'end_date' must have the same number of elements as coordinates",
        )
    intervals = list(zip(starts, ends, strict=True))
    for start, end in intervals:
        _check_interval(endpoint, start, end, today)
    return intervals * places if len(intervals) == 1 else intervals


def _check_interval(endpoint: Endpoint, start: date, end: date, today: date) -> None:
    if end < start:
        raise RefusedError(400, "End-date must be larger or equals than start-date")
    if endpoint == "archive":
        first, last = _ARCHIVE_START, today
    else:
        first = today - timedelta(days=FORECAST_PAST_DAYS)
        last = today + timedelta(days=_FORECAST_DAYS - 1)
    for name, value in (("start_date", start), ("end_date", end)):
        if not first <= value <= last:
            raise RefusedError(400, f"Parameter '{name}' is out of allowed range from {first} to {last}")


def _dates(params: QueryParams, name: str) -> list[date]:
    try:
        return [date.fromisoformat(value) for value in _values(params, name)]
    except ValueError:
        raise RefusedError(400, f"Invalid date format for parameter '{name}'. Use 'YYYY-MM-DD'.") from None


def _count(params: QueryParams, name: str, default: int, low: int, high: int) -> int:
    try:
        value = int(params.get(name, default))
    except ValueError:
        raise RefusedError(400, f"Data corrupted at path '{name}'. Expected an integer.") from None
    if not low <= value <= high:
        label = name.replace("_", " ").capitalize()
        raise RefusedError(400, f"{label} is invalid. Allowed range {low} to {high}. Given {value}.")
    return value
