"""A tree says where a named file is, however many files have the same name."""

import pytest

from moonmind.speckit.tree import Tree

TREE = Tree(["README.md", "src/A.py", "backend/src/b.py", "web/src/c.ts", "docs/src/c.ts", "other/ab/c.ts"])


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("src/a.py", "src/a.py"),
        ("SRC/", "src"),
        ("src/b.py", "backend/src/b.py"),
        ("b.py", None),
        ("src/c.ts", None),
        ("web/src/c.ts", "web/src/c.ts"),
        ("b/c.ts", None),
        ("ab/c.ts", "other/ab/c.ts"),
        ("src/z.ts", None),
    ],
)
def test_a_path_is_itself_or_the_one_end_of_a_path(name: str, place: str | None) -> None:
    assert TREE.find(name) == place


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["{}/index.ts", "d{}/index.ts", "x{}/y/index.ts"])
def test_many_names_are_looked_for_among_many_files_of_the_same_name_at_once(name: str) -> None:
    tree = Tree(f"p/d{number}/index.ts" for number in range(40_000))
    found = [tree.find(name.format(number)) for number in range(20_000)]
    wanted = [f"p/d{number}/index.ts" if name.startswith("d") else None for number in range(20_000)]
    assert found == wanted
