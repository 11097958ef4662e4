"""One JSON value to one Hive value, by the rules of Firehose's OpenX deserializer.

Numbers and booleans become text in a text column, as do objects and arrays; text that reads as a
number becomes one in a numeric column (Java's ``parseDouble``: "NaN" and "Infinity" do too); keys
match whatever their case; unknown members are dropped and missing ones null. What is left is
malformed: a fraction in an integer column, a number out of range, anything but an object in a
struct or map, anything but an array in an array.

The Hive deserializer differs in one thing that matters here: text is not a number.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from local_stack.aws.firehose.fitting import INTEGER_BITS
from local_stack.aws.firehose.hive_types import HiveType

Coerce = Callable[[Any], Any]

_JAVA_NUMBER = re.compile(r"[+-]?(NaN|Infinity|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)[dDfF]?")

_EPOCH = datetime(1970, 1, 1)

_FIRST_EPOCH_MILLISECOND = 10**12
"""Numbers from here on are milliseconds, below seconds: 13 digits, as the OpenX deserializer decides."""


class MalformedValueError(ValueError):
    """A value that does not fit its column."""


def compile_coercion(hive_type: HiveType, *, text_is_number: bool = True) -> Coerce:
    """The function that turns a JSON value into what pyarrow takes for the type; null stays null.

    The function raises MalformedValueError for a value that does not fit.
    """

    def nested(inner: HiveType) -> Coerce:
        return compile_coercion(inner, text_is_number=text_is_number)

    coerce: Coerce
    match hive_type.name:
        case "struct":
            coerce = _struct([(name, nested(inner)) for name, inner in hive_type.fields])
        case "array":
            coerce = _array(nested(hive_type.fields[0][1]))
        case "map":
            coerce = _map(nested(hive_type.fields[0][1]), nested(hive_type.fields[1][1]))
        case "string":
            coerce = _text
        case "char" | "varchar":
            coerce = _text_up_to(hive_type.parameters[0] if hive_type.parameters else None)
        case "boolean":
            coerce = _boolean
        case "float" | "double":
            coerce = _floating(text_is_number)
        case "decimal":
            coerce = _decimal(*hive_type.parameters, text_is_number=text_is_number)
        case "date":
            coerce = _date
        case "timestamp":
            coerce = _timestamp
        case "binary":
            coerce = _binary
        case _:
            coerce = _integer(INTEGER_BITS[hive_type.name], text_is_number)
    return lambda value: None if value is None else coerce(value)


def _refuse(value: Any, wanted: str) -> MalformedValueError:
    shown = json.dumps(value, default=str)[:80]
    return MalformedValueError(f"Data does not match the schema. {shown} is not {wanted}")


def _struct(fields: list[tuple[str, Coerce]]) -> Coerce:
    def coerce(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _refuse(value, "an object")
        members = {name.lower(): member for name, member in value.items()}
        return {name: inner(members.get(name)) for name, inner in fields}

    return coerce


def _array(item: Coerce) -> Coerce:
    def coerce(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _refuse(value, "an array")
        return [item(element) for element in value]

    return coerce


def _map(key: Coerce, item: Coerce) -> Coerce:
    def coerce(value: Any) -> list[tuple[Any, Any]]:
        if not isinstance(value, dict):
            raise _refuse(value, "an object")
        return [(key(name), item(member)) for name, member in value.items()]

    return coerce


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    if value.isascii():
        return value
    # Half a surrogate pair has no UTF-8: Java writes a question mark.
    return value.encode("utf-8", "replace").decode()


def _text_up_to(length: int | None) -> Coerce:
    return lambda value: _text(value)[:length]


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise _refuse(value, "a boolean")


def _number(value: Any, text_is_number: bool) -> int | float | Decimal:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value
    if text_is_number and isinstance(value, str) and (match := _JAVA_NUMBER.fullmatch(value.strip())):
        return float(match[0].rstrip("dDfF")) if "Infinity" not in match[0] else float(match[0])
    raise _refuse(value, "a number")


def _floating(text_is_number: bool) -> Coerce:
    return lambda value: float(_number(value, text_is_number))


def _integer(bits: int, text_is_number: bool) -> Coerce:
    allowed = range(-(1 << (bits - 1)), 1 << (bits - 1))

    def coerce(value: Any) -> int:
        if text_is_number and isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,40}", value.strip()):
            number: int | float | Decimal = int(value)
        else:
            number = _number(value, text_is_number)
        whole = int(number) if math.isfinite(number) else None
        if whole is None or whole != number:
            raise _refuse(value, "a whole number")
        if whole not in allowed:
            raise _refuse(value, f"within {bits} bits")
        return whole

    return coerce


def _decimal(precision: int, scale: int = 0, *, text_is_number: bool) -> Coerce:
    def coerce(value: Any) -> Decimal:
        _number(value, text_is_number)
        try:
            number = Decimal(str(value).strip()).quantize(Decimal(1).scaleb(-scale))
        except InvalidOperation as error:
            raise _refuse(value, f"a decimal({precision},{scale})") from error
        if len(number.as_tuple().digits) > precision:
            raise _refuse(value, f"a decimal({precision},{scale})")
        return number

    return coerce


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise _refuse(value, "a date yyyy-MM-dd") from error


def _timestamp(value: Any) -> datetime:
    try:
        if isinstance(value, str) and not _JAVA_NUMBER.fullmatch(value):
            parsed = datetime.fromisoformat(value.strip())
            return parsed.astimezone(UTC).replace(tzinfo=None) if parsed.tzinfo else parsed
        number = float(_number(value, text_is_number=True))
        milliseconds = number if abs(number) >= _FIRST_EPOCH_MILLISECOND else number * 1000
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (ValueError, OverflowError) as error:
        raise _refuse(value, "a timestamp") from error


def _binary(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise _refuse(value, "base64") from error
