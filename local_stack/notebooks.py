"""JupyterLab over the notebooks, with Spark, pyiceberg and DuckDB set up for the catalog ``glue``.

    python -m local_stack.notebooks          http://127.0.0.1:8888, or at JUPYTER_PORT

It works with the account, or the emulated AWS, that the environment names (``source .local/env``). In a
notebook ``SparkSession.builder.getOrCreate()`` knows the catalog, ``load_catalog("glue")`` too.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.project_config import DEFAULT_REGION
from local_stack.ports import HOST
from local_stack.spark.install import ensure_runtime
from local_stack.spark.jars import JarError
from local_stack.spark.java import NoJavaError
from local_stack.spark.runtime import SparkRuntime, catalog_settings, endpoint_settings

ROOT = Path(__file__).resolve().parents[1]


def kernel_environment(runtime: SparkRuntime, environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The variables of JupyterLab and its kernels; Spark's properties are written into ``folder``.

    Without ICEBERG_BUCKET there is no catalog ``glue``: notebooks that need no AWS work all the same.
    """
    region = environ.get("AWS_REGION", DEFAULT_REGION)
    properties = runtime.driver_settings() | {
        "spark.ui.showConsoleProgress": "false",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
    }
    if environ.get("ICEBERG_BUCKET"):
        properties |= catalog_settings(f"s3://{environ['ICEBERG_BUCKET']}/")
    if environ.get("AWS_ENDPOINT_URL"):
        properties |= endpoint_settings(environ["AWS_ENDPOINT_URL"], region)
    runtime.write_spark_submit(folder / "spark-submit", folder / "spark-defaults.conf", properties)
    return {
        **runtime.environment(),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "PYICEBERG_CATALOG__GLUE__TYPE": "glue",
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": f"--properties-file {folder / 'spark-defaults.conf'} pyspark-shell",
    }


def jupyter_command(address: str, port: str, folder: Path) -> list[str]:
    """JupyterLab without a token, which answers only to the names of this machine: no page that a browser
    shows can reach it by another name.
    """
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        f"--ServerApp.ip={address}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.allow_remote_access=False",
        "--IdentityProvider.token=",
        "--LabApp.news_url=",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Become JupyterLab; 1 with a message if Spark cannot be had."""
    parser = argparse.ArgumentParser(
        prog="python -m local_stack.notebooks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--host", default=HOST, help="address to listen on; 0.0.0.0 only inside a container (%(default)s)"
    )
    parser.add_argument(
        "command", nargs="*", help="run this in the notebooks' environment instead of JupyterLab, after --"
    )
    options = parser.parse_args(arguments)
    try:
        runtime = ensure_runtime(tell=print)
    except (NoJavaError, JarError) as error:
        print(error, file=sys.stderr)
        return 1
    folder = Path(os.environ.get("JUPYTER_RUNTIME_DIR") or runtime.folder.parent / "notebooks")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(kernel_environment(runtime, os.environ, folder))
    notebooks = ROOT / "notebooks"
    command = options.command or jupyter_command(
        options.host, os.environ.get("JUPYTER_PORT", "8888"), notebooks
    )
    os.chdir(notebooks)
    os.execvp(command[0], command)  # noqa: S606 - the server, or what the caller asks for


if __name__ == "__main__":
    sys.exit(main())
