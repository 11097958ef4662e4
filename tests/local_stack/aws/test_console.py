"""The pages that links of Airflow's tasks lead to."""

from __future__ import annotations

import gzip
from secrets import token_hex

import httpx
import pytest

from local_stack.aws.console import CONSOLE_PATH
from tests.support.emulated_aws import EmulatedAws

pytestmark = pytest.mark.aws


@pytest.fixture
def bucket(emulated_aws: EmulatedAws) -> str:
    """A bucket of the default account."""
    name = f"console-{token_hex(4)}"
    location = {"LocationConstraint": emulated_aws.region}
    emulated_aws.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=location)
    return name


def get(aws: EmulatedAws, path: str) -> httpx.Response:
    return httpx.get(f"{aws.endpoint}{CONSOLE_PATH}/{path}", timeout=60)


def test_a_log_is_text_and_a_page_is_a_page(emulated_aws: EmulatedAws, bucket: str) -> None:
    s3 = emulated_aws.client("s3")
    s3.put_object(Bucket=bucket, Key="a/stderr.gz", Body=gzip.compress("übel\n".encode()))
    s3.put_object(Bucket=bucket, Key="a/run+1:0.html", Body=b"<p>hi</p>", ContentType="text/html")
    log = get(emulated_aws, f"object/{bucket}/a/stderr.gz")
    assert (log.text, log.headers["content-type"]) == ("übel\n", "text/plain; charset=utf-8")
    page = get(emulated_aws, f"object/{bucket}/a/run%2B1%3A0.html")
    assert (page.text, page.headers["content-type"]) == ("<p>hi</p>", "text/html")


def test_a_cluster_shows_its_state_and_where_its_logs_are(emulated_aws: EmulatedAws, bucket: str) -> None:
    step = {
        "Name": "say <hello>",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]},
    }
    emr = emulated_aws.client("emr")
    cluster = emr.run_job_flow(
        Name="some/run",
        ReleaseLabel="emr-7.14.0",
        LogUri=f"s3://{bucket}/logs/",
        Instances={"InstanceCount": 1, "MasterInstanceType": "m6g.xlarge"},
        ServiceRole="service",
        JobFlowRole="machine",
        Steps=[step],
    )["JobFlowId"]
    [listed] = emr.list_steps(ClusterId=cluster)["Steps"]
    page = get(emulated_aws, f"cluster/{cluster}").text
    assert "some/run" in page
    assert "say &lt;hello&gt;" in page
    assert f'{CONSOLE_PATH}/object/{bucket}/logs/{cluster}/steps/{listed["Id"]}/stderr.gz"' in page
    emr.terminate_job_flows(JobFlowIds=[cluster])


def test_a_table_shows_its_rows(emulated_aws: EmulatedAws, bucket: str) -> None:
    athena, glue = emulated_aws.client("athena"), emulated_aws.client("glue")
    database = bucket.replace("-", "_")
    glue.create_database(DatabaseInput={"Name": database})
    work_groups = [each["Name"] for each in athena.list_work_groups()["WorkGroups"]]
    if "clickstream-analytics" not in work_groups:
        results = {"ResultConfiguration": {"OutputLocation": f"s3://{bucket}/results/"}}
        athena.create_work_group(Name="clickstream-analytics", Configuration=results)
    glue.create_table(
        DatabaseName=database,
        TableInput={
            "Name": "letters",
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE"},
            "PartitionKeys": [],
            "StorageDescriptor": {
                "Columns": [{"Name": "letter", "Type": "string"}],
                "Location": f"s3://{bucket}/letters/",
                "SerdeInfo": {
                    "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
                },
            },
        },
    )
    page = get(emulated_aws, f"table/{database}/letters").text
    assert "<th>letter</th>" in page


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("cluster/j-NONE", "Cluster id"),
        ("object/no-such-bucket-at-all/key", "NoSuchBucket"),
        ("table/analytics/x;drop", "is not DATABASE/TABLE"),
        ("other/page", "No such page"),
    ],
)
def test_what_is_not_there_is_told(emulated_aws: EmulatedAws, path: str, said: str) -> None:
    answer = get(emulated_aws, path)
    assert answer.status_code == 404
    assert said in answer.text
