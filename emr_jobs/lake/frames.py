"""Rows that are used more than once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame


@contextmanager
def persisted(rows: DataFrame) -> Iterator[DataFrame]:
    """Keep rows, once computed, until the end of the block."""
    cached = rows.persist()
    try:
        yield cached
    finally:
        cached.unpersist()
