"""The producer's command line."""

from __future__ import annotations

import argparse
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from config import names
from config.grid import GRID
from config.project_config import DEFAULT_REGION
from kinesis.disorder import Shares

DEFAULT_SECONDS = 300.0
DEFAULT_RATE = 100.0
UNLIMITED = "max"

_SIMULATION = ("sensors", "seed", "late", "duplicates", "corrupt")


@dataclass(frozen=True)
class Options:
    """What one producer run is asked to do.

    ``rate`` in records per second and ``duration`` in seconds; None is no limit. ``seed`` is None
    when ``replay`` (a path, or ``-``) takes the place of the simulated fleet.
    """

    bronze_bucket: str
    region: str
    stream: str
    rate: float | None
    duration: float | None
    count: int | None
    unpaced: bool
    replay: str | None
    sensors: int
    seed: int | None
    shares: Shares

    def as_document(self) -> dict[str, object]:
        """The options that shaped the run, for its manifest."""
        common = {"rate": self.rate, "duration": self.duration, "count": self.count, "unpaced": self.unpaced}
        if self.replay:
            return common | {"replay": self.replay}
        return common | {"sensors": self.sensors, **vars(self.shares)}


def parse_options(argv: Sequence[str] | None, environment: Mapping[str, str]) -> Options:
    """Read the command line; usage and exit status 2 where it makes no sense."""
    parser = _build_parser()
    given = parser.parse_args(argv)
    bucket = given.bronze_bucket or environment.get("BRONZE_BUCKET", "").strip()
    if not bucket:
        parser.error(
            "BRONZE_BUCKET is not set: set it in the environment or in .env, or give --bronze-bucket"
        )
    simulation = {name: getattr(given, name) for name in _SIMULATION if getattr(given, name) is not None}
    if given.replay and simulation:
        parser.error(f"--{next(iter(simulation))} shapes simulated events: it does not go with --replay")
    try:
        shares = Shares(
            late=simulation.get("late", 0.0),
            duplicates=simulation.get("duplicates", 0.0),
            corrupt=simulation.get("corrupt", 0.0),
        )
    except ValueError as error:
        parser.error(str(error))
    duration = given.duration
    if duration is None and given.count is None and given.replay is None:
        duration = DEFAULT_SECONDS
    return Options(
        bronze_bucket=bucket,
        region=environment.get("AWS_REGION", "").strip() or DEFAULT_REGION,
        stream=given.stream,
        rate=given.rate,
        duration=duration,
        count=given.count,
        unpaced=given.unpaced,
        replay=given.replay,
        sensors=simulation.get("sensors", GRID.size),
        seed=None if given.replay else simulation.get("seed", secrets.randbits(32)),
        shares=shares,
    )


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="producer.py",
        description="Send sensor events to the Kinesis stream; leave a manifest of what was acknowledged.",
    )
    parser.add_argument(
        "--duration",
        type=_positive(float),
        metavar="SECONDS",
        help=f"default: {DEFAULT_SECONDS:g}, or as long as --count or --replay lasts",
    )
    parser.add_argument("--count", type=_positive(int), metavar="N", help="stop after so many records")
    parser.add_argument(
        "--rate",
        type=_rate,
        default=DEFAULT_RATE,
        help=f"records per second, or {UNLIMITED} (default: %(default)g)",
    )
    parser.add_argument("--stream", default=names.STREAM, help="default: %(default)s")
    parser.add_argument(
        "--bronze-bucket", metavar="BUCKET", help="where the manifest goes (default: BRONZE_BUCKET)"
    )
    parser.add_argument(
        "--unpaced",
        action="store_true",
        help="send faster than 1,000 records/s and 1 MB/s per shard, slowed by throttling alone "
        "(on-demand streams always are)",
    )
    parser.add_argument(
        "--replay", metavar="FILE", help="send these events: JSON lines, or CSV with a header; - is stdin"
    )
    fleet = parser.add_argument_group("the simulated fleet (not with --replay)")
    fleet.add_argument("--sensors", type=_positive(int), metavar="N", help=f"default: {GRID.size}")
    fleet.add_argument("--seed", type=int, help="same seed, same events (default: a new one)")
    fleet.add_argument("--late", type=float, metavar="SHARE", help="events an hour to a week old")
    fleet.add_argument("--duplicates", type=float, metavar="SHARE", help="records that were sent before")
    fleet.add_argument("--corrupt", type=float, metavar="SHARE", help="spoilt records; shares are 0 to 1")
    return parser


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not value > 0 or not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    return parse


def _rate(text: str) -> float | None:
    return None if text == UNLIMITED else _positive(float)(text)
