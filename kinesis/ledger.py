"""The ledger of one run: every acknowledged record, written to S3 while the run goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import BotoCoreError, ClientError

from kinesis.manifest import (
    ACKED_SCHEMA,
    GIVEN_UP_NAME,
    MANIFEST_NAME,
    Manifest,
    Part,
    RunFolder,
    given_up_lines,
)
from kinesis.records import Record

PART_ROWS = 50_000
PART_SECONDS = 30.0
"""A part is closed when it is full or this old, so that a kill loses no more than that."""


class LedgerError(Exception):
    """The manifest could not be stored completely; the message says where the rest lies."""


_Row = tuple[str | None, int | None, str, str, str, int, str | None, bool]
"""The values of ``ACKED_SCHEMA``, in order."""


class Ledger:
    """Writes a run's parts and its manifest. Thread-safe; memory holds one part.

    Files go through ``spool``, a folder that exists: what S3 does not take now stays there and is
    tried again at the end.
    """

    def __init__(
        self,
        s3: Any,
        folder: RunFolder,
        spool: Path,
        *,
        part_rows: int = PART_ROWS,
        part_seconds: float = PART_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._s3 = s3
        self.spool = spool
        self._part_rows = part_rows
        self._part_seconds = part_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._rows: list[_Row] = []
        self._part_started = clock()
        self._parts: list[Part] = []

    def acked(
        self,
        records: Sequence[Record],
        shard_ids: Sequence[str],
        sequence_numbers: Sequence[str],
        *,
        possible_duplicates: bool,
    ) -> None:
        """Note records that the stream stored, with the shard and sequence number of each.

        Raises:
            OSError: the spool cannot be written.
        """
        rows: list[_Row] = [
            (
                record.uuid,
                record.timestamp,
                shard_id,
                sequence_number,
                record.content_hash,
                len(record.data),
                record.disorder,
                possible_duplicates,
            )
            for record, shard_id, sequence_number in zip(records, shard_ids, sequence_numbers, strict=True)
        ]
        finished: tuple[Part, list[_Row]] | None = None
        with self._lock:
            self._rows += rows
            old = self._clock() - self._part_started >= self._part_seconds
            if len(self._rows) >= self._part_rows or old:
                finished = self._next_part()
        if finished:
            self._write(*finished)

    def gave_up(self, records: Sequence[Record], reason: str) -> None:
        """Keep records that will not be sent again.

        Raises:
            OSError: the spool cannot be written.
        """
        with self._lock, (self.spool / GIVEN_UP_NAME).open("a") as file:
            file.write(given_up_lines(records, reason))

    def finish_parts(self) -> list[Part]:
        """Close the part under way; all parts of the run, in order."""
        with self._lock:
            finished = self._next_part() if self._rows else None
        if finished:
            self._write(*finished)
        return list(self._parts)

    def store(self, manifest: Manifest) -> None:
        """Upload what is still in the spool, and the manifest last.

        Raises:
            LedgerError: S3 did not take everything; the spool then holds what is missing.
        """
        path = self.spool / MANIFEST_NAME
        path.write_bytes(manifest.to_json())
        others = sorted(other for other in self.spool.iterdir() if other != path)
        for file in (*others, path):
            error = self._upload(file)
            if error is not None:
                raise LedgerError(
                    f"the manifest could not be stored under {self.folder.uri} ({error}); "
                    f"what is missing there lies in {self.spool}: copy it when S3 answers again"
                )

    def _next_part(self) -> tuple[Part, list[_Row]]:
        rows, self._rows = self._rows, []
        self._part_started = self._clock()
        part = Part(self.folder.part_name(len(self._parts)), len(rows))
        self._parts.append(part)
        return part, rows

    def _write(self, part: Part, rows: list[_Row]) -> None:
        """Outside the lock: other threads note their records meanwhile."""
        path = self.spool / part.name
        columns = [list(column) for column in zip(*rows, strict=True)]
        table = pa.table(columns, schema=ACKED_SCHEMA)
        pq.write_table(table, path, compression="zstd", use_dictionary=["shard_id", "disorder"])
        self._upload(path)

    def _upload(self, path: Path) -> Exception | None:
        try:
            with path.open("rb") as body:
                self._s3.put_object(Bucket=self.folder.bucket, Key=self.folder.prefix + path.name, Body=body)
        except (ClientError, BotoCoreError) as error:
            return error
        path.unlink()
        return None
