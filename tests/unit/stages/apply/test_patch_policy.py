import posixpath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moonmind.ports.vcs import Change
from moonmind.stages.apply import patch_policy
from moonmind.stages.apply.patch_policy import FILE_LIMIT, judge, refused, unsafe_link, unsafe_path
from tests.support.plans import a_change

TASKS = "specs/x/tasks.md"


def rules(*changes: Change, sizes: dict[str, int] | None = None) -> list[str]:
    return [finding.rule for finding in refused(judge(changes, sizes or {}, TASKS))]


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


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        (".github/workflows/ci.yml", "automation"),
        ("Jenkinsfile", "automation"),
        ("AGENTS.md", "agent_rules"),
        (".specify/memory/constitution.md", "agent_rules"),
        (".github/CODEOWNERS", "owners"),
        ("a/.gitattributes", "attributes"),
    ],
)
def test_what_a_reviewer_should_see_first_is_a_warning_only(path: str, rule: str) -> None:
    findings = judge([a_change(path)], {}, TASKS)
    assert [finding.rule for finding in findings] == [rule]
    assert not refused(findings)


def test_a_file_that_becomes_executable_is_pointed_out_once() -> None:
    assert [item.rule for item in judge([a_change("x.sh", mode="100755")], {}, TASKS)] == ["executable"]
    assert not judge([Change("x.sh", "M", "100755", "100755", 1, 1)], {}, TASKS)


@given(st.text(max_size=30))
def test_no_path_makes_the_policy_stumble(path: str) -> None:
    for finding in judge([a_change(path, mode="120000", link=path)], {}, TASKS):
        assert finding.severity in {"refused", "warning"}


@given(st.sampled_from([".git", "git~1"]), st.text(st.sampled_from([" ", "."]), max_size=3), st.booleans())
def test_a_git_directory_is_seen_under_every_name_that_a_file_system_takes_for_it(
    name: str, tail: str, upper: bool
) -> None:
    assert unsafe_path(f"a/{name.upper() if upper else name}{tail}/config")


def test_the_limit_is_below_what_forges_warn_about() -> None:
    assert patch_policy.FILE_LIMIT < 50 * 1024 * 1024
