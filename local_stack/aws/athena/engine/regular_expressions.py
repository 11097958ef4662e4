"""Patterns that Java's and RE2's engines match alike; any other is refused."""

from __future__ import annotations

import re

from local_stack.aws.athena.engine.errors import Position, not_supported

_ATOM = re.compile(
    r"""
    [A-Za-z0-9 _\-/:;,=@%&<>~'"!\#]          # itself
    | \\[.\\+*?()\[\]{}^$|/\-]                # escaped punctuation
    | \\d                                     # an ASCII digit
    | \.
    | \[\^?(?:[A-Za-z0-9 _./:;,=@%<>]|[a-z]-[a-z]|[A-Z]-[A-Z]|[0-9]-[0-9])+-?\]
    | \((?:\?:|(?!\?))  | \)  | \|
    | [*+?]\??  | \{\d+(?:,\d*)?\}
    | \^
    """,
    re.VERBOSE,
)

_RE2 = {".": r"[^\n]", r"\d": r"\p{Nd}"}
"""What has to be spelled out for RE2."""


def re2_pattern(pattern: str, position: Position | None) -> str:
    """The pattern for RE2. A ``$`` may stand at the end alone: Java lets a line end follow it.

    Raises:
        QueryError: NOT_SUPPORTED.
    """
    ends_line = pattern.endswith("$") and not pattern.endswith("\\$")
    body = pattern[:-1] if ends_line else pattern
    translated, place = "", 0
    after_quantifier = False
    while place < len(body):
        match = _ATOM.match(body, place)
        if match is None or (match.group() == "^" and place) or (ends_line and match.group() == "|"):
            raise not_supported(f"the regular expression '{pattern}'", position)
        if match.group()[0] in "*+?{" and after_quantifier:
            raise not_supported(f"the regular expression '{pattern}'", position)
        after_quantifier = match.group()[0] in "*+?{"
        translated += _RE2.get(match.group(), match.group())
        place = match.end()
    try:
        re.compile(body)
    except re.error as error:
        raise not_supported(f"the regular expression '{pattern}'", position) from error
    return translated + (r"(?:\n)?\z" if ends_line else "")
