"""The wheelhouse: what the jobs need on a cluster beyond Spark, published once under its own hash.

    python -m lakehouse.wheelhouse        publishes it by hand; the DAG does where it is missing

A cluster's Python is bare. A bootstrap action on each node installs wheels whose hashes are in
``emr_jobs/requirements.lock``, for the architecture of its machines, from a folder in the scripts
bucket that is named by what it is made of.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from config.project_config import ConfigError, Settings
from lakehouse.bundle import checkout_root
from lakehouse.objects import bucket_and_key, object_exists

log = logging.getLogger(__name__)

LOCK = "requirements.lock"
BOOTSTRAP = "bootstrap.sh"

CLUSTER_PYTHON = "3.11"
"""Of EMR 7; its C library is that of manylinux_2_28 or newer."""

_UPLOADS_AT_ONCE = 4


def wheelhouse_uri(settings: Settings, root: Path | None = None) -> str:
    """Where the wheelhouse of this checkout lies, published or not."""
    digest = hashlib.sha256(_machine(settings.emr_wheels).encode())
    for name in (LOCK, BOOTSTRAP):
        digest.update(f"\0{name}\0".encode())
        digest.update((_source(root) / name).read_bytes())
    return f"{settings.wheelhouse_path}{digest.hexdigest()}/"


def publish_wheelhouse(s3: Any, settings: Settings, root: Path | None = None) -> str:
    """Make sure that the wheelhouse lies in the scripts bucket, and say where.

    The lock is uploaded last: where it is, all the rest is.

    Raises:
        subprocess.CalledProcessError: the wheels cannot be had, or are not the locked ones.
    """
    uri = wheelhouse_uri(settings, root)
    bucket, prefix = bucket_and_key(uri)
    if object_exists(s3, bucket, prefix + LOCK):
        log.info("Wheelhouse %s is there", uri)
        return uri
    with tempfile.TemporaryDirectory(prefix="wheelhouse-") as name:
        folder = Path(name)
        download_wheels(_source(root) / LOCK, settings.emr_wheels, folder)
        files = [*sorted(folder.glob("*.whl")), _source(root) / BOOTSTRAP]
        with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
            list(pool.map(lambda path: s3.upload_file(str(path), bucket, prefix + path.name), files))
    s3.upload_file(str(_source(root) / LOCK), bucket, prefix + LOCK)
    log.info("Wheelhouse %s: %d files uploaded", uri, len(files) + 1)
    return uri


def download_wheels(lock: Path, wheels: str, folder: Path) -> None:
    """Download the locked wheels for an architecture, or for this machine (``native``), into a folder.

    Raises:
        subprocess.CalledProcessError: pip failed; what it said is on standard error.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--only-binary=:all:"]
    command += ["--requirement", str(lock), "--dest", str(folder)]
    if wheels != "native":
        command += ["--implementation", "cp", "--python-version", CLUSTER_PYTHON]
        command += [f"--platform=manylinux_2_28_{wheels}", f"--platform=manylinux2014_{wheels}"]
    subprocess.run(command, check=True)


def main() -> int:
    """Publish the wheelhouse of the environment's settings and print its address; 1 if that fails."""
    try:
        settings = Settings.from_mapping(os.environ)
        uri = publish_wheelhouse(boto3.client("s3", region_name=settings.aws_region), settings)
    except (ConfigError, ClientError, subprocess.CalledProcessError) as error:
        print(f"The wheelhouse cannot be published: {error}", file=sys.stderr)
        return 1
    print(uri)
    return 0


def _source(root: Path | None) -> Path:
    return (root or checkout_root()) / "emr_jobs"


def _machine(wheels: str) -> str:
    if wheels != "native":
        return f"cp{CLUSTER_PYTHON}-manylinux_2_28_{wheels}"
    return f"cp{platform.python_version()}-{sys.platform}-{platform.machine()}"


if __name__ == "__main__":
    sys.exit(main())
