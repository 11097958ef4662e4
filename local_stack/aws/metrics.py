"""CloudWatch metrics of our own data planes, one data point a metric and minute as AWS keeps them."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Literal

from moto.cloudwatch.models import MetricAggregatedDatum, cloudwatch_backends

Unit = Literal["Count", "Bytes", "Seconds", "Milliseconds", "None"]

_LOCK = threading.Lock()
_OPEN: dict[tuple[str, str, str, str, str], tuple[int, MetricAggregatedDatum]] = {}


def record(
    account_id: str,
    region: str,
    namespace: str,
    dimension: tuple[str, str],
    values: Mapping[str, tuple[float, Unit]],
) -> None:
    """Add one sample of each metric in ``values``, by name; ``dimension`` is a name and a value."""
    minute = int(time.time() // 60)
    with _LOCK:
        for name, (value, unit) in values.items():
            key = (account_id, region, namespace, dimension[1], name)
            opened, datum = _OPEN.get(key, (None, None))
            if datum is None or opened != minute:
                described = [{"Name": dimension[0], "Value": dimension[1]}]
                datum = MetricAggregatedDatum(namespace, name, value, value, 1, value, described, None, unit)
                cloudwatch_backends[account_id][region].metric_data.append(datum)
                _OPEN[key] = (minute, datum)
                continue
            datum.min = min(datum.min, value)
            datum.max = max(datum.max, value)
            datum.sum += value
            datum.sample_count += 1
