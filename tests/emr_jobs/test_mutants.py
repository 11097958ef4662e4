"""Ingest on real Spark, spoilt by one change to its code: a short history tells each mutant from the code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any

import pytest

from emr_jobs.lake import findings
from emr_jobs.lake.errors import AuditError
from emr_jobs.lake.ledger import Ledger
from emr_jobs.transforms.identity import to_judged
from tests.emr_jobs.test_ingest import HOUR, assert_true, ingest
from tests.support.lake import Lake, event

pytestmark = pytest.mark.spark


def live_through(lake: Lake) -> None:
    """An event comes twice, and later once more with another content, at a smaller position."""
    lake.deliver(f"{HOUR}/b.parquet", event(), event())
    ingest(lake)
    lake.deliver(f"{HOUR}/a.parquet", event(temperature=1.5))
    ingest(lake)
    assert_true(lake)


def mutant(function: Callable[..., Any], old: str, new: str) -> Callable[..., Any]:
    """The function with ``new`` in place of ``old`` in its source."""
    source = dedent(inspect.getsource(function))
    assert old in source
    namespace = dict(function.__globals__)
    exec(source.replace(old, new), namespace)  # noqa: S102
    return namespace[function.__name__]  # type: ignore[no-any-return]


def test_the_code_as_it_is_ends_in_the_truth(lake: Lake) -> None:
    live_through(lake)


def test_without_deduplication_the_audit_refuses_to_publish(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt = mutant(to_judged, "otherwise(DUPLICATE)", "otherwise(EVENT)")
    monkeypatch.setattr(findings, "to_judged", spoilt)

    with pytest.raises(AuditError, match=r"would hold the event .* 2 times"):
        live_through(lake)


def test_a_winner_by_arrival_is_not_the_truth(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = mutant(to_judged, "orderBy(*POSITION)", 'orderBy(F.desc("in_silver"), *POSITION)')
    monkeypatch.setattr(findings, "to_judged", spoilt)

    with pytest.raises(AssertionError, match=r"b\.parquet"):
        live_through(lake)


def test_without_the_ledger_duplicates_count_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt = mutant(Ledger._is_new, " and file not in self.taken", "")
    monkeypatch.setattr(Ledger, "_is_new", spoilt)

    with pytest.raises(AssertionError, match=r"\{'2026-06-01': 2\} == \{'2026-06-01': 1\}"):
        live_through(lake)
