import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moonmind.ports.vcs import Change
from moonmind.proof.policy.patch_policy import FILE_LIMIT
from moonmind.proof.policy.unsafe_paths import unsafe_link, unsafe_path
from moonmind.runs.findings import Severity
from tests.support.plans import a_change
from tests.support.policy import TASKS, found


def rules(*changes: Change, sizes: dict[str, int] | None = None) -> list[str]:
    """Return the rules by which the changes are refused."""
    return [one.rule for one in found(*changes, sizes=sizes) if one.severity is Severity.REFUSE]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "./a",
        "C:/x",
        "c:x",
        "\\x",
        "a\\..\\b",
        ".git/config",
        "a/.git/hooks/pre-commit",
        ".GIT/config",
        ".Git/config",
        ".git./config",
        ".git /config",
        ".git . ./config",
        "git~1/config",
        "GIT~1/config",
        ".git::$INDEX_ALLOCATION/config",
        ".g\u200cit/config",
        ".git\ufeff/config",
        "a\\.git\\config",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "a\udc80b",
        "",
    ],
)
def test_paths_that_nobody_may_write_are_refused(path: str) -> None:
    assert unsafe_path(path)
    assert "path" in rules(a_change(path))
    assert "path" in rules(a_change(path, "D", old="100644"))


@pytest.mark.parametrize(
    "path",
    ["a.py", ".gitignore", ".gitattributes", ".github/x.md", "git~2x", "..a/b", "a..", "größe/ü.md", "gitx/.gitkeep"],
)
def test_paths_of_every_day_are_taken(path: str) -> None:
    assert unsafe_path(path) is None
    assert rules(a_change(path)) == []


@pytest.mark.parametrize(
    "path", [".gitmodules", ".GitModules", ".gitmodules.", "gitmod~1", "GI7EBA~1", ".gitmodules:x"]
)
def test_the_list_of_submodules_is_refused_in_every_spelling(path: str) -> None:
    assert "gitmodules" in rules(a_change(path))


def test_a_submodule_is_refused_added_moved_and_removed() -> None:
    assert rules(a_change("lib", mode="160000")) == ["gitlink"]
    assert rules(Change("lib", "M", "160000", "160000", 1, 1)) == ["gitlink"]
    assert rules(a_change("lib", "D", old="160000")) == ["gitlink"]
    assert rules(Change("lib", "T", "100644", "160000", 1, 1)) == ["gitlink"]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("link", "/etc/passwd"),
        ("link", ".."),
        ("link", "../x"),
        ("a/link", "../../x"),
        ("link", "a/../../x"),
        ("link", ".git/config"),
        ("a/link", "../.git"),
        ("a/link", "../.GIT./config"),
        ("link", "C:\\x"),
        ("link", "a\\b"),
        ("link", ""),
        ("link", None),
        ("link", "a\nb"),
        # Another link in the change may lead elsewhere before the way turns back.
        ("link", "a/b/../c"),
    ],
)
def test_links_that_may_leave_the_tree_are_refused(path: str, target: str | None) -> None:
    assert unsafe_link(path, target)
    assert rules(a_change(path, mode="120000", link=target)) == ["link"]


@pytest.mark.parametrize(
    ("path", "target"), [("link", "README.md"), ("a/link", "../README.md"), ("a/b/l", "./../../c"), ("link", ".")]
)
def test_links_inside_the_tree_are_taken(path: str, target: str) -> None:
    assert unsafe_link(path, target) is None


parts = st.lists(st.sampled_from(["..", ".", "a", "b", "", "c.md"]), min_size=1, max_size=6)


@given(folder=st.lists(st.sampled_from("xyz"), max_size=3), target=parts)
@example(folder=["x"], target=["..", ".."])
def test_a_link_that_is_taken_never_resolves_outside(folder: list[str], target: list[str]) -> None:
    path, words = "/".join([*folder, "link"]), "/".join(target)
    if unsafe_link(path, words) is None:
        resolved = posixpath.normpath(posixpath.join("/root", *folder, words))
        assert resolved == "/root" or resolved.startswith("/root/")


def test_a_large_file_is_refused_and_one_at_the_limit_is_not() -> None:
    assert rules(a_change("data.bin"), sizes={"data.bin": FILE_LIMIT + 1}) == ["size"]
    assert rules(a_change("data.bin"), sizes={"data.bin": FILE_LIMIT}) == []


@pytest.mark.parametrize("path", ["specs", "specs/x", f"{TASKS}/inner"])
def test_nothing_may_stand_where_tasks_md_goes(path: str) -> None:
    assert rules(a_change(path)) == ["tasks_file"]


def test_a_change_to_tasks_md_itself_is_no_matter_of_policy() -> None:
    assert rules(a_change(TASKS, "M"), a_change(TASKS, "D", old="100644")) == []


@given(st.sampled_from([".git", "git~1"]), st.text(st.sampled_from([" ", "."]), max_size=3), st.booleans())
def test_a_git_directory_is_seen_under_every_name_that_a_file_system_takes_for_it(
    name: str, tail: str, upper: bool
) -> None:
    assert unsafe_path(f"a/{name.upper() if upper else name}{tail}/config")


def test_the_limit_is_below_what_forges_warn_about() -> None:
    assert FILE_LIMIT < 50 * 1024 * 1024


@given(
    st.text(max_size=30),
    st.sampled_from(["A", "M", "D", "T"]),
    st.sampled_from(["100644", "100755", "120000", "160000"]),
)
def test_no_path_makes_the_policy_stumble(path: str, status: str, mode: str) -> None:
    for one in found(a_change(path, status, mode, link=path), sizes={path: 3}):
        assert one.severity in Severity
        assert one.words


def test_a_file_that_becomes_executable_is_pointed_out_once() -> None:
    assert [one.rule for one in found(a_change("x.sh", mode="100755"))] == ["executable"]
    assert not found(Change("x.sh", "M", "100755", "100755", 1, 1))
