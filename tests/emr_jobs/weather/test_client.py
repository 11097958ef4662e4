"""The HTTP client against the stand-in's faults: what is retried, what is not, what is refused whole."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from config.grid import GRID, Grid
from config.weather import WeatherSettings
from emr_jobs.weather import client as client_module
from emr_jobs.weather.answers import MalformedAnswerError, parse_answer
from emr_jobs.weather.client import (
    OpenMeteoClient,
    RequestRefusedError,
    ServiceUnavailableError,
    TooLateError,
)
from emr_jobs.weather.series import PlannedRequest, Source, Span, grid_sensors
from local_stack.open_meteo.faults import Fault
from tests.emr_jobs.weather.conftest import Bench

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 4)


def request(sensors: int = 6, source: Source = Source.ARCHIVE) -> PlannedRequest:
    return PlannedRequest(source, tuple(Span(number, FIRST, LAST) for number in range(sensors)))


@pytest.mark.parametrize("kind", ["truncated", "appended", "html", "dropped"])
def test_broken_transport_is_tried_again(bench: Bench, kind: str) -> None:
    bench.stand_in.faults.order(Fault(kind, remaining=2))
    assert len(bench.client.fetch(request())) == 4
    assert len(bench.stand_in.requests) == 3
    assert bench.clock.slept > timedelta(0)


@pytest.mark.parametrize("kind", ["missing_array", "unequal_arrays", "duplicate_day", "one_location_less"])
def test_answer_that_does_not_fit_is_never_used(bench: Bench, kind: str) -> None:
    bench.stand_in.faults.order(Fault(kind, remaining=100))
    with pytest.raises(MalformedAnswerError):
        bench.client.fetch(request())
    assert len(bench.stand_in.requests) == 6


def test_503_is_tried_again_and_costs_no_budget(bench: Bench) -> None:
    bench.stand_in.faults.order(Fault("status", remaining=3, status=503))
    bench.client.fetch(request())
    assert [r.status for r in bench.stand_in.requests] == [503, 503, 503, 200]
    assert bench.budget.remaining_today() == 10_000 - 6


def test_service_that_stays_away_is_given_up(bench: Bench) -> None:
    bench.stand_in.faults.order(Fault("status", remaining=100, status=503))
    with pytest.raises(ServiceUnavailableError, match=r"503 from 127\.0\.0\.1: The service is overloaded"):
        bench.client.fetch(request())
    assert len(bench.stand_in.requests) == 6


def test_400_is_never_tried_again(bench: Bench) -> None:
    too_early = PlannedRequest(Source.ARCHIVE, (Span(0, date(1939, 12, 31), date(1940, 1, 2)),))
    with pytest.raises(RequestRefusedError, match=r"400 .*'start_date' is out of allowed range"):
        bench.client.fetch(too_early)
    assert len(bench.stand_in.requests) == 1


def test_no_connection_says_where_to(bench: Bench) -> None:
    bench.url = "http://127.0.0.1:9"
    with pytest.raises(ServiceUnavailableError, match=r"no connection to 127\.0\.0\.1"):
        bench.client.fetch(request())
    assert bench.budget.remaining_today() == 10_000


def test_slow_answer_times_out_and_is_asked_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_TIMEOUT", httpx.Timeout(0.2))
    bench.stand_in.faults.order(Fault("slow", seconds=1.0))
    assert len(bench.client.fetch(request())) == 4


@pytest.mark.parametrize(
    ("reason", "latest"),
    [
        ("Minutely API request limit exceeded. Please try again in one minute.", 65),
        ("Hourly API request limit exceeded. Please try again in the next hour.", 3605),
        ("Too many concurrent requests", 10),
    ],
)
def test_429_is_waited_out_by_its_window(bench: Bench, reason: str, latest: int) -> None:
    bench.max_wait = timedelta(hours=2)
    bench.stand_in.faults.order(Fault("status", status=429, reason=reason))
    bench.client.fetch(request())
    assert timedelta(0) < bench.clock.slept <= timedelta(seconds=latest)


def test_429_until_tomorrow_is_not_waited_for(bench: Bench) -> None:
    reason = "Daily API request limit exceeded. Please try again tomorrow."
    bench.stand_in.faults.order(Fault("status", status=429, reason=reason))
    with pytest.raises(TooLateError, match="Daily API request limit exceeded"):
        bench.client.fetch(request())
    assert bench.clock.slept == timedelta(0)


def test_rows_are_joined_by_position_not_by_the_model_s_coordinates(bench: Bench) -> None:
    full = bench.with_grid(GRID)
    records = full.client.fetch(request(sensors=100))
    for number, sensor in enumerate(grid_sensors(GRID)):
        truth = bench.stand_in.model.observed(sensor.latitude, sensor.longitude, FIRST)
        assert records[FIRST][number].temperature_max == truth.temperature_max


def test_each_sensor_may_have_days_of_its_own(bench: Bench) -> None:
    mixed = PlannedRequest(Source.ARCHIVE, (Span(0, FIRST, FIRST), Span(3, FIRST, LAST), Span(0, LAST, LAST)))
    records = bench.client.fetch(mixed)
    assert {day: sorted(sensors) for day, sensors in records.items()} == {
        date(2026, 1, 1): [0, 3],
        date(2026, 1, 2): [3],
        date(2026, 1, 3): [3],
        date(2026, 1, 4): [0, 3],
    }


def test_one_sensor_is_answered_by_an_object(bench: Bench) -> None:
    assert len(bench.client.fetch(request(sensors=1))) == 4


def test_grid_across_the_date_line_is_fetched(bench: Bench) -> None:
    pacific = Grid(centre_latitude=-17.0, centre_longitude=180.0, rows=2, columns=4)
    longitudes = [sensor.longitude for sensor in grid_sensors(pacific)]
    assert max(longitudes) <= 180
    assert min(longitudes) < -179.9
    assert len(bench.with_grid(pacific).client.fetch(request(sensors=8))[FIRST]) == 8


def test_grid_over_a_pole_is_refused() -> None:
    with pytest.raises(ValueError, match="beyond a pole"):
        Grid(centre_latitude=89.9, rows=10)


def test_api_key_travels_in_a_header_to_the_customers_hosts(bench: Bench) -> None:
    settings = WeatherSettings(api_key_parameter="/weather/key")
    assert settings.archive_url == "https://customer-archive-api.open-meteo.com/v1/archive"
    assert settings.forecast_url == "https://customer-api.open-meteo.com/v1/forecast"
    client = OpenMeteoClient(settings, (), bench.budget, bench.clock, timedelta(0), api_key="s3cret")
    assert client._http.headers["X-Api-Key"] == "s3cret"
    client.close()


def body(**changes: Any) -> bytes:
    location: dict[str, Any] = {
        "daily_units": {
            "time": "iso8601",
            "temperature_2m_max": "°C",
            "temperature_2m_min": "°C",
            "precipitation_sum": "mm",
        },
        "daily": {
            "time": ["2026-01-01"],
            "temperature_2m_max": [8.5],
            "temperature_2m_min": [2.3],
            "precipitation_sum": [1.2],
        },
    }
    for path, value in changes.items():
        target = location
        *parents, last = path.split("__")
        for parent in parents:
            target = target[parent]
        target[last] = value
    return json.dumps(location).encode()


ONE_DAY = PlannedRequest(Source.ARCHIVE, (Span(0, FIRST, FIRST),))


def test_good_answer_is_read() -> None:
    assert parse_answer(ONE_DAY, body())[FIRST][0].measures == (8.5, 2.3, 1.2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "not JSON, 0 bytes"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"error": true, "reason": "out of cheese"}', "an error with status 200: out of cheese"),
        (b"[]", "0 locations instead of 1"),
        (b'"text"', "location 0 is not where it belongs"),
        (body(location_id=5), "location 0 is not where it belongs"),
        (body(daily=None), "location 0 has no daily values"),
        (body(daily__time=["2026-01-02"]), "has other days than 2026-01-01 to 2026-01-01"),
        (body(daily__precipitation_sum="1.2"), "has no array precipitation_sum"),
        (body(daily__precipitation_sum=[]), "has 0 values of precipitation_sum for 1 days"),
        (body(daily__temperature_2m_max=["8.5"]), "has '8.5' as temperature_2m_max"),
        (body(daily__temperature_2m_max=[True]), "has True as temperature_2m_max"),
        (body(daily__temperature_2m_max=[float("nan")]), "not JSON"),
        (body(daily__temperature_2m_max=[10**400]), "as temperature_2m_max"),
        (body(daily_units__temperature_2m_max="°F"), "has temperature_2m_max in °F instead of °C"),
    ],
)
def test_bad_answer_is_refused_with_the_reason(answer: bytes, message: str) -> None:
    with pytest.raises(MalformedAnswerError, match=message):
        parse_answer(ONE_DAY, answer)
