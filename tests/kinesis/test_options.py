"""The command line says what is wrong with it, and exits 2."""

from __future__ import annotations

import pytest

from config import names
from kinesis.disorder import Shares
from kinesis.options import parse_options

ENVIRONMENT = {"BRONZE_BUCKET": "bronze"}


def test_five_minutes_of_a_hundred_sensors_by_default() -> None:
    options = parse_options([], ENVIRONMENT)
    assert (options.duration, options.count, options.rate, options.sensors) == (300, None, 100, 100)
    assert (options.stream, options.bronze_bucket, options.region) == (names.STREAM, "bronze", "eu-north-1")
    assert options.shares == Shares()
    assert options.seed is not None
    assert options.seed != parse_options([], ENVIRONMENT).seed


@pytest.mark.parametrize(
    ("arguments", "duration"),
    [
        (["--count", "5"], None),
        (["--replay", "-"], None),
        (["--count", "5", "--duration", "1.5"], 1.5),
    ],
)
def test_count_and_replay_replace_the_duration(arguments: list[str], duration: float | None) -> None:
    assert parse_options(arguments, ENVIRONMENT).duration == duration


def test_what_is_given_wins_over_the_environment() -> None:
    options = parse_options(
        ["--bronze-bucket", "other", "--rate", "max", "--seed", "0", "--late", "0.5"],
        ENVIRONMENT | {"AWS_REGION": "us-east-1"},
    )
    assert (options.bronze_bucket, options.region) == ("other", "us-east-1")
    assert (options.rate, options.seed, options.shares.late) == (None, 0, 0.5)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--rate", "-5"], "argument --rate: -5 is not above 0"),
        (["--rate", "0"], "argument --rate: 0 is not above 0"),
        (["--rate", "nan"], "argument --rate: nan is not above 0"),
        (["--rate", "fast"], "argument --rate: 'fast' is not a number"),
        (["--duration", "inf"], "argument --duration: inf is not above 0"),
        (["--sensors", "0"], "argument --sensors: 0 is not above 0"),
        (["--sensors", "1.5"], "argument --sensors: '1.5' is not a number"),
        (["--count", "-1"], "argument --count: -1 is not above 0"),
        (["--late", "1.5"], "--late is a share from 0 to 1, not 1.5"),
        (["--duplicates", "-0.1"], "--duplicates is a share from 0 to 1, not -0.1"),
        (["--corrupt", "many"], "argument --corrupt: invalid float value: 'many'"),
        (["--late", "0.6", "--corrupt", "0.6"], "--late, --duplicates and --corrupt together exceed 1"),
        (["--replay", "x.csv", "--seed", "1"], "--seed shapes simulated events"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_nonsense_is_refused(arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse_options(arguments, ENVIRONMENT)
    assert exit_.value.code == 2
    assert problem in capsys.readouterr().err


def test_a_missing_bucket_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        parse_options([], {"BRONZE_BUCKET": " "})
    assert exit_.value.code == 2
    assert "BRONZE_BUCKET is not set" in capsys.readouterr().err
