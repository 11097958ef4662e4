"""Pages of a list."""

from __future__ import annotations

from typing import Any

from local_stack.aws.athena.errors import InvalidRequestError


def page(name: str, items: list[Any], request: dict[str, Any], largest: int) -> dict[str, Any]:
    """The part of a list that a request asks for under ``name``, and a NextToken if there is more.

    Raises:
        InvalidRequestError: MaxResults or NextToken cannot be served.
    """
    size = int(request.get("MaxResults") or largest)
    token = request.get("NextToken") or "0"
    if not 1 <= size <= largest:
        raise InvalidRequestError(f"MaxResults must be between 1 and {largest}.")
    if not token.isdecimal():
        raise InvalidRequestError("Invalid NextToken")
    first = int(token)
    answer: dict[str, Any] = {name: items[first : first + size]}
    if first + size < len(items):
        answer["NextToken"] = str(first + size)
    return answer
