import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.policy.portable_names import LONGEST_NAME, LONGEST_PATH, MOST_COLLISIONS, collisions, name_problem
from moonmind.runs.findings import Severity
from tests.support.plans import a_change
from tests.support.policy import found


@pytest.mark.parametrize(
    "path",
    [
        "con", "CON.txt", "src/aux.py", "nul", "prn.md", "com1", "COM9.log", "lpt1.txt", "a/lpt9", "com¹.txt", "CONIN$", "con .txt",
        "conout$.py", "aux/x.py", "ab:c", "src/a.txt:stream", "a?b", "a*b", "a<b", "a>b", 'a"b', "a|b", "a\\b", "name.", "name ",
        "dir./x", "dir /x", "...", "src/a\u202egnp.exe", "a\u200bb.py", "a\u2066b", "\ufeffa.py", "a\u00adb", "a\u3164b", "a\u00a0b",
        "zwj\u200dx", "x" * (LONGEST_NAME + 1), "ü" * 80, "/".join(["folder"] * 40),
    ],
)  # fmt: skip
def test_names_that_some_system_cannot_hold_make_a_draft(path: str) -> None:
    assert name_problem(path)
    assert ("name", Severity.DRAFT) in [(one.rule, one.severity) for one in found(a_change(path))]
    assert "name" not in [one.rule for one in found(a_change(path, "M", old="100644"))], "it was there before"


@pytest.mark.parametrize(
    "path",
    [
        "a.py", "console.py", "contact/aux_.py", "com10.txt", "com.txt", "comet1", "lpt.md", "nulls.py", "src/größe.md", "日本語/ファイル.md",
        "a b/c d.txt", ".hidden", "..a", "a..b", "x" * LONGEST_NAME, "می‌خواهم.md", "👩‍💻.md", "e\u0301.md", "[id].tsx", "(group)/page.tsx",
        "@types/a.d.ts", "a,b;c=d+e~f!g#h$i%j&k'l.md",
    ],
)  # fmt: skip
def test_names_of_every_language_are_taken(path: str) -> None:
    assert name_problem(path) is None


@pytest.mark.parametrize(
    ("added", "there"),
    [
        ("readme.md", "README.md"),
        ("src/App.tsx", "src/app.tsx"),
        ("Docs/b.md", "docs/a.md"),
        ("caf\u00e9.md", "cafe\u0301.md"),
        ("CAF\u00c9.md", "cafe\u0301.md"),
        ("stra\u00dfe.md", "STRASSE.md"),
        ("a/b", "A"),
        ("name.", "name"),
    ],
)
def test_names_that_are_one_to_another_system_make_a_draft(added: str, there: str) -> None:
    words = [one.words for one in found(a_change(added), there=[there]) if one.rule == "name"]
    assert any(
        f"some systems take it for {there.split('/', maxsplit=1)[0]!r}" in one or repr(there) in one for one in words
    ), words
    both = [one for one in found(a_change(added), a_change(there)) if "some systems take" in one.words]
    assert len(both) == 1


@pytest.mark.parametrize(
    ("added", "there"), [("a.md", "b.md"), ("src/a", "lib/a"), ("docs/b.md", "docs/a.md"), ("\ufb01.md", "fi.txt")]
)
def test_names_that_differ_everywhere_do_not_collide(added: str, there: str) -> None:
    assert not list(collisions([added], [added, there]))


def test_what_collided_before_is_not_the_changes_doing() -> None:
    assert not list(collisions(["c.md"], ["A.md", "a.md", "c.md"]))
    assert not list(collisions([], ["A.md", "a.md"]))


@given(st.lists(st.text("aAé\u0301/.", min_size=1, max_size=8), max_size=8))
def test_collisions_are_found_whatever_the_names(paths: list[str]) -> None:
    for path, other in collisions(paths, paths):
        assert path in paths
        assert other != path


def test_many_spellings_of_one_name_take_no_long_time_and_no_long_list() -> None:
    base = "a" * 14
    paths = ["".join(s.upper() if number >> at & 1 else s for at, s in enumerate(base)) for number in range(1 << 14)]
    began = time.process_time()
    assert len(list(collisions(paths, paths))) == 1
    pairs = [f"{name}{number}" for number in range(3000) for name in ("x", "X")]
    assert len(list(collisions(pairs, pairs))) == MOST_COLLISIONS
    assert time.process_time() - began < 5


def test_a_path_at_the_limit_is_taken() -> None:
    folder = "/".join(["f" * 49] * 4)
    assert name_problem(folder[:LONGEST_PATH]) is None
    assert name_problem(f"{folder}/more") is not None
