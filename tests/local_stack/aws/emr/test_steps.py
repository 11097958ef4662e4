"""Steps that succeed, throw, hang, are killed and are cancelled."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.support.emr import EmrClusters, is_running, shell, step, wait_for_text

pytestmark = pytest.mark.aws


def test_a_step_runs_its_command_and_leaves_its_logs(clusters: EmrClusters, cluster: str) -> None:
    (status,) = clusters.run(cluster, shell("talk", "echo said; echo warned >&2"))

    assert status["State"] == "COMPLETED"
    assert status["Timeline"]["CreationDateTime"] <= status["Timeline"]["StartDateTime"]
    assert status["Timeline"]["StartDateTime"] <= status["Timeline"]["EndDateTime"]
    assert clusters.log(cluster, f"steps/{status['Id']}/stdout.gz") == "said\n"
    assert clusters.log(cluster, f"steps/{status['Id']}/stderr.gz") == "warned\n"
    assert "Step succeeded with exitCode 0" in clusters.log(cluster, f"steps/{status['Id']}/controller.gz")


def test_a_step_that_throws_says_what_was_thrown_and_where_its_log_is(
    clusters: EmrClusters, cluster: str
) -> None:
    program = "import json; json.loads('{')"
    (status,) = clusters.run(cluster, step("throw", "/usr/bin/python3.11", "-c", program))

    log_file = f"s3://{clusters.logs_bucket}/emr-logs/{cluster}/steps/{status['Id']}/stderr.gz"
    assert status["State"] == "FAILED"
    assert status["FailureDetails"]["Reason"] == "Unknown Error."
    assert status["FailureDetails"]["Message"].startswith(
        "json.decoder.JSONDecodeError: Expecting property name"
    )
    assert status["FailureDetails"]["LogFile"] == log_file
    assert "exitCode 1" in clusters.log(cluster, f"steps/{status['Id']}/controller.gz")
    assert clusters.wait(cluster, "WAITING")["State"] == "WAITING"


def test_what_a_python_driver_threw_is_found_in_its_standard_output(
    clusters: EmrClusters, cluster: str
) -> None:
    script = "echo 'pyspark.errors.AnalysisException: no such table'; echo 'a warning' >&2; exit 1"
    (status,) = clusters.run(cluster, shell("driver", script))

    details = status["FailureDetails"]
    assert details["Message"] == "pyspark.errors.AnalysisException: no such table"
    assert details["LogFile"].endswith(f"/steps/{status['Id']}/stdout.gz")


def test_a_step_that_hangs_fails_at_its_time_limit(clusters: EmrClusters, cluster: str) -> None:
    (status,) = clusters.run(cluster, step("hang", "timeout", "--kill-after=5", "0.2", "sleep", "600"))

    assert status["State"] == "FAILED"
    assert status["FailureDetails"]["Reason"] == "Unknown Error."
    controller = clusters.log(cluster, f"steps/{status['Id']}/controller.gz")
    assert "Step failed with exitCode 124" in controller


def test_a_step_that_is_killed_fails_and_its_controller_log_alone_has_the_exit_code(
    clusters: EmrClusters, cluster: str
) -> None:
    (status,) = clusters.run(cluster, shell("killed", "kill -KILL $$"))

    assert status["State"] == "FAILED"
    assert status["FailureDetails"].keys() == {"Reason", "LogFile"}
    controller = clusters.log(cluster, f"steps/{status['Id']}/controller.gz")
    assert "Step failed with exitCode 137" in controller


def test_logs_are_copied_after_the_end_that_the_step_tells(clusters: EmrClusters, cluster: str) -> None:
    (status,) = clusters.run(cluster, shell("fail", "exit 1"))

    key = f"emr-logs/{cluster}/steps/{status['Id']}/stderr.gz"
    copied = clusters.s3.head_object(Bucket=clusters.logs_bucket, Key=key)["LastModified"]
    assert copied >= status["Timeline"]["EndDateTime"].replace(microsecond=0)


def test_a_command_that_does_not_exist_fails_the_step(clusters: EmrClusters, cluster: str) -> None:
    (status,) = clusters.run(cluster, step("typo", "spark-sumbit", "job.py"))

    assert status["State"] == "FAILED"
    assert "spark-sumbit: No such file or directory" in status["FailureDetails"]["Message"]


def test_a_jar_that_is_not_emulated_fails_the_step_by_name(clusters: EmrClusters, cluster: str) -> None:
    (status,) = clusters.run(cluster, step("jar", jar="s3://somewhere/mine.jar"))

    assert status["State"] == "FAILED"
    assert "s3://somewhere/mine.jar: only command-runner.jar" in status["FailureDetails"]["Message"]


def test_script_runner_fetches_its_script_from_s3(clusters: EmrClusters, cluster: str) -> None:
    clusters.s3.put_object(Bucket=clusters.logs_bucket, Key="hello.sh", Body=b'echo "hello $1"')
    jar = "s3://eu-north-1.elasticmapreduce/libs/script-runner/script-runner.jar"

    (status,) = clusters.run(cluster, step("script", f"s3://{clusters.logs_bucket}/hello.sh", "you", jar=jar))

    assert clusters.log(cluster, f"steps/{status['Id']}/stdout.gz") == "hello you\n"


def test_steps_of_a_sequential_cluster_run_one_after_the_other(clusters: EmrClusters, cluster: str) -> None:
    first, second = clusters.run(cluster, shell("one", "sleep 0.3"), shell("two", "true"))

    assert first["Timeline"]["EndDateTime"] <= second["Timeline"]["StartDateTime"]


def test_two_steps_run_at_once_where_the_concurrency_allows_it(
    clusters: EmrClusters, concurrent_cluster: str
) -> None:
    """Each waits for a file that the other makes."""
    meet = "touch $HOME/{0}; until [ -e $HOME/{1} ]; do sleep 0.05; done"
    statuses = clusters.run(
        concurrent_cluster,
        shell("left", meet.format("left", "right")),
        shell("right", meet.format("right", "left")),
    )

    assert [status["State"] for status in statuses] == ["COMPLETED", "COMPLETED"]


def test_this_machine_runs_at_most_two_steps_at_once(clusters: EmrClusters, concurrent_cluster: str) -> None:
    clusters.emr.modify_cluster(ClusterId=concurrent_cluster, StepConcurrencyLevel=10)
    steps = clusters.add(concurrent_cluster, *(shell(f"s{number}", "sleep 600") for number in range(3)))
    for running in steps[:2]:
        clusters.wait_step(concurrent_cluster, running, "RUNNING")

    states = [clusters.step_status(concurrent_cluster, step_id)["State"] for step_id in steps]
    assert states == ["RUNNING", "RUNNING", "PENDING"]

    clusters.emr.cancel_steps(ClusterId=concurrent_cluster, StepIds=steps)
    assert all(clusters.wait_step(concurrent_cluster, step_id)["State"] == "CANCELLED" for step_id in steps)


@pytest.mark.parametrize("option", ["SEND_INTERRUPT", "TERMINATE_PROCESS"])
def test_cancelling_ends_a_running_step_and_drops_a_pending_one(
    clusters: EmrClusters, cluster: str, option: str
) -> None:
    running, pending = clusters.add(cluster, shell("run", "sleep 600"), shell("wait", "true"))
    clusters.wait_step(cluster, running, "RUNNING")

    answer = clusters.emr.cancel_steps(
        ClusterId=cluster, StepIds=[running, pending], StepCancellationOption=option
    )

    assert [info["Status"] for info in answer["CancelStepsInfoList"]] == ["SUBMITTED", "SUBMITTED"]
    assert clusters.wait_step(cluster, pending)["State"] == "CANCELLED"
    status = clusters.wait_step(cluster, running)
    assert status["State"] == "CANCELLED"
    assert status["StateChangeReason"] == {"Message": "Cancelled by user"}


def test_a_step_may_ignore_the_interrupt_but_not_the_kill(clusters: EmrClusters, cluster: str) -> None:
    script = "trap 'echo yes > $HOME/asked' TERM; echo yes > $HOME/ready; while :; do sleep 0.05; done"
    (step_id,) = clusters.add(cluster, shell("stubborn", script))
    clusters.wait_step(cluster, step_id, "RUNNING")
    home = clusters.aws.state_dir / "emr" / cluster
    wait_for_text(home / "ready")

    clusters.cancel(cluster, step_id, "SEND_INTERRUPT")
    wait_for_text(home / "asked")
    assert clusters.step_status(cluster, step_id)["State"] == "RUNNING"

    clusters.emr.cancel_steps(
        ClusterId=cluster, StepIds=[step_id], StepCancellationOption="TERMINATE_PROCESS"
    )
    assert clusters.wait_step(cluster, step_id)["State"] == "CANCELLED"


def test_cancelling_what_has_ended_fails_with_a_reason(clusters: EmrClusters, cluster: str) -> None:
    (status,) = clusters.run(cluster, shell("done", "true"))

    answer = clusters.emr.cancel_steps(ClusterId=cluster, StepIds=[status["Id"]])

    (info,) = answer["CancelStepsInfoList"]
    assert (info["Status"], info["Reason"]) == ("FAILED", "Cannot cancel a step in the state COMPLETED.")


def test_steps_are_listed_newest_first_and_by_state(clusters: EmrClusters, cluster: str) -> None:
    good, bad = clusters.run(cluster, shell("good", "true"), shell("bad", "false"))

    newest = clusters.emr.list_steps(ClusterId=cluster)["Steps"][:2]
    assert [found["Name"] for found in newest] == ["bad", "good"]
    asked = clusters.emr.list_steps(ClusterId=cluster, StepIds=[good["Id"], bad["Id"]], StepStates=["FAILED"])
    assert [found["Id"] for found in asked["Steps"]] == [bad["Id"]]


def test_at_most_ten_steps_can_be_listed_by_id(clusters: EmrClusters, cluster: str) -> None:
    with pytest.raises(ClientError, match="at most 10") as refused:
        clusters.emr.list_steps(ClusterId=cluster, StepIds=[f"s-{number}" for number in range(11)])
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"


def test_a_step_leaves_no_process_behind(clusters: EmrClusters, cluster: str) -> None:
    """Not even one that left its session and whose parent is gone."""
    pid = int(clusters.output(cluster, "(setsid sleep 600 & echo $!)"))

    assert not is_running(pid)
