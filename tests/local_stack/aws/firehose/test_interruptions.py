"""Nothing is lost, or delivered twice without need, when something is missing, changed or interrupted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest

from local_stack.aws.faults import FAULTS_PATH
from local_stack.aws.firehose.delivery import KILL
from tests.support.emulated_aws import run_emulated_aws
from tests.support.firehose_lake import Lake, event, wait_for

pytestmark = pytest.mark.aws


@pytest.mark.parametrize("missing", ["bucket", "table"])
def test_a_missing_bucket_or_table_delays_and_loses_nothing(lake: Lake, missing: str) -> None:
    lake = Lake(lake.aws, f"{lake.name}-{missing}")
    if missing == "table":
        lake.create_bucket()
    else:
        lake.create_table()
    lake.create_delivery()
    lake.put(event(uuid=str(n)) for n in range(50))
    wait_for(lambda: f"{lake.name}: " in lake.aws.log)
    lake.put([b"bad"])
    if missing == "table":
        lake.create_table()
    else:
        lake.create_bucket()
    wait_for(lambda: lake.settled(51))
    assert sorted(int(row["uuid"]) for row in lake.rows()) == list(range(50))
    assert len(lake.failures()) == 1


def test_a_delivery_that_cannot_work_stops_no_other(lake: Lake) -> None:
    broken = Lake(lake.aws, f"{lake.name}-broken")
    broken.create_table()
    broken.create_delivery()
    broken.put([event()])
    lake.create()
    lake.put([event()])
    wait_for(lambda: lake.settled(1))


def test_a_killed_delivery_goes_on_from_its_last_note(lake: Lake) -> None:
    lake.create()
    faults = lake.aws.endpoint + FAULTS_PATH
    order = {"service": "firehose", "operation": KILL, "path": lake.name, "remaining": 2}
    httpx.post(faults, json=[order]).raise_for_status()
    lake.put(event(uuid=f"{number}") for number in range(10))
    wait_for(lambda: httpx.post(faults, json=[]).json()["waiting"] == 0 and lake.settled(30))
    assert Counter(row["uuid"] for row in lake.rows()) == {f"{number}": 3 for number in range(10)}


def test_resharding_loses_nothing_and_delivers_nothing_twice(lake: Lake) -> None:
    lake.create()
    kinesis = lake.aws.client("kinesis")
    for number, target in enumerate((4, 2, 3)):
        lake.put(event(uuid=f"{number}-{n}") for n in range(200))
        kinesis.update_shard_count(
            StreamName=lake.name, TargetShardCount=target, ScalingType="UNIFORM_SCALING"
        )
    wait_for(lambda: lake.settled(600))
    assert Counter(Counter(row["uuid"] for row in lake.rows()).values()) == {1: 600}


def test_a_stop_flushes_and_a_restart_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with run_emulated_aws(tmp_path) as aws:
        lake = Lake(aws, "lake-restart")
        lake.create(interval=900)
        late = Lake(aws, "lake-late")  # its bucket does not exist yet: nothing can be flushed
        late.create_table()
        late.create_delivery(interval=900, DeliveryStreamType="DirectPut")
        lake.put(event(uuid=f"before-{n}") for n in range(100))
        aws.client("firehose").put_record_batch(
            DeliveryStreamName=late.name, Records=[{"Data": event(uuid=str(n))} for n in range(100)]
        )
        assert aws.stop() == 0
    with run_emulated_aws(tmp_path) as aws:
        lake, late = Lake(aws, lake.name), Lake(aws, late.name)
        assert len(lake.rows()) == 100
        late.create_bucket()
        lake.put(event(uuid=f"after-{n}") for n in range(100))
        for each in (lake, late):
            each.deliver_at_once()
        wait_for(lambda: lake.settled(200) and late.settled(100))
        uuids = Counter(row["uuid"] for row in lake.rows())
        assert len(uuids) == 200
        assert set(uuids.values()) == {1}
        assert sorted(int(row["uuid"]) for row in late.rows()) == list(range(100))
