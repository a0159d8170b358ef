import pytest

from moonmind.speckit.feature import Feature
from moonmind.speckit.project_facts import (
    INSTRUCTIONS_LENGTH,
    MOST_NAMED,
    NamedFile,
    instructions_in,
    named_files,
    project_facts,
)


def a_feature(path: str) -> Feature:
    return Feature(path.rpartition("specs/")[2], path, f"{path}/tasks.md")


@pytest.mark.parametrize(
    ("present", "path"),
    [
        ({"CLAUDE.md": "a"}, "CLAUDE.md"),
        ({"CLAUDE.md": "a", "backend/CLAUDE.md": "b"}, "backend/CLAUDE.md"),
        ({"CLAUDE.md": "a", "backend/api/CLAUDE.md": "b", "other/CLAUDE.md": "c"}, "backend/api/CLAUDE.md"),
        ({"CLAUDE.md": "a", "other/CLAUDE.md": "c"}, "CLAUDE.md"),
        ({"backend/AGENTS.md": "a", "AGENTS.md": "b"}, "backend/AGENTS.md"),
    ],
)
def test_the_nearest_file_of_each_kind_is_handed_on(present: dict[str, str], path: str) -> None:
    (found,) = instructions_in(present, "backend/api", lambda name: present[name].encode())
    assert (found.path, found.text) == (path, present[path])


def test_links_to_other_instructions_and_copies_are_left_out() -> None:
    present = {"AGENTS.md": "Use tabs.", "CLAUDE.md": "@AGENTS.md\n", ".github/copilot-instructions.md": "Use tabs.\n"}
    found = instructions_in(present, "", lambda name: present[name].encode())
    assert [(one.path, one.text) for one in found] == [("AGENTS.md", "")]
    assert instructions_in({"CLAUDE.md": ""}, "", lambda _: None) == ()


def test_instructions_share_the_room_there_is() -> None:
    present = dict.fromkeys(("x/AGENTS.md", "CLAUDE.md", ".github/copilot-instructions.md"), "")
    texts = {name: f"{name} {'y' * 3000}" for name in present}
    found = instructions_in(present, "x", lambda name: texts[name].encode())
    assert sum(len(one.text) for one in found) <= INSTRUCTIONS_LENGTH
    assert [one.cut for one in found] == [False, True, True]
    assert found[-1].text == "", "a few words of a file are worth nothing; it is named"


def test_a_path_is_looked_for_below_the_root_before_the_repository() -> None:
    present = frozenset({"package.json", "web/package.json", "web/src/a.ts", "docs/b.md"})
    named = ("package.json", "src", "docs/b.md", "web/src/a.ts", "src/c.ts")
    places = ("web/package.json", "web/src", "docs/b.md", "web/src/a.ts", None)
    assert named_files(present, "web", named) == tuple(map(NamedFile, named, places))


def test_a_great_many_named_paths_are_counted() -> None:
    facts = project_facts(a_feature("specs/001-a"), ["x"], [f"src/{n}.py" for n in range(500)], lambda _: None)
    assert (len(facts.named), facts.more_named) == (MOST_NAMED, 500 - MOST_NAMED)
