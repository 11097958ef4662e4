"""Partition projection: which partition values Athena looks for, by the table's properties."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from local_stack.aws.athena.engine.errors import QueryError, not_supported

_UNITS = {
    "YEARS": None,
    "MONTHS": None,
    "WEEKS": 7 * 86400,
    "DAYS": 86400,
    "HOURS": 3600,
    "MINUTES": 60,
    "SECONDS": 1,
}
_NOW = re.compile(r"NOW(?:\s*([+-])\s*(\d+)\s*([A-Z]+))?")
_JAVA = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}

Accepts = Callable[[str], bool]


def is_enabled(parameters: Mapping[str, str]) -> bool:
    """Whether the table's partitions are projected."""
    return parameters.get("projection.enabled", "").lower() == "true"


def location_pattern(template: str, keys: tuple[str, ...]) -> tuple[str, re.Pattern[str]]:
    """The part of a location template before its first variable, and a pattern of whole locations."""
    parts = re.split(r"(\$\{[^}]+\})", template.rstrip("/") + "/")
    pattern = ""
    for part in parts:
        name = part[2:-1].lower() if part.startswith("${") else ""
        pattern += f"(?P<{name}>[^/]+)" if name in keys else re.escape(part)
    return parts[0], re.compile(pattern)


def accepted_values(parameters: Mapping[str, str], key: str, now: datetime) -> Accepts:
    """A test of whether a value of a partition key is projected.

    Raises:
        QueryError: INVALID_TABLE_PROPERTY where the properties are incomplete or of an unknown kind.
    """

    def read(name: str, default: str | None = None) -> str:
        value = parameters.get(f"projection.{key}.{name}", default)
        if value is None:
            message = f"projection.{key}.{name} is not set for the partition column {key}"
            raise QueryError("INVALID_TABLE_PROPERTY", message)
        return value

    kind = read("type").lower()
    if kind == "injected":
        return lambda _value: True
    if kind == "enum":
        values = {value.strip() for value in read("values").split(",")}
        return values.__contains__
    if kind == "integer":
        low, high = (int(end) for end in read("range").split(","))
        interval, digits = int(read("interval", "1")), int(read("digits", "0"))
        return lambda value: _is_projected_integer(value, low, high, interval, digits)
    if kind == "date":
        return _dates(read("range"), read("format"), parameters, key, now)
    raise QueryError(
        "INVALID_TABLE_PROPERTY", f"Unknown projection type {kind} of the partition column {key}"
    )


def _is_projected_integer(value: str, low: int, high: int, interval: int, digits: int) -> bool:
    if not re.fullmatch(r"-?\d+", value):
        return False
    number = int(value)
    written = f"{number:0{digits}d}" if digits else str(number)
    return low <= number <= high and (number - low) % interval == 0 and value == written


def _dates(span: str, java_format: str, parameters: Mapping[str, str], key: str, now: datetime) -> Accepts:
    format_ = _python_format(java_format, key)
    unit = parameters.get(f"projection.{key}.interval.unit", "DAYS").upper()
    interval = parameters.get(f"projection.{key}.interval", "1")
    if interval != "1" or unit not in _UNITS:
        raise not_supported(f"an interval of {interval} {unit} of the partition column {key}")
    low, high = (_moment(end.strip(), format_, now, key) for end in span.split(","))

    def accepts(value: str) -> bool:
        try:
            moment = datetime.strptime(value, format_).replace(tzinfo=UTC)
        except ValueError:
            return False
        return _written(low, format_) <= moment <= high and moment.strftime(format_) == value

    return accepts


def _written(moment: datetime, format_: str) -> datetime:
    """A moment cut to what its format shows: the first partition is the one that holds it."""
    return datetime.strptime(moment.strftime(format_), format_).replace(tzinfo=UTC)


def _python_format(java_format: str, key: str) -> str:
    converted = re.sub(r"[A-Za-z]+", lambda match: _JAVA.get(match.group(), "%"), java_format)
    if re.search(r"%(?![YmdHMS])", converted):
        raise not_supported(f"the date format {java_format} of the partition column {key}")
    return converted


def _moment(written: str, format_: str, now: datetime, key: str) -> datetime:
    match = _NOW.fullmatch(written)
    if not match:
        return datetime.strptime(written, format_).replace(tzinfo=UTC)
    sign, amount, unit = match.groups()
    if amount is None:
        return now
    seconds = _UNITS.get(unit)
    if seconds is None:
        raise not_supported(f"the range {written} of the partition column {key}")
    delta = timedelta(seconds=seconds * int(amount))
    return now + delta if sign == "+" else now - delta
