"""What is put over the old code."""

from collections.abc import Callable

import pytest

from moonmind.ports.vcs import Change
from moonmind.proof.verification.emptied_bodies import LARGEST
from moonmind.stages.apply import test_trees
from moonmind.stages.apply.test_trees import MOST_BYTES, MOST_FILES, Probe, changed_files, probe_of


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


def probed(files: dict[str, str]) -> Probe | None:
    changed = changed_files([change(path) for path in files])
    return probe_of(files, changed, lambda after, path: files[path].encode() if after else None)


def test_each_kind_of_a_probe_has_a_control_of_its_own_files_with_guards_that_fail() -> None:
    probe = probed(AFTER)
    assert probe is not None
    assert (set(probe.plain.files), set(probe.inert.files)) == ({"a.py", "b.py"}, {"a.py", "b.py", "c.py"})
    assert probe.left
    for guarded in (probe.plain, probe.inert):
        assert guarded.control.keys() == guarded.files.keys()
        for path, content in guarded.files.items():
            assert content is not None
            assert guarded.control[path] == content.replace(b"[5][:1]", b"[5][:0]") != content


MANY = "".join(f"def f{number}():\n    return {number}\n\n\n" for number in range(50))


@pytest.mark.parametrize("text", [MANY, f"{MANY}X = f1()\n", f"{MANY}class A:\n    def b(self): return 1\n"])
def test_what_a_file_is_too_large_for_with_inert_functions_it_is_with_plain_ones(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moonmind.proof.verification.emptied_python._LARGEST_GUARDED", 2 * len(text))
    probe = probed({"a.py": text, "b.py": AFTER["b.py"]})
    assert probe is not None
    assert (set(probe.plain.files), set(probe.inert.files)) == ({"a.py", "b.py"}, {"b.py"})
    assert {"a.py: f2", "b.py: b", "b.py: load"} <= set(probe.functions)
    alone = probed({"a.py": text})
    assert alone is not None
    assert not alone.inert.files


def test_the_limit_of_a_file_is_that_of_the_agents_own() -> None:
    text = AFTER["a.py"] + "#" * (LARGEST - len(AFTER["a.py"]))
    probe = probed({"a.py": text})
    assert probe is not None
    assert (len(probe.plain.files), len(probe.inert.files)) == (1, 1)
    assert probed({"a.py": f"{text}#"}) is None
