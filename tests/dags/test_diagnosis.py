"""Steps that really failed, each for another reason, and what the diagnosis says of them.

``python -m tests.support.step_failures tests/dags/step_failures`` records them anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.reconciliation import Check
from lakehouse.diagnosis import ADVICE, RETRY_HELPS, Cause, Diagnosis, StepOutcome, diagnose
from lakehouse.step_logs import STREAMS
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
        Cause.ACCESS_DENIED,
        "s3://failing-steps/forbidden/part-0.parquet",
        "s3:GetObject or s3:ListBucket",
        has_stage=True,
    ),
    "denied_list_of_s3": Expected(Cause.ACCESS_DENIED, "s3://unlisted-steps/numbers", "s3:ListBucket"),
    "denied_write_to_s3": Expected(Cause.ACCESS_DENIED, "unwritable/out", "s3:PutObject"),
    "denied_delete_in_s3": Expected(Cause.ACCESS_DENIED, "undeletable", "s3:DeleteObject"),
    "denied_glue": Expected(Cause.ACCESS_DENIED, "table/failing/forbidden", "glue:GetTable"),
    "denied_table_files": Expected(Cause.ACCESS_DENIED, "s3:PutObject", "s3:PutObject", has_stage=True),
    "throttled_by_s3": Expected(Cause.THROTTLED, "Please reduce your request rate", has_stage=True),
    "throttled_by_glue": Expected(Cause.THROTTLED, "Rate exceeded"),
    "unreachable": Expected(Cause.UNREACHABLE, "Connection refused"),
    "conflict_of_appends": Expected(Cause.ICEBERG_CONFLICT, "CommitFailedException"),
    "conflict_of_overwrites": Expected(Cause.ICEBERG_CONFLICT, "Found conflicting files"),
    "bad_argument": Expected(Cause.BAD_ARGUMENT, "'a; DROP b' is not a name"),
    "failed_audit": Expected(Cause.DATA_QUALITY, "2 times: nothing was published"),
    "weather_below_its_threshold": Expected(Cause.DATA_QUALITY, "Completeness Rate is 0.00, at least 95"),
    "weather_unreachable": Expected(Cause.UNREACHABLE, "no connection to 127.0.0.1"),
    "lost_node": Expected(Cause.LOST_NODE, "ExecutorLostFailure", has_stage=True),
    "killed": Expected(Cause.KILLED, "exitCode 137"),
    "time_limit": Expected(Cause.TIME_LIMIT, "exitCode 124"),
    "unlike_its_specification": Expected(Cause.CODE, "is not the table that config/tables.py specifies"),
    "error_in_a_function": Expected(Cause.CODE, "KeyError", has_stage=True),
    "unknown_column": Expected(Cause.CODE, "`temprature`"),
    "missing_module": Expected(Cause.CODE, "No module named 'pandas_of_tomorrow'"),
}

PASSES_BY_ITSELF = {
    "throttled_by_s3",
    "throttled_by_glue",
    "unreachable",
    "weather_unreachable",
    "conflict_of_appends",
    "conflict_of_overwrites",
    "lost_node",
    "killed",
}


def recorded(name: str, *, with_logs: bool = True) -> Diagnosis:
    """The diagnosis of a record."""
    folder = RECORDS / name
    details = json.loads((folder / "status.json").read_text())["FailureDetails"]
    reason = "; ".join(details[name] for name in ("Reason", "Message") if name in details)
    if not with_logs:
        return diagnose(StepOutcome(reason))
    return diagnose(
        StepOutcome(reason, **{stream: (folder / f"{stream}.txt").read_text() for stream in STREAMS})
    )


def test_every_scenario_has_been_recorded_and_is_expected() -> None:
    scenarios = {scenario.name for scenario in SCENARIOS}
    assert {folder.name for folder in RECORDS.iterdir()} == scenarios == EXPECTED.keys()
    assert len({expected.cause for expected in EXPECTED.values()}) >= 14


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


@pytest.mark.parametrize("name", ["heap_of_the_driver", "unreadable_input"])
def test_without_logs_what_emr_says_is_enough_for_some(name: str) -> None:
    assert recorded(name, with_logs=False).cause is EXPECTED[name].cause


@pytest.mark.parametrize("name", ["time_limit", "killed"])
def test_the_exit_code_is_in_the_logs_alone(name: str) -> None:
    assert recorded(name, with_logs=False).cause is Cause.UNKNOWN


def test_a_controller_log_that_is_missing_is_made_up_for_by_what_command_runner_says() -> None:
    diagnosis = diagnose(StepOutcome("Unknown Error.", stderr="Command exiting with ret '137'\n"))
    assert diagnosis.cause is Cause.KILLED


LOST_EXECUTOR = (
    "Traceback (most recent call last):\n"
    "py4j.protocol.Py4JJavaError: An error occurred while calling o87.append.\n"
    ": org.apache.spark.SparkException: Job aborted due to stage failure: Task 3 in stage 7.0 failed 4 times,"
    " most recent failure: Lost task 3.3 in stage 7.0 (TID 91) (ip-10-0-1-7.ec2.internal executor 5): "
    "ExecutorLostFailure (executor 5 exited {how}) Reason: {reason}\nDriver stacktrace:\n"
)
"""As Spark 3.5 words it on YARN, with the reasons of its YarnAllocator."""

CONTAINER = "container_1700000000000_0001_01_000006 on host: ip-10-0-1-7.ec2.internal"
BY_ITS_TASKS = "caused by one of the running tasks"


@pytest.mark.parametrize(
    ("how", "reason", "cause"),
    [
        (
            BY_ITS_TASKS,
            f"Container from a bad node: {CONTAINER}. Exit status: 137. Diagnostics: "
            "[2026-06-01 12:00:00.000]Container killed on request. Exit code is 137\n"
            "[2026-06-01 12:00:00.001]Container exited with a non-zero exit code 137. \n"
            "[2026-06-01 12:00:00.002]Killed by external signal\n.",
            Cause.OUT_OF_MEMORY,
        ),
        (
            BY_ITS_TASKS,
            "Container killed by YARN for exceeding physical memory limits. 5.6 GB of 5.5 GB physical memory "
            "used. Consider boosting spark.executor.memoryOverhead.",
            Cause.OUT_OF_MEMORY,
        ),
        (
            BY_ITS_TASKS,
            "Container killed by YARN for exceeding memory limits. 5.6 GB of 5.5 GB physical memory used.",
            Cause.OUT_OF_MEMORY,
        ),
        (
            BY_ITS_TASKS,
            f"Container from a bad node: {CONTAINER}. Exit status: 52. Diagnostics: "
            "[2026-06-01 12:00:00.000]Exception from container-launch.",
            Cause.OUT_OF_MEMORY,
        ),
        (
            "unrelated to the running tasks",
            f"Container marked as failed: {CONTAINER}. Exit status: -100. Diagnostics: Container "
            "released on a *lost* node.",
            Cause.LOST_NODE,
        ),
    ],
)
def test_an_executor_killed_for_its_memory_is_told_from_one_whose_node_was_taken(
    how: str, reason: str, cause: Cause
) -> None:
    diagnosis = diagnose(StepOutcome("Unknown Error.", stdout=LOST_EXECUTOR.format(how=how, reason=reason)))
    assert diagnosis.cause is cause
    assert diagnosis.retry_helps is (cause is Cause.LOST_NODE)


@pytest.mark.parametrize(
    ("attempt", "action"),
    [
        ("s3://b/out/_SUCCESS: getFileStatus on s3://b/out/_SUCCESS", "s3:GetObject or s3:ListBucket"),
        ("s3://b/in/a.parquet: open s3://b/in/a.parquet at 0 on s3://b/in/a.parquet", "s3:GetObject"),
        ("s3://b/in/a.parquet: re-open s3://b/in/a.parquet at 9 on s3://b/in/a.parquet", "s3:GetObject"),
        ("s3://b/in: listStatus on s3://b/in", "s3:ListBucket"),
        ("s3://b/in: listObjects() on s3://b/in", "s3:ListBucket"),
        ("out/_temporary/0: PUT 0-byte object  on out/_temporary/0", "s3:PutObject"),
        ("out/a.parquet: Writing Object on out/a.parquet", "s3:PutObject"),
        ("out/a.parquet: initiate MultiPartUpload on out/a.parquet", "s3:PutObject"),
        ("out/a.parquet: upload part #1 upload XYZ on out/a.parquet", "s3:PutObject"),
        ("out/a.parquet: Completing multipart upload on out/a.parquet", "s3:PutObject"),
        ("s3://b/out: delete on s3://b/out", "s3:DeleteObject"),
        ("s3://b/out: Remove S3 Files on s3://b/out", "s3:DeleteObject"),
        ("s3://b/out: something new on s3://b/out", ""),
    ],
)
def test_the_missing_right_follows_from_what_s3a_was_about_where_s3_does_not_say(
    attempt: str, action: str
) -> None:
    text = (
        f"Caused by: java.nio.file.AccessDeniedException: {attempt}: com.amazonaws.services.s3.model."
        "AmazonS3Exception: Access Denied (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)"
    )
    diagnosis = diagnose(StepOutcome("Unknown Error.", stderr=text))
    assert (diagnosis.cause, diagnosis.denied_action) == (Cause.ACCESS_DENIED, action)


def test_what_a_job_warned_of_on_the_way_is_not_the_cause() -> None:
    stdout = (
        "2026-06-01 12:00:00,000 WARNING Connection refused: trying again\n"
        "2026-06-01 12:00:09,000 ERROR ingest_events failed: There is no table glue.lake.x\n"
    )
    assert diagnose(StepOutcome("Unknown Error.", stdout=stdout)).cause is Cause.CODE


def test_a_difference_found_by_the_reconciliation_is_of_data_quality() -> None:
    difference = Check("silver", "events in silver", 7, 8)
    stdout = f"2026-06-01 12:00:00,000 ERROR {difference}\n"
    diagnosis = diagnose(StepOutcome("Unknown Error.", stdout=stdout))
    assert (diagnosis.cause, str(difference) in diagnosis.headline) == (Cause.DATA_QUALITY, True)


def test_without_a_word_the_cause_is_unknown_and_not_tried_again() -> None:
    diagnosis = diagnose(StepOutcome("Unknown Error."))
    assert diagnosis.cause is Cause.UNKNOWN
    assert not diagnosis.retry_helps


def test_what_was_mended_on_the_way_is_not_the_cause() -> None:
    throttled = (RECORDS / "throttled_by_s3" / "stderr.txt").read_text()
    passing = throttled.replace(" ERROR ", " WARN ")
    stdout = (RECORDS / "unknown_column" / "stdout.txt").read_text()
    assert diagnose(StepOutcome("", passing, stdout)).cause is Cause.CODE


def test_every_cause_comes_with_advice_which_the_operators_page_tells() -> None:
    assert ADVICE.keys() == set(Cause)
    page = (Path(__file__).parents[2] / "docs" / "operate.md").read_text()
    rows = [f"| {cause} | {'yes' if cause in RETRY_HELPS else 'no'} | {ADVICE[cause]} |" for cause in ADVICE]
    assert "\n".join(rows) in page


def test_records_hold_no_secrets() -> None:
    text = "".join(path.read_text() for path in RECORDS.rglob("*.txt"))
    assert "Traceback" in text
    for secret in ("ASIA", "AKIA", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        assert secret not in text
