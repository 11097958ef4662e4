"""Fetching the jars, from a repository in a folder."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from local_stack.spark import jars
from local_stack.spark.java import find_java_home

CONTENT = b"a jar for the test"


@pytest.fixture
def jar(monkeypatch: pytest.MonkeyPatch) -> jars.Jar:
    """The only jar that is needed."""
    jar = jars.Jar("org.example", "probe", "1.0", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(jars, "JARS", (jar,))
    return jar


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jar: jars.Jar) -> Path:
    """Ivy's repository of the user, which it asks before Maven Central; it holds the jar."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Divy.default.ivy.user.dir={tmp_path}/ivy")
    module = tmp_path / "ivy" / "local" / jar.group / jar.artifact / jar.version
    published = module / "jars" / f"{jar.artifact}.jar"
    published.parent.mkdir(parents=True)
    published.write_bytes(CONTENT)
    description = module / "ivys" / "ivy.xml"
    description.parent.mkdir()
    description.write_text(
        f'<ivy-module version="2.0"><info organisation="{jar.group}" module="{jar.artifact}" '
        f'revision="{jar.version}"/><configurations><conf name="master"/></configurations>'
        '<publications><artifact conf="master"/></publications></ivy-module>'
    )
    return published


@pytest.fixture
def java_home() -> Path:
    return find_java_home(os.environ)


def test_the_jars_are_fetched_once(repository: Path, java_home: Path, jar: jars.Jar, tmp_path: Path) -> None:
    folder, told = tmp_path / "jars", []
    assert not jars.is_complete(folder)

    jars.install(folder, java_home, told.append)

    assert jars.is_complete(folder)
    assert (folder / jar.file_name).read_bytes() == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == [jar.file_name, "verified"]
    assert told[-1].strip() == "probe 1.0"

    told.clear()
    repository.unlink()
    jars.install(folder, java_home, told.append)
    assert told == []


def test_a_jar_that_was_replaced_on_the_way_is_refused(
    repository: Path, java_home: Path, tmp_path: Path
) -> None:
    repository.write_bytes(b"something else")

    with pytest.raises(jars.JarError, match="something on the way replaced it"):
        jars.install(tmp_path / "jars", java_home, print)
    assert list((tmp_path / "jars").iterdir()) == []


def test_jars_put_there_by_hand_are_taken_if_they_are_right(
    jar: jars.Jar, java_home: Path, tmp_path: Path
) -> None:
    (tmp_path / jar.file_name).write_bytes(CONTENT)

    jars.install(tmp_path, java_home, pytest.fail)

    assert jars.is_complete(tmp_path)
    (tmp_path / jar.file_name).unlink()
    assert not jars.is_complete(tmp_path)


def test_only_what_is_needed_of_the_sdk_is_listed() -> None:
    names = {jar.artifact for jar in jars.JARS}

    assert "aws-java-sdk-bundle" not in names
    assert {"hadoop-aws", "iceberg-spark-runtime-3.5_2.12", "iceberg-aws-bundle"} < names
    assert all(len(jar.sha256) == 64 for jar in jars.JARS)
