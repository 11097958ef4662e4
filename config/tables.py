"""One specification per table: the only place that says columns, types, partitions, order and upkeep.

DDL, Spark schemas, the bronze table in the CloudFormation template and docs/tables.md come from
here or are checked against it by a test. Types are Spark SQL's (Hive's for bronze: the same words).
"""

from __future__ import annotations

from config import names
from config.run_tables import RUN_METRICS
from config.table_spec import DAILY
from config.table_spec import Column as Column
from config.table_spec import TableSpec as TableSpec
from config.table_spec import Upkeep as Upkeep
from config.weather_tables import WEATHER_TABLES

EVENT_COLUMNS = (
    Column("sensor_id", "bigint", "Number of the sensor, 42 = SENSOR_0042"),
    Column("temperature", "double", "Air temperature, °C; null when not measured"),
    Column("humidity", "double", "Relative humidity, percent; null when not measured"),
    Column("location", "struct<latitude:double,longitude:double>", "Place of the measurement, degrees"),
    Column("status", "string", "State of the sensor: active, inactive, faulty, maintenance, or a new one"),
    Column("event_type", "string", "What the event reports"),
    Column("timestamp", "bigint", "When it was measured, epoch seconds UTC"),
    Column("uuid", "string", "Identity of the event, together with timestamp"),
)
"""The fields of an event as it travels on the stream (JSON) and lies in bronze (Parquet)."""

BRONZE = TableSpec(
    name=names.BRONZE_TABLE,
    doc="Events as Firehose delivered them, partitioned by arrival (UTC).",
    columns=EVENT_COLUMNS,
    key=("uuid", "timestamp"),
    partition=("dt", "hour"),
    format="parquet",
)

BRONZE_PARTITION_COLUMNS = (
    Column("dt", "string", "Arrival date, UTC, YYYY-MM-DD"),
    Column("hour", "string", "Arrival hour, UTC, 00 to 23"),
)

_ARRIVAL_HOUR = Column("arrival_hour", "timestamp", "Start of the UTC hour in which Firehose received it")
_INGESTED_AT = Column("ingested_at", "timestamp", "When ingest took it in, UTC", nullable=False)

SILVER = TableSpec(
    name="clickstream_events",
    doc="Every valid event once. Of several copies, the one with the smallest (source_file, source_row).",
    columns=(
        *EVENT_COLUMNS,
        Column("event_time", "timestamp", "The timestamp as UTC time", nullable=False),
        _ARRIVAL_HOUR,
        Column("source_file", "string", "URI of the bronze file it was taken from", nullable=False),
        Column("source_row", "bigint", "Its row there, from 0", nullable=False),
        _INGESTED_AT,
    ),
    key=("uuid", "timestamp"),
    partition=("days(event_time)",),
    sort=("sensor_id", "timestamp"),
    properties=(("write.summary.partition-limit", "100000"),),  # Readers learn from it which days changed.
    upkeep=Upkeep(expires_by="arrival_hour"),
    late_after_hours=DAILY,
)

QUARANTINE = TableSpec(
    name="clickstream_quarantine",
    doc="What was delivered but is no valid event, or says otherwise than the event of the same identity.",
    columns=(
        Column("source_file", "string", "URI of the delivered file", nullable=False),
        Column("source_row", "bigint", "Its row there, from 0; of a text file its line", nullable=False),
        Column(
            "reason",
            "string",
            "A reason of config/events.py, or Firehose's error code for a failed conversion",
            nullable=False,
        ),
        Column("raw", "string", "The event as JSON; of a failed conversion the record's bytes as base64"),
        _ARRIVAL_HOUR,
        Column("state", "string", "open, replayed, or superseded; only open entries count", nullable=False),
        Column("correction", "string", "The event as JSON that was replayed instead"),
        Column("replayed_at", "timestamp", "When it was replayed, UTC"),
        _INGESTED_AT,
    ),
    key=("source_file", "source_row"),
    partition=("reason",),
    sort=("source_file", "source_row"),
    upkeep=Upkeep(expires_by="arrival_hour"),
)

_LATITUDE = Column("latitude", "double", "Degrees, rounded to 6 decimals", nullable=False)
_LONGITUDE = Column("longitude", "double", "Degrees, rounded to 6 decimals", nullable=False)
_DAY = Column("day", "date", "UTC date of the measurement", nullable=False)

SENSOR_HEALTH = TableSpec(
    name="sensor_health",
    doc="How often each sensor reported itself faulty, over all retained events.",
    columns=(
        Column("sensor_id", "bigint", "Number of the sensor", nullable=False),
        Column("faulty_count", "bigint", "Events with status faulty", nullable=False),
        Column("total_count", "bigint", "All events of the sensor", nullable=False),
        Column("faulty_pct", "double", "Share of faulty events, 0..100, 2 decimals, half up", nullable=False),
    ),
    key=("sensor_id",),
    sort=("sensor_id",),
    late_after_hours=DAILY,
)

STATUS_HEALTH = TableSpec(
    name="status_health",
    doc="How many distinct sensors reported each status, over all retained events.",
    columns=(
        Column("status", "string", "Reported state", nullable=False),
        Column("sensor_count", "bigint", "Distinct sensors that reported it", nullable=False),
    ),
    key=("status",),
    sort=("status",),
    late_after_hours=DAILY,
)

TEMP_HUMIDITY_KPIS = TableSpec(
    name="temp_humidity_kpis",
    doc="Climate per day and place. Nulls are skipped; a place where all are null keeps its row.",
    columns=(
        _DAY,
        _LATITUDE,
        _LONGITUDE,
        Column("avg_temp", "double", "Mean air temperature, °C"),
        Column("min_temp", "double", "Lowest air temperature, °C"),
        Column("max_temp", "double", "Highest air temperature, °C"),
        Column("avg_humidity", "double", "Mean relative humidity, percent"),
        Column("min_humidity", "double", "Lowest relative humidity, percent"),
        Column("max_humidity", "double", "Highest relative humidity, percent"),
    ),
    key=("day", "latitude", "longitude"),
    partition=("months(day)",),
    sort=("day", "latitude", "longitude"),
    late_after_hours=DAILY,
)

EVENT_GEO_KPIS_EVENTS = TableSpec(
    name="event_geo_kpis_events",
    doc="Events per day and type.",
    columns=(
        _DAY,
        Column("event_type", "string", "What the events report", nullable=False),
        Column("event_count", "bigint", "Number of events", nullable=False),
    ),
    key=("day", "event_type"),
    partition=("months(day)",),
    sort=("day", "event_type"),
    late_after_hours=DAILY,
)

EVENT_GEO_KPIS_FAULTY_GEO = TableSpec(
    name="event_geo_kpis_faulty_geo",
    doc="Faulty events per place, over all retained events.",
    columns=(
        _LATITUDE,
        _LONGITUDE,
        Column("faulty_count", "bigint", "Events with status faulty", nullable=False),
    ),
    key=("latitude", "longitude"),
    sort=("latitude", "longitude"),
    late_after_hours=DAILY,
)

KPI_TABLES = (
    SENSOR_HEALTH,
    STATUS_HEALTH,
    TEMP_HUMIDITY_KPIS,
    EVENT_GEO_KPIS_EVENTS,
    EVENT_GEO_KPIS_FAULTY_GEO,
)
"""The five KPI tables, in the order in which they are shown."""

SENSOR_STATUS = TableSpec(
    name="_sensor_status",
    doc="Internal: events per sensor and status, over all retained events. sensor_health and status_health "
    "derive from it.",
    columns=(
        Column("sensor_id", "bigint", "Number of the sensor", nullable=False),
        Column("status", "string", "Reported state", nullable=False),
        Column("event_count", "bigint", "Events of the sensor with that status", nullable=False),
    ),
    key=("sensor_id", "status"),
    sort=("sensor_id", "status"),
)

RECONCILED_MANIFESTS = TableSpec(
    name="_reconciled_manifests",
    doc="Internal: the parts of producers' manifests whose records were all found. A property of the table "
    "says what else the last reconciliation has settled.",
    columns=(
        Column("part", "string", "URI of the part", nullable=False),
        Column("acked", "bigint", "Its records: those that the stream acknowledged", nullable=False),
        Column("reconciled_at", "timestamp", "When the last of them was found, UTC", nullable=False),
    ),
    key=("part",),
    sort=("part",),
)

INTERNAL_TABLES = (SENSOR_STATUS,)
"""What jobs keep for themselves, to compute only what is new: nobody else is to rely on them."""

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        BRONZE,
        SILVER,
        QUARANTINE,
        *KPI_TABLES,
        *INTERNAL_TABLES,
        RECONCILED_MANIFESTS,
        *WEATHER_TABLES,
        RUN_METRICS,
    )
}
