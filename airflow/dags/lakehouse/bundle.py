"""The job bundle: what a cluster needs to run our jobs, published under its own hash.

A bundle is the entry scripts of emr_jobs/ and ``packages.zip`` (the packages config and emr_jobs).
It lies in a folder named by the SHA-256 of its content: a running step never sees its code change,
and publishing the same code twice uploads nothing.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

import config
from config.jobs import ALL_JOBS, Bundle
from config.project_config import Settings
from lakehouse.objects import bucket_and_key

log = logging.getLogger(__name__)

PACKAGES = ("config", "emr_jobs")
ENTRY_SCRIPTS = "emr_jobs"

_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_FILE_MODE = 0o644


def checkout_root() -> Path:
    """The folder that holds config/ and emr_jobs/: a checkout, or where an image copied them."""
    return Path(config.__file__).resolve().parents[1]


def build_bundle(root: Path) -> dict[str, bytes]:
    """The files of the bundle by name: entry scripts and ``packages.zip``, the same bytes on any machine.

    Raises:
        FileNotFoundError: a package, or the entry script of a job, is not below ``root``.
    """
    sources = {
        path.relative_to(root).as_posix(): path.read_bytes()
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    files = {
        path.name: sources[path.relative_to(root).as_posix()]
        for path in sorted((root / ENTRY_SCRIPTS).glob("*.py"))
        if path.name != "__init__.py"
    }
    missing = [f"{package}/__init__.py" for package in PACKAGES if f"{package}/__init__.py" not in sources]
    missing += [
        f"{ENTRY_SCRIPTS}/{job.module_file}" for job in ALL_JOBS.values() if job.module_file not in files
    ]
    if missing:
        raise FileNotFoundError(f"The job bundle lacks files below {root}: {', '.join(missing)}")
    return {**files, "packages.zip": _zip(sources)}


def _zip(sources: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes depend on names and contents only: no clock, no compressor, no file modes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(sources):
            entry = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _FILE_MODE << 16
            archive.writestr(entry, sources[name])
    return buffer.getvalue()


def bundle_hash(files: Mapping[str, bytes]) -> str:
    """SHA-256 over the names and contents of a bundle, hexadecimal."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()


def publish_bundle(s3: Any, settings: Settings, root: Path | None = None) -> Bundle:
    """Make sure that the bundle of this code lies in the scripts bucket, and say where.

    Files that lie there already are left alone, whoever wrote them: their name says their content.
    """
    files = build_bundle(root or checkout_root())
    uri = f"{settings.bundles_path}{bundle_hash(files)}/"
    bucket, prefix = bucket_and_key(uri)
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
    present = {item["Key"].removeprefix(prefix) for item in listed.get("Contents", [])}
    uploaded = [
        name
        for name in sorted(files.keys() - present)
        if _put_if_absent(s3, bucket, prefix + name, files[name])
    ]
    log.info("Bundle %s: %d of %d files uploaded", uri, len(uploaded), len(files))
    return Bundle(uri)


def _put_if_absent(s3: Any, bucket: str, key: str, body: bytes) -> bool:
    """Put an object unless another publisher has just done so; whether it was this one."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
        return False
    return True
