"""Mends moto's S3 objects, which are written for one client at a time."""

from __future__ import annotations

import threading
import zlib
from typing import Any

from moto.s3.models import FakeKey
from moto.s3.responses import S3Response

_LOCKS = tuple(threading.RLock() for _ in range(256))
"""One lock for all keys of a hash: enough to keep writers of different keys apart."""

_WRITES = frozenset({"PUT", "POST", "DELETE"})


def install() -> None:
    """Make objects safe to read while they are replaced, and conditional writes atomic."""
    _keep_replaced_objects_readable()
    _compute_etag_under_lock()
    _write_one_at_a_time()


def _keep_replaced_objects_readable() -> None:
    """moto closes an object's buffer when it is replaced, under the feet of whoever reads it.

    The buffer closes itself when the last reader lets go of the object.
    """

    def dispose(_self: FakeKey, garbage: bool = False) -> None:
        del garbage

    FakeKey.dispose = dispose


def _compute_etag_under_lock() -> None:
    """moto's first ETag reads the buffer from its start while others are reading the value."""
    unlocked = FakeKey.etag.fget

    def etag(self: FakeKey) -> str:
        if self._etag is None:
            with self.lock:
                return str(unlocked(self))
        return str(unlocked(self))

    FakeKey.etag = property(etag)


def _write_one_at_a_time() -> None:
    """Between moto's check of If-Match or If-None-Match and its write another writer fits in."""
    unlocked = S3Response._key_response

    def key_response(self: S3Response, request: Any, full_url: str) -> Any:
        if request.method not in _WRITES:
            return unlocked(self, request, full_url)
        key = f"{self.bucket_name}/{self.parse_key_name()}"
        with _LOCKS[zlib.crc32(key.encode()) % len(_LOCKS)]:
            return unlocked(self, request, full_url)

    S3Response._key_response = key_response
