"""The lease of a table: who is about to rewrite much of it, so that nobody else begins the same in vain.

An object in S3, ``s3://ICEBERG/_leases/TABLE.json``, taken and given back by conditional puts. It expires by
itself. It only saves work: that concurrent writers lose nothing is seen to by Iceberg's validated commits.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

REFUSED = {"PreconditionFailed", "ConditionalRequestConflict"}


class LeasedError(Exception):
    """Somebody else has the lease; the message says who and until when."""


@dataclass(frozen=True)
class Lease:
    """The lease of ``table``, wanted by ``holder``; ``s3`` is a client, ``bucket`` that of the tables."""

    s3: Any
    bucket: str
    table: str
    holder: str

    @property
    def key(self) -> str:
        """The object's key."""
        return f"_leases/{self.table}.json"

    def take(self, duration: timedelta, now: datetime) -> None:
        """Take the lease; one that is ours already is prolonged.

        Raises:
            LeasedError: somebody else has it.
            ClientError: S3 refuses for another reason.
        """
        until = now + duration
        if self._put(until, IfNoneMatch="*"):
            return
        held, version = self._read()
        if held["holder"] != self.holder and datetime.fromisoformat(held["until"]) > now:
            raise LeasedError(f"{self.table} is leased by {held['holder']} until {held['until']}")
        if not self._put(until, IfMatch=version):
            raise LeasedError(f"{self.table} was leased by somebody else just now")

    def give_back(self, now: datetime) -> bool:
        """Let the lease end now, if it is ours; whether it was."""
        try:
            held, version = self._read()
        except self.s3.exceptions.NoSuchKey:
            return False
        return bool(held["holder"] == self.holder and self._put(now, IfMatch=version))

    def _read(self) -> tuple[dict[str, str], str]:
        answer = self.s3.get_object(Bucket=self.bucket, Key=self.key)
        return json.load(answer["Body"]), answer["ETag"]

    def _put(self, until: datetime, **condition: str) -> bool:
        """Write the object; False if it is not as the condition says."""
        body = json.dumps({"holder": self.holder, "until": until.astimezone(UTC).isoformat()})
        try:
            self.s3.put_object(Bucket=self.bucket, Key=self.key, Body=body.encode(), **condition)
        except ClientError as error:
            if error.response["Error"]["Code"] in REFUSED:
                return False
            raise
        return True
