"""Format strings of date_format and format_datetime, as SQL; a specifier not listed is refused."""

from __future__ import annotations

import re

from local_stack.aws.athena.engine.errors import Position, not_supported
from local_stack.aws.athena.engine.types import text


def _strftime(specifier: str) -> str:
    return f"strftime(?, '{specifier}')"


_MYSQL = {
    "Y": _strftime("%Y"),
    "y": _strftime("%y"),
    "m": _strftime("%m"),
    "c": _strftime("%-m"),
    "d": _strftime("%d"),
    "e": _strftime("%-d"),
    "H": _strftime("%H"),
    "k": _strftime("%-H"),
    "h": _strftime("%I"),
    "I": _strftime("%I"),
    "l": _strftime("%-I"),
    "i": _strftime("%M"),
    "s": _strftime("%S"),
    "S": _strftime("%S"),
    "f": "substr(strftime(?, '%f'), 1, 3) || '000'",
    "p": _strftime("%p"),
    "T": _strftime("%H:%M:%S"),
    "r": _strftime("%I:%M:%S %p"),
    "a": _strftime("%a"),
    "W": _strftime("%A"),
    "b": _strftime("%b"),
    "M": _strftime("%B"),
    "j": _strftime("%j"),
    "v": _strftime("%V"),
    "x": _strftime("%G"),
    "%": "'%'",
}

_JAVA = {
    "yyyy": _strftime("%Y"),
    "YYYY": _strftime("%Y"),
    "yy": _strftime("%y"),
    "MM": _strftime("%m"),
    "M": _strftime("%-m"),
    "MMM": _strftime("%b"),
    "MMMM": _strftime("%B"),
    "dd": _strftime("%d"),
    "d": _strftime("%-d"),
    "HH": _strftime("%H"),
    "H": _strftime("%-H"),
    "hh": _strftime("%I"),
    "h": _strftime("%-I"),
    "mm": _strftime("%M"),
    "ss": _strftime("%S"),
    "SSS": "substr(strftime(?, '%f'), 1, 3)",
    "a": _strftime("%p"),
    "EEE": _strftime("%a"),
    "EEEE": _strftime("%A"),
    "DDD": _strftime("%j"),
}
_JAVA_TOKEN = re.compile(r"([A-Za-z])\1*|'(?:[^']|'')*'|[^A-Za-z']+")


def from_mysql_format(written: str, position: Position | None) -> list[str]:
    """SQL pieces to be joined, ``?`` standing for the timestamp.

    Raises:
        QueryError: NOT_SUPPORTED, naming the specifier.
    """
    pieces = []
    for literal, specifier in re.findall(r"([^%]+)|%(.?)", written, re.DOTALL):
        if literal:
            pieces.append(_literal(literal, position))
        elif specifier in _MYSQL:
            pieces.append(_MYSQL[specifier])
        else:
            raise not_supported(f"%{specifier} in date_format", position)
    return pieces


def from_java_pattern(written: str, position: Position | None) -> list[str]:
    """SQL pieces to be joined, ``?`` standing for the timestamp.

    Raises:
        QueryError: NOT_SUPPORTED, naming the letters.
    """
    pieces = []
    place = 0
    while place < len(written):
        match = _JAVA_TOKEN.match(written, place)
        piece = match.group() if match else written[place]
        if piece in _JAVA:
            pieces.append(_JAVA[piece])
        elif piece == "''":
            pieces.append(_literal("'", position))
        elif len(piece) > 1 and piece[0] == "'" == piece[-1]:
            pieces.append(_literal(piece[1:-1].replace("''", "'"), position))
        elif piece[0].isalpha() or piece[0] == "'":
            raise not_supported(f"{piece} in format_datetime", position)
        else:
            pieces.append(_literal(piece, position))
        place += len(piece)
    return pieces


def _literal(written: str, position: Position | None) -> str:
    if "?" in written:
        raise not_supported("? in a date format", position)
    return text(written)
