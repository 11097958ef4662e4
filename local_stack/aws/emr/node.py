"""The primary node of a cluster: a folder with a bare Python, the commands on PATH, and nothing of ours.

PATH has ``spark-submit``, ``python3.11`` (its own environment: what a bootstrap action installs is
there for the cluster's steps and for nobody else), ``pip`` as a module of it, ``aws`` and ``sudo``.
"""

from __future__ import annotations

import ensurepip
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_stack.aws.emr.configurations import SparkConfiguration
from local_stack.spark.runtime import SparkRuntime, endpoint_settings

CLUSTER_PYTHON = "/usr/bin/python3.11"
"""Where EMR 7 has its Python 3.11: in step arguments and spark-env it means the node's own."""

MACHINE_PROPERTIES = (
    "spark.master",
    "spark.submit.deployMode",
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.driver.host",
    "spark.driver.bindAddress",
    "spark.driver.extraClassPath",
    "spark.ui.enabled",
)
"""spark-defaults of a cluster that would not fit this machine; the machine's own stay."""

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

_SUDO_SCRIPT = """\
#!/bin/sh
# The user of this machine does what root does on the node, in the node's own Python.
while [ $# -gt 0 ]; do
  case "$1" in
    -u | -g) shift 2 ;;
    -* | *=*) shift ;;
    {cluster_python}) shift; set -- python3.11 "$@"; break ;;
    *) break ;;
  esac
done
exec "$@"
"""


@dataclass(frozen=True)
class Credentials:
    """Keys of a role's session."""

    access_key_id: str
    secret_access_key: str
    session_token: str

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the SDKs find them."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


@dataclass(frozen=True)
class Node:
    """The folder of a node, and where it finds AWS."""

    folder: Path
    endpoint: str
    region: str

    @property
    def commands(self) -> Path:
        """The folder of the node's own commands, first on PATH; the bare Python's."""
        return self.folder / "python" / "bin"

    @property
    def python(self) -> Path:
        """The node's Python."""
        return self.commands / "python3.11"

    @property
    def scratch(self) -> Path:
        """For temporary files."""
        return self.folder / "tmp"

    def prepare(self, runtime: SparkRuntime, configuration: SparkConfiguration) -> None:
        """Make the folder."""
        self.scratch.mkdir(parents=True)
        self._make_python()
        self._write_command("sudo", _SUDO_SCRIPT.format(cluster_python=CLUSTER_PYTHON))
        self._write_command("aws", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -I -m awscli "$@"\n')
        runtime.write_spark_submit(
            self.commands / "spark-submit",
            self.folder / "spark-defaults.conf",
            self._spark_defaults(runtime, configuration),
        )

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(
        self, runtime: SparkRuntime, configuration: SparkConfiguration, credentials: Credentials
    ) -> dict[str, str]:
        """All variables of a command on the node."""
        exported = {name: self._translated(value) for name, value in configuration.environment.items()}
        return {
            "HOME": str(self.folder),
            "USER": "hadoop",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PATH": f"{self.commands}:{_SYSTEM_PATH}",
            "TMPDIR": str(self.scratch),
            "SPARK_LOCAL_DIRS": str(self.scratch),
            # No slip of a bootstrap action may reach the Python of the machine.
            "PIP_REQUIRE_VIRTUALENV": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYSPARK_PYTHON": str(self.python),
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            **credentials.environment,
            **runtime.environment(),
            **exported,
        }

    def translated(self, command: list[str]) -> list[str]:
        """A step's command with the cluster's Python replaced by the node's."""
        return [self._translated(argument) for argument in command]

    def _translated(self, value: str) -> str:
        return str(self.python) if value in (CLUSTER_PYTHON, "python3.11", "/usr/bin/python3") else value

    def _make_python(self) -> None:
        """A bare Python with pip, which is used from ensurepip's wheel: installing it takes seconds."""
        environment = self.folder / "python"
        subprocess.run([sys.executable, "-I", "-m", "venv", "--without-pip", environment], check=True)
        if not self.python.exists():
            self.python.symlink_to("python3")
        site_packages = Path(
            sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)})
        )
        (site_packages / "pip.pth").write_text(f"{_pip_wheel()}\n")

    def _write_command(self, name: str, script: str) -> None:
        path = self.commands / name
        path.write_text(script)
        path.chmod(0o755)

    def _spark_defaults(self, runtime: SparkRuntime, configuration: SparkConfiguration) -> Mapping[str, str]:
        own = runtime.driver_settings(scratch=self.scratch, iceberg=configuration.iceberg)
        asked = {
            name: value for name, value in configuration.defaults.items() if name not in MACHINE_PROPERTIES
        }
        return own | endpoint_settings(self.endpoint, self.region) | asked


def _pip_wheel() -> Path:
    """The wheel of pip that comes with Python."""
    # Debian keeps the wheels in a folder of their own, beside the Python that they are for.
    folders = (
        Path(ensurepip.__file__).parent / "_bundled",
        Path(sys.base_prefix) / "share" / "python-wheels",
    )
    (wheel,) = (wheel for folder in folders for wheel in folder.glob(f"pip-{ensurepip.version()}-*.whl"))
    return wheel
