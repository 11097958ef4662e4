"""Why a step failed, read from what it left: the cause, the line that says most, and whether to try again.

Pure: texts in, a ``Diagnosis`` out. The rules were made from steps that really failed; their logs are the
tests' records (tests/dags/step_failures). What only YARN says has rules by its source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

MAX_HEADLINE = 300

JAVA_FRAME = re.compile(r"\s+(?:at \S+\(.*\)|\.\.\. \d+ more|Suppressed: .*)\s*$")
"""A line below an exception that says where it came from, not what it is."""


class Cause(StrEnum):
    """Why a step failed; the value is how people are told."""

    OUT_OF_MEMORY = "out of memory"
    DISK_FULL = "disk full"
    MISSING_INPUT = "missing input"
    UNREADABLE_INPUT = "unreadable input"
    ACCESS_DENIED = "access denied"
    THROTTLED = "throttled"
    QUOTA = "quota used up"
    UNREACHABLE = "service not reachable"
    ICEBERG_CONFLICT = "Iceberg conflict"
    BAD_ARGUMENT = "bad argument"
    LOST_NODE = "lost node"
    KILLED = "killed"
    TIME_LIMIT = "time limit"
    DATA_QUALITY = "data quality"
    CODE = "code"
    UNKNOWN = "unknown"


RETRY_HELPS = frozenset(
    {
        Cause.THROTTLED,
        Cause.UNREACHABLE,
        Cause.ICEBERG_CONFLICT,
        Cause.LOST_NODE,
        Cause.KILLED,
    }
)
"""Causes that pass by themselves. All others meet the same step in the same state again."""

ADVICE = {
    Cause.OUT_OF_MEMORY: "More core nodes (the run's parameter core_nodes), or less data at once.",
    Cause.DISK_FULL: "More core nodes, or larger disks in config/cluster.py.",
    Cause.MISSING_INPUT: "Find out who should have written it; then clear the task.",
    Cause.UNREADABLE_INPUT: "Move the named object away, or deliver it anew; then clear the task.",
    Cause.ACCESS_DENIED: "Grant the action in cloudformation/emr_roles.yaml, or find who took it away.",
    Cause.THROTTLED: "It passes by itself; if it comes often, ask for a higher quota.",
    Cause.QUOTA: "The line says when it is free again; clear the task then.",
    Cause.UNREACHABLE: "It passes by itself; else look at the subnet's routes and endpoints.",
    Cause.ICEBERG_CONFLICT: "Another writer was faster; trying again starts from its result.",
    Cause.BAD_ARGUMENT: "The step's arguments are in config/jobs.py and in the run's parameters.",
    Cause.LOST_NODE: "A machine was taken away; the next attempt gets another.",
    Cause.KILLED: "By a person, or for want of memory: if it comes back, a larger primary node.",
    Cause.TIME_LIMIT: "It hung or has too much to do: compare its usual time. Limits: config/jobs.py.",
    Cause.DATA_QUALITY: "The data does not add up: the step's output names the figures and the files.",
    Cause.CODE: "The job's code failed: the traceback is in the task's log.",
    Cause.UNKNOWN: "The logs say nothing that is known: read them.",
}


@dataclass(frozen=True)
class StepOutcome:
    """What a failed step left: ``details`` as DescribeStep says, and its logs, None where none is."""

    details: str
    stderr: str | None = None
    stdout: str | None = None
    controller: str | None = None


@dataclass(frozen=True)
class Diagnosis:
    """Why a step failed.

    ``headline`` is the line that says most; ``denied_action`` the missing right (``glue:UpdateTable``, empty
    unless access was denied and the service said which); ``exception`` the innermost exception by its class;
    ``stage`` Spark's stage and task that failed.
    """

    cause: Cause
    headline: str
    denied_action: str = ""
    exception: str = ""
    stage: str = ""

    @property
    def retry_helps(self) -> bool:
        """Whether the same step can succeed without anybody doing anything."""
        return self.cause in RETRY_HELPS

    @property
    def advice(self) -> str:
        """What to do, in a sentence."""
        return ADVICE[self.cause]

    def as_dict(self) -> dict[str, str]:
        """Its fields and its line, as plain strings."""
        return {**asdict(self), "cause": str(self.cause), "line": str(self)}

    def __str__(self) -> str:
        """The cause and the headline, for one line."""
        action = f" ({self.denied_action})" if self.denied_action else ""
        return f"{self.cause}{action}: {self.headline}" if self.headline else f"{self.cause}{action}"


@dataclass(frozen=True)
class _Rule:
    cause: Cause
    pattern: re.Pattern[str]


def _rule(cause: Cause, *patterns: str) -> _Rule:
    return _Rule(cause, re.compile("|".join(patterns)))


_FETCH = r"(?:No data fetched successfully|still owed after \d+ requests): "
"""What weather_extract says before its reason."""

# The first that matches wins: what names its cause beyond doubt goes before what is often only a consequence.
_RULES = (
    _rule(Cause.DATA_QUALITY, r"[Nn]othing was published", r" ERROR .* are (?:expected|nowhere)$"),
    _rule(
        Cause.OUT_OF_MEMORY,
        r"java\.lang\.OutOfMemoryError",
        r"^MemoryError\b",
        r"bigger than spark\.driver\.maxResultSize",
        r"Cannot broadcast the table that is larger",
        r"exceeding (?:physical |virtual )?memory limits",
        # Of an executor: Spark's own status after an OutOfMemoryError, and the kernel's SIGKILL.
        r"Exit status: (?:52|137)\b",
        r"SparkOutOfMemoryError",
        r"UNABLE_TO_ACQUIRE_MEMORY",
    ),
    _rule(Cause.DISK_FULL, r"No space left on device", r"Disk quota exceeded"),
    _rule(Cause.ACCESS_DENIED, r"is not authorized to perform"),
    _rule(Cause.ACCESS_DENIED, r"nio\.file\.AccessDeniedException: [^:]+:"),
    _rule(
        Cause.ACCESS_DENIED,
        r"AccessDenied",
        r"Access Denied",
        r"ExpiredToken",
        r"Status Code: 403\b",
    ),
    _rule(Cause.QUOTA, _FETCH + r"(?:429: (?:Hourly|Daily|Monthly)|the request budget is used up)"),
    _rule(
        Cause.THROTTLED,
        _FETCH + r"429: ",
        r"SlowDown\b",
        r"Please reduce your request rate",
        r"ThrottlingException",
        r"Throttling\b",
        r"ThrottledException",
        r"Rate exceeded",
        r"ProvisionedThroughputExceeded",
        r"TooManyRequests",
        r"RequestLimitExceeded",
        r"Status Code: (?:429|503)\b",
    ),
    _rule(
        Cause.LOST_NODE,
        r"ExecutorLostFailure",
        r"(?:Slave|Worker|Node|Executor) (?:lost|decommission)",
        r"Container released on a \*lost\* node",
        r"Exit status: -100\b",
        r"node was lost",
        r"FetchFailedException",
        r"Spot instance .{0,40}(?:terminat|interrupt)",
    ),
    _rule(
        Cause.ICEBERG_CONFLICT,
        r"CommitFailedException",
        r"CommitStateUnknownException",
        r"ConcurrentModificationException",
        r"ConcurrentPublishError",
        r"iceberg\.exceptions\.ValidationException",
        r"Found conflicting files",
        r"changed since this run looked",
    ),
    _rule(
        Cause.UNREACHABLE,
        _FETCH + r"(?:no connection to|5\d\d from|[A-Z]\w+ from) ",
        r"Unable to execute HTTP request",
        r"UnknownHostException",
        r"Connection (?:refused|reset|timed out)",
        r"Connect(?:ion)? ?[Tt]imed? ?out",
        r"EndpointConnectionError",
        r"Name or service not known",
        r"ConnectTimeout",
        r"Status Code: 50[0234]\b",
    ),
    _rule(
        Cause.BAD_ARGUMENT,
        r"^usage: ",
        r"error: (?:the following arguments are required|unrecognized arguments|argument )",
        r"Unrecognized option",
    ),
    _rule(
        Cause.UNREADABLE_INPUT,
        r"is not a Parquet file",
        r"Could not read footer",
        r"FAILED_READ_FILE",
        r"CANNOT_READ_FILE_FOOTER",
        r"Unexpected end of stream",
    ),
    _rule(
        Cause.MISSING_INPUT,
        r"PATH_NOT_FOUND",
        r"FileNotFoundException",
        r"TABLE_OR_VIEW_NOT_FOUND",
        r"NoSuchTableException",
        r"NoSuchNamespaceException",
        r"NoSuchBucket",
        r"NoSuchKey",
        r"NotFoundException",
        r"FileNotFoundError",
        r"No such file or directory",
    ),
    _rule(
        Cause.CODE,
        r"AnalysisException",
        r"ParseException",
        r"PythonException",
        r"ModuleNotFoundError",
        r"ImportError",
        r"SchemaMismatchError",
        r"is not the table that config/tables\.py specifies",
        r"^\w*(?:Error|Exception)\b",
        r"Traceback \(most recent call last\)",
        r"^\S+ \S+ ERROR \S+ failed: ",
    ),
)

_EXIT = re.compile(r"(?:Step failed with exitCode|Command exiting with ret) '?(?P<code>\d+).*")
"""A step's end: the first is in the controller's log, the second command-runner.jar adds to stderr."""

_TIME_IS_OVER = 124
"""What coreutils' timeout exits with."""

_SIGKILL = 137

_LOG_LINE = re.compile(r"\d{2,4}[/-]\d\d[/-]\d\d \d\d:\d\d:\d\d(?:,\d+)? (?P<level>[A-Z]+) ")
"""Spark's and the jobs' own."""

_IN_PASSING = ("TRACE", "DEBUG", "INFO", "WARN", "WARNING")
_TRACEBACK = "Traceback (most recent call last)"
_JVM_HAS_ENDED = re.compile(r"SparkContext was shut down|Py4JNetworkError")
"""In a traceback: the Python driver outlived its JVM, and only that one knows why it ended."""

_EXCEPTION = re.compile(r"\b((?:[a-z]\w*\.)+(?:\w+\$)*[A-Z]\w*(?:Exception|Error|Failure)\b.*)")
_PYTHON_EXCEPTION = re.compile(r"^((?:[\w.]+\.)?\w*(?:Error|Exception)\b.*)", re.MULTILINE)
_STAGE = re.compile(r"[Tt]ask \d+(?:\.\d+)? in stage \d+\.\d+(?: failed \d+ times)?|\w+Stage \d+")
_DENIED_BY_S3A = re.compile(r"AccessDeniedException: (?:s3\w*://)?[^:]+: (?P<operation>[\w-]+)")
_S3A_ACTIONS = {
    # S3 also answers 403 to who asks for what is not there and may not list.
    "getFileStatus": "s3:GetObject or s3:ListBucket",
    "open": "s3:GetObject",
    "re-open": "s3:GetObject",
    "listStatus": "s3:ListBucket",
    "listObjects": "s3:ListBucket",
    "PUT": "s3:PutObject",
    "Writing": "s3:PutObject",
    "initiate": "s3:PutObject",
    "upload": "s3:PutObject",
    "Completing": "s3:PutObject",
    "delete": "s3:DeleteObject",
    "Remove": "s3:DeleteObject",
}
"""S3 answers a denied HEAD without a word, and other accounts with two; what the S3A connector was about says
which right it lacked."""

_DENIED_ACTION = re.compile(r"not authorized to perform:? (?P<action>[a-z0-9-]+:[A-Z]\w+)")


def diagnose(outcome: StepOutcome) -> Diagnosis:
    """Name the cause of a failure.

    The end of a Python driver's traceback is believed before the rest: what a log says earlier may have
    been mended by a retry.
    """
    exit_code, exit_line = _exit(outcome)
    if exit_code == _TIME_IS_OVER:
        return _found(Cause.TIME_LIMIT, exit_line, outcome)
    for text in _by_weight(outcome):
        for rule in _RULES:
            line = _last_match(rule.pattern, text)
            if line:
                if rule.cause is Cause.CODE and exit_code == _SIGKILL:
                    return _found(Cause.KILLED, exit_line, outcome)
                return _found(rule.cause, line, outcome)
    if exit_code == _SIGKILL:
        return _found(Cause.KILLED, exit_line, outcome)
    return _found(Cause.UNKNOWN, outcome.details, outcome)


def _found(cause: Cause, line: str, outcome: StepOutcome) -> Diagnosis:
    everything = "\n".join(_by_weight(outcome))
    stage = _STAGE.search(everything)
    return Diagnosis(
        cause=cause,
        headline=_shortened(line),
        denied_action=_denied_action(everything) if cause is Cause.ACCESS_DENIED else "",
        exception=_shortened(_innermost_exception(outcome)),
        stage=stage[0] if stage else "",
    )


def _exit(outcome: StepOutcome) -> tuple[int | None, str]:
    """The step's exit code and what says so; None and nothing where none does."""
    for text in (outcome.controller, outcome.stderr):
        said = _EXIT.search(_last_match(_EXIT, text or ""))
        if said:
            return int(said["code"]), said[0]
    return None, ""


def _denied_action(text: str) -> str:
    said = _DENIED_ACTION.search(text)
    if said:
        return said["action"]
    attempted = _DENIED_BY_S3A.search(text)
    return _S3A_ACTIONS.get(attempted["operation"], "") if attempted else ""


def _by_weight(outcome: StepOutcome) -> Iterator[str]:
    """The texts in the order in which they are believed, what was logged in passing left out."""
    stdout = _without_passing(outcome.stdout or "")
    start = stdout.find(_TRACEBACK)
    if start >= 0 and not _JVM_HAS_ENDED.search(stdout, start):
        yield stdout[start:]
    yield _without_passing(outcome.stderr or "")
    yield stdout
    yield outcome.details


def _without_passing(text: str) -> str:
    """A log without its warnings and the lines below them, and without Java's stack frames."""
    kept, passing = [], False
    for line in text.splitlines():
        logged = _LOG_LINE.match(line)
        if logged:
            passing = logged["level"] in _IN_PASSING
        elif line.startswith((_TRACEBACK, "usage: ", "Exception in thread")):
            passing = False
        if not passing and not JAVA_FRAME.match(line):
            kept.append(line)
    return "\n".join(kept)


def _last_match(pattern: re.Pattern[str], text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if pattern.search(line)), "")


def _innermost_exception(outcome: StepOutcome) -> str:
    for text in _by_weight(outcome):
        found = [match[1] for line in text.splitlines() if (match := _EXCEPTION.search(line))]
        if found:
            return found[-1]
        plain = _PYTHON_EXCEPTION.findall(text)
        if plain:
            return str(plain[-1])
    return ""


def _shortened(line: str) -> str:
    line = " ".join(line.split()).removeprefix("Caused by: ").removeprefix(": ")
    return line if len(line) <= MAX_HEADLINE else f"{line[: MAX_HEADLINE - 3]}..."
