"""Reads a byte range of an object without copying all of it.

moto reads the whole object for every range: 44 ms for 1 MB of a 64 MiB object, against 4 ms here.
Parquet readers ask for little else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeKey, s3_backends
from moto.s3.utils import ARCHIVE_STORAGE_CLASSES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_RANGE = re.compile(r"bytes=(?P<first>\d*)-(?P<last>\d*)")

_CONDITIONS = ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE")


class RangeReader:
    """Serves plain ranged GETs of current object versions itself and passes all else on."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        wanted = _RANGE.fullmatch(environ.get("HTTP_RANGE", ""))
        if wanted and _is_plain_get(environ):
            key = _find(environ)
            span = _span(wanted, key.size) if key is not None else None
            if key is not None and span is not None:
                return _serve(key, *span, start_response)
        return self._application(environ, start_response)


def _is_plain_get(environ: WSGIEnvironment) -> bool:
    return (
        environ["REQUEST_METHOD"] == "GET"
        and not environ.get("QUERY_STRING")
        and "/s3/aws4_request" in environ.get("HTTP_AUTHORIZATION", "")
        and not any(condition in environ for condition in _CONDITIONS)
    )


def _find(environ: WSGIEnvironment) -> FakeKey | None:
    """The object's current version, None where moto has to answer (missing, deleted, archived, denied)."""
    raw_path = environ.get("RAW_URI") or environ["PATH_INFO"]
    bucket_name, _, key_name = unquote(raw_path).lstrip("/").partition("/")
    owner = s3_backends.bucket_accounts.get(bucket_name)
    if owner is None:
        return None
    partition, account_id = owner
    bucket = s3_backends[account_id][partition].buckets.get(bucket_name)
    key = bucket.keys.get(key_name) if bucket is not None else None
    if not isinstance(key, FakeKey) or key.storage_class in ARCHIVE_STORAGE_CLASSES:
        return None
    resource = f"arn:{partition}:s3:::{bucket_name}/{key_name}"
    if bucket.get_permission("s3:GetObject", resource) == PermissionResult.DENIED:
        return None
    return key


def _span(wanted: re.Match[str], size: int) -> tuple[int, int] | None:
    """First and last byte, None where the range is not one that can be served."""
    first, last = wanted["first"], wanted["last"]
    if first:
        span = int(first), min(int(last) if last else size - 1, size - 1)
    elif last:
        span = max(0, size - int(last)), size - 1
    else:
        return None
    return span if span[0] <= span[1] else None


def _serve(key: FakeKey, first: int, last: int, start_response: StartResponse) -> Iterable[bytes]:
    with key.lock:
        key._value_buffer.seek(first)
        data = key._value_buffer.read(last - first + 1)
    headers = {str(name).lower(): str(value) for name, value in key.response_dict.items()}
    headers.update({str(name).lower(): str(value) for name, value in key.metadata.items()})
    headers["content-length"] = str(len(data))
    headers["content-range"] = f"bytes {first}-{last}/{key.size}"
    headers["accept-ranges"] = "bytes"
    start_response("206 Partial Content", list(headers.items()))
    return [data]
