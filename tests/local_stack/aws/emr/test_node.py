"""What a step finds on its node, and what it does not."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from config.cluster import CONFIGURATIONS
from tests.support.accounts import new_account
from tests.support.emr import EmrClusters, shell, step

pytestmark = pytest.mark.aws

EXPECTED_VARIABLES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "HOME",
    "JAVA_HOME",
    "LANG",
    "PATH",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_REQUIRE_VIRTUALENV",
    "PYSPARK_PYTHON",
    "SPARK_CONF_DIR",
    "SPARK_HOME",
    "SPARK_LAUNCHER_OPTS",
    "SPARK_LOCAL_DIRS",
    "SPARK_LOCAL_IP",
    "TMPDIR",
    "TZ",
    "USER",
}
SET_BY_BASH = {"PWD", "SHLVL", "_"}


@pytest.fixture(scope="module")
def cluster(clusters: EmrClusters) -> str:
    """A cluster with the project's configurations and one more variable."""
    more = {
        "Classification": "spark-env",
        "Configurations": [{"Classification": "export", "Properties": {"JOB_FLAVOUR": "vanilla"}}],
    }
    return clusters.start_and_wait(Configurations=[*CONFIGURATIONS, more])


def test_a_step_sees_the_variables_of_a_node_and_no_others(clusters: EmrClusters, cluster: str) -> None:
    output = clusters.output(cluster, "env")

    found = dict(line.split("=", 1) for line in output.splitlines())
    assert found.keys() - SET_BY_BASH == EXPECTED_VARIABLES | {"JOB_FLAVOUR"}
    assert found["AWS_ENDPOINT_URL"] == clusters.aws.endpoint
    assert found["AWS_ACCESS_KEY_ID"] != "test"
    assert found["JOB_FLAVOUR"] == "vanilla"


def test_a_step_starts_in_an_empty_folder(clusters: EmrClusters, cluster: str) -> None:
    assert clusters.output(cluster, "ls -A") == ""


@pytest.mark.parametrize("module", ["boto3", "pyspark", "config", "local_stack"])
def test_a_step_cannot_import_what_a_cluster_does_not_have(
    clusters: EmrClusters, cluster: str, module: str
) -> None:
    (status,) = clusters.run(cluster, step("import", "/usr/bin/python3.11", "-c", f"import {module}"))

    assert status["State"] == "FAILED"
    assert status["FailureDetails"]["Message"] == f"ModuleNotFoundError: No module named '{module}'"


def test_the_python_of_the_cluster_is_the_nodes_own(clusters: EmrClusters, cluster: str) -> None:
    show = "import sys; print(sys.prefix, sys.version_info[:2])"
    (status,) = clusters.run(cluster, step("python", "/usr/bin/python3.11", "-c", show))

    node_python = clusters.aws.state_dir / "emr" / cluster / "python"
    output = clusters.log(cluster, f"steps/{status['Id']}/stdout.gz")
    assert output == f"{node_python} {sys.version_info[:2]}\n"
    assert clusters.output(cluster, "echo $PYSPARK_PYTHON") == f"{node_python}/bin/python3.11\n"


def test_aws_and_sudo_are_on_the_path(clusters: EmrClusters, cluster: str) -> None:
    clusters.s3.put_object(Bucket=clusters.logs_bucket, Key="in/a.txt", Body=b"from s3")
    copy = f"aws s3 cp --quiet --recursive s3://{clusters.logs_bucket}/in/ in/ && sudo -H cat in/a.txt"

    assert clusters.output(cluster, copy) == "from s3"


def test_the_keys_of_a_step_belong_to_the_clusters_role(clusters: EmrClusters, cluster: str) -> None:
    arn = clusters.output(cluster, "aws sts get-caller-identity --query Arn --output text")

    assert ":assumed-role/EMR_EC2_DefaultRole/i-" in arn


def test_a_cluster_works_in_the_account_that_started_it(clusters: EmrClusters) -> None:
    account = new_account(clusters.aws)
    others = EmrClusters(account, "emr-test-node-other-account")
    cluster_id = others.start_and_wait()

    show = "aws sts get-caller-identity --query Account --output text; aws glue get-databases --output text"
    account.client("glue").create_database(DatabaseInput={"Name": "theirs"})

    output = others.output(cluster_id, show)
    assert output.startswith(f"{account.account_id}\n")
    assert "theirs" in output
    with pytest.raises(ClientError, match="is not valid"):
        clusters.status(cluster_id)
    others.terminate_all()


def test_bootstrap_actions_run_in_order_before_the_first_step(clusters: EmrClusters) -> None:
    bucket = clusters.logs_bucket
    clusters.s3.put_object(Bucket=bucket, Key="one.sh", Body=b"#!/bin/bash\necho one $1 >> $HOME/seen")
    clusters.s3.put_object(Bucket=bucket, Key="two.sh", Body=b"echo two >> $HOME/seen; echo said")
    actions = [
        {"Name": "one", "ScriptBootstrapAction": {"Path": f"s3://{bucket}/one.sh", "Args": ["argument"]}},
        {"Name": "two", "ScriptBootstrapAction": {"Path": f"s3://{bucket}/two.sh"}},
    ]

    cluster_id = clusters.start(BootstrapActions=actions, Steps=[shell("seen", "cat $HOME/seen")])
    clusters.wait(cluster_id, "WAITING")

    (listed,) = clusters.emr.list_steps(ClusterId=cluster_id)["Steps"]
    assert clusters.log(cluster_id, f"steps/{listed['Id']}/stdout.gz") == "one argument\ntwo\n"
    (primary,) = clusters.emr.list_instances(ClusterId=cluster_id, InstanceGroupTypes=["MASTER"])["Instances"]
    folder = f"node/{primary['Ec2InstanceId']}/bootstrap-actions/2"
    assert clusters.log(cluster_id, f"{folder}/stdout.gz") == "said\n"


def test_a_bootstrap_action_installs_a_wheelhouse_for_this_cluster_only(
    clusters: EmrClusters, cluster: str, tmp_path: Path
) -> None:
    wheel, digest = _make_wheel(tmp_path)
    lock = f"lakehouse-probe==1.0 --hash=sha256:{digest}\n"
    clusters.s3.upload_file(str(wheel), clusters.logs_bucket, f"wheelhouse/{wheel.name}")
    clusters.s3.put_object(Bucket=clusters.logs_bucket, Key="wheelhouse/lock.txt", Body=lock.encode())
    script = f"""#!/bin/bash
set -euo pipefail
aws s3 cp --quiet --recursive s3://{clusters.logs_bucket}/wheelhouse/ $TMPDIR/wheelhouse/
sudo /usr/bin/python3.11 -m pip install --quiet --no-index --require-hashes \
  --find-links $TMPDIR/wheelhouse -r $TMPDIR/wheelhouse/lock.txt
"""
    clusters.s3.put_object(Bucket=clusters.logs_bucket, Key="install.sh", Body=script.encode())
    action = {
        "Name": "wheelhouse",
        "ScriptBootstrapAction": {"Path": f"s3://{clusters.logs_bucket}/install.sh"},
    }

    with_it = clusters.start_and_wait(BootstrapActions=[action])

    show = "python3.11 -c 'import lakehouse_probe; print(lakehouse_probe.ANSWER)'"
    assert clusters.output(with_it, show) == "42\n"
    (without_it,) = clusters.run(cluster, shell("probe", show))
    assert without_it["State"] == "FAILED"


@pytest.mark.parametrize(
    ("key", "body", "message"),
    [
        ("fail.sh", b"echo broken >&2; exit 3", "bootstrap action 1 returned a non-zero return code"),
        ("absent.sh", None, "bootstrap action 1 could not be fetched"),
    ],
)
def test_a_bootstrap_failure_ends_the_cluster(
    clusters: EmrClusters, key: str, body: bytes | None, message: str
) -> None:
    if body:
        clusters.s3.put_object(Bucket=clusters.logs_bucket, Key=key, Body=body)
    action = {"Name": "fail", "ScriptBootstrapAction": {"Path": f"s3://{clusters.logs_bucket}/{key}"}}

    cluster_id = clusters.start(BootstrapActions=[action], Steps=[shell("never", "true")])

    ended = clusters.wait(cluster_id, "TERMINATED", "TERMINATED_WITH_ERRORS", "WAITING")
    assert ended["State"] == "TERMINATED_WITH_ERRORS"
    assert ended["StateChangeReason"]["Code"] == "BOOTSTRAP_FAILURE"
    assert message in ended["StateChangeReason"]["Message"]
    (never,) = clusters.emr.list_steps(ClusterId=cluster_id)["Steps"]
    assert never["Status"]["State"] == "CANCELLED"


def _make_wheel(folder: Path) -> tuple[Path, str]:
    """A minimal wheel, and its SHA-256."""
    path = folder / "lakehouse_probe-1.0-py3-none-any.whl"
    info = "lakehouse_probe-1.0.dist-info"
    files = {
        "lakehouse_probe.py": "ANSWER = 42\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: lakehouse-probe\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path, hashlib.sha256(path.read_bytes()).hexdigest()
