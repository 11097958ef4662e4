"""Record how steps really fail: each scenario runs on the emulated EMR, and its logs are kept.

    python -m tests.support.step_failures tests/dags/step_failures [NAME...]

A record is a folder with ``status.json`` (the step's Status as DescribeStep answers it), and its logs
``controller.txt``, ``stderr.txt`` and ``stdout.txt``. Spark, S3A and the jobs wrote stderr and stdout; status
and controller's log are the emulated EMR's, in EMR's wording. Folders of the recording machine are given
neutral names, and logs are cut in the middle, as ``CUT_BYTES`` says. The tests of the diagnosis read them.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from config.cluster import CONFIGURATIONS
from config.grid import GRID
from config.weather import RAW_PREFIX
from emr_jobs.weather.landing import RawLanding
from emr_jobs.weather.series import DailyRecord, Source, grid_sensors
from lakehouse.bundle import build_bundle
from lakehouse.step_logs import STREAMS
from local_stack.aws.faults import FAULTS_PATH
from local_stack.spark.runtime import catalog_settings
from tests.support.emr import EmrClusters, shell
from tests.support.emulated_aws import EmulatedAws, run_emulated_aws
from tests.support.lake import event, write_events

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "failing-steps"
UNLISTED_BUCKET = "unlisted-steps"
DATABASE = "failing"
CUT_BYTES = 12_000

_HEAD = """
import os, sys, threading, time
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.getOrCreate()
bucket = "s3://failing-steps"
"""

_TABLE = """
spark.sql("CREATE NAMESPACE IF NOT EXISTS glue.failing")
spark.sql("DROP TABLE IF EXISTS glue.failing.{name}")
writer = spark.range(10).writeTo("glue.failing.{name}").using("iceberg")
writer.tableProperty("format-version", "2"){more}.create()
"""

_KILL_NODE = """
def children(pid):
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = open(f"/proc/{entry}/stat").read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                yield int(entry)

def lose_the_node():
    while spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() < 2:
        time.sleep(1)
    time.sleep(5)
    for pid in children(int(sys.argv[1])):
        os.kill(pid, 9)
"""


@dataclass(frozen=True)
class Scenario:
    """A step that fails: a Spark job, or a command in which ``{submit}`` stands for spark-submit and options.

    ``before`` is the command of a step that comes before and succeeds; then ``faults`` are ordered from the
    emulated AWS.
    """

    name: str
    job: str = ""
    conf: Sequence[str] = ()
    command: str = "{submit} {job}"
    before: str = ""
    faults: Sequence[dict[str, Any]] = field(default_factory=tuple)


FEW_RETRIES = (
    "spark.hadoop.fs.s3a.attempts.maximum=1",
    "spark.hadoop.fs.s3a.retry.limit=1",
    "spark.hadoop.fs.s3a.retry.throttle.limit=1",
)

_INGEST = (
    "{submit} {packages} {scripts}ingest_events.py s3://failing-steps/events/ failing audited_events"
    " s3://failing-steps/warehouse/"
)
_WEATHER = (
    "{{with_packages}} {{submit}} {{packages}} {{scripts}}{job}.py s3://failing-steps/raw/openmeteo/ failing"
    " weather_daily s3://failing-steps/warehouse/"
)

SCENARIOS = (
    Scenario(
        "heap_of_the_driver",
        _HEAD + 'spark.range(4_000_000).selectExpr("id", "repeat(uuid(), 40) AS text").collect()\n',
        ("spark.driver.memory=512m", "spark.driver.maxResultSize=0"),
    ),
    Scenario(
        "result_too_large",
        _HEAD + 'spark.range(200_000).selectExpr("id", "repeat(uuid(), 40) AS text").collect()\n',
        ("spark.driver.maxResultSize=4m",),
    ),
    Scenario(
        "memory_of_python",
        "import resource\n"
        + _HEAD
        + "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        + "rows = [bytearray(2**28) for _ in range(100)]\n",
    ),
    Scenario("missing_path", _HEAD + 'spark.read.parquet(f"{bucket}/nothing/").show()\n'),
    Scenario(
        "missing_object",
        _HEAD
        + 'spark.range(10).write.parquet(f"{bucket}/vanishing/", mode="overwrite")\n'
        + 'rows = spark.read.parquet(f"{bucket}/vanishing/")\n'
        + 'folder = spark._jvm.org.apache.hadoop.fs.Path(f"{bucket}/vanishing/")\n'
        + "folder.getFileSystem(spark._jsc.hadoopConfiguration()).delete(folder, True)\n"
        + "rows.show()\n",
    ),
    Scenario("missing_table", _HEAD + 'spark.table("glue.failing.nothing").show()\n'),
    Scenario("denied_read_of_s3", _HEAD + 'spark.read.parquet(f"{bucket}/forbidden/").show()\n', FEW_RETRIES),
    Scenario(
        "denied_write_to_s3",
        _HEAD + 'spark.range(10).write.parquet(f"{bucket}/unwritable/out/")\n',
        FEW_RETRIES,
    ),
    Scenario(
        "denied_list_of_s3",
        _HEAD + 'spark.read.parquet("s3://unlisted-steps/numbers/").show()\n',
        FEW_RETRIES,
    ),
    Scenario(
        "denied_delete_in_s3",
        _HEAD + 'spark.range(10).write.parquet(f"{bucket}/undeletable/", mode="overwrite")\n',
        FEW_RETRIES,
    ),
    Scenario("denied_glue", _HEAD + 'spark.table("glue.failing.forbidden").show()\n'),
    Scenario(
        "denied_table_files",
        _HEAD + 'spark.range(10).writeTo("glue.failing.denied").using("iceberg").create()\n',
    ),
    Scenario(
        "throttled_by_s3",
        _HEAD
        + 'spark.range(10).write.parquet(f"{bucket}/crowded/", mode="overwrite")\n'
        + 'spark.read.parquet(f"{bucket}/crowded/").show()\n',
        FEW_RETRIES,
        faults=({"service": "s3", "operation": "GET", "path": "crowded", "remaining": 10_000},),
    ),
    Scenario(
        "throttled_by_glue",
        _HEAD + 'spark.table("glue.failing.crowded").show()\n',
        faults=(
            {
                "service": "glue",
                "operation": "GetTable",
                "status": 400,
                "code": "ThrottlingException",
                "message": "Rate exceeded",
                "remaining": 10_000,
            },
        ),
    ),
    Scenario(
        "conflict_of_appends",
        _HEAD
        + _TABLE.format(name="crowd", more='.tableProperty("commit.retry.num-retries", "0")')
        + "failed = []\n"
        + "def append():\n"
        + "    try:\n"
        + '        for _ in range(4):\n            spark.range(5).writeTo("glue.failing.crowd").append()\n'
        + "    except Exception as error:\n        failed.append(error)\n"
        + "threads = [threading.Thread(target=append) for _ in range(6)]\n"
        + "[thread.start() for thread in threads]\n[thread.join() for thread in threads]\n"
        + "raise failed[0]\n",
    ),
    Scenario(
        "conflict_of_overwrites",
        _HEAD
        + _TABLE.format(name="contested", more="")
        + 'seen = spark.table("glue.failing.contested.snapshots").first().snapshot_id\n'
        + 'spark.range(5).writeTo("glue.failing.contested").append()\n'
        + 'writer = spark.range(3).writeTo("glue.failing.contested")\n'
        + 'writer = writer.option("isolation-level", "serializable")\n'
        + 'writer.option("validate-from-snapshot-id", str(seen)).overwrite(F.lit(True))\n',
    ),
    Scenario(
        "bad_argument", command="{submit} {packages} {scripts}kpi_event_geo.py 's3://bucket/x' 'a; DROP b'"
    ),
    Scenario(
        "unreadable_input",
        command="{submit} {packages} {scripts}ingest_events.py s3://failing-steps/clickstream/ failing"
        " clickstream_events s3://failing-steps/",
    ),
    Scenario(
        "unlike_its_specification",
        _HEAD + _TABLE.format(name="event_geo_kpis_events", more=""),
        command="{submit} {job} && {submit} {packages} {scripts}kpi_event_geo.py s3://failing-steps/none/"
        " failing event_geo_kpis s3://failing-steps/",
    ),
    Scenario(
        "failed_audit",
        _HEAD
        + "events = spark.table('glue.failing.audited_events')\n"
        + "events.writeTo('glue.failing.audited_events').append()\n"
        + "path = spark._jvm.org.apache.hadoop.fs.Path\n"
        + 'later = path(f"{bucket}/later/b.parquet")\n'
        + "system = later.getFileSystem(spark._jsc.hadoopConfiguration())\n"
        + 'system.rename(later, path(f"{bucket}/events/dt=2026-06-01/hour=12/b.parquet"))\n',
        command=_INGEST,
        before=f"{_INGEST} && {{submit}} {{job}}",
    ),
    Scenario(
        "weather_below_its_threshold",
        command=_WEATHER.format(job="weather_transform"),
    ),
    Scenario(
        "weather_unreachable",
        command=f"{_WEATHER.format(job='weather_extract')} --days 2 --api-url http://127.0.0.1:9",
    ),
    Scenario(
        "lost_node",
        _KILL_NODE
        + _HEAD.replace(".getOrCreate()", '.master("spark://127.0.0.1:" + sys.argv[2]).getOrCreate()')
        + "threading.Thread(target=lose_the_node).start()\n"
        + "spark.sparkContext.parallelize(range(4), 2).map(lambda n: time.sleep(60)).collect()\n",
        ("spark.task.maxFailures=1", "spark.cores.max=1", "spark.executor.memory=512m"),
        command="port=$((20000 + RANDOM % 20000)); class=$SPARK_HOME/bin/spark-class; "
        "$class org.apache.spark.deploy.master.Master --host 127.0.0.1 --port $port --webui-port 0 "
        ">/dev/null 2>&1 & sleep 4; $class org.apache.spark.deploy.worker.Worker --host 127.0.0.1 --port 0 "
        "--webui-port 0 --cores 1 --memory 700m spark://127.0.0.1:$port >/dev/null 2>&1 & worker=$!; "
        "sleep 4; {submit} {job} $worker $port",
    ),
    Scenario(
        "time_limit",
        _HEAD + "time.sleep(600)\n",
        command="timeout --kill-after=10 12 {submit} {job}",
    ),
    Scenario("killed", _HEAD + "os.kill(os.getppid(), 9); time.sleep(600)\n"),
    Scenario(
        "disk_full",
        _HEAD + 'spark.range(2_000_000).selectExpr("uuid() AS text").repartition(7, "text").count()\n',
        command="mkdir small && mount -t tmpfs -o size=16m tmpfs small && "
        "export SPARK_LOCAL_DIRS=$PWD/small; {submit} {job}; code=$?; umount small; exit $code",
    ),
    Scenario(
        "unreachable",
        _HEAD + 'spark.read.parquet(f"{bucket}/numbers/").show()\n',
        (*FEW_RETRIES, "spark.hadoop.fs.s3a.endpoint=http://127.0.0.1:9"),
    ),
    Scenario(
        "error_in_a_function",
        _HEAD
        + '@F.udf("long")\ndef looked_up(number):\n    return {}[number]\n\n'
        + 'spark.range(10).select(looked_up("id")).write.format("noop").mode("overwrite").save()\n',
    ),
    Scenario("unknown_column", _HEAD + 'spark.range(10).select("temprature").show()\n'),
    Scenario("missing_module", "import pandas_of_tomorrow\n"),
)


def record(clusters: EmrClusters, scenario: Scenario, cluster_id: str, folder: Path) -> None:
    """Run a scenario's step to its failure and keep what it left."""
    aws = clusters.aws
    options = {
        **catalog_settings(f"s3://{BUCKET}/warehouse/"),
        **dict(x.split("=", 1) for x in scenario.conf),
    }
    submit = " ".join(["spark-submit", *(f"--conf '{key}={value}'" for key, value in options.items())])
    key = f"jobs/{scenario.name}.py"
    clusters.s3.put_object(Bucket=BUCKET, Key=key, Body=scenario.job.encode())
    places = {"submit": submit, "job": f"s3://{BUCKET}/{key}", "scripts": f"s3://{BUCKET}/bundle/"}
    # What the bootstrap action installs.
    places["with_packages"] = f"PYSPARK_PYTHON={sys.executable}"
    places["packages"] = f"--py-files s3://{BUCKET}/bundle/packages.zip"
    before, command = scenario.before, scenario.command
    for name, value in places.items():
        before, command = (text.replace(f"{{{name}}}", value) for text in (before, command))
    if before:
        clusters.output(cluster_id, before)
    httpx.post(aws.endpoint + FAULTS_PATH, json=list(scenario.faults)).raise_for_status()
    try:
        (status,) = clusters.run(cluster_id, shell(scenario.name, command))
    finally:
        httpx.delete(aws.endpoint + FAULTS_PATH).raise_for_status()
    target = folder / scenario.name
    target.mkdir(parents=True, exist_ok=True)
    for stream in STREAMS:
        text = clusters.log(cluster_id, f"steps/{status['Id']}/{stream}.gz")
        (target / f"{stream}.txt").write_text(cut(neutral(text, aws)))
    kept = {name: status[name] for name in ("State", "FailureDetails", "StateChangeReason") if name in status}
    (target / "status.json").write_text(neutral(json.dumps(kept, indent=1), aws) + "\n")
    print(scenario.name, status["State"], kept.get("FailureDetails", {}).get("Message", "")[:150], flush=True)


def neutral(text: str, aws: EmulatedAws) -> str:
    """A log without the folders and ports of this machine."""
    text = text.replace(str(aws.state_dir.resolve()), "/mnt").replace(str(aws.state_dir), "/mnt")
    text = text.replace(aws.endpoint, "http://127.0.0.1:4566").replace(str(ROOT), "/checkout")
    text = re.sub(r"/[\w./-]*/lib/python3.11/", "/usr/lib/python3.11/", text)
    return re.sub(r"\b\d{12}\b", "111122223333", text)


def cut(text: str) -> str:
    """A log's beginning and end."""
    if len(text) <= CUT_BYTES:
        return text
    head, tail = text[: CUT_BYTES // 3], text[-CUT_BYTES * 2 // 3 :]
    return f"{head[: head.rfind(chr(10)) + 1]}[...]\n{tail[tail.find(chr(10)) + 1 :]}"


def prepare(clusters: EmrClusters) -> None:
    """Buckets, rights taken away, a bundle, events, weather too hot to be true, and input that is none."""
    aws = clusters.aws
    for bucket in (BUCKET, UNLISTED_BUCKET):
        clusters.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": aws.region})
    clusters.s3.put_object(Bucket=BUCKET, Key="forbidden/part-0.parquet", Body=b"not for you")
    clusters.s3.put_object(Bucket=BUCKET, Key="undeletable/part-0.parquet", Body=b"not yours")
    for key, uuid in (("events/dt=2026-06-01/hour=12/a.parquet", "a"), ("later/b.parquet", "b")):
        with tempfile.TemporaryDirectory() as folder:
            file = write_events(Path(folder) / "events.parquet", [event(uuid=uuid)])
            clusters.s3.put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
    sensors = grid_sensors(GRID)
    hot = dict.fromkeys(range(len(sensors)), DailyRecord(99.0, 98.0, 0.0, Source.ARCHIVE))
    RawLanding(BUCKET, RAW_PREFIX, sensors, clusters.s3).land(date(2026, 6, 1), hot, date(2026, 6, 8))
    clusters.s3.put_object(
        Bucket=BUCKET, Key="clickstream/dt=2026-06-01/hour=12/a.parquet", Body=b"no Parquet"
    )
    for name, body in build_bundle(ROOT).items():
        clusters.s3.put_object(Bucket=BUCKET, Key=f"bundle/{name}", Body=body)
    denied = [
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/forbidden/*"},
        {
            "Effect": "Deny",
            "Action": "s3:PutObject",
            "Resource": [
                f"arn:aws:s3:::{BUCKET}/unwritable/*",
                f"arn:aws:s3:::{BUCKET}/warehouse/failing.db/denied/*",
            ],
        },
        {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{UNLISTED_BUCKET}"},
        {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{BUCKET}/undeletable/*"},
        {
            "Effect": "Deny",
            "Action": "glue:GetTable",
            "Resource": f"arn:aws:glue:*:*:table/{DATABASE}/forbidden",
        },
    ]
    aws.client("iam").put_role_policy(
        RoleName="EMR_EC2_DefaultRole",
        PolicyName="denials",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": denied}),
    )
    aws.client("glue").create_database(DatabaseInput={"Name": DATABASE})


def main(folder: Path, wanted: Sequence[str]) -> None:
    """Record the scenarios, or those that are named."""
    with tempfile.TemporaryDirectory(prefix="step-failures-") as state, run_emulated_aws(Path(state)) as aws:
        clusters = EmrClusters(aws, "failing-steps-logs")
        prepare(clusters)
        cluster_id = clusters.start_and_wait(Configurations=list(CONFIGURATIONS))
        for scenario in SCENARIOS:
            if not wanted or scenario.name in wanted:
                record(clusters, scenario, cluster_id, folder)
        clusters.terminate_all()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
