import pytest

from moonmind.stages.submit.prompt_inputs import places_in_tree

PRESENT = frozenset({"web/src/a.ts", "docs/b.md", "src/c.ts"})


@pytest.mark.parametrize(
    ("path", "root", "place"),
    [
        ("src/a.ts", "web", "web/src/a.ts"),
        ("src/", "web", "web/src/"),
        ("docs/b.md", "web", "docs/b.md"),
        ("src/new.ts", "web", "web/src/new.ts"),
        ("new/", "web", "web/new/"),
        ("web/new.ts", "web", "web/new.ts"),
        ("src/", "", "src/"),
        ("new.ts", "", "new.ts"),
    ],
)
def test_a_named_path_is_where_it_is_or_below_the_project(path: str, root: str, place: str) -> None:
    assert places_in_tree([path, "other"], root, PRESENT)[path] == place


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", ["src/{}.ts", "d{}/", "gone/{}.ts"])
def test_many_names_are_placed_in_a_large_tree_at_once(name: str) -> None:
    present = frozenset(f"web/d{number}/src/{number}.ts" for number in range(50_000))
    named = [name.format(number) for number in range(5_000)]
    assert places_in_tree(named, "web", present) == {path: f"web/{path}" for path in named}
