"""What the policy makes of a change: a draft that begins with the finding, a warning, a refusal; by whose rules."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from moonmind.errors import VcsUnreachable
from moonmind.runs.chain import Stage
from moonmind.runs.findings import Severity
from moonmind.runs.machine import Ask, Done, Failed, Redo, Suspend
from moonmind.sample import source
from moonmind.stages.apply import verification_step
from moonmind.stages.apply.verification_jobs import Waiting
from tests.support.git_repos import commit_to
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import TASKS, World

CI = ".github/workflows/ci.yml"
EDITOR = ".vscode/tasks.json"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from begun(World(tmp_path))


def begun(made: World) -> Iterator[World]:
    assert isinstance(made.step(Stage.DISCOVER), Done)
    yield made
    made.agent.forget(str(made.run_id))


def work(world: World, files: Mapping[str, str]) -> None:
    def edit(folder: Path) -> None:
        for name, content in {"pyproject.toml": "[project]\nname = 'x'\n", **files}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)

    assert isinstance(world.submit_with(edit), Done)


def applied(world: World) -> dict[str, Any]:
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Done), outcome
    return dict(outcome.result)


def policy(world: World) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(world.artifacts.read("apply/output.json"))["policy"]
    return found


def test_a_protected_file_makes_a_draft_that_begins_with_it(world: World) -> None:
    work(world, {EDITOR: "{}\n", "Makefile": "all:\n"})
    found = applied(world)
    assert found["draft"] == f"{EDITOR}: it changes what runs or is read when somebody opens this folder"
    assert found["warnings"][0] == found["draft"]
    assert [(one["path"], one["rule"], one["severity"]) for one in policy(world)] == [(EDITOR, "editor", "draft")]
    assert isinstance(world.step(Stage.PUBLISH), Done)
    (pull,) = world.pulls()
    assert pull.draft
    parts = pull.body.split("\n\n")
    heading = next(number for number, part in enumerate(parts) if "### " in part)
    assert parts[heading + 1].startswith("**Draft: .vscode/tasks.json: it changes what runs")
    (look,) = [part for part in parts if part.startswith("**Look here first:**")]
    assert look.splitlines()[1].startswith("- .vscode/tasks.json: ")


def test_without_findings_nothing_is_a_draft(world: World) -> None:
    work(world, {"refresh_docs/a.py": "A = 1\n"})
    assert applied(world)["draft"] == ""
    assert policy(world) == []
    assert isinstance(world.step(Stage.PUBLISH), Done)
    assert not world.pulls()[0].draft


def asking_for(tmp_path: Path, line: str, **more: str) -> World:
    files: Any = {**source.files(), **{name: text.encode() for name, text in more.items()}}
    files[TASKS] = files[TASKS].replace(b"- [ ] T003", line.encode() + b"\n- [ ] T003", 1)
    return World(tmp_path, files=files)


def test_what_a_task_names_is_a_warning_that_names_the_task(tmp_path: Path) -> None:
    world = asking_for(tmp_path, f"- [ ] T077 Describe the build for editors in {EDITOR}")
    for _ in begun(world):
        work(world, {EDITOR: "{}\n"})
        found = applied(world)
        assert found["draft"] == ""
        assert (
            f"{EDITOR}: it changes what runs or is read when somebody opens this folder (T077 asks for it)"
            in found["warnings"]
        )


@pytest.mark.parametrize(
    ("recipe", "operator", "path", "severity"),
    [
        ("policy: {protected: 'infra/**'}\n", "draft", "infra/a.tf", "draft"),
        ("policy: {protected: 'infra/**', protected_is: refuse}\n", "draft", "infra/a.tf", "refuse"),
        ("policy: {protected_is: refuse}\n", "draft", EDITOR, "refuse"),
        ("policy: {protected_is: draft}\n", "refuse", EDITOR, "refuse"),
        ("policy: {}\n", "warn", EDITOR, "warn"),
        ("policy: {protected_is: draft}\n", "warn", EDITOR, "draft"),
    ],
)
@pytest.mark.in_every_run(3)
def test_of_operator_and_repository_the_stricter_counts(
    tmp_path: Path, recipe: str, operator: str, path: str, severity: str
) -> None:
    world = World(tmp_path, files={**source.files(), ".moonmind.yml": recipe.encode()})
    world.protected_files = Severity(operator)
    for _ in begun(world):
        work(world, {path: "x\n"})
        outcome = world.step(Stage.APPLY)
        assert [one["severity"] for one in policy(world)] == [severity]
        assert isinstance(outcome, Failed) is (severity == "refuse")


def asked(world: World) -> Ask:
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Ask), outcome
    assert outcome.kind == "finding"
    return outcome


def test_what_harms_by_being_pushed_is_asked_first_and_recorded_once_approved(world: World) -> None:
    work(world, {CI: "on: push\n", "refresh_docs/a.py": "A = 1\n"})
    question = asked(world)
    assert f"- '{CI}': it runs in CI as soon as it is pushed" in question.text
    assert [option.value for option in question.options] == ["approve", "reject"]
    (patch,) = world.artifacts.of("codex_patch")
    assert f"The change is the artifact {patch}." in question.text
    assert b"on: push" in world.artifacts.read(patch)
    assert [one["severity"] for one in policy(world)] == ["ask"]
    assert world.tip() is None
    world.approves(True, "it only runs the tests")
    found = applied(world)
    assert (
        found["warnings"][0] == f"{CI}: it runs in CI as soon as it is pushed; approved by ana: it only runs the tests"
    )
    assert (found["approval"]["by"], found["approval"]["why"]) == ("ana", "it only runs the tests")
    assert f"\nApproved: {CI}, by ana: it only runs the tests\n" in found["message"]
    assert json.loads(world.artifacts.read("apply/output.json"))["approval"]["paths"] == [CI]
    assert applied(world)["commit"] == found["commit"], "asked once, also where the stage is repeated"
    assert isinstance(world.step(Stage.PUBLISH), Done)
    (pull,) = world.pulls()
    assert "approved by ana: it only runs the tests" in pull.body
    assert not pull.draft


def test_a_rejected_change_is_not_published_and_its_work_is_kept(world: World) -> None:
    work(world, {CI: "on: push\n"})
    asked(world)
    world.approves(False, "it would deploy")
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "change_rejected"
    assert outcome.error.message.startswith(
        f"ana rejected the change, since: it would deploy. What was asked about: {CI}"
    )
    assert world.tip() is None
    (patch,) = world.artifacts.of("codex_patch")
    assert b"on: push" in world.artifacts.read(patch)
    world.attention = None  # as an operator's retry leaves it
    assert asked(world).text


def test_a_retry_with_notes_of_a_rejected_change_goes_back_to_the_agent_and_another_change_is_asked_about(
    world: World,
) -> None:
    work(world, {CI: "on: push\n"})
    asked(world)
    world.approves(False)
    assert isinstance(world.step(Stage.APPLY), Failed)
    world.attention, world.notes = None, "Do not deploy."
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Redo)
    assert CI in outcome.note
    work(world, {CI: "on: pull_request\n"})
    del world.checkpoints[Stage.APPLY]  # a further attempt begins afresh
    asked(world)
    world.approves(True)
    assert applied(world)["approval"]["by"] == "ana"


@pytest.mark.parametrize("notes", [None, "Leave the editor alone."])
def test_what_a_person_rejected_is_not_published_because_the_rules_became_lighter(
    tmp_path: Path, notes: str | None
) -> None:
    world = World(tmp_path, files={**source.files(), ".moonmind.yml": b"policy: {protected_is: ask}\n"})
    for _ in begun(world):
        work(world, {EDITOR: "{}\n"})
        asked(world)
        world.approves(False)
        assert isinstance(world.step(Stage.APPLY), Failed)
        commit_to(world.bare, "main", {".moonmind.yml": b"policy: {protected_is: draft}\n"}, "Let these be drafts")
        world.attention, world.notes = None, notes
        if notes:
            assert isinstance(world.step(Stage.APPLY), Redo)
        else:
            assert f"- '{EDITOR}': a person rejected it before" in asked(world).text
            world.approves(True)
            assert applied(world)["approval"]["paths"] == [EDITOR]


@pytest.mark.parametrize(("retried", "judged"), [(False, 1), (True, 2)])
def test_verdicts_are_kept_for_an_answer_and_not_for_a_retry(
    world: World, monkeypatch: pytest.MonkeyPatch, retried: bool, judged: int
) -> None:
    seen = []
    verify = verification_step.verify

    def counted(*given: Any) -> Any:
        seen.append(1)
        return verify(*given)

    monkeypatch.setattr(verification_step, "verify", counted)
    work(world, {CI: "on: push\n"})
    asked(world)
    if retried:
        asked(world)
    world.approves(True)
    applied(world)
    assert len(seen) == judged


def test_what_was_asked_is_still_known_while_tests_run_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    work(world, {CI: "on: push\n"})
    before = asked(world).checkpoint
    assert before is not None
    monkeypatch.setattr(verification_step, "verify", lambda *_: Waiting("job-1"))
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Suspend)
    assert outcome.checkpoint == {**before, "jobKey": "job-1"}


@pytest.mark.parametrize(("attempt", "away", "fetches"), [(1, False, 0), (2, False, 1), (2, True, 2)])
def test_the_rules_are_fetched_once_in_a_further_attempt_and_a_forge_that_is_away_fails_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, attempt: int, away: bool, fetches: int
) -> None:
    seen = []

    def fetch(_: object) -> None:
        seen.append(1)
        if away:
            raise VcsUnreachable("The forge does not answer.")

    work(world, {CI: "on: push\n"})
    world.numbers[Stage.APPLY] = attempt
    monkeypatch.setattr(world.vcs, "fetch", fetch)
    asked(world)
    world.approves(True)
    applied(world)
    assert len(seen) == fetches


def test_a_long_list_of_findings_names_where_all_of_them_are(world: World) -> None:
    work(world, {f".circleci/{number}.yml": "a: b\n" for number in range(9)})
    text = asked(world).text
    assert "- and 1 more, in the artifact apply/output.json" in text


def test_an_answer_counts_for_what_was_asked_and_nothing_else(world: World) -> None:
    work(world, {CI: "on: push\n"})
    asked(world)
    world.approves(True)
    kept = world.checkpoints[Stage.APPLY]
    world.checkpoints[Stage.APPLY] = {**kept, "asked": "another digest"}
    assert asked(world).text


def test_a_task_that_names_the_ci_file_is_told_to_whoever_is_asked(tmp_path: Path) -> None:
    world = asking_for(tmp_path, f"- [ ] T077 Add the CI workflow in {CI}")
    for _ in begun(world):
        work(world, {CI: "on: push\n"})
        assert f"- '{CI}': it runs in CI as soon as it is pushed (T077 asks for it)" in asked(world).text


def test_a_possible_secret_is_asked_about_and_not_shown(world: World) -> None:
    work(world, {"refresh_docs/settings.py": 'password = "q7Zr9TkW2mXv4B"\n'})
    question = asked(world)
    assert "'refresh_docs/settings.py:1': it looks like a secret" in question.text
    assert "q7Zr9TkW2mXv4B" not in question.text
    world.approves(True, "made up")
    assert isinstance(world.step(Stage.APPLY), Done)


def test_what_is_refused_is_not_asked_about(tmp_path: Path) -> None:
    world = World(tmp_path, files={**source.files(), ".moonmind.yml": b"policy: {protected_is: refuse}\n"})
    for _ in begun(world):
        work(world, {CI: "on: push\n"})
        outcome = world.step(Stage.APPLY)
        assert isinstance(outcome, Failed)
        assert outcome.error.code == "patch_refused"


def test_a_change_does_not_choose_its_own_rules(tmp_path: Path) -> None:
    world = World(tmp_path, files={**source.files(), ".moonmind.yml": b"policy: {protected_is: refuse}\n"})
    for _ in begun(world):
        work(world, {EDITOR: "{}\n", ".moonmind.yml": "policy: {protected_is: draft}\n"})
        outcome = world.step(Stage.APPLY)
        assert isinstance(outcome, Failed)
        assert outcome.error.code == "patch_refused"
        assert {one["path"] for one in policy(world)} == {EDITOR, ".moonmind.yml"}
        (kept,) = world.artifacts.of("codex_patch")
        assert b"tasks.json" in world.artifacts.read(kept)


def test_a_retry_is_judged_by_the_rules_that_the_base_has_by_then(tmp_path: Path) -> None:
    world = World(tmp_path, files={**source.files(), ".moonmind.yml": b"policy: {protected_is: refuse}\n"})
    for _ in begun(world):
        work(world, {EDITOR: "{}\n"})
        assert isinstance(world.step(Stage.APPLY), Failed)
        commit_to(world.bare, "main", {".moonmind.yml": b"policy: {protected_is: draft}\n"}, "Let these be drafts")
        found = applied(world)
        assert found["draft"].startswith(EDITOR)


def test_line_ends_and_git_lfs_are_as_the_repository_asks(tmp_path: Path) -> None:
    attributes = b"* text=auto\n*.psd filter=lfs diff=lfs merge=lfs -text\n"
    world = World(tmp_path, files={**source.files(), ".gitattributes": attributes})
    for _ in begun(world):
        work(world, {"refresh_docs/a.py": "A = 1\r\n", "img/a.psd": "8BPS"})
        found = applied(world)
        assert world.vcs.read(REPOSITORY, found["commit"], "refresh_docs/a.py") == b"A = 1\n"
        assert [(one["path"], one["rule"]) for one in policy(world)] == [("img/a.psd", "lfs")]
        assert found["draft"].startswith("img/a.psd: .gitattributes give it to Git LFS")
