"""A field that the contract gains, end to end: old files and new ones, silver, quarantine, the docs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from config import names
from tests.support.attested import SILVER, AttestedLake
from tests.support.lake import EVENT_SCHEMA, Lake, event

pytestmark = pytest.mark.spark

ROOT = Path(__file__).resolve().parents[2]
UUID = '    Column("uuid", "string", "Identity of the event, together with timestamp"),\n'
BATTERY = '    Column("battery", "double", "Charge of the battery, percent; null when not known"),\n'

RUN = """
import json, sys
from dataclasses import replace
from datetime import datetime, UTC
from pyspark.sql import SparkSession
from config.tables import SILVER
from emr_jobs import ingest_events
from emr_jobs.lake import event_tables
from emr_jobs.lake.errors import SchemaMismatchError

settings, arguments = json.loads(sys.argv[1]), json.loads(sys.argv[2])
builder = SparkSession.builder
for key, value in settings.items():
    builder = builder.config(key, value)
spark = builder.getOrCreate()
options = ingest_events.build_parser().parse_args(arguments)
now = datetime(2026, 6, 2, 4, tzinfo=UTC)
report = ingest_events.run(spark, options, now)
types = {"battery": "string"}
retyped = (replace(column, type=types.get(column.name, column.type)) for column in SILVER.columns)
event_tables.SILVER = replace(SILVER, columns=tuple(retyped))
try:
    ingest_events.run(spark, options, now)
except SchemaMismatchError as error:
    print(json.dumps([report.events, dict(report.quarantined), str(error)]))
spark.stop()
"""


def test_an_optional_field_flows_from_the_contract_to_the_tables_and_docs(
    lake: Lake, spark_settings: dict[str, str], tmp_path: Path
) -> None:
    attested = AttestedLake(lake)
    attested.send("a", event(uuid="1"), event(uuid="2"))
    attested.ingest()
    schema = EVENT_SCHEMA.append(pa.field("battery", pa.float64()))
    rows = [
        {**event(uuid="3"), "battery": 80.0},
        {**event(uuid="1"), "battery": 70.0},  # says more than the event that is there: a conflict
        {**event(uuid="4", humidity=101.0), "battery": 60.0},
        event(uuid="2"),  # says the same: a duplicate
    ]
    file = lake.bronze / "dt=2026-06-01/hour=13/b.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
    lake.deliver("dt=2026-06-01/hour=13/old.parquet", event(uuid="5"))  # of a producer of before

    checkout = tmp_path / "checkout"
    for room in ("config", "emr_jobs", "ops", "kinesis"):
        shutil.copytree(ROOT / room, checkout / room)
    tables = checkout / "config" / "tables.py"
    tables.write_text(tables.read_text().replace(UUID, UUID + BATTERY))
    extensions = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
    settings = {
        **spark_settings,
        f"spark.sql.catalog.{names.SPARK_CATALOG}.warehouse": str(lake.warehouse),
        "spark.sql.extensions": extensions,
    }
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    arguments = [json.dumps(settings), json.dumps(lake.arguments(SILVER))]
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    events, quarantined, refusal = json.loads(done.stdout.splitlines()[-1])

    assert events == 2
    assert quarantined == {"humidity_out_of_range": 1, "uuid_conflict": 1}
    assert "lacks  battery string" in refusal
    assert "another type, or required ones" in refusal
    spark = lake.another_session()
    silver = spark.table(lake.name(SILVER))
    assert {row.uuid: row.battery for row in silver.collect()} == {"1": None, "2": None, "3": 80.0, "5": None}
    assert silver.schema["battery"].metadata["comment"].startswith("Charge of the battery")
    entries = spark.table(lake.name("clickstream_quarantine")).collect()
    assert {json.loads(row.raw)["battery"] for row in entries} == {60.0, 70.0}
    page = subprocess.run(
        [sys.executable, "-m", "ops.table_docs"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert page.count("| `battery` | double |") == 2, "bronze and silver"
