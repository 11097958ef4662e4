"""Mends moto's table of a bucket's keys: read as of one moment, and saved with all versions.

moto goes through a copy of the keys but looks each up among those that are there now: one that was deleted
meanwhile is an error. And a table is pickled by its items, which are the newest versions alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.s3.utils import _VersionedKeyStore


def install() -> None:
    """Mend the tables of all buckets."""
    _VersionedKeyStore.lists = _VersionedKeyStore.iterlists = all_versions
    _VersionedKeyStore.items = _VersionedKeyStore.iteritems = newest_versions
    _VersionedKeyStore.values = _VersionedKeyStore.itervalues = _values
    _VersionedKeyStore.__reduce__ = lambda self: (_VersionedKeyStore, (dict(self),))


def all_versions(self: _VersionedKeyStore) -> Iterator[tuple[str, list[Any]]]:
    """Keys with their versions, oldest first; a key that is just losing its last one is left out."""
    return ((key, versions) for key, versions in dict(self).items() if versions)


def newest_versions(self: _VersionedKeyStore) -> Iterator[tuple[str, Any]]:
    """Keys with their newest versions, which may be delete markers."""
    return ((key, versions[-1]) for key, versions in all_versions(self))


def _values(self: _VersionedKeyStore) -> Iterator[Any]:
    return (newest for _, newest in newest_versions(self))
