"""The transform and the join on Iceberg tables, fed by an extract into the emulated S3."""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession

from config.grid import GRID
from config.tables import TABLES
from config.weather import BUDGET_LEDGER, GAP_LEDGER, QualityRules, RequestLimits, WeatherSettings
from emr_jobs import kpi_sensor_weather
from emr_jobs.edge.weather import Landing
from emr_jobs.lake.errors import LakeError
from emr_jobs.lake.tables import Snapshot, current_snapshot, ensure_table
from emr_jobs.weather.budget import Budget
from emr_jobs.weather.client import OpenMeteoClient
from emr_jobs.weather.extract import Extract, Wish
from emr_jobs.weather.series import grid_sensors
from emr_jobs.weather_transform import QualityError, Run, TransformReport, transform
from local_stack.open_meteo.faults import Fault
from local_stack.spark.runtime import endpoint_settings
from tests.emr_jobs.weather.conftest import Service
from tests.support.emulated_aws import EmulatedAws
from tests.support.open_meteo import TurnedClock

pytestmark = [pytest.mark.spark, pytest.mark.aws]

FIRST = date(2026, 1, 30)
LAST = date(2026, 2, 2)
MAX_WAIT = timedelta(minutes=5)


class Lake:
    """One landing and one database, with what runs on them."""

    def __init__(self, spark: SparkSession, landing: Landing, service: Service, database: str) -> None:
        self.spark = spark
        self.landing = landing
        self.service = service
        self.database = database
        self.clock = TurnedClock()

    def extract(self, **wish: Any) -> None:
        """Fetch into the landing."""
        settings = WeatherSettings(api_url=self.service.url)
        budget = Budget(self.landing.documents, self.clock, RequestLimits(), MAX_WAIT)
        client = OpenMeteoClient(settings, grid_sensors(GRID), budget, self.clock, MAX_WAIT)
        Extract(GRID, self.landing.documents, self.landing.raw, client, self.clock).run(Wish(**wish))
        client.close()

    def transform(self, run_id: str = "run", **changes: Any) -> TransformReport:
        """Run the transform."""
        return transform(self.spark, self.landing, Run(self.database, "weather_daily", run_id, **changes))

    def name(self, table: str) -> str:
        return f"glue.{self.database}.{table}"

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        return sorted(tuple(row) for row in self.spark.table(self.name(table)).collect())

    def snapshot(self, table: str) -> Snapshot | None:
        return current_snapshot(self.spark, self.name(table))


@pytest.fixture
def lake(
    spark: SparkSession, aws_environment: EmulatedAws, service: Service, request: pytest.FixtureRequest
) -> Lake:
    service.stand_in.reset()
    suffix = f"{abs(hash(request.node.name)):x}"[:12]
    bucket = f"weather-steps-{suffix}"
    aws_environment.client("s3").create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws_environment.region}
    )
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    for name, value in endpoint_settings(aws_environment.endpoint, aws_environment.region).items():
        hadoop.set(name.removeprefix("spark.hadoop."), value)
    for name in ("access", "secret"):
        hadoop.set(f"fs.s3a.{name}.key", "test")
    landing = Landing.open(f"s3://{bucket}/raw/openmeteo/", aws_environment.region, "s3")
    return Lake(spark, landing, service, f"db_{suffix}")


def test_landed_days_become_rows_and_regions_and_leave_the_queue(lake: Lake) -> None:
    lake.extract(start=FIRST, end=LAST)
    report = lake.transform()
    assert report.days == 4
    assert report.metrics["Total Rows"] == 400
    assert report.metrics["Completeness Rate"] == 100.0
    assert len(lake.rows("weather_daily")) == 400
    assert len(lake.rows("weather_region_daily")) == 100
    metrics = {row[2]: (row[3], row[5]) for row in lake.rows("data_quality_metrics")}
    assert metrics["Completeness Rate"] == (100.0, "pass")
    before = lake.snapshot("weather_daily")
    assert lake.transform().days == 0
    assert lake.snapshot("weather_daily") == before


def test_rerun_over_everything_commits_nothing(lake: Lake) -> None:
    lake.extract(start=FIRST, end=LAST)
    lake.transform()
    before = [lake.snapshot(table) for table in ("weather_daily", "weather_region_daily")]
    report = lake.transform(everything=True)
    assert (report.days, set(report.changed.values())) == (4, {False})
    assert [lake.snapshot(table) for table in ("weather_daily", "weather_region_daily")] == before


def test_only_truly_changed_rows_get_a_new_processed_at(lake: Lake) -> None:
    lake.extract(start=FIRST, end=LAST)
    lake.transform()
    before = {row[:2]: row for row in lake.rows("weather_daily")}
    lake.service.stand_in.faults.order(Fault("nulls"))
    lake.extract(start=FIRST, end=LAST, refetch=True)
    lake.transform()
    after = {row[:2]: row for row in lake.rows("weather_daily")}
    changed = {key for key in after if after[key] != before[key]}
    # SENSOR_0000 lost a day, and with it the aggregates of its region's four sensors changed.
    block = {(FIRST, name) for name in ("SENSOR_0000", "SENSOR_0001", "SENSOR_0010", "SENSOR_0011")}
    assert changed == block
    assert all(after[key][18] > before[key][18] for key in changed)


def test_days_of_a_month_that_did_not_change_stay(lake: Lake) -> None:
    lake.extract(start=FIRST, end=FIRST)
    lake.transform()
    first = lake.rows("weather_daily")
    lake.extract(start=FIRST + timedelta(days=1), end=LAST)
    assert lake.transform().days == 3
    assert lake.rows("weather_daily")[:100] == first
    assert len(lake.rows("weather_daily")) == 400


def test_bad_data_publishes_only_its_metrics_and_stays_in_the_queue(lake: Lake) -> None:
    lake.extract(start=FIRST, end=LAST)
    with pytest.raises(QualityError, match=r"Completeness Rate is 0\.00, at least 95 is wanted"):
        lake.transform("bad", rules=QualityRules(temperature_max=-80.0))
    assert lake.rows("weather_daily") == []
    assert lake.rows("weather_region_daily") == []
    verdicts = {row[2]: row[5] for row in lake.rows("data_quality_metrics")}
    assert verdicts["Completeness Rate"] == "fail"
    assert lake.transform("good").days == 4


def test_metrics_of_a_repeated_run_are_replaced(lake: Lake) -> None:
    lake.extract(start=FIRST, end=LAST)
    lake.transform("same")
    count = len(lake.rows("data_quality_metrics"))
    lake.transform("same", everything=True)
    assert len(lake.rows("data_quality_metrics")) == count
    lake.transform("other", everything=True)
    assert len(lake.rows("data_quality_metrics")) == 2 * count


def test_lost_ledger_makes_the_transform_take_every_raw_day(lake: Lake) -> None:
    lake.extract(start=FIRST, end=LAST)
    lake.transform()
    s3 = lake.landing.session.client("s3")
    bucket = lake.landing.path.split("/")[2]
    for name in (GAP_LEDGER, BUDGET_LEDGER):
        s3.delete_object(Bucket=bucket, Key=f"checkpoints/{name}")
    assert lake.transform().days == 4


def test_second_record_of_a_day_is_counted_and_the_later_one_wins(lake: Lake) -> None:
    lake.extract(start=FIRST, end=FIRST)
    s3 = lake.landing.session.client("s3")
    bucket = lake.landing.path.split("/")[2]
    folder = f"raw/openmeteo/dt={FIRST}"
    s3.copy_object(
        Bucket=bucket,
        Key=f"{folder}/again.parquet",
        CopySource={"Bucket": bucket, "Key": f"{folder}/openmeteo.parquet"},
    )
    assert lake.transform().metrics["Duplicate Row Count"] == 100
    assert len(lake.rows("weather_daily")) == 100


def test_empty_landing_creates_the_tables_and_changes_nothing(lake: Lake) -> None:
    assert lake.transform().days == 0
    assert lake.rows("weather_daily") == []


def join_options(lake: Lake, **changes: Any) -> argparse.Namespace:
    arguments = ["temp_humidity_kpis", lake.database, "sensor_weather_daily", "s3://warehouse/"]
    options = kpi_sensor_weather.build_parser().parse_args(arguments)
    for name, value in changes.items():
        setattr(options, name, value)
    return options


def test_join_puts_the_weather_beside_the_measurements(lake: Lake) -> None:
    lake.extract(start=FIRST, end=FIRST)
    lake.transform()
    climate = TABLES["temp_humidity_kpis"]
    ensure_table(lake.spark, lake.name(climate.name), climate)
    near, far = GRID.place(42), (48.1, 11.6)
    measures = (10.0, 5.0, 15.0, 60.0, 50.0, 70.0)
    lake.spark.createDataFrame(
        [(FIRST, *near, *measures), (FIRST, *far, *measures), (LAST, *near, *measures)], climate.schema_ddl
    ).writeTo(lake.name(climate.name)).append()
    report = kpi_sensor_weather.join(lake.spark, join_options(lake))
    assert (report.rows, report.with_weather) == (3, 1)
    truth = lake.service.stand_in.model.observed(*near, FIRST)
    (row,) = [row for row in lake.rows("sensor_weather_daily") if row[:3] == (FIRST, *near)]
    assert row[9:13] == ("SENSOR_0042", 0.0, truth.temperature_max, truth.temperature_min)


def test_join_does_nothing_until_a_table_or_the_limit_changes(lake: Lake) -> None:
    climate, weather = (TABLES[name] for name in ("temp_humidity_kpis", "weather_daily"))
    for spec in (climate, weather):
        ensure_table(lake.spark, lake.name(spec.name), spec)
    row = (FIRST, *GRID.place(42), 10.0, 5.0, 15.0, 60.0, 50.0, 70.0)
    lake.spark.createDataFrame([row], climate.schema_ddl).writeTo(lake.name(climate.name)).append()
    first = kpi_sensor_weather.join(lake.spark, join_options(lake))
    before = lake.snapshot("sensor_weather_daily")
    assert kpi_sensor_weather.join(lake.spark, join_options(lake)).work == "up to date" != first.work
    assert lake.snapshot("sensor_weather_daily") == before

    lake.spark.sql(f"DELETE FROM {lake.name('sensor_weather_daily')}")
    assert kpi_sensor_weather.join(lake.spark, join_options(lake)).rows == 1
    lake.spark.sql(f"DELETE FROM {lake.name(climate.name)}")
    assert kpi_sensor_weather.join(lake.spark, join_options(lake)).work == first.work
    assert lake.rows("sensor_weather_daily") == []
    assert kpi_sensor_weather.join(lake.spark, join_options(lake)).work == "up to date"
    assert kpi_sensor_weather.join(lake.spark, join_options(lake, max_distance_km=1.0)).work == first.work


def test_join_without_its_tables_says_which_job_has_to_run(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"no table glue.*temp_humidity_kpis: its job has to run first"):
        kpi_sensor_weather.join(lake.spark, join_options(lake))
