import pytest

from moonmind.ports.vcs import Change
from moonmind.proof.policy.stored_files import line_end_problem, pointer
from moonmind.runs.findings import Severity
from tests.support.plans import a_change
from tests.support.policy import found

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
OTHER = POINTER.replace("a" * 64, "b" * 64)
LFS = {"img.psd": {"filter": "lfs"}}


def judged(before: str | None, after: str, *, size: int | None = None, lfs: bool = True) -> list[Severity]:
    change = a_change("img.psd", "A" if before is None else "M", old="000000" if before is None else "100644")
    sizes = {"img.psd": len(after) if size is None else size}
    files = {"img.psd": (before, after)}
    findings = found(change, sizes=sizes, files=files, attributes=LFS if lfs else {})
    return [one.severity for one in findings if one.rule == "lfs"]


@pytest.mark.parametrize(
    ("before", "after", "size", "lfs", "wrong"),
    [
        (None, "8BPS...", 9_000_000, True, True),
        (None, "8BPS...", None, True, True),
        (POINTER, "8BPS...", 9_000_000, True, True),
        ("8BPS old", "8BPS new", None, True, False),
        (None, "", 0, True, False),
        (None, POINTER, None, True, True),
        (POINTER, OTHER, None, True, True),
        (POINTER, POINTER, None, True, False),
        (None, POINTER, None, False, True),
        ("plain", POINTER, None, False, True),
        (POINTER, POINTER, None, False, False),
        (None, "plain", None, False, False),
        (None, POINTER + "more\n", None, False, False),
    ],
)
def test_files_stand_in_the_repository_as_git_lfs_wants_them(
    before: str | None, after: str, size: int | None, lfs: bool, wrong: bool
) -> None:
    assert judged(before, after, size=size, lfs=lfs) == ([Severity.DRAFT] if wrong else [])


def test_a_pointer_is_read_as_git_lfs_reads_it() -> None:
    assert pointer(POINTER.encode()) == "a" * 64
    assert pointer(POINTER.rstrip("\n").encode()) == "a" * 64
    assert pointer(POINTER.replace("oid", f"ext-0-foo sha256:{'c' * 64}\noid").encode()) == "a" * 64
    for text in ("", "version", POINTER.replace("sha256", "md5"), POINTER.upper(), POINTER + "x" * 2000):
        assert pointer(text.encode()) is None


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"a\nb\n", b"a\r\nb\r\n", "from LF to CRLF"),
        (b"a\r\nb\r\n", b"a\nb\n", "from CRLF to LF"),
        (b"a\nb\n", b"a\r\nb\n", "from LF to both"),
        (b"a\nb\n", b"a\nc\n", None),
        (b"a\n", b"a", None),
        (b"\0a\n", b"\0a\r\n", None),
        (None, b"a\r\n", None),
        (b"", b"a\r\n", None),
    ],
)
def test_line_ends_that_all_change_are_named(before: bytes | None, after: bytes | None, words: str | None) -> None:
    problem = line_end_problem(before, after)
    assert (problem is None) if words is None else words in (problem or "")


def test_a_file_whose_lines_all_differ_by_their_ends_warns() -> None:
    change = Change("a.txt", "M", "100644", "100644", 2, 2)
    (one,) = found(change, files={"a.txt": ("a\nb\n", "a\r\nb\r\n")})
    assert (one.rule, one.severity) == ("line_endings", Severity.WARN)
