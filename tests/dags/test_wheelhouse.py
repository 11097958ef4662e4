"""The wheelhouse: locked wheels for the clusters' machines, published once, the lock last."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from config.project_config import Settings
from lakehouse import wheelhouse
from lakehouse.bundle import checkout_root
from lakehouse.wheelhouse import download_wheels, publish_wheelhouse, wheelhouse_uri

SOURCE = checkout_root() / "emr_jobs"


def keys(s3: Any) -> list[str]:
    listed = s3.list_objects_v2(Bucket="test-scripts", Prefix="wheelhouse/").get("Contents", [])
    return sorted(item["Key"].rsplit("/", 1)[1] for item in listed)


def test_published_once_under_its_hash(s3: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = publish_wheelhouse(s3, settings)
    assert re.fullmatch(r"s3://test-scripts/wheelhouse/[0-9a-f]{64}/", uri)
    assert keys(s3) == ["bootstrap.sh", "requirements.lock", "some-1.0-aarch64.whl"]
    monkeypatch.setattr(wheelhouse, "download_wheels", _never)
    assert publish_wheelhouse(s3, settings) == uri


def test_half_published_wheelhouse_is_published_again(
    s3: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    download = wheelhouse.download_wheels
    monkeypatch.setattr(wheelhouse, "LOCK", "no-such.lock")
    with pytest.raises(FileNotFoundError):
        publish_wheelhouse(s3, settings)
    monkeypatch.setattr(wheelhouse, "LOCK", "requirements.lock")
    monkeypatch.setattr(wheelhouse, "download_wheels", download)
    publish_wheelhouse(s3, settings)
    assert "requirements.lock" in keys(s3)


def test_address_follows_lock_script_and_machine(settings: Settings, tmp_path: Path) -> None:
    uris = {wheelhouse_uri(settings)}
    for wheels in ("x86_64", "native"):
        uris.add(wheelhouse_uri(Settings(**{**vars(settings), "emr_wheels": wheels})))
    for changed in ("requirements.lock", "bootstrap.sh"):
        folder = tmp_path / changed / "emr_jobs"
        folder.mkdir(parents=True)
        for name in ("requirements.lock", "bootstrap.sh"):
            (folder / name).write_bytes((SOURCE / name).read_bytes() + (b"#" if name == changed else b""))
        uris.add(wheelhouse_uri(settings, folder.parent))
    assert len(uris) == 5


def test_failed_download_publishes_nothing(
    s3: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheelhouse, "download_wheels", _never)
    with pytest.raises(subprocess.CalledProcessError):
        publish_wheelhouse(s3, settings)
    assert keys(s3) == []


def _never(lock: Path, wheels: str, folder: Path) -> None:
    raise subprocess.CalledProcessError(1, "pip")


def test_lock_has_the_versions_of_the_project_s_lock() -> None:
    def versions(path: Path) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE))

    jobs, project = versions(SOURCE / "requirements.lock"), versions(checkout_root() / "requirements.lock")
    assert {"boto3", "httpx", "pyarrow", "tenacity"} <= set(jobs)
    assert len(jobs) < 25, "keep it short: every node of every cluster installs it"
    assert {name: project.get(name) for name in jobs} == jobs


@pytest.mark.parametrize("machine", ["aarch64", "x86_64"])
def test_lock_has_hashes_of_wheels_for_the_clusters_machines(machine: str, tmp_path: Path) -> None:
    lock = (SOURCE / "requirements.lock").read_text()
    blocks = re.findall(r"^\S+==(?:.*\\\n)+.*$", lock, re.MULTILINE)
    # The one with compiled code; the others are the same everywhere.
    (pyarrow,) = (block for block in blocks if block.startswith("pyarrow=="))
    only = tmp_path / "one.lock"
    only.write_text(pyarrow + "\n")
    download_wheels(only, machine, tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith(f"-cp311-cp311-manylinux_2_28_{machine}.whl")
