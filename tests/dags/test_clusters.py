"""Names and tags of clusters."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lakehouse.clusters import MAX_NAME_LENGTH, cluster_name, run_tags

RUN_IDS = st.text("abz019_.~:+-", min_size=1, max_size=250)
TAG_VALUE = re.compile(r"[A-Za-z0-9 _.:/=+\-@]*")


@given(RUN_IDS, RUN_IDS)
def test_runs_have_names_of_their_own_within_emrs_limit(run_id: str, other: str) -> None:
    names = {cluster_name("clickstream_emr_kpis", run) for run in (run_id, other)}
    assert len(names) == len({run_id, other})
    assert all(0 < len(name) <= MAX_NAME_LENGTH for name in names)


@given(RUN_IDS)
def test_tags_are_what_emr_takes(run_id: str) -> None:
    tags = run_tags("clickstream_emr_kpis", run_id)
    assert all(TAG_VALUE.fullmatch(value) and len(value) <= MAX_NAME_LENGTH for value in tags.values())


def test_long_names_that_share_their_beginning_differ() -> None:
    beginning = "x" * 249
    assert cluster_name("clickstream_emr_kpis", beginning + "a") != cluster_name(
        "clickstream_emr_kpis", beginning + "b"
    )
