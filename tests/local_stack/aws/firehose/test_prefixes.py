"""Object keys: expressions, defaults, and what AWS refuses."""

from __future__ import annotations

from datetime import datetime

import pytest

from local_stack.aws.firehose.prefixes import PrefixError, check_prefixes, expand, object_name

WHEN = datetime(2026, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        (
            "clickstream/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
            "clickstream/dt=2026-03-04/hour=05/",
        ),
        ("", "2026/03/04/05/"),
        ("legacy", "legacy2026/03/04/05/"),
        ("!{timestamp:'day' yyyy''MM}/", "day 2026'03/"),
        ("!{timestamp:yyMMddHHmmss}", "260304050607"),
    ],
)
def test_prefixes_take_the_arrival_of_the_oldest_record(prefix: str, expected: str) -> None:
    assert expand(prefix, WHEN) == expected


def test_error_prefixes_hold_the_type() -> None:
    assert expand("errors/!{firehose:error-output-type}/", WHEN, "format-conversion-failed") == (
        "errors/format-conversion-failed/"
    )
    assert expand("errors/", WHEN, "format-conversion-failed") == (
        "errors/format-conversion-failed/2026/03/04/05/"
    )


def test_random_strings_are_eleven_letters_anew_each_time() -> None:
    first, second = expand("!{firehose:random-string}/!{firehose:random-string}", WHEN).split("/")
    assert len(first) == len(second) == 11
    assert first != second


@pytest.mark.parametrize(
    ("prefix", "error_prefix"),
    [
        ("!{timestamp:EEE}/", "e/!{firehose:error-output-type}/"),
        ("!{partitionKeyFromQuery:id}/", "e/!{firehose:error-output-type}/"),
        ("!{firehose:error-output-type}/", "e/!{firehose:error-output-type}/"),
        ("a/!{timestamp:yyyy}/", ""),
        ("a/!{timestamp:yyyy}/", "e/!{timestamp:yyyy}/"),
    ],
)
def test_what_aws_refuses(prefix: str, error_prefix: str) -> None:
    with pytest.raises(PrefixError):
        check_prefixes(prefix, error_prefix)


def test_object_names_are_unique() -> None:
    names = {object_name("stream", "1", WHEN, ".parquet") for _ in range(100)}
    assert len(names) == 100
    assert all(name.startswith("stream-1-2026-03-04-05-06-07-") for name in names)
