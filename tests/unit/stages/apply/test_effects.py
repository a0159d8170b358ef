import time

import pytest

from moonmind.proof.substance import Kind
from moonmind.speckit.wording import Asked
from moonmind.stages.apply.effects import BUDGET, MOST_READ, Paths, State, changed_tree, counts_anywhere, effect_of
from tests.support.changed_trees import FEATURE, a_spec_task, a_tree
from tests.support.plans import a_change

PATHS = Paths(["src/a.py", "src/models/user.py", "src-old/a.py", "backend/src/b.py", "README.md"])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("src/a.py", ["src/a.py"]),
        ("src/", ["src/a.py", "src/models/user.py"]),
        ("src", ["src/a.py", "src/models/user.py"]),
        ("src/mod", []),
        ("b.py", []),
    ],
)
def test_a_name_is_the_file_or_what_lies_in_the_folder(name: str, found: list[str]) -> None:
    assert list(PATHS.exact(name)) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("src/b.py", ["backend/src/b.py"]),
        ("user.py", ["src/models/user.py"]),
        ("models", ["src/models/user.py"]),
        ("ser.py", []),
    ],
)
def test_a_tail_ends_a_path_or_a_folder(name: str, found: list[str]) -> None:
    assert list(PATHS.tail(name)) == found


def test_many_tasks_over_a_large_tree_are_judged_in_a_moment() -> None:
    tree = a_tree({f"a/{number % 300}/{number}.py": "x" for number in range(60_000)}, {"b.py": "x = 1"})
    before = time.process_time()
    for number in range(2_000):
        effect_of(f"{number}/{number}.py", tree, (), (), may_go=False, must_go=False)
    assert time.process_time() - before < 10


def test_only_what_the_tasks_name_is_looked_into_and_only_so_much() -> None:
    changes = [a_change(path) for path in ("src/a.py", "src/b.py", "other.py")]
    read: list[str] = []

    def content(_: bool, path: str) -> bytes:
        read.append(path)
        return b""

    sizes = {"src/a.py": 10, "src/b.py": BUDGET, "other.py": 1}
    tree = changed_tree(changes, sizes, FEATURE, ["src/a.py", "src/b.py"], content)
    assert read == ["src/a.py"]
    assert {path: found.kind for path, found in tree.changed.items()} == {
        "src/a.py": Kind.EMPTY,
        "src/b.py": Kind.COUNTS,
        "other.py": Kind.COUNTS,
    }


@pytest.mark.parametrize(
    ("count", "counts"), [(1, False), (MOST_READ - 1, False), (MOST_READ, False), (MOST_READ + 1, True), (20_000, True)]
)
def test_only_so_many_files_are_looked_into_for_one_that_counts(count: int, counts: bool) -> None:
    changes = [a_change(f"src/{number}.py") for number in range(count)]
    read: list[str] = []

    def content(_: bool, path: str) -> bytes:
        read.append(path)
        return b""

    assert counts_anywhere(changes, {}, content) is counts
    assert len(read) == min(count, MOST_READ)


def test_what_is_too_large_to_read_counts_as_changed_and_a_new_link_only_where_it_is_asked_for() -> None:
    changes = [a_change("a.py", "M", old="100644"), a_change("link", mode="120000", link="a.py")]
    changes.append(a_change("other", "M", mode="120000", old="120000", link="a.py"))
    sizes = {"a.py": 9, "link": 4, "other": 4}
    tree = changed_tree(changes, sizes, FEATURE, list(sizes), lambda _, __: None)
    assert {path: found.kind for path, found in tree.changed.items()} == {
        "a.py": Kind.COUNTS, "link": Kind.LINK, "other": Kind.COUNTS,
    }  # fmt: skip
    assert tree.changed["link"].counts({Asked.LINK})


@pytest.mark.parametrize(
    ("path", "files", "kind"),
    [
        ("src/b.py", {"src/a.py": b"x = f()\n"}, Kind.COPY),
        ("src/b.py", {"src/a.py": b"x = g()\n"}, Kind.COUNTS),
        ("src/b.py", {"src/a.txt": b"x = f()\n"}, Kind.COUNTS),
        ("web/b.py", {"src/b.py": b"x = f()\n"}, Kind.COUNTS),
        ("b.json", {"a.json": b"x = f()\n"}, Kind.COUNTS),
    ],
)
def test_new_code_that_was_there_under_another_name_is_a_copy(path: str, files: dict[str, bytes], kind: Kind) -> None:
    content = {**files, path: b"x = f()\n"}
    sizes = {name: len(text) for name, text in content.items()}
    tree = changed_tree([a_change(path)], sizes, FEATURE, [path], lambda _, name: content[name])
    assert tree.changed[path].kind is kind
    assert tree.changed[path].counts({Asked.COPY})


def test_new_code_that_only_moved_is_a_copy() -> None:
    content = {"src/a.py": b"x = f()\n", "src/b.py": b"x = f()\n"}
    changes = [a_change("src/b.py"), a_change("src/a.py", "D")]
    tree = changed_tree(changes, {"src/b.py": 8}, FEATURE, ["src/b.py"], lambda _, name: content[name])
    assert tree.changed["src/b.py"].kind is Kind.COPY


def test_a_file_of_the_features_own_folder_is_a_reference() -> None:
    tree = a_tree({f"{FEATURE}/contracts/a.yaml": "x", "contracts/b.yaml": "x"}, {"contracts/b.yaml": "x"})
    assert tree.is_reference("contracts/a.yaml")
    assert not tree.is_reference("contracts/b.yaml")


def test_what_became_of_a_target_says_the_paths_and_the_names_added() -> None:
    task = a_spec_task("Create src/")
    tree = a_tree({}, {"src/a.py": "answer = 42\n", "src/b.py": "# nothing\n"}, task)
    effect = effect_of("src/", tree, (), (), may_go=False, must_go=False)
    assert (effect.state, effect.paths, effect.added) == (State.DONE, ("src/a.py",), frozenset({"answer"}))
