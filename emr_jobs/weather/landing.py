"""The raw landing: one Parquet file a day, written whole or not at all, the same bytes for the same data."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from config.weather import DAILY_VARIABLES, RAW_FILE
from config.weather_tables import RAW_WEATHER
from emr_jobs.weather.objects import get_object, replace_object
from emr_jobs.weather.series import DailyRecord, Sensor, Source

log = logging.getLogger(__name__)

_TYPES = {"string": pa.string(), "double": pa.float64()}
_SCHEMA = pa.schema(
    [pa.field(column.name, _TYPES[column.type], column.nullable) for column in RAW_WEATHER.columns]
)
_ATTEMPTS = 5


class LandingError(RuntimeError):
    """Others kept writing a day's file at the same time."""


_LANDED_ON = "landed-on"
"""Metadata of a file: the date of its last change. Not in its content, which depends on the data alone."""


@dataclass(frozen=True)
class StoredDay:
    """A day's records by sensor number as read, with the date and version of its file (None: no file)."""

    records: dict[int, DailyRecord]
    landed_on: date | None = None
    version: str | None = None


@dataclass(frozen=True)
class LandedDay:
    """A day's records by sensor number, as they now lie in raw; ``changed`` says whether bytes did."""

    records: dict[int, DailyRecord]
    changed: bool


class RawLanding:
    """Daily files below ``s3://BUCKET/PREFIX`` as ``dt=YYYY-MM-DD/openmeteo.parquet``.

    Their columns are those of ``RAW_WEATHER``: no time of fetching, so equal data is equal bytes.
    """

    def __init__(self, bucket: str, prefix: str, sensors: Sequence[Sensor], client: Any) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._sensors = sensors
        self._numbers = {sensor: number for number, sensor in enumerate(sensors)}
        self._s3 = client

    def land(self, day: date, records: Mapping[int, DailyRecord], today: date) -> LandedDay:
        """Add records to a day's file. A forecast never replaces what the archive said.

        Raises:
            LandingError: the file kept changing under this run.
        """
        stored = StoredDay({})
        for _ in range(_ATTEMPTS):
            merged = _merge(stored.records, records)
            if stored.version and merged == stored.records:
                return LandedDay(merged, changed=False)
            if self._put(day, merged, today, stored.version):
                return LandedDay(merged, changed=True)
            stored = self.read(day)
        raise LandingError(f"the raw file of {day} kept changing: are several extracts running?")

    def read(self, day: date) -> StoredDay:
        """What is stored of a day: nothing where there is no file, no records where it is another grid's."""
        found = get_object(self._s3, self._bucket, self._key(day))
        if found is None:
            return StoredDay({})
        try:
            rows = pq.read_table(io.BytesIO(found["Body"].read()), schema=_SCHEMA).to_pylist()
            landed_on = date.fromisoformat(found["Metadata"][_LANDED_ON])
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            log.warning("%s is not a raw weather file (%s): its day is fetched again", self._key(day), error)
            return StoredDay({}, version=found["ETag"])
        return StoredDay(self._decode(rows), landed_on, found["ETag"])

    def days(self, start: date | None = None) -> Iterator[date]:
        """The days that have a file, ascending, from ``start`` on."""
        after = {"StartAfter": f"{self._prefix}dt={start.isoformat()}"} if start else {}
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}dt=", **after
        )
        for page in pages:
            for entry in page.get("Contents", []):
                folder, _, file = entry["Key"].removeprefix(self._prefix).partition("/")
                if file == RAW_FILE:
                    yield date.fromisoformat(folder.removeprefix("dt="))

    def _key(self, day: date) -> str:
        return f"{self._prefix}dt={day.isoformat()}/{RAW_FILE}"

    def _put(self, day: date, records: Mapping[int, DailyRecord], today: date, version: str | None) -> bool:
        return replace_object(
            self._s3,
            version,
            Bucket=self._bucket,
            Key=self._key(day),
            Body=_encode(records, self._sensors),
            Metadata={_LANDED_ON: today.isoformat()},
        )

    def _decode(self, rows: list[dict[str, Any]]) -> dict[int, DailyRecord]:
        records: dict[int, DailyRecord] = {}
        for row in rows:
            sensor = Sensor(row["sensor_id"], row["latitude"], row["longitude"])
            if (number := self._numbers.get(sensor)) is not None:
                highest, lowest, rain = (row[name] for name in DAILY_VARIABLES)
                records[number] = DailyRecord(highest, lowest, rain, Source(row["source"]))
        return records


def _merge(present: Mapping[int, DailyRecord], new: Mapping[int, DailyRecord]) -> dict[int, DailyRecord]:
    merged = dict(present)
    for number, record in new.items():
        known = merged.get(number)
        if known and known.source is Source.ARCHIVE and record.source is Source.FORECAST:
            continue
        merged[number] = record
    return merged


def _encode(records: Mapping[int, DailyRecord], sensors: Sequence[Sensor]) -> bytes:
    numbers = sorted(records)
    names, latitudes, longitudes = zip(
        *((sensors[n].name, sensors[n].latitude, sensors[n].longitude) for n in numbers), strict=True
    )
    measures = zip(*(records[n].measures for n in numbers), strict=True)
    sources = [str(records[n].source) for n in numbers]
    columns = [names, latitudes, longitudes, *measures, sources]
    table = pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)], schema=_SCHEMA
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="snappy", store_schema=False)
    return sink.getvalue()
