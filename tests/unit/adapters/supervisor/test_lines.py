import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.adapters.supervisor.lines import LineBuffer, LogFile, ScreenLines


@given(st.lists(st.binary(max_size=30)), st.data())
def test_lines_are_the_same_however_they_are_cut_into_chunks(pieces: list[bytes], data: st.DataObject) -> None:
    text = b"\n".join(pieces)
    buffer = LineBuffer(1000)
    found = []
    while text:
        size = data.draw(st.integers(1, len(text)))
        found += [line for line, _ in buffer.feed(text[:size])]
        text = text[size:]
    found += [line for line, _ in buffer.rest()]
    whole = b"\n".join(pieces).split(b"\n")
    assert found == (whole if whole[-1] else whole[:-1])


def test_a_line_of_a_mebibyte_comes_whole() -> None:
    buffer = LineBuffer(8 << 20)
    line = b"x" * (1 << 20)
    assert [found for chunk in (line[:65536], line[65536:] + b"\n") for found in buffer.feed(chunk)] == [(line, 0)]


def test_a_line_beyond_the_limit_comes_as_its_beginning_and_the_next_is_whole() -> None:
    buffer = LineBuffer(4)
    assert list(buffer.feed(b"abc")) == []
    assert list(buffer.feed(b"defgh\nnext\n")) == [(b"abcd", 4), (b"next", 0)]


def test_a_log_is_appended_to_and_only_its_user_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    for word in (b"one", b"two"):
        log = LogFile(path)
        log.add(word)
        log.close()
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_with_a_limit_ends_with_a_whole_line(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "stderr.log", limit=10)
    for _ in range(5):
        log.add(b"four")
    log.close()
    assert (tmp_path / "stderr.log").read_bytes() == b"four\nfour\n"


def test_a_full_disk_is_said() -> None:
    with pytest.raises(OSError, match="space") as caught:
        LogFile(Path("/dev/full")).add(b"line")
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (b"10%\r50%\r100%\n", [b"100%"]),
        (b"ends as on Windows\r\nnext\r\r\n", [b"ends as on Windows", b"next"]),
        (b"\rfirst\n\n\r\nlast", [b"first", b"", b"", b"last"]),
        (b"old\r\rnew\r", [b"new"]),
        (b"long\rab\n", [b"ab"]),
        (b"\r\n\r", [b""]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_what_a_carriage_return_overwrites_is_not_kept(printed: bytes, lines: list[bytes], size: int) -> None:
    buffer = ScreenLines(1000)
    found = [
        line for start in range(0, len(printed), size) for line, _ in buffer.feed(printed[start : start + size])
    ] + [line for line, _ in buffer.rest()]
    assert found == lines


def test_a_bar_that_was_longer_than_a_line_may_be_leaves_room_for_what_follows() -> None:
    buffer = ScreenLines(4)
    assert list(buffer.feed(b"abcdefgh\rab\nabcdef\n")) == [(b"ab", 0), (b"abcd", 2)]
