"""Byte ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.ranges import Span, read_range


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-4", Span(0, 5)),
        ("bytes=5-", Span(5, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-30", Span(0, 10)),
        ("bytes=9-99", Span(9, 10)),
        ("Bytes= 2-2 ", Span(2, 3)),
        ("bytes=10-", Span(10, 10)),
        ("bytes=99-100", Span(10, 10)),
        ("bytes=-0", Span(10, 10)),
    ],
)
def test_one_range_is_read(header: str, span: Span) -> None:
    assert read_range(header, 10) == span


@pytest.mark.parametrize(
    "header", [None, "", "bytes", "bytes=-", "bytes=4-2", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b"]
)
def test_what_is_not_one_range_means_the_whole_file(header: str | None) -> None:
    assert read_range(header, 10) is None


@given(header=st.text("0123456789,-", max_size=25).map("bytes={}".format), size=st.integers(0, 1000))
def test_a_range_is_always_within_the_file(header: str, size: int) -> None:
    span = read_range(header, size)
    assert span is None or 0 <= span.start <= span.end <= size


def test_a_span_says_where_it_is() -> None:
    assert Span(5, 10).header(20) == "bytes 5-9/20"
    assert Span(5, 10).length == 5
