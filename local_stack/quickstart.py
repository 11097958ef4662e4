"""The quick start: the whole platform on this machine, no AWS account needed.

Starts the emulated AWS, deploys the CloudFormation stacks to it and starts Airflow; then stays up
until Ctrl-C. With --once it also sends events through Kinesis and Firehose, runs the DAG, prints
the tables as Athena reads them and the reconciliation, stops everything and exits: 0 if every
figure agrees, 1 if anything is wrong.

State is kept in .local (make clean removes it). Ports, all on loopback: AIRFLOW_PORT (8080),
LOCAL_AWS_PORT (4566) and WEATHER_PORT (4580). The weather comes from a stand-in for Open-Meteo, unless
WEATHER_API_URL says otherwise (https://... of a service that speaks its API).

Each part works in its own role (docs/roles.md), as on AWS; what .local/env holds are an administrator's keys.
With --aws it works in your own account instead: it reads the names of buckets and roles from the outputs of
the deployed stacks (python -m ops.deploy apply), writes them to .env, and starts Airflow in containers
(docker_airflow) with them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from rich.console import Console

from config import names
from config.environments import PROFILES
from local_stack import account
from local_stack.airflow_server import PASSWORD, USER, AirflowApi, AirflowServer
from local_stack.environment import deploy_stacks, enter
from local_stack.ports import PortError, check_free, read_ports
from local_stack.roles import role_variables
from local_stack.stages import Stages
from local_stack.supervisor import MARK, Service, StackError, Supervisor, log_tail
from ops.deployment.errors import DeployError

ROOT = Path(__file__).resolve().parents[1]
AIRFLOW_READY_SECONDS = 180
LOG_COLUMNS = "120"
DISORDERS = ("late", "duplicates", "corrupt")

WELCOME = """
The lakehouse is up. Ctrl-C stops it.

  Airflow       {airflow}   (admin / admin)
  emulated AWS  {aws}
  weather       {weather}
  settings      source {env}
  send events   source .venv/bin/activate && cd kinesis && python producer.py
  run the DAG   trigger clickstream_emr_kpis in Airflow
  see tables    python -m ops.show_tables
"""


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; the module's docstring is its help."""
    parser = argparse.ArgumentParser(
        prog="./start_local_airflow.sh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--once", action="store_true", help="run the whole chain once, print it and stop")
    parser.add_argument(
        "--aws", action="store_true", help="Airflow in containers, for the account of your AWS credentials"
    )
    parser.add_argument("--fresh", action="store_true", help="forget earlier events, tables and runs first")
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".local", metavar="DIR", help="where state is kept (.local)"
    )
    parser.add_argument(
        "--environment", choices=PROFILES, default="dev", help="whose sizes and schedule (default: dev)"
    )
    events = parser.add_argument_group("events of --once (see kinesis/producer.py --help)")
    events.add_argument("--count", type=int, default=20_000, help="events to send (default: %(default)s)")
    events.add_argument("--seed", type=int, help="same seed, same events (default: a new one)")
    for disorder in DISORDERS:
        events.add_argument(
            f"--{disorder}", type=float, default=0.01, metavar="SHARE", help="share of them (default: 0.01)"
        )
    return parser.parse_args(arguments)


class QuickStart:
    """One start of the local stack."""

    def __init__(self, options: argparse.Namespace, console: Console) -> None:
        self.options = options
        self.console = console
        self.state_dir: Path = options.state.resolve()
        self.env_file = self.state_dir / "env"
        self.stages = Stages(console)
        self.ports = read_ports()
        self.supervisor = Supervisor(self.state_dir)
        self.airflow = AirflowServer(
            home=self.state_dir / "airflow",
            dags_folder=ROOT / "airflow" / "dags",
            url=self.ports.airflow_url,
            programs=Path(sys.executable).parent,
        )
        self.api = AirflowApi(self.ports.airflow_url)

    def run(self) -> int:
        """Bring the stack up; then run the chain once, or stay up. Returns the exit code."""
        started = time.monotonic()
        with self.supervisor:
            os.environ[MARK] = str(self.state_dir)
            enter(self.ports.aws_url)
            self.console.print(f"Logs: {self.supervisor.log_dir}", highlight=False)
            check_free(self.ports)
            if self.options.fresh:
                self._forget()
            code = self._run_once() if self.options.once else self._stay_up()
            with self.stages.stage("stop everything"):
                self.supervisor.stop_all()
        self.stages.seconds["all"] = round(time.monotonic() - started, 1)
        (self.state_dir / "timings.json").write_text(json.dumps(self.stages.seconds, indent=1) + "\n")
        self.console.print(f"Done in {self.stages.seconds['all']:.0f} s.")
        return code

    @contextmanager
    def _background(self) -> Iterator[ThreadPoolExecutor]:
        """Threads for what needs not be waited for at once; after an error or Ctrl-C all of it is stopped."""
        with ThreadPoolExecutor() as threads:
            try:
                yield threads
            except BaseException:
                self.supervisor.stop_all()
                raise

    def _forget(self) -> None:
        for folder in ("aws", "airflow"):
            shutil.rmtree(self.state_dir / folder, ignore_errors=True)

    def _run_once(self) -> int:
        """Events, DAG run, tables, reconciliation; the exit code says whether all is right."""
        with self._background() as background:
            spark = background.submit(self._install_spark)
            migration = background.submit(self._prepare_airflow)
            self._start_aws()
            airflow = background.submit(self._start_airflow, migration)
            wheelhouse = background.submit(self._publish_wheelhouse)
            self._send_events()
            spark.result()
            wheelhouse.result()
            airflow.result()
        verdicts = [self._run_dag()]
        for module in ("ops.show_tables", "ops.weather_summary", "ops.run_summary", "ops.reconcile"):
            self.console.print()
            environment = {**os.environ, **role_variables(names.ANALYST_ROLE)}
            done = subprocess.run([sys.executable, "-m", module], env=environment)
            verdicts.append(done.returncode == 0)
        self.console.print()
        return 0 if all(verdicts) else 1

    def _stay_up(self) -> int:
        """Serve until Ctrl-C; a part that dies ends the rest."""
        with self._background() as background:
            spark = background.submit(self._install_spark)
            migration = background.submit(self._prepare_airflow)
            self._start_aws()
            wheelhouse = background.submit(self._publish_wheelhouse)
            self._start_airflow(migration)
            spark.result()
            wheelhouse.result()
        places = {
            "airflow": self.ports.airflow_url,
            "aws": self.ports.aws_url,
            "weather": os.environ["WEATHER_API_URL"],
            "env": self.env_file,
        }
        self.console.print(WELCOME.format(**places), highlight=False)
        try:
            while True:
                self.supervisor.check()
                time.sleep(1)
        except KeyboardInterrupt:
            self.console.print("Stopping; events, tables and runs are kept for the next start.")
            return 0

    def _install_spark(self) -> None:
        with self.stages.stage("Spark"):
            self._process("spark", "local_stack.spark.install")

    def _prepare_airflow(self) -> None:
        with self.stages.stage("Airflow's database"):
            self.airflow.prepare(self.supervisor.log_path("airflow-migrate"))

    def _start_weather(self) -> None:
        """Start the weather stand-in, unless the user named a service."""
        if os.environ.get("WEATHER_API_URL"):
            return
        os.environ["WEATHER_API_URL"] = self.ports.weather_url
        command = [sys.executable, "-m", "local_stack.open_meteo", "--port", str(self.ports.weather)]
        with self.stages.stage("weather stand-in", self.ports.weather_url):
            self.supervisor.start(Service("weather", command, ready_url=f"{self.ports.weather_url}/health"))

    def _publish_wheelhouse(self) -> None:
        """Put the wheels that the clusters install where they find them, before a run has to wait for it."""
        with self.stages.stage("wheels for the clusters"):
            self._process("wheelhouse", "lakehouse.wheelhouse", role=names.AIRFLOW_ROLE)

    def _start_aws(self) -> None:
        """Start the emulated AWS and the weather stand-in, and deploy the stacks."""
        self._start_weather()
        aws = [sys.executable, "-m", "local_stack.aws"]
        aws += ["--port", str(self.ports.aws), "--state", str(self.state_dir / "aws")]
        with self.stages.stage("emulated AWS", self.ports.aws_url):
            self.supervisor.start(Service("aws", aws, ready_url=f"{self.ports.aws_url}/_local/health"))
        with self.stages.stage("CloudFormation stacks"), self.supervisor.log_path("deploy").open("w") as log:
            deploy_stacks(self.env_file, self.options.environment, Console(file=log, width=120))

    def _start_airflow(self, migration: Future[None]) -> None:
        """Start the four processes and wait until the DAG can be triggered."""
        migration.result()
        with self.stages.stage("Airflow", f"{self.ports.airflow_url} ({USER} / {PASSWORD})"):
            for service in self.airflow.services(role_variables(names.AIRFLOW_ROLE)):
                self.supervisor.start(service)
            deadline = time.monotonic() + AIRFLOW_READY_SECONDS
            while not (self.api.healthy() and self.api.dag_is_ready(names.DAG_ID)):
                self.supervisor.check()
                if time.monotonic() > deadline:
                    raise StackError(
                        f"Airflow is up but not healthy after {AIRFLOW_READY_SECONDS} s: "
                        f"see {self.supervisor.log_dir}/airflow-*.log"
                    )
                time.sleep(0.5)

    def _send_events(self) -> None:
        """Send events through Kinesis and wait until Firehose has delivered every one."""
        options = self.options
        with self.stages.stage(f"{options.count:,} events into Kinesis"):
            arguments = ["--count", str(options.count), "--rate", "max", "--unpaced"]
            arguments += ["--seed", str(options.seed)] if options.seed is not None else []
            for disorder in DISORDERS:
                arguments += [f"--{disorder}", str(getattr(options, disorder))]
            self._process("producer", "kinesis.producer", *arguments, role=names.PRODUCER_ROLE)
        with self.stages.stage("Firehose delivers them as Parquet"):
            self._process("delivery", "ops.reconcile", "--wait-for-delivery", role=names.ANALYST_ROLE)

    def _run_dag(self) -> bool:
        """Trigger the DAG and follow it; whether it ended green."""
        with self.stages.stage(f"DAG {names.DAG_ID}"):
            run_id = self.api.trigger(names.DAG_ID)
            self.console.print(f"  run {run_id}", highlight=False)
            state = self.api.follow(names.DAG_ID, run_id, self.stages.task, self.supervisor.check)
        if state != "success":
            self.console.print(
                f"[red]The run ended {state}[/red]; its task logs are below {self.airflow.home}/logs"
            )
        return state == "success"

    def _process(self, name: str, module: str, *arguments: str, role: str | None = None) -> None:
        """Run one of our modules, in a role if one is named, with its output in a log.

        Raises:
            StackError: it failed; with the end of its log.
        """
        log = self.supervisor.log_path(name)
        with log.open("w") as stream:
            command = [sys.executable, "-m", module, *arguments]
            environment = {**os.environ, **(role_variables(role) if role else {})}
            done = subprocess.run(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        if done.returncode:
            raise StackError(f"python -m {module} failed. The end of {log}:\n\n{log_tail(log)}")


def main() -> int:
    """Run the quick start; 1 with a message if anything is wrong, 130 after Ctrl-C."""
    options = parse_arguments()
    if not sys.stdout.isatty():
        os.environ.setdefault("COLUMNS", LOG_COLUMNS)  # rich would wrap a log at 80
    console = Console()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    # Both: a shell that starts us in the background has SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        if options.aws:
            return account.start(ROOT, options.environment, read_ports(), console)
        return QuickStart(options, console).run()
    except (PortError, StackError, DeployError, account.DockerError, httpx.HTTPError) as error:
        console.print(f"\n{error}", style="red", markup=False, highlight=False)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted; everything that was started is stopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
