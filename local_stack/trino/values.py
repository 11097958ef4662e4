"""Trino's types and values, as its protocol has them, in the words of Athena's results."""

from __future__ import annotations

import base64
from typing import Any

from sqlglot import exp

from local_stack.aws.athena.engine import types
from local_stack.aws.athena.engine.syntax import AthenaSql
from local_stack.aws.athena.engine.typenames import type_of
from local_stack.aws.athena.engine.types import Kind, SqlType
from local_stack.aws.athena.engine.values import java_double

_UNPARSED = {str(type_): type_ for type_ in (types.UNKNOWN, types.DAY_INTERVAL, types.YEAR_INTERVAL)}


def sql_type(written: str) -> SqlType:
    """A column's type.

    Raises:
        QueryError: NOT_SUPPORTED, naming a type that Athena's results have not (``time``, ``json``, ...).

    >>> str(sql_type("array(timestamp(6) with time zone)"))
    'array(timestamp(6) with time zone)'
    """
    return _UNPARSED.get(written) or type_of(exp.DataType.build(written, dialect=AthenaSql), None)


def as_text(type_: SqlType, value: Any) -> str | None:
    """A value as Athena writes it; None is NULL.

    >>> as_text(types.array(types.DOUBLE), [1e10, None])
    '[1.0E10, null]'
    """
    return None if value is None else _text(type_, value)


def _text(type_: SqlType, value: Any) -> str:
    if value is None:
        return "null"
    match type_.kind:
        case Kind.BOOLEAN:
            return "true" if value else "false"
        case Kind.DOUBLE | Kind.REAL:
            return java_double(repr(float(value)))
        case Kind.VARBINARY:
            return base64.b64decode(value).hex(" ")
        case Kind.ARRAY:
            return f"[{', '.join(_text(type_.items[0], item) for item in value)}]"
        case Kind.MAP:
            key_type, item_type = type_.items
            pairs = (f"{_text(key_type, key)}={_text(item_type, item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case Kind.ROW:
            fields = zip(type_.field_names, type_.items, value, strict=True)
            return (
                "{" + ", ".join(f"{name}={_text(item_type, item)}" for name, item_type, item in fields) + "}"
            )
    return str(value)
