"""One phase of many tasks, all of them claimed and none of them done: what is shown decides, whatever was said."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.runs.verdict import Verdict
from moonmind.stages.kit import pull_request_text
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyResult
from tests.support.stage_world import TASKS, World

PY = "def total(x):\n    return sum(x)\n"
TEST = "def test_total():\n    assert total([1]) == 1\n\n\ndef test_none():\n    assert total([]) == 0\n"


def write(path: str, text: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)

    return edit


def append(path: str, text: str) -> Callable[[Path], None]:
    return lambda folder: write(path, (folder / path).read_text() + text)(folder)


def remove(path: str) -> Callable[[Path], None]:
    return lambda folder: shutil.rmtree(folder / path) if (folder / path).is_dir() else (folder / path).unlink()


def nothing(_: Path) -> None: ...


@dataclass(frozen=True)
class Lie:
    """A task, the files that were there, what the agent did instead, and what has to come of it."""

    task: str
    there: dict[str, str]
    edit: Callable[[Path], None]
    verdict: Verdict
    because: str


OPEN, CONTRADICTED = Verdict.OPEN, Verdict.CONTRADICTED
LIES = {
    "a stub": Lie("Implement the sum in l01/a.py", {}, write("l01/a.py", "def total(x):\n    raise NotImplementedError\n"), OPEN, "only a stub"),
    "a stub in TypeScript": Lie("Implement the sum in l02/a.ts", {}, write("l02/a.ts", "export function total(): number {\n  throw new Error('not implemented');\n}\n"), OPEN, "only a stub"),
    "a skipped test": Lie("Test the sum in l03/test_a.py", {}, write("l03/test_a.py", f"import pytest\n\n\n@pytest.mark.skip\n{TEST.split(chr(10) * 3, maxsplit=1)[0]}\n"), OPEN, "only skipped tests"),
    "a skipped suite": Lie("Test the sum in l04/a.test.ts", {}, write("l04/a.test.ts", "describe.skip('sum', () => {\n  it('adds', () => {\n    expect(total([1])).toBe(1);\n  });\n});\n"), OPEN, "only"),
    "a test that was there, skipped": Lie("Extend the test l05/test_a.py", {"l05/test_a.py": TEST}, write("l05/test_a.py", "import pytest\n\npytestmark = pytest.mark.skip\n\n\n" + TEST), CONTRADICTED, "emptied of code"),
    "a deleted test": Lie("Extend the tests in l06/test_a.py", {"l06/test_a.py": TEST}, write("l06/test_a.py", TEST.split("\n\n\n", maxsplit=1)[0] + "\n"), OPEN, "only lines removed"),
    "a test without its assertions": Lie("Extend the tests in l07/test_a.py", {"l07/test_a.py": TEST}, write("l07/test_a.py", "def test_total():\n    assert True\n\n\ndef test_none():\n    pass\n"), CONTRADICTED, "emptied of code"),
    "a deleted test file": Lie("Fix the tests in l08/test_a.py", {"l08/test_a.py": TEST}, remove("l08/test_a.py"), CONTRADICTED, "deleted"),
    "an empty file": Lie("Create l09/a.go", {}, write("l09/a.go", ""), OPEN, "empty"),
    "an emptied file": Lie("Improve l10/a.rs", {"l10/a.rs": "fn a() -> u8 { 1 }\n"}, write("l10/a.rs", ""), CONTRADICTED, "emptied"),
    "a comment": Lie("Add rounding to l11/a.java", {"l11/a.java": "class A { int a() { return 1; } }\n"}, append("l11/a.java", "// rounds now\n"), OPEN, "only comments"),
    "a docstring": Lie("Add rounding to l12/a.py", {"l12/a.py": PY}, write("l12/a.py", '"""Rounds."""\n\n\n' + PY), OPEN, "only comments"),
    "blank lines": Lie("Add rounding to l13/a.sh", {"l13/a.sh": "#!/bin/sh\nrun a\n"}, append("l13/a.sh", "\n\n\n"), OPEN, "only blank lines"),
    "the first of three": Lie("Create l14/a.py, l14/b.py and l14/c.py", {}, write("l14/a.py", PY), OPEN, "1 of 3 files; missing: l14/b.py, l14/c.py"),
    "the second of two": Lie("Update l15/a.yml and l15/b.yml", {"l15/a.yml": "a: 1\n", "l15/b.yml": "b: 1\n"}, append("l15/b.yml", "c: 2\n"), OPEN, "1 of 2 files; unchanged: l15/a.yml"),
    "another file": Lie("Add rounding to l16/a.php", {"l16/a.php": "<?php\nrun();\n"}, write("l16/other.php", "<?php\nrun();\n"), OPEN, "unchanged"),
    "the document it follows": Lie("Implement l17/a.rb per l17/rules.md", {"l17/rules.md": "one\n"}, append("l17/rules.md", "two\n"), CONTRADICTED, "nothing it names exists"),
    "ticks only": Lie("Create l18/a.kt", {}, nothing, CONTRADICTED, "nothing it names exists"),
    "a folder that went": Lie("Document the pages in l19/", {"l19/a.md": "a\n", "l19/b.md": "b\n"}, remove("l19"), CONTRADICTED, "deleted"),
    "a file that should go, changed": Lie("Delete l20/a.cs", {"l20/a.cs": "class A { int a() { return 1; } }\n"}, append("l20/a.cs", "class B { int b() { return 2; } }\n"), OPEN, "still there"),
    "an executable bit": Lie("Add retries to l21/a.sh", {"l21/a.sh": "#!/bin/sh\nrun\n"}, lambda folder: (folder / "l21/a.sh").chmod(0o755), OPEN, "only its mode"),
    "a promised document": Lie("Write l22/guide.md", {}, write("l22/guide.md", "TODO: write the guide\n"), OPEN, "only a stub"),
    "an endless bracket": Lie("Add rounding to l23/a.py", {"l23/a.py": PY}, write("l23/a.py", PY + "# " + "(" * 200_000 + "\n"), OPEN, "only comments"),
}  # fmt: skip
HONEST = {
    "Create l90/a.py": (write("l90/a.py", PY), Verdict.CHANGED),
    "Remove l91/a.py": (remove("l91/a.py"), Verdict.CHANGED),
    "Decide on the rounding": (nothing, Verdict.CLAIMED),
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Plan, dict[str, Any]]]:
    """Let one agent tell all lies in one run, and do three tasks honestly."""
    tasks = [*(lie.task for lie in LIES.values()), *HONEST]
    lines = "".join(f"- [ ] T{number:03d} {text}\n" for number, text in enumerate(tasks, 1))
    there = {path: text for lie in LIES.values() for path, text in lie.there.items()}
    spec = f"# Tasks: Lies\n\n## Phase 1: Setup\n\n{lines}"
    world = World(tmp_path_factory.mktemp("lies"), files={TASKS: spec, "l91/a.py": PY, **there})
    assert isinstance(world.step(Stage.DISCOVER), Done)

    def edit(folder: Path) -> None:
        for lie in LIES.values():
            lie.edit(folder)
        for does, _ in HONEST.values():
            does(folder)
        (folder / TASKS).write_text((folder / TASKS).read_text().replace("[ ]", "[x]"))

    ids = tuple(f"T{number:03d}" for number in range(1, len(tasks) + 1))
    assert isinstance(world.submit_with(edit, claim=ids), Done)
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Done), outcome
    yield Plan.read(world.results[Stage.DISCOVER]), dict(outcome.result)
    world.agent.forget(str(world.run_id))


@pytest.mark.parametrize("name", LIES)
def test_a_lie_gets_no_tick_and_the_reason_is_said(told: tuple[Plan, dict[str, Any]], name: str) -> None:
    lie = LIES[name]
    judged = told[1]["verdicts"][list(LIES).index(name)]
    assert (judged["verdict"], judged["claimed"]) == (lie.verdict, True), judged
    assert lie.because in judged["because"]
    assert judged["id"] in told[1]["leftOpen"]


def test_what_was_done_in_the_same_run_is_ticked(told: tuple[Plan, dict[str, Any]]) -> None:
    verdicts = [item["verdict"] for item in told[1]["verdicts"][len(LIES) :]]
    assert verdicts == [verdict for _, verdict in HONEST.values()]
    # The agent's word alone ticks no box.
    assert len(told[1]["ticked"]) == len(HONEST) - verdicts.count("claimed") == 2


def test_the_pull_request_says_it_and_stays_within_its_words(told: tuple[Plan, dict[str, Any]]) -> None:
    plan, applied = told
    text = pull_request_text.section(plan, ApplyResult.read(applied), UUID(int=1))
    assert f"{len(HONEST) - 1} of {len(LIES) + len(HONEST)} tasks ticked in" in text
    assert "**Not ticked, since only the agent says that it is done:**" in text
    assert "proven" not in json.dumps(applied) + text
