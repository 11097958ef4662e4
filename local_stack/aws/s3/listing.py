"""Lists no folder that holds only delete markers.

moto derives common prefixes from every key, also from those whose newest version is a delete marker:
Spark would then walk into a folder that is not there.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

from moto.s3.models import FakeDeleteMarker, S3Backend

_list_objects = S3Backend.list_objects


def install() -> None:
    """Mend ListObjects, and with it ListObjectsV2."""
    S3Backend.list_objects = _list_live_objects


def _list_live_objects(self: S3Backend, bucket: Any, *arguments: Any, **named: Any) -> tuple[Any, ...]:
    keys, folders, is_truncated, marker = _list_objects(self, bucket, *arguments, **named)
    live = sorted(name for name, key in bucket.keys.items() if not isinstance(key, FakeDeleteMarker))
    return keys, [folder for folder in folders if _holds_any(folder, live)], is_truncated, marker


def _holds_any(folder: str, sorted_names: list[str]) -> bool:
    first = bisect_left(sorted_names, folder)
    return first < len(sorted_names) and sorted_names[first].startswith(folder)
