"""The job bundle: the same bytes everywhere, under their own hash, uploaded once."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from config.jobs import ALL_JOBS
from config.project_config import Settings
from lakehouse.bundle import build_bundle, bundle_hash, checkout_root, publish_bundle


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with the entry scripts of all jobs."""
    for package in ("config", "emr_jobs", "emr_jobs/lake"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    for job in ALL_JOBS.values():
        (tmp_path / "emr_jobs" / job.module_file).write_text(f"print({job.name!r})\n")
    (tmp_path / "emr_jobs" / "notes.txt").write_text("not code")
    return tmp_path


def keys(s3: Any, settings: Settings) -> dict[str, Any]:
    """What lies in the scripts bucket: key to ETag and time of writing."""
    listed = s3.list_objects_v2(Bucket=settings.scripts_bucket).get("Contents", [])
    return {item["Key"]: (item["ETag"], item["LastModified"]) for item in listed}


def test_bundle_holds_entry_scripts_and_packages(checkout: Path) -> None:
    files = build_bundle(checkout)
    assert set(files) == {job.module_file for job in ALL_JOBS.values()} | {"packages.zip"}
    names = set(zipfile.ZipFile(io.BytesIO(files["packages.zip"])).namelist())
    assert {"config/__init__.py", "emr_jobs/__init__.py", "emr_jobs/lake/__init__.py"} <= names
    assert "emr_jobs/notes.txt" not in names


def test_bundle_depends_on_content_alone(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("other") / "checkout"
    shutil.copytree(checkout, elsewhere)
    for number, path in enumerate(sorted(elsewhere.rglob("*.py"), reverse=True)):
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
        path.chmod(0o755)
    (elsewhere / "emr_jobs" / "__pycache__").mkdir()
    (elsewhere / "emr_jobs" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    assert build_bundle(elsewhere) == build_bundle(checkout)


@pytest.mark.parametrize("changed", ["config/__init__.py", "emr_jobs/lake/__init__.py"])
def test_hash_changes_with_any_source(checkout: Path, changed: str) -> None:
    before = bundle_hash(build_bundle(checkout))
    (checkout / changed).write_text("VALUE = 1\n")
    assert bundle_hash(build_bundle(checkout)) != before


def test_missing_entry_script_is_named(checkout: Path) -> None:
    (checkout / "emr_jobs" / "kpi_event_geo.py").unlink()
    with pytest.raises(FileNotFoundError, match=r"emr_jobs/kpi_event_geo\.py"):
        build_bundle(checkout)


def test_this_checkouts_packages_import_from_the_zip(tmp_path: Path) -> None:
    packages = tmp_path / "packages.zip"
    packages.write_bytes(build_bundle(checkout_root())["packages.zip"])
    code = "import config.jobs, emr_jobs.edge.arguments; print(config.jobs.__file__)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(packages)!r}); {code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(packages))


def test_published_once_under_its_hash(s3: Any, settings: Settings, checkout: Path) -> None:
    bundle = publish_bundle(s3, settings, checkout)
    files = build_bundle(checkout)
    assert bundle.uri == f"s3://test-scripts/bundles/{bundle_hash(files)}/"
    first = keys(s3, settings)
    assert set(first) == {f"bundles/{bundle_hash(files)}/{name}" for name in files}
    assert publish_bundle(s3, settings, checkout) == bundle
    assert keys(s3, settings) == first


def test_half_published_bundle_is_completed(s3: Any, settings: Settings, checkout: Path) -> None:
    bundle = publish_bundle(s3, settings, checkout)
    key = bundle.packages.removeprefix("s3://test-scripts/")
    s3.delete_object(Bucket="test-scripts", Key=key)
    publish_bundle(s3, settings, checkout)
    assert key in keys(s3, settings)


def test_publisher_that_comes_second_leaves_the_first_ones_objects(
    s3: Any, settings: Settings, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_bundle(s3, settings, checkout)
    first = keys(s3, settings)
    # It looked before the first one wrote.
    monkeypatch.setattr(s3, "list_objects_v2", lambda **_: {})
    publish_bundle(s3, settings, checkout)
    monkeypatch.undo()
    assert keys(s3, settings) == first


def test_missing_bucket_is_an_error(s3: Any, settings: Settings, checkout: Path) -> None:
    s3.delete_bucket(Bucket=settings.scripts_bucket)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        publish_bundle(s3, settings, checkout)
