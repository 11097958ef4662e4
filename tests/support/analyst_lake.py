"""A small lakehouse whose every answer can be worked out by hand, for the questions of sql/athena.

The newest day with events is 2026-06-10. Sensor 1 is mostly faulty, 2 and 3 are mostly silent, 4 has been
silent for a week, 5 measures too little, 6 is fine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa

from config import names
from config.tables import SILVER, TABLES, TableSpec
from tests.support.athena import Athena
from tests.support.lake import EVENT_SCHEMA, event

_ARROW_TYPES = {
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "string": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "struct<latitude:double,longitude:double>": pa.struct(
        [("latitude", pa.float64()), ("longitude", pa.float64())]
    ),
}

Row = Mapping[str, Any]

EAST, WEST, NORTH = ({"latitude": 52.5, "longitude": x} for x in (13.5, 13.3, 13.4))


def at(text: str) -> datetime:
    """A time of June 2026, UTC: ``"10 09:15"``."""
    return datetime.strptime(f"2026-06-{text} +0000", "%Y-%m-%d %H:%M %z")


def arrow_schema(spec: TableSpec) -> pa.Schema:
    """The columns of a table for pyarrow."""
    return pa.schema(
        [
            pa.field(column.name, _ARROW_TYPES[column.type], nullable=column.nullable)
            for column in spec.columns
        ]
    )


@dataclass(frozen=True)
class Measured:
    """An event of the lake: who, when measured, when arrived, and what differs from an everyday event."""

    sensor: int
    measured: datetime
    arrived: datetime
    changes: Row

    def row(self, number: int) -> Row:
        """As silver has it."""
        timestamp = int(self.measured.timestamp())
        return {
            **event(sensor_id=self.sensor, timestamp=timestamp, uuid=f"event-{number}", **self.changes),
            "event_time": self.measured,
            "arrival_hour": self.arrived.replace(minute=0),
            "source_file": f"s3://bronze/clickstream/{number}.parquet",
            "source_row": 0,
            "ingested_at": self.arrived + timedelta(hours=1),
        }


def _events() -> Iterator[Measured]:
    faulty = {"status": "faulty", "event_type": "alert", "location": EAST}
    nothing = {"temperature": None, "humidity": None}
    yield Measured(1, at("10 10:00"), at("10 10:00"), {"location": EAST, "temperature": 20.0})
    yield Measured(1, at("10 11:00"), at("10 11:00"), {**faulty, **nothing})
    yield Measured(1, at("09 10:00"), at("10 10:00"), {**faulty, "temperature": 21.0})
    yield Measured(
        1, at("08 10:30"), at("08 10:30"), {**faulty, "event_type": "heartbeat", "temperature": 19.0}
    )
    yield Measured(
        2, at("10 09:15"), at("10 12:00"), {"location": WEST, "temperature": 18.0, "humidity": None}
    )
    yield Measured(2, at("04 00:00"), at("04 00:00"), {"location": WEST, "temperature": 22.0})
    yield Measured(3, at("05 08:00"), at("09 08:00"), {"location": WEST, "temperature": 25.0})
    yield Measured(4, at("03 23:59"), at("04 00:00"), {"location": NORTH, "status": "maintenance"})
    for day in range(4, 11):
        noon = at(f"{day:02} 12:00")
        dry = {"humidity": None} if day > 6 else {}
        yield Measured(5, noon, noon, {"location": NORTH, "temperature": 10.0, **dry})
        yield Measured(6, noon, noon, {"location": NORTH, "temperature": 12.0})


EVENTS = [each.row(number) for number, each in enumerate(_events())]

_QUARANTINE_COLUMNS = ("source_file", "source_row", "reason", "raw", "arrival_hour", "state")
QUARANTINE = [
    {**dict(zip(_QUARANTINE_COLUMNS, values, strict=True)), "ingested_at": at("10 13:00")}
    for values in (
        ("s3://b/clickstream/a", 0, "humidity_out_of_range", '{"humidity": 101}', at("10 10:00"), "open"),
        (
            "s3://b/clickstream/a",
            1,
            "humidity_out_of_range",
            '{"humidity": 100.5}',
            at("10 11:00"),
            "replayed",
        ),
        ("s3://b/clickstream-errors/c", 0, "MALFORMED_DATA", "bm8=", at("10 10:00"), "open"),
        ("s3://b/clickstream/b", 0, "timestamp_too_old", "{}", at("04 00:00"), "open"),
        ("s3://b/clickstream-errors/d", 4, "MALFORMED_DATA", None, None, "open"),
    )
]

DELIVERED = {("2026-06-10", "10"): 9, ("2026-06-04", "00"): 3, ("2026-06-04", "12"): 2}
"""Rows of the bronze table, by day and hour of arrival."""

HEALTH = [
    {"sensor_id": sensor, "faulty_count": faulty, "total_count": total, "faulty_pct": 100.0 * faulty / total}
    for sensor, faulty, total in ((1, 3, 4), (2, 0, 2), (3, 0, 1), (4, 0, 1), (5, 0, 7), (6, 0, 7))
]


def _weather() -> Iterator[Row]:
    for day in (9, 10):
        for number, region in ((1, "ZONE_0_0"), (2, "ZONE_0_2"), (3, "ZONE_0_2")):
            yield {
                "dt": date(2026, 6, day),
                "sensor_id": f"SENSOR_{number:04}",
                "region": region,
                "latitude": 52.5,
                "longitude": 13.3,
                "temperature_min": 12.0,
                "temperature_max": 22.0,
                "temperature_avg": 17.0,
                "precipitation": 1.5,
                "is_complete": (day, number) != (9, 1),
                "data_quality_score": 100,
                "processed_at": at("10 13:00"),
                "processing_version": "1",
            }


_BESIDE_COLUMNS = (
    "day",
    "latitude",
    "longitude",
    "avg_temp",
    "weather_temperature_min",
    "weather_temperature_max",
    "weather_temperature_avg",
    "distance_km",
)
BESIDE_WEATHER = [
    dict(zip(_BESIDE_COLUMNS, values, strict=True))
    for values in (
        (date(2026, 6, 10), 52.5, 13.5, 20.0, 12.0, 22.0, 17.0, 0.5),
        (date(2026, 6, 10), 52.5, 13.3, 25.0, 12.0, 22.0, 17.0, 1.5),
        (date(2026, 6, 10), 52.5, 13.4, None, 12.0, 22.0, 17.0, 1.0),
        (date(2026, 6, 9), 52.5, 13.5, 6.0, 11.0, 21.0, 16.0, 0.5),
        (date(2026, 6, 9), 70.0, 13.5, 30.0, None, None, None, None),
    )
]

_METRIC_COLUMNS = ("run_id", "table_name", "metric", "value", "threshold", "verdict", "measured_at")
METRICS = [
    dict(zip(_METRIC_COLUMNS, values, strict=True))
    for values in (
        ("run-1", "weather_daily", "Completeness Rate", 90.0, 95.0, "fail", at("09 03:00")),
        ("run-2", "weather_daily", "Completeness Rate", 99.5, 95.0, "pass", at("10 03:00")),
        ("run-2", "weather_daily", "Total Rows", 600.0, None, "none", at("10 03:00")),
        ("run-2", "clickstream_events", "reconcile_undelivered", 2.0, 0.0, "fail", at("10 03:10")),
    )
]

STATUSES = [
    {"status": status, "sensor_count": sensors}
    for status, sensors in (("active", 5), ("faulty", 1), ("maintenance", 1))
]
COUNTS = [
    {"day": date(2026, 6, day), "event_type": kind, "event_count": count}
    for day, kind, count in ((9, "alert", 1), (9, "reading", 2), (10, "alert", 1), (10, "reading", 4))
]
CLIMATE = [
    {"day": date(2026, 6, day), "latitude": 52.5, "longitude": 13.5, "avg_temp": degrees}
    for day, degrees in ((9, 21.0), (10, 20.0))
]

ROWS: dict[str, list[Any]] = {
    SILVER.name: EVENTS,
    "clickstream_quarantine": QUARANTINE,
    "sensor_health": HEALTH,
    "status_health": STATUSES,
    "event_geo_kpis_events": COUNTS,
    "temp_humidity_kpis": CLIMATE,
    "weather_daily": list(_weather()),
    "sensor_weather_daily": BESIDE_WEATHER,
    "data_quality_metrics": METRICS,
}
"""The rows of each table; those that are not named are empty."""


def fill(
    athena: Athena,
    rows: Mapping[str, list[Any]] = ROWS,
    delivered: Mapping[tuple[str, str], int] = DELIVERED,
) -> None:
    """Make the analysts' workgroup and all tables, and put the rows into them; ``delivered`` into bronze."""
    results = {"ResultConfiguration": {"OutputLocation": f"{athena.location}/athena-results/"}}
    athena.client.create_work_group(Name=names.ATHENA_WORKGROUP, Configuration=results)
    catalog = athena.catalog()
    for spec in TABLES.values():
        if spec.format == "iceberg":
            schema = arrow_schema(spec)
            table = catalog.create_table(
                (athena.database, spec.name), schema, location=f"{athena.location}/{spec.name}"
            )
            table.append(pa.Table.from_pylist(rows.get(spec.name, []), schema=schema))
    _deliver(athena, delivered)


def _deliver(athena: Athena, delivered: Mapping[tuple[str, str], int]) -> None:
    """The bronze table as the template makes it, its partitions projected."""
    for (day, hour), count in delivered.items():
        rows = pa.Table.from_pylist([event(uuid=str(n)) for n in range(count)], schema=EVENT_SCHEMA)
        athena.put_parquet(f"clickstream_raw/dt={day}/hour={hour}/part.parquet", rows)
    projection = {
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": "2026-06-01,2026-06-30",
        "projection.hour.type": "enum",
        "projection.hour.values": ",".join(f"{hour:02}" for hour in range(24)),
        "storage.location.template": f"{athena.location}/clickstream_raw/dt=${{dt}}/hour=${{hour}}/",
    }
    columns = {column.name: column.type for column in TABLES["clickstream_raw"].columns}
    athena.create_hive_table("clickstream_raw", columns, {"dt": "string", "hour": "string"}, projection)
