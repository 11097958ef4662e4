"""Refuses the S3 operations that moto would take for another one.

moto knows operations by a query parameter and takes an unknown one for the plain operation:
DeleteBucketMetricsConfiguration would delete the bucket.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPMethod
from typing import Any

from moto.core.routing import NotFound, get_service_router
from moto.s3.responses import S3Response

from local_stack.aws.errors import NotEmulatedError

_UNKNOWN = frozenset(
    {
        "abac",
        "analytics",
        "intelligent-tiering",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "metadataTable",
        "metrics",
        "renameObject",
        "requestPayment",
        "session",
        "torrent",
    }
)


def install() -> None:
    """Answer 501 to what moto does not know."""
    for name in ("bucket_response", "key_response"):
        setattr(S3Response, name, _refusing(getattr(S3Response, name)))


def is_known(method: str, parameters: Iterable[str]) -> bool:
    """Whether moto tells a request with these query parameters from the plain one."""
    names = set(parameters)
    return not names & _UNKNOWN and not (method == HTTPMethod.DELETE and "inventory" in names)


def _refusing(respond: Any) -> Any:
    def refusing_respond(self: S3Response, request: Any, full_url: str, headers: Any) -> Any:
        if is_known(request.method, request.args):
            return respond(self, request, full_url, headers)
        raise NotEmulatedError("s3", _operation(request))

    return refusing_respond


def _operation(request: Any) -> str:
    try:
        operation, _ = get_service_router("s3").match(request)
    except NotFound:
        return f"{request.method} ?{request.query_string.decode(errors='replace')}"
    return str(operation.name)
