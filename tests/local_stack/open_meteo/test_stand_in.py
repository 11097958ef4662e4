"""The stand-in answers as Open-Meteo does: shapes, limits, refusals and ordered faults."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from statistics import mean
from typing import Any

import httpx
import pytest

from config.weather import DAILY_VARIABLES, RequestLimits
from local_stack.open_meteo.faults import Fault
from local_stack.open_meteo.server import OpenMeteoStandIn
from tests.support.open_meteo import TurnedClock, serve

DAILY = ",".join(DAILY_VARIABLES)


class Api:
    """Asks a served stand-in."""

    def __init__(self, stand_in: OpenMeteoStandIn, clock: TurnedClock, url: str) -> None:
        self.stand_in = stand_in
        self.clock = clock
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=60)

    def archive(
        self, places: int = 1, start: str = "2026-01-01", end: str = "2026-01-14", **params: Any
    ) -> httpx.Response:
        latitudes = ",".join(str(50 + n / 20) for n in range(places))
        longitudes = ",".join(["13.4"] * places)
        given = {
            "latitude": latitudes,
            "longitude": longitudes,
            "daily": DAILY,
            "start_date": start,
            "end_date": end,
        }
        return self.http.get("/v1/archive", params=given | params)


@pytest.fixture(scope="module")
def served() -> Iterator[Api]:
    clock = TurnedClock()
    stand_in = OpenMeteoStandIn(seed=1, clock=clock.timestamp)
    with serve(stand_in) as url:
        api = Api(stand_in, clock, url)
        yield api
        api.http.close()


@pytest.fixture
def api(served: Api) -> Api:
    served.clock.restart()
    served.stand_in.reset()
    return served


def test_one_location_answers_an_object(api: Api) -> None:
    answer = api.archive().json()
    assert list(answer["daily"]) == ["time", *DAILY_VARIABLES]
    assert answer["daily"]["time"][0] == "2026-01-01"
    assert {len(values) for values in answer["daily"].values()} == {14}
    assert answer["daily_units"]["temperature_2m_max"] == "°C"
    assert "location_id" not in answer


def test_many_locations_answer_an_array_without_the_first_id(api: Api) -> None:
    answers = api.archive(places=3).json()
    assert [answer.get("location_id") for answer in answers] == [None, 1, 2]


def test_coordinates_in_the_answer_are_the_models(api: Api) -> None:
    answer = api.archive(latitude="52.4951", longitude="13.2849").json()
    assert (answer["latitude"], answer["longitude"]) == (52.5, 13.3)


def test_archive_does_not_know_the_last_days_and_the_forecast_does(api: Api) -> None:
    archive = api.archive(start="2026-11-18", end="2026-11-22").json()["daily"]["temperature_2m_max"]
    assert [value is None for value in archive] == [False, False, False, True, True]
    params = {"latitude": 50, "longitude": 13.4, "daily": DAILY, "past_days": 1, "forecast_days": 2}
    forecast = api.http.get("/v1/forecast", params=params).json()["daily"]
    assert forecast["time"] == ["2026-11-21", "2026-11-22", "2026-11-23"]
    assert None not in forecast["temperature_2m_max"]


def test_each_location_may_have_its_own_days(api: Api) -> None:
    answers = api.archive(places=2, start="2026-01-01,2026-02-01", end="2026-01-02,2026-02-03").json()
    assert [len(answer["daily"]["time"]) for answer in answers] == [2, 3]


@pytest.mark.parametrize(
    ("params", "status", "reason"),
    [
        ({"latitude": "91"}, 400, "Latitude must be in range of -90 to 90°. Given: 91.0."),
        ({"longitude": "181"}, 400, "Longitude must be in range of -180 to 180°. Given: 181.0."),
        ({"latitude": "1,2"}, 400, "must have the same number of elements"),
        ({"latitude": "x"}, 400, "Data corrupted at path 'latitude'"),
        ({"latitude": ""}, 400, "Parameter 'latitude' is required"),
        ({"daily": "wind"}, 400, "Cannot initialize ForecastVariableDaily from invalid String value wind."),
        ({"daily": ""}, 400, "Parameter 'daily' is required"),
        ({"start_date": "2026-01-15"}, 400, "End-date must be larger or equals than start-date"),
        (
            {"start_date": "1939-12-31"},
            400,
            "'start_date' is out of allowed range from 1940-01-01 to 2026-11-22",
        ),
        ({"end_date": "2026-11-23"}, 400, "'end_date' is out of allowed range"),
        ({"end_date": "soon"}, 400, "Invalid date format for parameter 'end_date'"),
        ({"end_date": ""}, 400, "Both 'start_date' and 'end_date' must be set in the url"),
        ({"end_date": "2026-01-02,2026-01-03"}, 400, "'end_date' must have the same number of elements"),
        ({"past_days": "1"}, 400, "Parameter 'past_days' is mutually exclusive with"),
        ({"hourly": "rain"}, 501, "does not speak the parameter hourly"),
        ({"timezone": "Europe/Berlin"}, 501, "speaks timezone=GMT only"),
    ],
)
def test_refusals_are_error_bodies(api: Api, params: dict[str, str], status: int, reason: str) -> None:
    response = api.archive(**params)
    assert response.status_code == status
    assert response.json()["error"] is True
    assert reason in response.json()["reason"]


@pytest.mark.parametrize(
    ("name", "value"), [("past_days", "93"), ("forecast_days", "17"), ("past_days", "x")]
)
def test_forecast_is_bounded(api: Api, name: str, value: str) -> None:
    params = {"latitude": 50, "longitude": 13.4, "daily": DAILY, name: value}
    assert api.http.get("/v1/forecast", params=params).status_code == 400


def test_too_heavy_or_too_many_locations_is_400(api: Api) -> None:
    heavy = api.archive(places=100, start="2000-01-01", end="2009-12-31")
    assert (heavy.status_code, "too much data" in heavy.json()["reason"]) == (400, True)
    api.stand_in._rates.limits = RequestLimits(locations_per_request=5)
    assert "Only up to 5 locations" in api.archive(places=6).json()["reason"]


def test_year_of_the_grid_weighs_782(api: Api) -> None:
    api.archive(places=100, start="2025-01-01", end="2025-12-31")
    assert api.stand_in.requests[-1].weight == pytest.approx(782.1, abs=0.1)


@pytest.mark.parametrize(
    ("limits", "word", "pause"),
    [
        ({"per_minute": 5}, "Minutely", 60),
        ({"per_hour": 5}, "Hourly", 3600),
        ({"per_day": 5}, "Daily", 86400),
    ],
)
def test_client_over_a_limit_is_refused_until_the_next_window(
    api: Api, limits: dict[str, float], word: str, pause: int
) -> None:
    assert api.http.put("/_admin/limits", json=limits).status_code == 200
    assert [api.archive(places=3).status_code for _ in range(3)] == [200, 200, 429]
    assert api.archive().json()["reason"].startswith(f"{word} API request limit exceeded.")
    assert "retry-after" not in api.archive().headers
    api.clock.sleep(pause)
    assert api.archive().status_code == 200


def test_one_request_runs_and_five_wait_the_next_is_refused(api: Api) -> None:
    api.stand_in.faults.order(_slow())

    def ask(_: int) -> int:
        return httpx.get(f"{api.url}/v1/archive", params=_params(), timeout=30).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(ask, range(8)))
    assert statuses == [200] * 6 + [429] * 2
    assert {r.fault for r in api.stand_in.requests if r.status == 429} == {None}


def _params() -> dict[str, Any]:
    return {
        "latitude": 50,
        "longitude": 13.4,
        "daily": DAILY,
        "start_date": "2026-01-01",
        "end_date": "2026-01-02",
    }


def _slow() -> Any:
    return Fault("slow", seconds=1.5)


def test_faults_are_ordered_over_http_and_hit_in_turn(api: Api) -> None:
    ordered = [
        {"kind": "status", "status": 429, "reason": "Too many concurrent requests"},
        {"kind": "html", "skip": 1},
    ]
    assert api.http.post("/_admin/faults", json=ordered).json() == {"ordered": 2}
    assert api.archive().status_code == 429
    assert api.archive().status_code == 200
    assert api.archive().headers["content-type"].startswith("text/html")
    assert api.archive().status_code == 200
    assert [r["fault"] for r in api.http.get("/_admin/requests").json()] == ["status", None, "html", None]
    api.http.post("/_admin/reset")
    assert api.http.get("/_admin/requests").json() == []


@pytest.mark.parametrize("fault", [{"kind": "earthquake"}, {"sort": "html"}])
def test_unknown_fault_is_refused(api: Api, fault: dict[str, str]) -> None:
    assert api.http.post("/_admin/faults", json=[fault]).status_code == 400


def test_same_seed_same_weather_other_seed_other_weather(api: Api) -> None:
    again = OpenMeteoStandIn(seed=1).model
    other = OpenMeteoStandIn(seed=2).model
    answer = api.archive().json()["daily"]["temperature_2m_max"]
    days = [api.clock.now().date().replace(month=1, day=n + 1) for n in range(14)]
    assert [again.observed(50, 13.4, day).temperature_max for day in days] == answer
    assert [other.observed(50, 13.4, day).temperature_max for day in days] != answer


def test_weather_is_plausible(api: Api) -> None:
    def year(latitude: float, longitude: float) -> list[float]:
        query = {
            "latitude": latitude,
            "longitude": longitude,
            "start_date": "2025-01-01",
            "end_date": "2025-12-31",
        }
        daily = api.archive(**query).json()["daily"]
        assert all(
            low < high
            for low, high in zip(daily["temperature_2m_min"], daily["temperature_2m_max"], strict=True)
        )
        assert 0.1 < mean(rain > 0 for rain in daily["precipitation_sum"]) < 0.7
        return [float(value) for value in daily["temperature_2m_max"]]

    berlin, neighbour, sydney, equator = (
        year(52.52, 13.4),
        year(52.57, 13.45),
        year(-33.9, 151.2),
        year(0.0, 30.0),
    )
    assert mean(berlin[181:212]) > mean(berlin[:31]) + 12
    assert mean(sydney[181:212]) < mean(sydney[:31]) - 6
    assert mean(equator) > mean(berlin) + 12
    assert mean(abs(a - b) for a, b in zip(berlin, neighbour, strict=True)) < 1.5
    from_day_to_day = mean(abs(a - b) for a, b in pairwise(berlin))
    far_apart = mean(abs(a - b) for a, b in zip(berlin, berlin[30:], strict=False))
    assert from_day_to_day < 0.8 * far_apart


def test_process_serves_and_says_it_is_healthy() -> None:
    port = _free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "local_stack.open_meteo", "--port", str(port), "--seed", "5"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport, timeout=30) as client:
            assert client.get(f"http://127.0.0.1:{port}/health").json() == {"status": "ok", "seed": 5}
    finally:
        process.terminate()
        process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
