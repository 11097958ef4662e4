"""The weather branch: requests, weight and seconds of a year of the grid, and of one more day.

    python -m benchmarks.bench_weather

Check, extract and transform run as processes, the steps by spark-submit as on a local cluster, against
an emulated AWS and the weather stand-in. One JSON object a line:

*year*: 365 days x 100 sensors that the archive knows: 36,500 rows. The original asked once per sensor
and day (36,500 requests) and claimed 180 to 300 s. Aims: 2 requests, weight 800, 40 s.
*year to today*: the default, with the days that only the forecast host knows: one request more.
*one more day*: with 30 and with 365 days behind: requests, S3 calls and seconds of the extract,
seconds of the transform.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx

from benchmarks.harness import benchmark_parser
from config.weather import RAW_PREFIX, WeatherSettings
from emr_jobs.edge.weather import Landing
from emr_jobs.weather.documents import open_documents
from emr_jobs.weather.extract import Wish
from local_stack.open_meteo.server import OpenMeteoStandIn
from local_stack.spark.install import ensure_class_data, ensure_runtime
from local_stack.spark.runtime import SparkRuntime, endpoint_settings
from tests.support.emulated_aws import EmulatedAws, run_emulated_aws
from tests.support.open_meteo import serve

ROOT = Path(__file__).resolve().parents[1]
ORIGINAL_REQUESTS = 36_500
ORIGINAL_SECONDS = 180.0
ARCHIVE_LAG_DAYS = 2


@dataclass
class Platform:
    """What the processes run against."""

    aws: EmulatedAws
    api_url: str
    spark_submit: Path

    def check(self, bucket: str, *options: str) -> float:
        """Seconds of weather_check."""
        command = [sys.executable, "-m", "emr_jobs.weather_check", landing(bucket)]
        return self._run([*command, "--api-url", self.api_url, *options])

    def extract(self, bucket: str, *options: str) -> float:
        """Seconds of weather_extract as a step."""
        return self._submit("weather_extract", bucket, "--api-url", self.api_url, *options)

    def transform(self, bucket: str) -> float:
        """Seconds of weather_transform as a step."""
        return self._submit("weather_transform", bucket)

    def requests(self) -> list[dict[str, Any]]:
        """What the service was asked since the last time it was asked this."""
        served: list[dict[str, Any]] = httpx.get(f"{self.api_url}/_admin/requests").json()
        httpx.post(f"{self.api_url}/_admin/reset")
        return served

    def make_bucket(self, name: str) -> str:
        """A bucket of this name."""
        location = {"LocationConstraint": self.aws.region}
        self.aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=location)
        return name

    def _submit(self, job: str, bucket: str, *options: str) -> float:
        script = ROOT / "emr_jobs" / f"{job}.py"
        positional = [landing(bucket), bucket.replace("-", "_"), "weather_daily", f"s3://{bucket}/lake/"]
        return self._run([str(self.spark_submit), str(script), *positional, *options])

    def _run(self, command: list[str]) -> float:
        started = time.monotonic()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command} failed:\n{done.stderr[-2000:]}")
        return time.monotonic() - started


def main() -> None:
    """Run the benchmark and print its figures."""
    benchmark_parser("weather", __doc__).parse_args()
    with platform() as here:
        today = datetime.now(UTC).date()
        last = today - timedelta(days=ARCHIVE_LAG_DAYS)
        here.transform(here.make_bucket("bench-weather-warm"))
        report("year", year(here, "bench-weather-year", "--days", "365", "--end", last.isoformat()))
        report("year to today", year(here, "bench-weather-today", "--days", "365"))
        for behind in (30, 365):
            report(f"one more day, {behind} behind", one_more_day(here, behind, today))


def year(here: Platform, bucket: str, *options: str) -> dict[str, Any]:
    """Figures of a first load."""
    here.make_bucket(bucket)
    seconds = {
        "check": here.check(bucket, *options),
        "extract": here.extract(bucket, *options),
        "transform": here.transform(bucket),
    }
    served = here.requests()
    total = sum(seconds.values())
    return {
        "rows": 36_500,
        "requests": len(served),
        "original_requests": ORIGINAL_REQUESTS,
        "weight": round(sum(request["weight"] for request in served), 1),
        **{f"{name}_seconds": round(taken, 1) for name, taken in seconds.items()},
        "seconds": round(total, 1),
        "times_faster_than_claimed": round(ORIGINAL_SECONDS / total, 1),
    }


def one_more_day(here: Platform, behind: int, today: date) -> dict[str, Any]:
    """Figures of a daily run with some days behind it."""
    bucket = here.make_bucket(f"bench-weather-{behind}")
    yesterday = today - timedelta(days=1)
    here.extract(bucket, "--days", str(behind), "--end", yesterday.isoformat())
    here.transform(bucket)
    here.requests()
    calls, seconds = counted_extract(here, bucket)
    transform = here.transform(bucket)
    served = here.requests()
    return {
        "requests": len(served),
        "weight": sum(request["weight"] for request in served),
        "extract_s3_calls": calls,
        "extract_seconds": round(seconds, 2),
        "transform_seconds": round(transform, 1),
    }


def counted_extract(here: Platform, bucket: str) -> tuple[int, float]:
    """S3 calls and seconds of an extract in this process."""
    calls = []
    session = boto3.Session(region_name=here.aws.region)
    session.events.register("before-call.s3", lambda model, **_: calls.append(model.name))
    raw = Landing(landing(bucket), session, open_documents("s3", bucket, session))
    started = time.monotonic()
    extract = raw.extract(WeatherSettings(here.api_url), raw.budget())
    extract.run(Wish())
    extract.client.close()
    return len(calls), time.monotonic() - started


@contextmanager
def platform() -> Iterator[Platform]:
    """An emulated AWS, a stand-in and a spark-submit, all of this process."""
    runtime = ensure_runtime()
    ensure_class_data(runtime, print)
    stand_in = OpenMeteoStandIn(archive_lag_days=ARCHIVE_LAG_DAYS)
    with tempfile.TemporaryDirectory() as name, serve(stand_in) as url:
        folder = Path(name)
        with run_emulated_aws(folder / "aws", "--fresh") as aws:
            os.environ.update(aws.environment)
            os.environ.update(runtime.environment())
            os.environ["PYSPARK_PYTHON"] = sys.executable
            yield Platform(aws, url, spark_submit(runtime, aws, folder))


def spark_submit(runtime: SparkRuntime, aws: EmulatedAws, folder: Path) -> Path:
    """A spark-submit with a local cluster's defaults."""
    command = folder / "spark-submit"
    settings = runtime.driver_settings(scratch=folder) | endpoint_settings(aws.endpoint, aws.region)
    runtime.write_spark_submit(command, folder / "spark-defaults.conf", settings)
    return command


def landing(bucket: str) -> str:
    """The raw landing of a bucket."""
    return f"s3://{bucket}/{RAW_PREFIX}"


def report(name: str, figures: dict[str, Any]) -> None:
    """Print one line."""
    print(json.dumps({"benchmark": "weather", "case": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
