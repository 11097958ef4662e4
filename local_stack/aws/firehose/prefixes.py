"""Names of the objects that Firehose delivers.

Source: https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html and s3-object-name.html
"""

from __future__ import annotations

import re
import secrets
import string
import uuid
from datetime import datetime

ERROR_OUTPUT_TYPE = "!{firehose:error-output-type}"
FORMAT_CONVERSION_FAILED = "format-conversion-failed"

_EXPRESSION = re.compile(r"!\{(?P<namespace>[^:}]*):(?P<value>[^}]*)\}")

_JAVA_TOKEN = re.compile(r"'(?P<literal>[^']*)'|(?P<letters>([A-Za-z])\3*)|(?P<other>.)", re.DOTALL)

_JAVA_LETTERS = {
    "yyyy": "%Y",
    "yy": "%y",
    "MM": "%m",
    "dd": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
}

_RANDOM_LETTERS = string.ascii_letters + string.digits
_RANDOM_LENGTH = 11

_DEFAULT_FOLDERS = "%Y/%m/%d/%H/"


class PrefixError(ValueError):
    """An expression that Firehose does not know, or not in this place."""


def check_prefixes(prefix: str, error_prefix: str) -> None:
    """Refuse what AWS refuses when a delivery stream is made.

    Raises:
        PrefixError: naming the expression.
    """
    now = datetime(2000, 1, 1)
    expand(prefix, now)
    expand(error_prefix, now, FORMAT_CONVERSION_FAILED)
    if ERROR_OUTPUT_TYPE in prefix:
        raise PrefixError(f"Prefix cannot contain {ERROR_OUTPUT_TYPE}")
    if _EXPRESSION.search(prefix) and not error_prefix:
        raise PrefixError("ErrorOutputPrefix is required when Prefix contains expressions")
    if _EXPRESSION.search(error_prefix) and ERROR_OUTPUT_TYPE not in error_prefix:
        raise PrefixError(f"ErrorOutputPrefix with expressions must contain {ERROR_OUTPUT_TYPE}")


def expand(prefix: str, when: datetime, error_output_type: str = "") -> str:
    """Evaluate a prefix for the arrival of the oldest record of an object.

    Without any expression the date's folders are appended, as is, and for errors their type before.

    Raises:
        PrefixError: an expression is unknown.

    >>> expand("a/dt=!{timestamp:yyyy-MM-dd}/", datetime(2026, 11, 22, 1))
    'a/dt=2026-11-22/'
    """

    def evaluate(match: re.Match[str]) -> str:
        if match["namespace"] == "timestamp":
            return format_java(match["value"], when)
        if match[0] == "!{firehose:random-string}":
            return "".join(secrets.choice(_RANDOM_LETTERS) for _ in range(_RANDOM_LENGTH))
        if match[0] == ERROR_OUTPUT_TYPE:
            return error_output_type
        raise PrefixError(f"The expression {match[0]} is not supported")

    if _EXPRESSION.search(prefix):
        return _EXPRESSION.sub(evaluate, prefix)
    folder = f"{error_output_type}/" if error_output_type else ""
    return prefix + folder + when.strftime(_DEFAULT_FOLDERS)


def format_java(pattern: str, when: datetime) -> str:
    """Format with a Java DateTimeFormatter pattern of the letters y, M, d, H, m, s.

    Raises:
        PrefixError: the pattern has other letters.
    """
    formatted = ""
    for token in _JAVA_TOKEN.finditer(pattern):
        if token["letters"]:
            if token["letters"] not in _JAVA_LETTERS:
                raise PrefixError(f"The letters {token['letters']} of {pattern!r} are not supported")
            formatted += when.strftime(_JAVA_LETTERS[token["letters"]])
        else:
            formatted += token["other"] or token["literal"] or "'"
    return formatted


def object_name(delivery_stream: str, version: str, when: datetime, extension: str) -> str:
    """The last part of an object's key, unique for each delivery."""
    return f"{delivery_stream}-{version}-{when:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}{extension}"
