"""From an answer's bytes to records, joined by position; anything unexpected is refused whole."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any, NoReturn

from config.weather import DAILY_VARIABLES
from emr_jobs.weather.series import DailyRecord, PlannedRequest, Source, Span

_UNITS = {"temperature_2m_max": "°C", "temperature_2m_min": "°C", "precipitation_sum": "mm"}
_SHOWN = 80

Records = dict[date, dict[int, DailyRecord]]
"""Records by day and sensor number."""


class MalformedAnswerError(RuntimeError):
    """An answer with status 200 that is not what was asked for: cut off, HTML, arrays that do not fit."""


def parse_answer(request: PlannedRequest, body: bytes) -> Records:
    """The records of an answer: one location per span of the request, in the same order.

    Coordinates in the answer are the weather model's own and are not looked at.

    Raises:
        MalformedAnswerError: the body is not JSON, or locations, days, arrays, units or values do
            not fit the request.
    """
    locations = _locations(body)
    if len(locations) != len(request.spans):
        raise MalformedAnswerError(f"{len(locations)} locations instead of {len(request.spans)}")
    records: Records = {}
    for position, (span, location) in enumerate(zip(request.spans, locations, strict=True)):
        for day, record in _records(position, span, location, request.source):
            records.setdefault(day, {})[span.sensor] = record
    return records


def _locations(body: bytes) -> list[Any]:
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        start = body[:_SHOWN].decode("utf-8", errors="replace")
        raise MalformedAnswerError(f"not JSON, {len(body)} bytes beginning with {start!r}") from None
    if isinstance(content, dict) and content.get("error"):
        raise MalformedAnswerError(f"an error with status 200: {content.get('reason')}")
    return content if isinstance(content, list) else [content]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _records(position: int, span: Span, location: Any, source: Source) -> list[tuple[date, DailyRecord]]:
    where = f"location {position}"
    if not isinstance(location, dict) or location.get("location_id", 0) != position:
        raise MalformedAnswerError(f"{where} is not where it belongs")
    daily, units = location.get("daily"), location.get("daily_units")
    if not isinstance(daily, dict) or not isinstance(units, dict):
        raise MalformedAnswerError(f"{where} has no daily values")
    days = span.days
    if daily.get("time") != [day.isoformat() for day in days]:
        raise MalformedAnswerError(f"{where} has other days than {span.start} to {span.end}")
    highest, lowest, rain = (_values(where, name, daily, units, len(days)) for name in DAILY_VARIABLES)
    return [
        (day, DailyRecord(*measures, source=source))
        for day, measures in zip(days, zip(highest, lowest, rain, strict=True), strict=True)
    ]


def _values(where: str, name: str, daily: dict[str, Any], units: dict[str, Any], count: int) -> list[Any]:
    values = daily.get(name)
    if not isinstance(values, list):
        raise MalformedAnswerError(f"{where} has no array {name}")
    if len(values) != count:
        raise MalformedAnswerError(f"{where} has {len(values)} values of {name} for {count} days")
    if units.get(name) != _UNITS[name]:
        raise MalformedAnswerError(f"{where} has {name} in {units.get(name)} instead of {_UNITS[name]}")
    return [None if value is None else _number(where, name, value) for value in values]


def _number(where: str, name: str, value: Any) -> float:
    try:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise MalformedAnswerError(f"{where} has {value!r} as {name}")
    return number
