"""What is put over the old code."""

from collections.abc import Callable

import pytest

from moonmind.ports.vcs import Change
from moonmind.proof.verification.emptied_bodies import LARGEST
from moonmind.stages.apply import test_trees
from moonmind.stages.apply.test_trees import MOST_BYTES, MOST_FILES, changed_files, probe_of


def of(**sizes: int) -> Callable[[str, int], bytes | None]:
    def read(path: str, limit: int) -> bytes | None:
        size = sizes[path.rpartition("/")[2].partition(".")[0]]
        return b"x" * size if size <= limit else None

    return read


def change(path: str, mode: str = "100644") -> Change:
    return Change(path=path, status="A", old_mode="000000", new_mode=mode, added=1, deleted=0)


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ({"a": 10, "b": 600 * 1024}, ""),
        ({"a": MOST_BYTES // 2, "b": MOST_BYTES // 2}, ""),
        ({"a": 10, "b": MOST_BYTES}, "with tests/b.bin, the changed files of tests are larger than 16 MiB together"),
        ({"a": MOST_BYTES + 1, "b": 1}, "with tests/a.bin, "),
    ],
)
def test_changed_tests_are_put_over_up_to_a_size_and_the_file_beyond_is_named(sizes: dict[str, int], why: str) -> None:
    changed = changed_files([change("src/c.py"), *(change(f"tests/{name}.bin") for name in sizes)])
    files, said = test_trees.tests_over_old(changed, of(**sizes))
    assert said.startswith(why)
    assert (files is None) is bool(why)
    assert files is None or {path: len(content or b"") for path, content in files.items()} == {
        f"tests/{name}.bin": size for name, size in sizes.items()
    }


def test_more_files_than_are_put_over_are_said() -> None:
    many = changed_files([change(f"tests/t{number}.py") for number in range(MOST_FILES + 1)])
    assert test_trees.tests_over_old(many, of()) == (None, f"more than {MOST_FILES} files of tests changed")


def test_what_can_be_run_is_known() -> None:
    changed = changed_files([change("tests/run.sh", "100755"), change("tests/a.py")])
    assert changed.executable == {"tests/run.sh"}


LOADS = "def load():\n    return 1\n\n\nX = load()\n"
AFTER = {
    "a.py": "def a():\n    return 1\n",
    "b.py": f"{LOADS}\n\ndef b():\n    return 2\n",
    "c.py": LOADS,
    "d.py": "D = 1\n",
}


def test_the_control_of_a_probe_has_all_files_of_its_runs_with_guards_that_fail() -> None:
    changed = changed_files([change(path) for path in AFTER])
    probe = probe_of(AFTER, changed, lambda after, path: AFTER[path].encode() if after else None)
    assert probe is not None
    assert (set(probe.files), set(probe.inert)) == ({"a.py", "b.py"}, {"a.py", "b.py", "c.py"})
    assert probe.left
    assert probe.control.keys() == probe.inert.keys()
    for path, content in probe.control.items():
        assert content is not None
        same = content.replace(b"[5][:0]", b"[5][:1]")
        assert same == probe.inert[path]
        assert same != content


def test_a_file_that_is_too_large_with_inert_functions_has_the_control_of_its_probe() -> None:
    large = AFTER["a.py"] + "#" * (LARGEST - len(AFTER["a.py"]) - 100)
    found = {**AFTER, "a.py": large}
    changed = changed_files([change(path) for path in found])
    probe = probe_of(found, changed, lambda after, path: found[path].encode() if after else None)
    assert probe is not None
    assert "a.py" not in probe.inert
    assert probe.control["a.py"] == (probe.files["a.py"] or b"").replace(b"[5][:1]", b"[5][:0]") != b""
