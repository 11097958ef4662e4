"""The documents that Firehose writes for records it could not convert.

Source: https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass

from local_stack.aws.firehose.buffer import Buffer
from local_stack.aws.firehose.conversion import ConversionFailure
from local_stack.aws.firehose.destination import ParquetConversion


@dataclass(frozen=True)
class CatalogTable:
    """The table whose columns the conversion followed."""

    account_id: str
    region: str
    conversion: ParquetConversion

    def to_json(self) -> dict[str, str | None]:
        """The table as the documents name it."""
        return {
            "catalogId": self.conversion.catalog_id or self.account_id,
            "databaseName": self.conversion.database,
            "tableName": self.conversion.table,
            "region": self.conversion.region or self.region,
            "versionId": self.conversion.version,
            "catalogArn": None,
        }


def failure_documents(
    buffer: Buffer, failures: Iterable[ConversionFailure], table: CatalogTable, ended: float
) -> bytes:
    """One JSON document a line for each failed record; ``ended`` is epoch seconds."""
    catalog_table = table.to_json()
    lines = []
    for failure in failures:
        segment, place = buffer.locate(failure.position)
        records = segment.records
        document = {
            "attemptsMade": 1,
            "arrivalTimestamp": int(records.arrivals[place] * 1000),
            "lastErrorCode": failure.code,
            "lastErrorMessage": failure.message,
            "attemptEndingTimestamp": int(ended * 1000),
            "rawData": base64.b64encode(records.data[place]).decode(),
            "sequenceNumber": segment.shard.sequence_number(records.first + place),
            "subSequenceNumber": 0,
            "dataCatalogTable": catalog_table,
        }
        lines.append(json.dumps(document))
    return "".join(f"{line}\n" for line in lines).encode()
