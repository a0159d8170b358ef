"""The repository's tests are run on a change before its boxes are ticked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.redact import MASK, Redactor
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Redo, Suspend, WaitingReason
from moonmind.stages.apply.apply import list_taken_work
from moonmind.stages.kit.stage_results import ApplyResult
from tests.support.stage_world import failed
from tests.support.verified_world import A_TEST, RECIPE, TASKS, TOTAL, VerifiedWorld, project

GOOD = {"shop/total.py": TOTAL, "tests/test_total.py": A_TEST}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[VerifiedWorld]:
    made = VerifiedWorld(tmp_path)
    yield made
    made.tests.stop(made.run_id)
    made.agent.forget(str(made.run_id))


def test_a_test_that_fails_before_and_notices_makes_its_tasks_tested(world: VerifiedWorld) -> None:
    found = world.judged(GOOD)
    assert found.words == {"T001": "tested", "T002": "tested"}
    (evidence,) = found.by_id["T002"].tests
    assert (evidence.id, evidence.before, evidence.after, evidence.probe) == (
        "tests/test_total.py::test_total",
        "could not be loaded",
        "passed",
        "failed",
    )
    (command,) = found.tests.commands
    assert (command.outcome, command.passed, command.passed_before) == ("passed", 2, 1)
    assert command.added == ("tests/test_total.py::test_total",)
    assert found.tests.draft == ""
    assert found.result.ticked == ("T001", "T002")


def test_a_run_waits_for_its_tests_without_a_worker(world: VerifiedWorld) -> None:
    world.works(GOOD)
    assert isinstance(world.step(Stage.DISCOVER), Done)
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    waiting = world.step(Stage.APPLY)
    assert isinstance(waiting, Suspend)
    assert waiting.reason is WaitingReason.VERIFICATION
    assert str((waiting.checkpoint or {})["jobKey"]).startswith(f"{world.run_id}/verify-1-")
    assert "stays here" in world.services.audits
    assert isinstance(world.verified(), Done)
    assert not list((world.folder / "host-one" / "homes" / str(world.run_id) / "tests").iterdir())


@pytest.mark.full
def test_a_test_that_asserts_nothing_shows_nothing(world: VerifiedWorld) -> None:
    hollow = "from shop.total import total\n\n\ndef test_total():\n    total([1, 2])\n    assert True\n"
    found = world.judged({"shop/total.py": TOTAL, "tests/test_total.py": hollow})
    assert found.words == {"T001": "changed", "T002": "passing"}
    assert "no test of it asserts anything" in found.by_id["T001"].because
    assert "even when what the change wrote in its files does nothing" in found.by_id["T002"].because


def test_a_change_that_breaks_tests_goes_back_to_its_agent_once(world: VerifiedWorld) -> None:
    breaks = {**GOOD, "shop/names.py": "def upper(name):\n    return name.lower()\n"}
    world.works(breaks)
    assert isinstance(world.step(Stage.DISCOVER), Done)
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    back = world.verified()
    assert isinstance(back, Redo)
    assert back.stage is Stage.SUBMIT
    assert "tests/test_names.py::test_upper" in back.note
    assert "assert 'a' == 'A'" in back.note
    assert (back.checkpoint or {})["wip"]
    world.rounds_left = False
    world.numbers[Stage.APPLY] += 1
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    done = world.verified()
    assert isinstance(done, Done)
    result = ApplyResult.read(done.result)
    assert result.tests is not None
    assert result.tests.draft == "1 test that passed before fails with this change"
    assert result.tests.commands[0].broke == ("tests/test_names.py::test_upper",)
    assert {one.verdict.value for one in result.verdicts} == {"changed"}


def test_a_flaky_test_is_run_again_and_costs_no_round(world: VerifiedWorld, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    flaky = f"import pathlib\n\n\ndef test_flaky():\n    seen = pathlib.Path({str(marker)!r})\n    if not seen.exists():\n        seen.touch()\n        assert False\n"
    found = world.judged({**GOOD, "tests/test_flaky.py": flaky})
    (command,) = found.tests.commands
    assert (command.outcome, command.flaky) == ("flaky", ("tests/test_flaky.py::test_flaky",))
    assert found.words == {"T001": "tested", "T002": "tested"}


@pytest.mark.full
def test_failures_of_before_are_named_and_not_counted(tmp_path: Path) -> None:
    red = project(**{"tests/test_red.py": "def test_red():\n    assert 1 == 2\n"})
    found = VerifiedWorld(tmp_path, red).judged(GOOD)
    (command,) = found.tests.commands
    assert (command.outcome, command.fails_as_before) == ("failed before", ("tests/test_red.py::test_red",))
    assert found.words == {"T001": "tested", "T002": "tested"}
    assert found.tests.draft == ""


@pytest.mark.parametrize(
    ("recipe", "words", "asks"),
    [
        ("verify:\n  - run: no-such-program\n", "its program is not there", True),
        pytest.param("verify:\n  - run: python3 -m unitest\n", "failed before", False, marks=pytest.mark.full),
        ("verify:\n  - run: sleep 30\n    timeout: 1\n", "took longer than its limit", False),
        pytest.param("verify:\n  - run: 'true'\n    root: shop\n", "", False, marks=pytest.mark.full),
    ],
)
@pytest.mark.in_every_run(1)
def test_a_suite_that_cannot_run_confirms_nothing_and_costs_no_round(
    tmp_path: Path, recipe: str, words: str, asks: bool
) -> None:
    found = VerifiedWorld(tmp_path, project(recipe=recipe)).judged(GOOD, approved=asks)
    assert words in (found.tests.commands[0].why or words)
    assert found.tests.draft == ""
    assert "tested" not in found.words.values()
    assert all(one.ticks for one in found.by_id.values())


@pytest.mark.parametrize(
    ("recipe", "changes", "reason"),
    [
        ("verify:\n  - run: 'false'\n    paths: [docs/**]\n", GOOD, "none of the test commands"),
        (None, {"README.md": "# Shop\n"}, "only documents changed"),
    ],
)
def test_what_no_command_is_for_is_not_run(
    tmp_path: Path, recipe: str | None, changes: dict[str, str], reason: str
) -> None:
    tasks = TASKS if recipe else TASKS.replace("shop/total.py", "README.md")
    found = VerifiedWorld(tmp_path, project(tasks, recipe)).judged(changes)
    assert reason in found.tests.not_run
    assert "changed" in found.words.values()
    assert reason in found.by_id["T002"].because


@pytest.mark.full
def test_what_is_not_run_beside_others_is_named(tmp_path: Path) -> None:
    web = "\n  - name: web\n    run: 'false'\n    root: web\n    paths: [web/**]\n"
    found = VerifiedWorld(tmp_path, project(recipe=RECIPE.rstrip() + web, **{"web/a.txt": "a"})).judged(GOOD)
    assert [(one.name, one.outcome, one.root) for one in found.tests.commands[1:]] == [("web", "skipped", "web")]
    assert found.words["T002"] == "tested"


@pytest.mark.full
@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (
            "python3 -m pytest -q -p no:cacheprovider",
            "no-such-program",
            "the tests say nothing: its program is not there",
        ),
        ("false", "true", "false failed before, too, and no test of it is seen to pass"),
        ("python3 -m pytest -q tests/test_unloaded.py tests/test_names.py", "true", "no test of it is seen to pass"),
    ],
)
def test_one_command_that_shows_nothing_leaves_the_change_unconfirmed(
    tmp_path: Path, first: str, second: str, why: str
) -> None:
    files = project(recipe=f"environment: {{}}\nverify:\n  - run: '{first}'\n  - run: '{second}'\n")
    files |= {"tests/test_red.py": "def test_red():\n    assert 1 == 2\n", "tests/test_unloaded.py": "import no_such\n"}
    if "unloaded" not in first:
        del files["tests/test_unloaded.py"]
    found = VerifiedWorld(tmp_path, files).judged(GOOD)
    assert found.words == {"T001": "changed", "T002": "changed"}
    assert why in found.by_id["T002"].because


@pytest.mark.parametrize("place", ["tests/unit/", "unit/", "tests/unit"])
@pytest.mark.in_every_run(1)
def test_a_folder_names_the_tests_that_are_in_it(tmp_path: Path, place: str) -> None:
    red = {"tests/unit/test_red.py": "def test_red():\n    assert 1 == 2\n"} if place == "tests/unit/" else {}
    files = project(TASKS.replace("tests/test_total.py", place), **red)
    found = VerifiedWorld(tmp_path, files).judged({"shop/total.py": TOTAL, "tests/unit/test_total.py": A_TEST})
    assert found.words == {"T001": "tested", "T002": "tested"}
    assert [one.id for one in found.by_id["T001"].tests] == ["tests/unit/test_total.py::test_total"]


@pytest.mark.full
def test_a_folder_whose_new_test_fails_contradicts_its_task(tmp_path: Path) -> None:
    files = project(TASKS.replace("tests/test_total.py", "tests/unit/"))
    bad = A_TEST.replace("== 3", "== 4")
    world = VerifiedWorld(tmp_path, files)
    world.rounds_left = False
    found = world.judged({"shop/total.py": TOTAL, "tests/unit/test_total.py": bad})
    assert found.words["T001"] == "contradicted"


def test_without_a_recipe_the_detected_command_is_run_and_said(tmp_path: Path) -> None:
    found = VerifiedWorld(tmp_path, project(recipe=None)).judged(GOOD)
    assert found.words == {"T001": "tested", "T002": "tested"}
    assert found.tests.source == "found in tests/test_names.py"


@pytest.mark.full
def test_a_greenfield_project_is_run_by_what_its_change_shows(tmp_path: Path) -> None:
    files = {path: text for path, text in project(recipe=None).items() if path.startswith("specs/")}
    found = VerifiedWorld(tmp_path, files).judged({**GOOD, "shop/__init__.py": "", "tests/__init__.py": ""})
    assert found.tests.source.endswith("which the change adds")
    (command,) = found.tests.commands
    assert (command.passed_before, command.added) == (0, ("tests/test_total.py::test_total",))
    assert found.words["T002"] == "tested"


def test_a_new_project_whose_only_test_command_fails_is_a_draft(tmp_path: Path) -> None:
    files = {path: text for path, text in project(recipe=None).items() if path.startswith("specs/")}
    world = VerifiedWorld(tmp_path, files)
    world.rounds_left = False
    found = world.judged(
        {"shop/total.py": TOTAL, "Makefile": "test:\n\tpython3 -c 'import shop.nothing'\n"}, claim=("T002",)
    )
    assert found.tests.commands[0].outcome == "failed"
    assert found.tests.draft.endswith("it ends with exit code 2, and the project had no tests before")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"tests/test_names.py": None}, "a test is gone"),
        pytest.param(
            {"tests/test_names.py": "import pytest\n\n\n@pytest.mark.skip\ndef test_upper():\n    pass\n"},
            "a test is skipped now",
            marks=pytest.mark.full,
        ),
        pytest.param(
            {"tests/test_names.py": "def test_other():\n    assert True\n"}, "a test is gone", marks=pytest.mark.full
        ),
        pytest.param(
            {
                "tests/test_names.py": "from shop.names import upper\n\n\ndef test_upper():\n    assert upper('a') or True\n"
            },
            "a test is emptied",
            marks=pytest.mark.full,
        ),
    ],
)
def test_tests_that_no_longer_run_confirm_nothing(
    world: VerifiedWorld, changes: dict[str, str | None], why: str
) -> None:
    found = world.judged({**GOOD, **changes})
    assert found.tests.findings[0].where == "tests/test_names.py::test_upper"
    assert why in found.tests.findings[0].words
    assert set(found.words.values()) == {"changed"}


@pytest.mark.full
def test_what_is_removed_on_request_is_no_finding(tmp_path: Path) -> None:
    tasks = TASKS + "- [ ] T003 Delete tests/test_names.py and shop/names.py\n"
    changes = {**GOOD, "tests/test_names.py": None, "shop/names.py": None}
    found = VerifiedWorld(tmp_path, project(tasks)).judged(changes, claim=("T001", "T002", "T003"))
    assert not any(one.confirms_nothing for one in found.tests.findings)
    assert found.words["T002"] == "tested"


def test_a_test_that_a_task_names_and_that_fails_contradicts_it(tmp_path: Path) -> None:
    red = project(TASKS, **{"tests/test_total.py": "def test_total():\n    assert 1 == 2\n"})
    found = VerifiedWorld(tmp_path, red).judged(
        {"shop/total.py": TOTAL, "tests/test_total.py": "def test_total():\n    assert 1 == 3\n"}
    )
    assert found.words["T001"] == "contradicted"


@pytest.mark.parametrize(
    ("tick", "ticked"),
    [
        ("tested", ()),
        pytest.param("passing", ("T001", "T002"), marks=pytest.mark.full),
        pytest.param("changed", ("T001", "T002"), marks=pytest.mark.full),
    ],
)
def test_a_repository_ticks_by_the_evidence_that_it_asks_for(
    tmp_path: Path, tick: str, ticked: tuple[str, ...]
) -> None:
    hollow = "from shop.total import total\n\n\ndef test_total():\n    assert len([total([1, 2])]) == 1\n"
    files = project(recipe=f"{RECIPE}policy:\n  tick: {tick}\n")
    found = VerifiedWorld(tmp_path, files).judged({"shop/total.py": TOTAL, "tests/test_total.py": hollow})
    assert found.result.ticked == ticked
    if not ticked:
        assert "policy.tick" in found.by_id["T001"].held


@pytest.mark.full
def test_a_run_that_ticks_nothing_leaves_no_trees_of_its_tests(tmp_path: Path) -> None:
    tasks = TASKS.partition("- [ ]")[0] + "- [ ] T001 Decide how to round\n"
    world = VerifiedWorld(tmp_path, project(tasks, f"{RECIPE}policy:\n  tick: tested\n"))
    world.works({"shop/names.py": "# half up\ndef upper(name):\n    return name.upper()\n"}, claim=("T001",))
    assert isinstance(world.step(Stage.DISCOVER), Done)
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    assert failed(world.verified()).error.code == "no_progress"
    assert list((world.folder / "host-one" / "jobs" / str(world.run_id)).glob("verify-*")), "tests were run"
    assert not list((world.folder / "host-one" / "homes" / str(world.run_id) / "tests").iterdir())
    world.agent.forget(str(world.run_id))


def test_what_tests_print_and_report_is_masked_with_all_secrets_that_are_known(tmp_path: Path) -> None:
    secret = "a-secret-of-the-agents-own-login"
    red = project(**{"tests/test_red.py": f"def test_red():\n    assert 'a' == {secret!r}\n"})
    world = VerifiedWorld(tmp_path, red)
    world.redactor = Redactor((secret,))
    found = world.judged(GOOD)
    (command,) = found.tests.commands
    assert command.outcome == "failed before"
    assert MASK in command.excerpt
    assert secret not in str(found.result.stored())


def test_the_next_run_finds_what_was_run_on_the_same_tree(world: VerifiedWorld) -> None:
    world.judged(GOOD)
    remembered = list((world.folder / "host-one" / "test-results").glob("*/*"))
    assert len(remembered) == 2
    other = VerifiedWorld(world.folder, number=2)
    found = other.judged({**GOOD, "shop/total.py": TOTAL + "\n\nLIMIT = 3\n"})
    assert found.words["T002"] == "tested"
    assert (
        not list((world.folder / "artifacts").rglob("*verification*/1-before-1.log"))
        or len(list((world.folder / "host-one" / "jobs" / str(other.run_id)).glob("verify-*before*"))) == 0
    )


@pytest.mark.full
def test_what_is_known_of_an_earlier_run_has_its_output_in_this_run(world: VerifiedWorld) -> None:
    world.judged(GOOD)
    other = VerifiedWorld(world.folder, number=2)
    found = other.judged(GOOD)
    assert not list((world.folder / "host-one" / "jobs" / str(other.run_id)).glob("verify-*after*"))
    (command,) = found.tests.commands
    assert command.log == "verification/1-after-1.log"
    assert b"2 passed" in other.artifacts.read(command.log)


@pytest.mark.full
def test_large_data_of_tests_keeps_nothing_from_being_tested(world: VerifiedWorld) -> None:
    found = world.judged({**GOOD, "tests/data/large.txt": "0123456789\n" * 60_000})
    assert found.words == {"T001": "tested", "T002": "tested"}


def test_a_cancelled_run_leaves_no_tests_at_work(world: VerifiedWorld) -> None:
    world.works({**GOOD, "tests/test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(300)\n"})
    assert isinstance(world.step(Stage.DISCOVER), Done)
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    waiting = world.step(Stage.APPLY)
    assert isinstance(waiting, Suspend)
    list_taken_work(world.context(Stage.APPLY))
    assert not [key for key in world.agent.running() if "/verify-" in key and str(world.run_id) in key]


def test_lost_tests_are_run_anew(world: VerifiedWorld) -> None:
    world.works(GOOD)
    assert isinstance(world.step(Stage.DISCOVER), Done)
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    assert isinstance(world.step(Stage.APPLY), Suspend)
    world.tests.stop(world.run_id)  # their files are gone, as after a kill between the verdict and its record
    done = world.verified()
    assert isinstance(done, Done)
    assert {one.verdict.value for one in ApplyResult.read(done.result).verdicts} == {"tested"}


@pytest.mark.full
def test_tests_that_are_written_first_fail_as_they_should(world: VerifiedWorld) -> None:
    found = world.judged({"tests/test_total.py": A_TEST}, claim=("T001",))
    assert found.words["T001"] == "changed"
    assert found.tests.draft == ""
    assert "until what they test is there" in found.by_id["T001"].because


@pytest.mark.full
def test_a_hollow_test_borrows_nothing_from_another(world: VerifiedWorld) -> None:
    hollow = "def test_total():\n    assert len('a') == 1\n"
    found = world.judged({"shop/total.py": TOTAL, "tests/test_total.py": hollow, "tests/test_more.py": A_TEST})
    assert found.words == {"T001": "passing", "T002": "tested"}


@pytest.mark.parametrize(
    ("run", "file", "before", "after"),
    [
        ("sh run_tests.sh", "run_tests.sh", "python3 -m pytest -q\n", "exit 0\n"),
        pytest.param(
            "make test", "Makefile", "test:\n\tpython3 -m pytest -q\n", "test:\n\ttrue\n", marks=pytest.mark.full
        ),
        pytest.param("sh ./ci/check", "ci/check", "python3 -m pytest -q\n", "true\n", marks=pytest.mark.full),
    ],
)
def test_a_command_that_the_change_replaces_confirms_nothing(
    tmp_path: Path, run: str, file: str, before: str, after: str
) -> None:
    files = {**project(recipe=f"verify:\n  - run: {run}\n"), file: before}
    found = VerifiedWorld(tmp_path, files).judged({**GOOD, file: after})
    assert found.tests.findings[0].where == file
    assert set(found.words.values()) == {"changed"}


@pytest.mark.full
def test_other_parameters_are_no_lost_tests(tmp_path: Path) -> None:
    test = "import pytest\n\n\n@pytest.mark.parametrize('one', {values})\ndef test_names(one):\n    assert one\n"
    files = project(**{"tests/test_more.py": test.format(values="['a', 'b']")})
    found = VerifiedWorld(tmp_path, files).judged({**GOOD, "tests/test_more.py": test.format(values="['c', 'd', 'e']")})
    assert [one for one in found.tests.findings if one.confirms_nothing] == []
    assert found.words["T002"] == "tested"
