"""Steps that really failed, each for another reason, and what the diagnosis says of them.

``python -m tests.support.step_failures tests/dags/step_failures`` records them anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from lakehouse.diagnosis import ADVICE, Cause, Diagnosis, StepOutcome, diagnose
from tests.support.step_failures import SCENARIOS

RECORDS = Path(__file__).with_name("step_failures")


@dataclass(frozen=True)
class Expected:
    """What a diagnosis has to say: cause, words of the headline, missing right, whether there is a stage."""

    cause: Cause
    headline: str
    denied_action: str = ""
    has_stage: bool = False


EXPECTED = {
    "heap_of_the_driver": Expected(Cause.OUT_OF_MEMORY, "Java heap space", has_stage=True),
    "result_too_large": Expected(Cause.OUT_OF_MEMORY, "spark.driver.maxResultSize"),
    "memory_of_python": Expected(Cause.OUT_OF_MEMORY, "MemoryError"),
    "disk_full": Expected(Cause.DISK_FULL, "No space left on device", has_stage=True),
    "missing_path": Expected(Cause.MISSING_INPUT, "s3://failing-steps/nothing"),
    "missing_object": Expected(Cause.MISSING_INPUT, "s3://failing-steps/vanishing/part-", has_stage=True),
    "missing_table": Expected(Cause.MISSING_INPUT, "`glue`.`failing`.`nothing`"),
    "unreadable_input": Expected(Cause.UNREADABLE_INPUT, "a.parquet is not a Parquet file", has_stage=True),
    "denied_read_of_s3": Expected(
        Cause.ACCESS_DENIED, "s3://failing-steps/forbidden/part-0.parquet", "s3:GetObject", has_stage=True
    ),
    "denied_write_to_s3": Expected(Cause.ACCESS_DENIED, "s3://failing-steps/forbidden/out", "s3:GetObject"),
    "denied_glue": Expected(Cause.ACCESS_DENIED, "table/failing/forbidden", "glue:GetTable"),
    "denied_table_files": Expected(Cause.ACCESS_DENIED, "s3:PutObject", "s3:PutObject", has_stage=True),
    "throttled_by_s3": Expected(Cause.THROTTLED, "Please reduce your request rate", has_stage=True),
    "throttled_by_glue": Expected(Cause.THROTTLED, "Rate exceeded"),
    "unreachable": Expected(Cause.UNREACHABLE, "Connection refused"),
    "conflict_of_appends": Expected(Cause.ICEBERG_CONFLICT, "CommitFailedException"),
    "conflict_of_overwrites": Expected(Cause.ICEBERG_CONFLICT, "Found conflicting files"),
    "bad_argument": Expected(Cause.BAD_ARGUMENT, "'a; DROP b' is not a name"),
    "lost_node": Expected(Cause.LOST_NODE, "ExecutorLostFailure", has_stage=True),
    "killed": Expected(Cause.KILLED, "signal 9"),
    "time_limit": Expected(Cause.TIME_LIMIT, "ran out of its time"),
    "unlike_its_specification": Expected(Cause.CODE, "is not the table that config/tables.py specifies"),
    "error_in_a_function": Expected(Cause.CODE, "KeyError", has_stage=True),
    "unknown_column": Expected(Cause.CODE, "`temprature`"),
    "missing_module": Expected(Cause.CODE, "No module named 'pandas_of_tomorrow'"),
}

PASSES_BY_ITSELF = {
    "throttled_by_s3",
    "throttled_by_glue",
    "unreachable",
    "conflict_of_appends",
    "conflict_of_overwrites",
    "lost_node",
    "killed",
}


def recorded(name: str, *, with_logs: bool = True) -> Diagnosis:
    """The diagnosis of a record."""
    folder = RECORDS / name
    details = json.loads((folder / "status.json").read_text())["FailureDetails"]
    reason = f"{details['Reason']}; {details['Message']}"
    if not with_logs:
        return diagnose(StepOutcome(reason))
    stderr, stdout = ((folder / f"{stream}.txt").read_text() for stream in ("stderr", "stdout"))
    return diagnose(StepOutcome(reason, stderr, stdout))


def test_every_scenario_has_been_recorded_and_is_expected() -> None:
    scenarios = {scenario.name for scenario in SCENARIOS}
    assert {folder.name for folder in RECORDS.iterdir()} == scenarios == EXPECTED.keys()
    assert len({expected.cause for expected in EXPECTED.values()}) >= 13


@pytest.mark.parametrize("name", EXPECTED)
def test_the_cause_is_named_with_the_line_that_says_most(name: str) -> None:
    diagnosis, expected = recorded(name), EXPECTED[name]
    assert diagnosis.cause is expected.cause
    assert expected.headline in diagnosis.headline
    assert diagnosis.denied_action == expected.denied_action
    assert bool(diagnosis.stage) is expected.has_stage
    assert str(diagnosis).startswith(str(expected.cause))


@pytest.mark.parametrize("name", EXPECTED)
def test_only_what_passes_by_itself_is_worth_a_retry(name: str) -> None:
    assert recorded(name).retry_helps is (name in PASSES_BY_ITSELF)


@pytest.mark.parametrize("name", ["time_limit", "killed", "heap_of_the_driver", "unreadable_input"])
def test_without_logs_what_emr_says_is_enough_for_some(name: str) -> None:
    assert recorded(name, with_logs=False).cause is EXPECTED[name].cause


def test_without_a_word_the_cause_is_unknown_and_not_tried_again() -> None:
    diagnosis = diagnose(StepOutcome("Unknown Error."))
    assert diagnosis.cause is Cause.UNKNOWN
    assert not diagnosis.retry_helps


def test_what_was_mended_on_the_way_is_not_the_cause() -> None:
    throttled = (RECORDS / "throttled_by_s3" / "stderr.txt").read_text()
    passing = throttled.replace(" ERROR ", " WARN ")
    stdout = (RECORDS / "unknown_column" / "stdout.txt").read_text()
    assert diagnose(StepOutcome("", passing, stdout)).cause is Cause.CODE


def test_every_cause_comes_with_advice() -> None:
    assert ADVICE.keys() == set(Cause)


def test_records_hold_no_secrets() -> None:
    text = "".join(path.read_text() for path in RECORDS.rglob("*.txt"))
    assert "Traceback" in text
    for secret in ("ASIA", "AKIA", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        assert secret not in text
