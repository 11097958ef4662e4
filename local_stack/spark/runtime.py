"""How a spark-submit on this machine is set up: environment, spark-defaults, command.

The settings say what a cluster's own defaults say on AWS, and no more: where S3 and Glue are, and how
large the machine is. A job that forgets its catalog fails here as it does there;
``catalog_settings`` is for those who have no cluster.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config import names
from local_stack.spark import class_data
from local_stack.spark.jars import JARS, S3A_JARS, SPARK_HOME

DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / ".local" / "spark"

LOG4J2_PROPERTIES = Path(__file__).with_name("log4j2.properties")

_SUBMIT_SCRIPT = """\
#!/usr/bin/env bash
# A machine is not a YARN cluster: --master and --deploy-mode are the cluster's affair and left out.
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    --master | --deploy-mode) shift 2 ;;
    --master=* | --deploy-mode=*) shift ;;
    -*=*) arguments+=("$1"); shift ;;
    --verbose | -v | --supervise | --version | --help | -h | --usage-error) arguments+=("$1"); shift ;;
    -*) arguments+=("$1" "${{2-}}"); shift; [ $# -eq 0 ] || shift ;;
    *) break ;;
  esac
done
exec {spark_submit} --properties-file {properties_file} "${{arguments[@]}}" "$@"
"""


@dataclass(frozen=True)
class SparkRuntime:
    """An installed runtime: ``folder`` holds ``jars/`` and the class data archive."""

    folder: Path
    java_home: Path

    @property
    def jars_folder(self) -> Path:
        """Where the jars lie."""
        return self.folder / "jars"

    def class_path(self, *, iceberg: bool = True) -> str:
        """What goes before Spark's own jars; without ``iceberg`` only S3A."""
        return ":".join(str(self.jars_folder / jar.file_name) for jar in (JARS if iceberg else S3A_JARS))

    def driver_settings(self, *, scratch: Path | None = None, iceberg: bool = True) -> dict[str, str]:
        """Spark properties for a driver on this machine: its size, loopback, a fast start.

        Temporary files go to ``scratch``, by default where Java and Hadoop put them.

        Measured with a small job (read Parquet, write an Iceberg table) on 2 cores: 24 s as it comes,
        18 s with the C1 compiler only, 11 s with the class data archive as well.
        """
        java_options = [
            "-Duser.timezone=UTC",
            f"-Dlog4j2.configurationFile={LOG4J2_PROPERTIES.as_uri()}",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            *class_data.java_options(self.folder, self.java_home),
        ]
        settings = {
            "spark.master": "local[2]",
            "spark.driver.memory": "1536m",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            # Not --jars: those are copied and loaded by a class loader of their own, 6 s slower.
            "spark.driver.extraClassPath": self.class_path(iceberg=iceberg),
            "spark.ui.enabled": "false",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.shuffle.partitions": "4",
        }
        if scratch:
            java_options.append(f"-Djava.io.tmpdir={scratch}")
            settings["spark.hadoop.hadoop.tmp.dir"] = str(scratch)
        settings["spark.driver.defaultJavaOptions"] = shlex.join(java_options)
        return settings

    def environment(self) -> dict[str, str]:
        """Variables that spark-submit needs beside ``PATH`` and ``PYSPARK_PYTHON``.

        ``SPARK_CONF_DIR`` names a folder that does not exist: a folder on the class path would
        forbid the class data archive. The settings come by ``--properties-file``.
        """
        return {
            "JAVA_HOME": str(self.java_home),
            "SPARK_HOME": str(SPARK_HOME),
            "SPARK_CONF_DIR": str(self.folder / "no-conf"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LAUNCHER_OPTS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData",
        }

    def write_spark_submit(self, command: Path, properties_file: Path, settings: Mapping[str, str]) -> None:
        """Write an executable ``command`` that is spark-submit with ``settings`` as its defaults.

        As with spark-defaults.conf, ``--conf`` goes before them, and a ``--properties-file`` of the
        caller replaces them.
        """
        lines = [f"{key} {_escaped(value)}\n" for key, value in settings.items()]
        properties_file.write_text("".join(lines))
        script = _SUBMIT_SCRIPT.format(
            spark_submit=shlex.quote(str(SPARK_HOME / "bin" / "spark-submit")),
            properties_file=shlex.quote(str(properties_file)),
        )
        command.write_text(script)
        command.chmod(0o755)


def endpoint_settings(endpoint: str, region: str) -> dict[str, str]:
    """Spark properties that lead S3A and the Iceberg catalog to the emulated AWS.

    Both take their credentials from the environment. They know neither ``AWS_ENDPOINT_URL`` nor that
    bucket names cannot be host names on loopback.
    """
    catalog = f"spark.sql.catalog.{names.SPARK_CATALOG}"
    return {
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.endpoint.region": region,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.experimental.input.fadvise": "random",
        f"{catalog}.s3.endpoint": endpoint,
        f"{catalog}.s3.path-style-access": "true",
        f"{catalog}.glue.endpoint": endpoint,
        f"{catalog}.client.region": region,
    }


def catalog_settings(warehouse: str) -> dict[str, str]:
    """Spark properties of the Iceberg catalog in Glue, as the jobs themselves set them."""
    catalog = f"spark.sql.catalog.{names.SPARK_CATALOG}"
    return {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        f"{catalog}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        f"{catalog}.warehouse": warehouse,
    }


def _escaped(value: str) -> str:
    """A value of a Java properties file."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")
