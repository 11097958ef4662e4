"""The entry points as processes see them: usage, exit status, the JSON line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import boto3
import pytest

from config.jobs import JOBS
from config.project_config import Settings
from config.weather import WeatherSettings
from emr_jobs import kpi_sensor_weather, weather_check, weather_extract, weather_transform
from local_stack.open_meteo.faults import Fault
from tests.emr_jobs.weather.conftest import BUCKET, Bench

LANDING = f"s3://{BUCKET}/raw/openmeteo/"
POSITIONAL = [LANDING, "analytics", "weather_daily", "s3://iceberg/"]


@pytest.fixture
def live(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The stand-in on the machine's clock, as the command lines are."""
    monkeypatch.setattr(bench.stand_in, "clock", lambda: datetime.now(UTC).timestamp())
    monkeypatch.setattr(bench.stand_in._rates, "_clock", lambda: datetime.now(UTC).timestamp())
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return bench


def test_check_then_extract(live: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--api-url", live.url, "--region", "us-east-1", "--days", "2"]
    assert weather_check.main([LANDING, *options]) == 0
    assert json.loads(capsys.readouterr().out)["planned_requests"] == 1
    assert weather_extract.main([*POSITIONAL, *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["requests"], report["days_landed"], report["provisional"]) == (1, 2, 200)


def test_failures_exit_1_and_say_why(live: Bench, caplog: pytest.LogCaptureFixture) -> None:
    live.stand_in.faults.order(Fault("status", remaining=2, status=400, reason="Invalid"))
    options = ["--api-url", live.url, "--days", "2"]
    assert weather_check.main([LANDING, *options]) == 1
    assert "The weather service cannot be used: 400" in caplog.text
    assert weather_extract.main([*POSITIONAL, *options]) == 1
    assert "No data fetched successfully: 400" in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        ["--end", "2100-01-01"],
        ["--start", "2026-01-02", "--end", "2026-01-01"],
        ["--start", "yesterday"],
        ["--days", "0"],
        ["--days", "x"],
        ["--checkpoint-store", "redis"],
    ],
)
@pytest.mark.parametrize(
    ("main", "positional"), [(weather_check.main, [LANDING]), (weather_extract.main, POSITIONAL)]
)
def test_wrong_options_exit_2(
    bench: Bench, main: Callable[[list[str]], int], positional: list[str], options: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*positional, *options])
    assert ended.value.code == 2
    assert bench.stand_in.requests == []


@pytest.mark.parametrize("path", ["/tmp/raw/", "raw_weather"])
def test_landing_that_is_not_in_s3_exits_2(path: str) -> None:
    for main in (weather_extract.main, weather_transform.main):
        with pytest.raises(SystemExit) as ended:
            main([path, *POSITIONAL[1:]])
        assert ended.value.code == 2


def test_join_takes_names_only() -> None:
    with pytest.raises(SystemExit) as ended:
        kpi_sensor_weather.main(["s3://bronze/x/", "analytics", "sensor_weather_daily", "s3://iceberg/"])
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended:
        kpi_sensor_weather.main(["t", "db", "out", "s3://x/", "--weather-table", "w; DROP TABLE t"])
    assert ended.value.code == 2


def test_api_key_comes_from_ssm_and_is_never_shown(
    live: Bench, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("ssm", region_name="us-east-1").put_parameter(
        Name="/weather/key", Value="s3cret", Type="SecureString"
    )
    options = ["--api-url", live.url, "--api-key-parameter", "/weather/key", "--region", "us-east-1"]
    assert weather_extract.main([*POSITIONAL, *options, "--days", "1"]) == 0
    captured = capsys.readouterr()
    assert "s3cret" not in caplog.text + captured.out + captured.err


def test_settings_become_options_that_the_parsers_take() -> None:
    settings = Settings.from_mapping(
        {
            "BRONZE_BUCKET": "my-bronze",
            "ICEBERG_BUCKET": "my-iceberg",
            "SCRIPTS_BUCKET": "my-scripts",
            "LOGS_BUCKET": "my-logs",
            "WEATHER_API_URL": "http://127.0.0.1:4580/",
            "WEATHER_API_KEY_PARAMETER": "/weather/key",
        }
    )
    assert settings.weather == WeatherSettings("http://127.0.0.1:4580", "/weather/key")
    assert settings.weather.archive_url == "http://127.0.0.1:4580/v1/archive"
    parsed = weather_extract.build_parser().parse_args(
        [JOBS["weather_extract"].source(settings), *POSITIONAL[1:], *settings.weather.options]
    )
    assert (parsed.source, parsed.api_url) == ("s3://my-bronze/raw/openmeteo/", "http://127.0.0.1:4580")
