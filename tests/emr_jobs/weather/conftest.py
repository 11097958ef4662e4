"""A whole extract for tests: the stand-in over HTTP, S3 in memory, a clock that only waiting moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from config.grid import GRID, Grid
from config.weather import RAW_PREFIX, RequestLimits, WeatherSettings
from emr_jobs.weather.budget import Budget
from emr_jobs.weather.client import OpenMeteoClient
from emr_jobs.weather.documents import DocumentStore, S3Documents
from emr_jobs.weather.extract import Extract
from emr_jobs.weather.landing import RawLanding
from emr_jobs.weather.series import grid_sensors
from local_stack.open_meteo.server import OpenMeteoStandIn
from tests.support.open_meteo import TurnedClock, serve

BUCKET = "weather-bronze"


@dataclass(frozen=True)
class Service:
    """A served stand-in."""

    stand_in: OpenMeteoStandIn
    url: str


@dataclass
class Bench:
    """Everything that one run of the extract works with."""

    stand_in: OpenMeteoStandIn
    clock: TurnedClock
    s3: Any
    documents: DocumentStore
    url: str
    grid: Grid = GRID
    max_wait: timedelta = timedelta(minutes=40)
    to_close: ExitStack = field(default_factory=ExitStack)

    @property
    def raw(self) -> RawLanding:
        return RawLanding(BUCKET, RAW_PREFIX, grid_sensors(self.grid), self.s3)

    @property
    def budget(self) -> Budget:
        return Budget(self.documents, self.clock, RequestLimits(), self.max_wait)

    @property
    def client(self) -> OpenMeteoClient:
        settings = WeatherSettings(api_url=self.url)
        client = OpenMeteoClient(settings, grid_sensors(self.grid), self.budget, self.clock, self.max_wait)
        self.to_close.callback(client.close)
        return client

    @property
    def extract(self) -> Extract:
        """An extract with fresh collaborators, as a new process has them."""
        return Extract(self.grid, self.documents, self.raw, self.client, self.clock)

    def with_grid(self, grid: Grid) -> Bench:
        """The same, for another grid."""
        return replace(self, grid=grid)

    def raw_files(self) -> dict[str, bytes]:
        """Every raw file by key."""
        listed = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=RAW_PREFIX)
        keys = [entry["Key"] for page in listed for entry in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def text(self, name: str) -> str | None:
        """A document's text."""
        return self.documents.read(name).text


@pytest.fixture(scope="session")
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture(scope="session")
def service(clock: TurnedClock) -> Iterator[Service]:
    stand_in = OpenMeteoStandIn(seed=7, clock=clock.timestamp)
    with serve(stand_in) as url:
        yield Service(stand_in, url)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def small_grid() -> Grid:
    """2 x 3 sensors: as good as 100 where the number does not matter."""
    return Grid(rows=2, columns=3)


@pytest.fixture
def bench(s3: Any, service: Service, clock: TurnedClock, small_grid: Grid) -> Iterator[Bench]:
    clock.restart()
    service.stand_in.reset()
    bench = Bench(service.stand_in, clock, s3, S3Documents(BUCKET, s3), service.url, small_grid)
    with bench.to_close:
        yield bench
