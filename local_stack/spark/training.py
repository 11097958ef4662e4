"""``python -m local_stack.spark.training FOLDER JAVA_HOME``: make the class data archive in FOLDER.

A small Spark job that does what our jobs do runs against a moto of its own, a process apart from the
emulated AWS, and Java archives every class that was loaded.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from moto.server import ThreadedMotoServer

from local_stack.spark import class_data
from local_stack.spark.runtime import SparkRuntime, catalog_settings, endpoint_settings

_BUCKET = "training"
_DATABASE = "training"
_REGION = "eu-north-1"
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": _REGION}
_JOB = Path(__file__).with_name("training_job.py")


def train(runtime: SparkRuntime) -> None:
    """Run the job and write the archive; an older one is replaced.

    Raises:
        subprocess.CalledProcessError: the job or Java failed; its output is on standard error.
    """
    class_data.discard(runtime.folder)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        job_uri = _seed(endpoint)
        with tempfile.TemporaryDirectory(prefix="spark-training-") as scratch:
            _run(runtime, endpoint, job_uri, Path(scratch))
    finally:
        server.stop()
    class_data.mark_current(runtime.folder, runtime.java_home)


def _seed(endpoint: str) -> str:
    session = boto3.Session("test", "test", region_name=_REGION)
    s3 = session.client("s3", endpoint_url=endpoint)
    s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": _REGION})
    location = pa.StructArray.from_arrays(
        [pa.array([52.5, -0.0, 52.6]), pa.array([13.4, 13.5, None])], names=["latitude", "longitude"]
    )
    events = pa.table(
        {
            "sensor_id": pa.array([1, 2, 2], pa.int64()),
            "temperature": [1.5, None, 3.5],
            "location": location,
            "status": ["active", "faulty", "active"],
            "timestamp": pa.array([1_767_225_600, 1_767_225_660, 1_767_312_000], pa.int64()),
            "uuid": ["a", "b", "c"],
        }
    )
    parquet = io.BytesIO()
    pq.write_table(events, parquet)
    for hour in ("00", "01"):
        key = f"events/dt=2026-01-01/hour={hour}/part.parquet"
        s3.put_object(Bucket=_BUCKET, Key=key, Body=parquet.getvalue())
    s3.put_object(Bucket=_BUCKET, Key="job.py", Body=_JOB.read_bytes())
    session.client("glue", endpoint_url=endpoint).create_database(DatabaseInput={"Name": _DATABASE})
    return f"s3://{_BUCKET}/job.py"


def _run(runtime: SparkRuntime, endpoint: str, job_uri: str, scratch: Path) -> None:
    settings = runtime.driver_settings()
    recording = class_data.recording_options(runtime.folder, runtime.java_home)
    settings["spark.driver.defaultJavaOptions"] += f" {' '.join(recording)}"
    settings |= endpoint_settings(endpoint, _REGION) | catalog_settings(f"s3://{_BUCKET}/")
    submit = scratch / "spark-submit"
    runtime.write_spark_submit(submit, scratch / "spark-defaults.conf", settings)
    environment = {
        "PATH": os.environ["PATH"],
        "PYSPARK_PYTHON": sys.executable,
        **_CREDENTIALS,
        **runtime.environment(),
    }
    command: list[str | Path] = [submit, job_uri, f"s3://{_BUCKET}/events/", _DATABASE]
    subprocess.run(command, cwd=scratch, env=environment, check=True)


if __name__ == "__main__":
    train(SparkRuntime(folder=Path(sys.argv[1]), java_home=Path(sys.argv[2])))
