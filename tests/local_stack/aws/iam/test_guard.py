"""Requests under roles, in the running process: what a policy leaves out is refused, by whatever way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_stack.aws.iam.policies import Decision
from local_stack.aws.iam.records import FILE_NAME, read_records
from tests.support.accounts import Account, new_account
from tests.support.emr import EmrClusters, ensure_default_roles, shell
from tests.support.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws

REGION = "eu-north-1"
Statements = list[dict[str, Any]]


def document(statements: Statements) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(action: str | list[str], resource: str | list[str], **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal: dict[str, str], **more: Any) -> str:
    return document([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}])


@dataclass
class House:
    """An account with a bucket ``BUCKET``, and roles that are made as they are needed."""

    account: Account
    bucket: str

    @property
    def root(self) -> dict[str, str]:
        """The account as a principal."""
        return {"AWS": f"arn:aws:iam::{self.account.account_id}:root"}

    def arn(self, role: str) -> str:
        return f"arn:aws:iam::{self.account.account_id}:role/{role}"

    def make_role(self, name: str, *statements: dict[str, Any], trusting: str | None = None) -> str:
        iam = self.account.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusting or trust(self.root))
        self.grant(name, *statements)
        return self.arn(name)

    def grant(self, name: str, *statements: dict[str, Any]) -> None:
        if statements:
            self.account.client("iam").put_role_policy(
                RoleName=name, PolicyName="grant", PolicyDocument=document(list(statements))
            )

    def session(self, name: str) -> boto3.session.Session:
        """A session of the role."""
        assumed = self.account.client("sts").assume_role(RoleArn=self.arn(name), RoleSessionName="me")
        keys = assumed["Credentials"]
        return boto3.session.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=REGION
        )

    def client(self, name: str, service: str) -> Any:
        """A client in a new session of the role."""
        config = Config(retries={"total_max_attempts": 1})
        return self.session(name).client(service, endpoint_url=self.account.aws.endpoint, config=config)


@pytest.fixture(scope="module")
def house(emulated_aws: EmulatedAws) -> Iterator[House]:
    """An account of this module's own."""
    account = new_account(emulated_aws)
    house = House(account, f"house-{account.account_id}")
    s3 = account.client("s3")
    s3.create_bucket(Bucket=house.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for key in ("open/a", "closed/a"):
        s3.put_object(Bucket=house.bucket, Key=key, Body=b"0123456789")
    return house


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    """Code and message with which a call is refused."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_s3_lets_a_role_read_what_its_policy_says_and_nothing_else(house: House) -> None:
    house.make_role("reader", allow("s3:GetObject", f"arn:aws:s3:::{house.bucket}/open/*"))
    s3 = house.client("reader", "s3")
    assert s3.get_object(Bucket=house.bucket, Key="open/a")["Body"].read() == b"0123456789"
    session = f"arn:aws:sts::{house.account.account_id}:assumed-role/reader/me"
    message = (
        f"User: {session} is not authorized to perform: s3:GetObject on resource: "
        f"arn:aws:s3:::{house.bucket}/closed/a "
        "because no identity-based policy allows the s3:GetObject action"
    )
    assert refusal(s3.get_object, Bucket=house.bucket, Key="closed/a") == ("AccessDenied", message)
    assert refusal(s3.put_object, Bucket=house.bucket, Key="open/a")[0] == "AccessDenied"
    assert refusal(s3.list_objects_v2, Bucket=house.bucket)[0] == "AccessDenied"
    assert refusal(s3.head_object, Bucket=house.bucket, Key="closed/a")[0] == "403"


def test_the_ways_around_moto_ask_as_well(house: House) -> None:
    """Range reads and what another service reads by itself are answered without moto's dispatch."""
    house.make_role("ranger", allow("s3:GetObject", f"arn:aws:s3:::{house.bucket}/open/*"))
    s3 = house.client("ranger", "s3")
    first = s3.get_object(Bucket=house.bucket, Key="open/a", Range="bytes=0-3")["Body"].read()
    assert first == b"0123"
    code, _ = refusal(s3.get_object, Bucket=house.bucket, Key="closed/a", Range="bytes=0-3")
    assert code == "AccessDenied"
    source = {"Bucket": house.bucket, "Key": "closed/a"}
    house.grant("ranger", allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{house.bucket}/open/*"))
    code, message = refusal(s3.copy_object, Bucket=house.bucket, Key="open/b", CopySource=source)
    assert (code, "s3:GetObject" in message) == ("AccessDenied", True)
    deleted = {"Objects": [{"Key": "open/a"}]}
    assert "s3:DeleteObject" in refusal(s3.delete_objects, Bucket=house.bucket, Delete=deleted)[1]


def test_what_is_missing_is_told_only_to_who_may_list(house: House) -> None:
    everything = f"arn:aws:s3:::{house.bucket}/*"
    house.make_role("guesser", allow("s3:GetObject", everything))
    s3 = house.client("guesser", "s3")
    assert refusal(s3.get_object, Bucket=house.bucket, Key="open/none")[0] == "AccessDenied"
    house.grant(
        "guesser", allow("s3:GetObject", everything), allow("s3:ListBucket", f"arn:aws:s3:::{house.bucket}")
    )
    assert refusal(s3.get_object, Bucket=house.bucket, Key="open/none")[0] == "NoSuchKey"


def test_a_changed_policy_holds_at_once(house: House) -> None:
    everything = f"arn:aws:s3:::{house.bucket}/*"
    house.make_role("fickle", allow("s3:GetObject", everything))
    s3 = house.client("fickle", "s3")
    s3.get_object(Bucket=house.bucket, Key="open/a")
    house.grant("fickle", allow("s3:*", everything), allow("s3:GetObject", everything) | {"Effect": "Deny"})
    code, message = refusal(s3.get_object, Bucket=house.bucket, Key="open/a")
    assert code == "AccessDenied"
    assert message.endswith("with an explicit deny in an identity-based policy")
    house.account.client("iam").delete_role_policy(RoleName="fickle", PolicyName="grant")
    assert "no identity-based policy" in refusal(s3.get_object, Bucket=house.bucket, Key="open/a")[1]


def test_json_services_refuse_in_their_own_form(house: House) -> None:
    house.account.client("kinesis").create_stream(StreamName="events", ShardCount=1)
    stream = f"arn:aws:kinesis:{REGION}:{house.account.account_id}:stream/events"
    house.make_role("putter", allow("kinesis:PutRecords", stream))
    kinesis = house.client("putter", "kinesis")
    record = {"Data": b"x", "PartitionKey": "k"}
    assert kinesis.put_records(StreamName="events", Records=[record])["FailedRecordCount"] == 0
    code, message = refusal(kinesis.list_shards, StreamName="events")
    assert code == "AccessDeniedException"
    assert f"kinesis:ListShards on resource: {stream}" in message
    assert refusal(kinesis.put_records, StreamName="other", Records=[record])[0] == "AccessDeniedException"


def test_who_may_do_all_of_one_service_may_do_nothing_of_another(house: House) -> None:
    house.make_role("specialist", allow("kinesis:*", "*"))
    house.client("specialist", "kinesis").list_streams()
    for service, operation in (
        ("glue", "get_databases"),
        ("iam", "list_roles"),
        ("athena", "list_work_groups"),
    ):
        client = house.client("specialist", service)
        assert refusal(getattr(client, operation))[0].startswith("AccessDenied")
    identity = house.client("specialist", "sts").get_caller_identity()
    assert identity["Arn"].endswith(":assumed-role/specialist/me")


def test_trust_decides_who_may_assume_a_role(house: House) -> None:
    sts = house.account.client("sts")
    house.make_role("of-ec2", trusting=trust({"Service": "ec2.amazonaws.com"}))
    stranger = house.make_role("of-another", trusting=trust({"AWS": "arn:aws:iam::111122223333:root"}))
    for arn in (house.arn("of-ec2"), stranger, house.arn("of-nobody")):
        code, message = refusal(sts.assume_role, RoleArn=arn, RoleSessionName="me")
        assert code == "AccessDenied"
        assert f"sts:AssumeRole on resource: {arn}" in message


def test_a_role_that_takes_on_another_needs_both_to_say_so(house: House) -> None:
    target = house.make_role("target")
    house.make_role("climber")
    sts = house.client("climber", "sts")
    assert refusal(sts.assume_role, RoleArn=target, RoleSessionName="up")[0] == "AccessDenied"
    house.grant("climber", allow("sts:AssumeRole", target))
    sts.assume_role(RoleArn=target, RoleSessionName="up")


def test_a_token_of_nobody_is_no_administrator(house: House) -> None:
    session = boto3.session.Session("ASIA" + "X" * 16, "secret", "token", region_name=REGION)
    glue = session.client("glue", endpoint_url=house.account.aws.endpoint)
    assert refusal(glue.get_databases)[0] == "InvalidClientTokenId"


def test_handing_over_a_role_needs_a_right_of_its_own(house: House) -> None:
    ensure_default_roles(house.account.client("iam"))
    run = allow("elasticmapreduce:RunJobFlow", "*", Condition={"StringEquals": {"aws:RequestTag/p": "x"}})
    tagged = {"Tags": [{"Key": "p", "Value": "x"}]}
    request = {
        "Name": "c",
        "ReleaseLabel": "emr-7.14.0",
        "ServiceRole": "EMR_DefaultRole",
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "Instances": {"MasterInstanceType": "m6g.xlarge", "InstanceCount": 1},
    }
    house.make_role("starter", run)
    emr = house.client("starter", "emr")
    assert "elasticmapreduce:RunJobFlow" in refusal(emr.run_job_flow, **request)[1]
    assert (
        f"iam:PassRole on resource: {house.arn('EMR_DefaultRole')}"
        in refusal(emr.run_job_flow, **request, **tagged)[1]
    )
    to_emr = {"StringLike": {"iam:PassedToService": "elasticmapreduce.amazonaws.com*"}}
    roles = [house.arn("EMR_DefaultRole"), house.arn("EMR_EC2_DefaultRole")]
    house.grant("starter", run, allow("iam:PassRole", roles, Condition=to_emr))
    assert (
        f"iam:PassRole on resource: {house.arn('EMR_EC2_DefaultRole')}"
        in refusal(emr.run_job_flow, **request, **tagged)[1]
    )


def test_a_cluster_whose_roles_do_not_fit_ends_with_the_reason(house: House) -> None:
    ensure_default_roles(house.account.client("iam"))
    house.make_role("for-lambda", trusting=trust({"Service": "lambda.amazonaws.com"}))
    clusters = EmrClusters(house.account, f"logs-{house.account.account_id}")
    for roles, reason in (
        ({"ServiceRole": "no-such-role"}, "sts:AssumeRole on resource: " + house.arn("no-such-role")),
        ({"JobFlowRole": "for-lambda"}, "sts:AssumeRole on resource: " + house.arn("for-lambda")),
    ):
        status = clusters.wait(clusters.start(**roles), "TERMINATED_WITH_ERRORS")
        assert status["StateChangeReason"]["Code"] == "VALIDATION_ERROR"
        assert reason in status["StateChangeReason"]["Message"]
    clusters.terminate_all()


def test_a_query_may_read_what_its_caller_may(house: House) -> None:
    glue = house.account.client("glue")
    glue.create_database(DatabaseInput={"Name": "db"})
    for name in ("open", "closed"):
        glue.create_table(
            DatabaseName="db",
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "StorageDescriptor": {
                    "Columns": [{"Name": "n", "Type": "int"}],
                    "Location": f"s3://{house.bucket}/tables/{name}/",
                    "SerdeInfo": {"SerializationLibrary": "parquet"},
                },
            },
        )
    base = f"arn:aws:glue:{REGION}:{house.account.account_id}"
    of_open = [f"{base}:catalog", f"{base}:database/db", f"{base}:table/db/open"]
    house.make_role(
        "querier",
        allow("athena:*", "*"),
        allow(["glue:GetDatabase", "glue:GetTable"], of_open),
        allow(["s3:GetBucketLocation", "s3:ListBucket"], f"arn:aws:s3:::{house.bucket}"),
        allow(["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{house.bucket}/results/*"),
    )
    athena = house.client("querier", "athena")

    def run(sql: str, output: str = "results") -> dict[str, Any]:
        query = athena.start_query_execution(
            QueryString=sql,
            QueryExecutionContext={"Database": "db"},
            ResultConfiguration={"OutputLocation": f"s3://{house.bucket}/{output}/"},
        )["QueryExecutionId"]
        while True:
            execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            if execution["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return dict(execution["Status"], Id=query)

    done = run("SELECT count(*) FROM open")
    assert done["State"] == "SUCCEEDED", done
    athena.get_query_results(QueryExecutionId=done["Id"])
    failed = run("SELECT count(*) FROM closed")
    assert failed["StateChangeReason"].startswith("PERMISSION_DENIED: User: arn:aws:sts::")
    assert f"glue:GetTable on resource: {base}:table/db/closed" in failed["StateChangeReason"]
    assert "s3:PutObject" in run("SELECT 1", output="elsewhere")["StateChangeReason"]
    house.grant("querier", allow("athena:*", "*"))
    assert refusal(athena.get_query_results, QueryExecutionId=done["Id"])[0] == "AccessDeniedException"


def test_every_request_of_a_role_is_recorded_once(house: House) -> None:
    role = house.make_role("diarist", allow("s3:GetObject", f"arn:aws:s3:::{house.bucket}/open/*"))
    s3 = house.client("diarist", "s3")
    for _ in range(3):
        s3.get_object(Bucket=house.bucket, Key="open/a")
        refusal(s3.put_object, Bucket=house.bucket, Key="open/a")
    file = house.account.aws.state_dir / FILE_NAME
    mine = [record for record in read_records(file) if record.role == role]
    assert [(each.access.action, each.decision) for each in mine] == [
        ("s3:GetObject", Decision.ALLOWED),
        ("s3:PutObject", Decision.NOT_ALLOWED),
    ]


def test_a_steps_own_role_takes_the_place_of_the_machines(house: House) -> None:
    ensure_default_roles(house.account.client("iam"))
    step_role = house.make_role("step-role")
    clusters = EmrClusters(house.account, f"step-logs-{house.account.account_id}")
    cluster_id = clusters.start_and_wait()
    (step_id,) = clusters.emr.add_job_flow_steps(
        JobFlowId=cluster_id, Steps=[shell("whoami", "true")], ExecutionRoleArn=step_role
    )["StepIds"]
    status = clusters.wait_step(cluster_id, step_id)
    assert status["State"] == "FAILED"
    assert f"sts:AssumeRole on resource: {step_role}" in clusters.log(
        cluster_id, f"steps/{step_id}/stderr.gz"
    )
    clusters.terminate_all()
