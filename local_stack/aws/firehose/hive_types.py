"""Hive's type language, as Glue tables write it, and its Arrow counterparts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

import pyarrow as pa


class SchemaError(ValueError):
    """The table's columns cannot be used for a conversion."""


@dataclass(frozen=True)
class HiveType:
    """A parsed type.

    ``name`` is lower case. ``fields`` are the (name, type) pairs of a struct, ("item", type) of an
    array, ("key", type) and ("value", type) of a map; ``parameters`` the numbers of a decimal,
    char or varchar.
    """

    name: str
    fields: tuple[tuple[str, HiveType], ...] = ()
    parameters: tuple[int, ...] = ()

    @property
    def arrow(self) -> pa.DataType:
        """The type of the Parquet column."""
        types = [field_type.arrow for _, field_type in self.fields]
        match self.name:
            case "struct":
                return pa.struct([(name, kind) for (name, _), kind in zip(self.fields, types, strict=True)])
            case "array":
                return pa.list_(types[0])
            case "map":
                return pa.map_(types[0], types[1])
            case "decimal":
                return pa.decimal128(*self.parameters)
            case _:
                return _PRIMITIVES[self.name]


_PRIMITIVES: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "char": pa.string(),
    "varchar": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
}

_TOKEN = re.compile(r"\s*([A-Za-z0-9_$.\- ]*[A-Za-z0-9_$.\-]|[<>(),:])")

_DEFAULT_DECIMAL = (10, 0)


def parse_type(text: str) -> HiveType:
    """Parse a type such as ``struct<latitude:double,tags:array<string>>``.

    Raises:
        SchemaError: it is none of Hive's types.

    >>> parse_type("array<decimal(10,2)>").arrow
    ListType(list<item: decimal128(10, 2)>)
    """
    tokens = [token.strip() for token in _TOKEN.findall(text)]
    if "".join(tokens) != re.sub(r"\s+", "", text) or not tokens:
        raise SchemaError(f"Cannot read the type {text!r}")
    tokens.reverse()  # a stack: the next token is the last
    parsed = _parse(tokens, text)
    if tokens:
        raise SchemaError(f"Cannot read the type {text!r} after {parsed.name}")
    return parsed


def _parse(tokens: list[str], text: str) -> HiveType:
    name = _take(tokens, text).lower()
    match name:
        case "array":
            (item,) = _parse_list(tokens, text, 1)
            return HiveType(name, (("item", item),))
        case "map":
            key, value = _parse_list(tokens, text, 2)
            return HiveType(name, (("key", key), ("value", value)))
        case "struct":
            return HiveType(name, tuple(_parse_fields(tokens, text)))
        case "decimal":
            return HiveType(name, parameters=_parse_numbers(tokens, text) or _DEFAULT_DECIMAL)
        case "char" | "varchar":
            return HiveType(name, parameters=_parse_numbers(tokens, text))
        case _ if name in _PRIMITIVES:
            return HiveType(name)
    raise SchemaError(f"The type {name!r} of {text!r} is not supported")


def _parse_list(tokens: list[str], text: str, count: int) -> list[HiveType]:
    _expect(tokens, "<", text)
    types = [_parse(tokens, text)]
    for _ in range(count - 1):
        _expect(tokens, ",", text)
        types.append(_parse(tokens, text))
    _expect(tokens, ">", text)
    return types


def _parse_fields(tokens: list[str], text: str) -> list[tuple[str, HiveType]]:
    _expect(tokens, "<", text)
    fields = []
    while True:
        name = _take(tokens, text).lower()
        _expect(tokens, ":", text)
        fields.append((name, _parse(tokens, text)))
        separator = _take(tokens, text)
        if separator == ">":
            return fields
        if separator != ",":
            raise SchemaError(f"Cannot read the type {text!r} at {separator!r}")


def _parse_numbers(tokens: list[str], text: str) -> tuple[int, ...]:
    if not tokens or tokens[-1] != "(":
        return ()
    _take(tokens, text)
    numbers: list[int] = []
    while (read := _take(tokens, text)) != ")":
        if read != ",":
            numbers.append(int(read) if read.isdecimal() else _fail(text))
    return tuple(numbers)


def _take(tokens: list[str], text: str) -> str:
    return tokens.pop() if tokens else _fail(text)


def _expect(tokens: list[str], wanted: str, text: str) -> None:
    if _take(tokens, text) != wanted:
        _fail(text)


def _fail(text: str) -> NoReturn:
    raise SchemaError(f"Cannot read the type {text!r}")
