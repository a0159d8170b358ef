"""What is read of compressed files: all kinds, bounded, and nothing of it fails."""

import bz2
import gzip
import io
import lzma
import os
import struct
import zipfile

import pytest

from moonmind.stages.kit.archive_reading import LIMIT, Room, unpacked

TEXT = b"token of a person\n"


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(TEXT, mtime=0),
        gzip.compress(TEXT * 100, mtime=0)[:-12],
        gzip.compress(TEXT, mtime=0)[:-8] + bytes(8),
        gzip.compress(b"", mtime=0) + gzip.compress(b"x", mtime=0) + gzip.compress(TEXT, mtime=0),
        gzip.compress(TEXT + os.urandom(200_000), mtime=0)[:150_000] + bytes(99),
        bz2.compress(TEXT),
        bz2.compress(b"") + bz2.compress(TEXT),
        lzma.compress(TEXT),
        lzma.compress(b"x") + lzma.compress(TEXT),
        zipped(("a/b.txt", TEXT)),
        b"#!/bin/sh\n" + zipped(("a.txt", TEXT)),
        zipped(("a.txt", b"x"), ("b.txt", TEXT), method=zipfile.ZIP_STORED),
        zipped(("a.txt", TEXT), method=zipfile.ZIP_BZIP2),
        zipped(("a.txt", TEXT), method=zipfile.ZIP_LZMA),
    ],
    ids=[
        "gzip",
        "cut gzip",
        "gzip with a wrong checksum",
        "gzips",
        "damaged gzip",
        "bzip2",
        "bzip2s",
        "xz",
        "xzs",
        "zip",
        "zip behind a script",
        "stored zip",
        "bzip2 zip",
        "lzma zip",
    ],
)
def test_what_a_compressed_file_holds_is_read(data: bytes) -> None:
    assert TEXT in unpacked(data, Room())


@pytest.mark.parametrize(
    "data",
    [b"", b"plain text", b"\x1f\x8b", b"\x1f\x8bxx", b"BZh9nothing", b"\xfd7zXZ\0x", b"PK\x03\x04", b"PK\x05\x06"],
)
def test_other_and_damaged_files_hold_nothing(data: bytes) -> None:
    assert unpacked(data, Room()) == b""


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(bytes(8 * LIMIT), mtime=0),
        bz2.compress(bytes(8 * LIMIT)),
        lzma.compress(bytes(8 * LIMIT)),
        zipped(*((f"{number}", bytes(LIMIT)) for number in range(4))),
    ],
    ids=["gzip", "bzip2", "xz", "zip"],
)
def test_no_more_than_the_limit_is_unpacked(data: bytes) -> None:
    room = Room()
    assert len(unpacked(data, room)) == LIMIT
    assert room.cut
    while room.left:
        unpacked(data, room)
    assert unpacked(data, room) == b""


def test_a_member_that_cannot_be_read_does_not_hide_the_next() -> None:
    data = bytearray(zipped(("a.txt", b"first" * 50), ("b.txt", TEXT)))
    data[data.index(b"a.txt") + len("a.txt") + 1] ^= 0xFF
    assert TEXT in unpacked(bytes(data), Room())


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_no_changed_byte_makes_a_zip_raise(method: int) -> None:
    data = zipped(("a.txt", TEXT * 3), ("b.txt", b"x" * 90), method=method)
    for place in range(len(data)):
        for value in (0, 0xFF, data[place] ^ 0x41):
            unpacked(data[:place] + bytes([value]) + data[place + 1 :], Room())


def test_a_damaged_member_does_not_hide_the_others_of_lzma_zips() -> None:
    data = bytearray(zipped(("a.txt", os.urandom(500)), ("b.txt", TEXT), method=zipfile.ZIP_LZMA))
    data[80:90] = bytes(10)
    assert TEXT in unpacked(bytes(data), Room())


def with_zip64_offset(data: bytes) -> bytes:
    """Let the only member begin where no file reaches."""
    at = data.index(b"PK\x01\x02")
    name = struct.unpack_from("<H", data, at + 28)[0]
    extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    entry = bytearray(data[at : at + 46 + name])
    struct.pack_into("<H", entry, 30, len(extra))
    struct.pack_into("<I", entry, 42, 0xFFFFFFFF)
    end = bytearray(data[data.index(b"PK\x05\x06") :])
    struct.pack_into("<I", end, 12, len(entry) + len(extra))
    return data[:at] + bytes(entry) + extra + bytes(end)


def with_method(data: bytes, method: int) -> bytes:
    changed = bytearray(data)
    changed[8] = changed[data.index(b"PK\x01\x02") + 10] = method
    return bytes(changed)


LEFT_OUT = {
    "more members than are looked into": zipped(*((f"{number}", b"x") for number in range(201))),
    "more streams than are looked into": gzip.compress(b"x", mtime=0) * 300,
    "a member that begins nowhere": with_zip64_offset(zipped(("a.txt", TEXT))),
    "an unknown method": with_method(zipped(("a.txt", TEXT)), 9),
    "a long list of members": zipped(*((f"{number:0900}", b"") for number in range(5000))),
    "a damaged stream": bz2.compress(os.urandom(3000))[:1500] + b"\xff" * 1500,
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out_is_noted(case: str) -> None:
    room = Room()
    unpacked(LEFT_OUT[case], room)
    assert room.cut


@pytest.mark.parametrize(
    "data",
    [
        lzma.compress(TEXT, preset=9),
        gzip.compress(b"a", mtime=0) + bytes(512) + gzip.compress(TEXT, mtime=0),
        zipped(("a.txt", TEXT))[:-2] + b"\xff\xff" + b"c" * 0xFFFF,
    ],
    ids=["the strongest xz", "zeros between streams", "a zip with a long comment"],
)
def test_odd_but_whole_files_are_read_whole(data: bytes) -> None:
    room = Room()
    assert TEXT in unpacked(data, room)
    assert not room.cut


@pytest.mark.parametrize("stream", [gzip.compress(b"", mtime=0), bz2.compress(b""), lzma.compress(b"")])
def test_many_empty_streams_end_soon(stream: bytes) -> None:
    room = Room()
    assert unpacked(stream * 200_000, room) == b""
    assert room.cut
