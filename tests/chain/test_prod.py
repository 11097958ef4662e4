"""The chain on production's parameters: deployed, run under its roles, and taken down again.

The tests build on each other in the order of this file.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from config import names
from config.project_config import DEFAULT_EMR_JOB_FLOW_ROLE
from config.weather import CHECKPOINT, CHECKPOINT_KEY
from tests.support.least_privilege import exercised, grants, inline_statements, used_by_role
from tests.support.local_stack import LocalStack, free_ports

pytestmark = pytest.mark.chain

SENT = 2_000


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A local stack in its production sizes, up."""
    state = tmp_path_factory.mktemp("prod") / "state"
    stack = LocalStack(state, *free_ports(3), options=("--environment", "prod"))
    try:
        stack.start()
        yield stack
        assert stack.interrupt() == 0
    finally:
        for process in stack.processes():
            process.kill()


def test_the_chain_is_green(prod: LocalStack) -> None:
    disorder = ["--late", "0.02", "--duplicates", "0.02", "--corrupt", "0.01"]
    arguments = ["--count", str(SENT), "--rate", "max", "--unpaced", *disorder]
    sent = prod.module("kinesis.producer", *arguments, role=names.PRODUCER_ROLE)
    assert sent.returncode == 0, sent.stderr
    delivered = prod.module("ops.reconcile", "--wait-for-delivery")
    assert delivered.returncode == 0, delivered.stdout + delivered.stderr

    state, tasks = prod.run_dag()

    assert state == "success", tasks
    [cluster] = prod.client("emr").list_clusters()["Clusters"]
    assert cluster["Status"]["State"] == "TERMINATED"
    reconciled = prod.module("ops.reconcile")
    assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr


def test_the_checkpoint_lies_in_dynamodb_and_every_right_to_it_is_needed(prod: LocalStack) -> None:
    items = prod.client("dynamodb").scan(TableName=names.CHECKPOINT_TABLE)["Items"]
    assert CHECKPOINT in {item[CHECKPOINT_KEY]["S"] for item in items}
    iam, used = prod.client("iam"), used_by_role(prod.role_requests())
    for role in (names.AIRFLOW_ROLE, DEFAULT_EMR_JOB_FLOW_ROLE):
        statements = inline_statements(iam, role)
        granted = {each for each in grants(role, statements) if each.sid == "KeepCheckpointsInTable"}
        assert len(granted) == 2
        assert granted <= exercised(role, statements, used[role])


def test_destroy_leaves_nothing(prod: LocalStack) -> None:
    done = prod.module("ops.deploy", "destroy", "--environment", "prod", "--delete-data", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert prod.client("s3").list_buckets()["Buckets"] == []
    assert prod.client("cloudformation").describe_stacks()["Stacks"] == []
    assert prod.client("iam").list_roles()["Roles"] == []
    assert prod.client("glue").get_databases()["DatabaseList"] == []
    assert prod.client("kinesis").list_streams()["StreamNames"] == []
    assert prod.client("firehose").list_delivery_streams()["DeliveryStreamNames"] == []
    assert prod.client("dynamodb").list_tables()["TableNames"] == []
