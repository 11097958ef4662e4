"""Tells the JSON values that Arrow's reader takes for a column exactly as they are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from local_stack.aws.firehose.hive_types import HiveType

Fits = Callable[[Any], bool]

INTEGER_BITS = {"tinyint": 8, "smallint": 16, "int": 32, "integer": 32, "bigint": 64}

_SCALARS = frozenset({*INTEGER_BITS, "float", "double", "boolean", "string"})


def is_vectorised(hive_type: HiveType) -> bool:
    """Whether Arrow's reader reads values of the type as the deserializer does."""
    if hive_type.name in ("struct", "array"):
        return all(is_vectorised(inner) for _, inner in hive_type.fields)
    return hive_type.name in _SCALARS


def compile_fit(hive_type: HiveType) -> Fits:
    """The check of a value that is not null, for a vectorised type.

    It is never true of what would need interpreting: text for a number, a number out of range, a
    member whose name differs from a column's in case only. Unknown members are no obstacle.
    """
    match hive_type.name:
        case "struct":
            return _struct({name: compile_fit(inner) for name, inner in hive_type.fields})
        case "array":
            return _array(compile_fit(hive_type.fields[0][1]))
        case "string":
            return lambda value: type(value) is str
        case "boolean":
            return lambda value: type(value) is bool
        case "float" | "double":
            return _is_finite
        case _:
            limit = 1 << (INTEGER_BITS[hive_type.name] - 1)
            allowed = range(-limit, limit)
            return lambda value: type(value) is int and value in allowed


def _struct(members: dict[str, Fits]) -> Fits:
    def fits(value: Any) -> bool:
        if type(value) is not dict:
            return False
        for name, member in value.items():
            check = members.get(name)
            if check is None:
                if name.lower() in members:
                    return False
            elif member is not None and not check(member):
                return False
        return True

    return fits


def _array(item: Fits) -> Fits:
    return lambda value: type(value) is list and all(e is None or item(e) for e in value)


def _is_finite(value: Any) -> bool:
    return type(value) in (float, int) and -sys.float_info.max <= value <= sys.float_info.max
