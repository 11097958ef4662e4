"""Calls that must not happen twice, on APIs that have no idempotency token."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

log = logging.getLogger(__name__)

Found = TypeVar("Found")

NO_RETRIES = Config(retries={"mode": "standard", "total_max_attempts": 1})
"""For the client of the call that must not happen twice: the SDK would repeat one that timed out."""

LOOKS_AFTER_ERROR = 4
SECONDS_BETWEEN_LOOKS = 5.0
"""A request that AWS accepted shows in its lists within seconds."""


def call_once(call: Callable[[], Found], find: Callable[[], Found | None]) -> Found:
    """What ``find`` finds, else what ``call`` makes, else what it made although its answer was lost.

    ``call`` must use a client with ``NO_RETRIES``. After an error that leaves open whether AWS
    accepted (a timeout, a broken connection, a 5xx), ``find`` looks again a few times.

    Raises:
        HTTPClientError, ClientError: the call failed and made nothing.
    """
    found = find()
    if found is not None:
        return found
    try:
        return call()
    except (HTTPClientError, ClientError) as error:
        if isinstance(error, ClientError) and _was_refused(error):
            raise
        log.warning("No clear answer (%s): looking whether AWS accepted", error)
        looks = Retrying(
            retry=retry_if_result(lambda result: result is None),
            stop=stop_after_attempt(LOOKS_AFTER_ERROR),
            wait=wait_fixed(SECONDS_BETWEEN_LOOKS),
            retry_error_callback=lambda state: None,
        )
        found = looks(find)
        if found is None:
            raise
        return found


def _was_refused(error: ClientError) -> bool:
    """Whether AWS answered that it did not do it."""
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return status < 500
