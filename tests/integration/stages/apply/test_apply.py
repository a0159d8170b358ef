import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from moonmind import __version__
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed, Redo
from moonmind.sample import source
from moonmind.stages.apply import apply
from moonmind.stages.kit.stage_results import Verification, VerifiedCommand
from tests.support.git_repos import git, log_of
from tests.support.plans import an_apply_result
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import BRANCH, FOLDER, TASKS, World

SECRET = "ghp_averysecrettokenvalue0123456789"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, secrets=(SECRET,))
    assert isinstance(made.step(Stage.DISCOVER), Done)
    yield made
    made.agent.forget(str(made.run_id))


def applied(world: World) -> dict[str, Any]:
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Done), outcome
    return dict(outcome.result)


def refused(world: World, code: str) -> Failed:
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Failed), outcome
    assert (outcome.error.code, outcome.transient) == (code, False)
    return outcome


def with_work(world: World, edit: Callable[[Path], object], *claim: str) -> None:
    outcome = world.submit_with(edit, claim=claim)
    assert isinstance(outcome, Done), outcome


def report(world: World) -> dict[str, Any]:
    return dict(json.loads(world.artifacts.read("apply/output.json")))


def test_the_samples_first_phase_is_judged_ticked_and_committed(world: World) -> None:
    world.drive(Stage.SUBMIT)
    outputs = applied(world)
    assert outputs["ticked"] == ["T001", "T002", "T003"]
    assert outputs["leftOpen"] == []
    assert {item["verdict"] for item in outputs["verdicts"]} == {"changed"}
    start = str(world.tip("main"))
    ticked = world.vcs.read(REPOSITORY, outputs["commit"], TASKS)
    before = source.files()[TASKS]
    assert ticked == before.replace(b"- [ ] T001", b"- [x] T001").replace(b"- [ ] T002", b"- [x] T002").replace(
        b"- [ ] T003", b"- [x] T003"
    )
    assert world.vcs.is_ancestor(REPOSITORY, start, outputs["commit"])
    assert world.vcs.history(REPOSITORY, outputs["commit"], start, files="tasks.md", limit=1)[0].trailers[
        "run-id"
    ] == str(world.run_id)
    assert outputs["summary"].startswith("spec-42-refresh-docs: Phase 1: Setup")
    assert {item["path"] for item in outputs["files"]} >= {"refresh_docs/__init__.py", "pyproject.toml"}
    assert report(world)["verification"] == "no test was run: the operator runs no tests (MOONMIND_VERIFICATION=off)"


def test_the_same_work_gives_the_same_commit_again(world: World) -> None:
    world.drive(Stage.SUBMIT)
    assert applied(world)["commit"] == applied(world)["commit"]


def test_another_machine_makes_the_same_commit_from_the_stored_patch(world: World) -> None:
    def edit(folder: Path) -> None:
        (folder / "pyproject.toml").write_text("[project]\n")
        (folder / "data.bin").write_bytes(bytes(range(256)))

    with_work(world, edit)
    here = applied(world)
    world.on_host("two")
    assert applied(world)["commit"] == here["commit"]


def test_work_of_which_every_trace_is_lost_is_done_again(world: World) -> None:
    world.drive(Stage.SUBMIT)
    world.on_host("two")
    shutil.rmtree(world.folder / "artifacts")
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Redo)
    assert outcome.stage is Stage.SUBMIT
    assert "lost" in outcome.note


def test_after_a_loss_the_agents_own_conversation_goes_on(world: World) -> None:
    submitted = world.drive(Stage.SUBMIT)
    assert isinstance(submitted, Done)
    for lost in ("mirrors", "workspaces"):  # the agent's home stays
        shutil.rmtree(world.vcs_options.state_folder / lost)
    shutil.rmtree(world.folder / "artifacts")
    assert isinstance(world.step(Stage.APPLY), Redo)
    again = world.drive(Stage.SUBMIT)
    assert isinstance(again, Done), again
    assert again.result["jobKey"].endswith("submit-2")
    assert again.result["codexTaskId"] == submitted.result["codexTaskId"]
    assert isinstance(world.step(Stage.APPLY), Done)


def test_boxes_that_the_agent_ticked_are_claims_and_nothing_else(world: World) -> None:
    def edit(folder: Path) -> None:
        tasks = folder / TASKS
        tasks.write_bytes(tasks.read_bytes().replace(b"[ ]", b"[x]") + b"\n- [x] T099 Smuggled in\n")
        (folder / "pyproject.toml").write_text("[project]\n")

    with_work(world, edit)
    outputs = applied(world)
    assert outputs["ticked"] == ["T003"]
    verdicts = {item["id"]: item["verdict"] for item in outputs["verdicts"]}
    assert verdicts == {"T001": "contradicted", "T002": "contradicted", "T003": "changed"}
    written = world.vcs.read(REPOSITORY, outputs["commit"], TASKS) or b""
    assert written == source.files()[TASKS].replace(b"- [ ] T003", b"- [x] T003")
    assert TASKS not in {item["path"] for item in outputs["files"]}


@pytest.mark.parametrize("removed", [True, False])
@pytest.mark.in_every_run(1)
def test_a_tasks_file_that_the_agent_ruined_comes_back(world: World, removed: bool) -> None:
    def edit(folder: Path) -> None:
        if removed:
            (folder / TASKS).unlink()
        else:
            (folder / TASKS).write_bytes(b"\xff" * 5_000_000)
        (folder / "pyproject.toml").write_text("x\n")

    with_work(world, edit)
    assert applied(world)["ticked"] == ["T003"]


def test_a_claim_is_all_there_is_of_a_task_that_names_nothing(tmp_path: Path) -> None:
    text = "# Tasks: X\n\n## Phase 1: Setup\n\n- [ ] T001 Think it over\n- [ ] T002 Decide on a name\n"
    world = World(tmp_path, files={f"{FOLDER}/tasks.md": text})
    world.step(Stage.DISCOVER)
    with_work(world, lambda folder: (folder / "notes.md").write_text("x"), "T001")
    outputs = applied(world)
    assert [(item["id"], item["verdict"]) for item in outputs["verdicts"]] == [
        ("T001", "claimed"),
        ("T002", "open"),
    ]
    assert "T001 claimed: the agent says it is done" in outputs["message"]


def test_ticks_alone_are_no_change(world: World) -> None:
    with_work(world, lambda folder: (folder / TASKS).write_text("- [x] T001 a\n"))
    error = refused(world, "no_progress").error
    assert "T001: " in error.message
    assert "tests/test_setup.py" in error.message
    assert "kept in the artifact patches/agent-1.diff" in error.message


@pytest.mark.parametrize(
    "work",
    [
        {"tests/test_setup.py": "# TODO\n", "pyproject.toml": "\n"},
        {"specs/notes.md": "What I would do\n", f"{FOLDER}/plan.md": "Another plan\n", ".specify/x.md": "x\n"},
        {"app.py": "def run():\n    raise NotImplementedError\n", "a.js": "// later\n"},
    ],
)
@pytest.mark.in_every_run(1)
def test_a_run_that_ticks_nothing_and_changes_nothing_of_value_publishes_nothing(
    world: World, work: dict[str, str]
) -> None:
    def edit(folder: Path) -> None:
        for name, content in work.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)

    with_work(world, edit)
    outcome = refused(world, "no_progress")
    assert [one["id"] for one in outcome.error.details["tasks"]] == ["T001", "T002", "T003"]
    assert "tick its box" in outcome.error.remediation
    assert "on the branch main" in outcome.error.remediation
    assert world.artifacts.of("codex_patch"), "the work is kept"
    assert [item["verdict"] for item in report(world)["verdicts"]].count("open") == 3
    assert (world.tip(), world.pulls()) == (None, ())


@pytest.mark.parametrize("name", ["lib/real.py", "README.md", "deep/er/x.go"])
@pytest.mark.in_every_run(1)
def test_a_run_that_ticks_nothing_and_changes_something_of_value_publishes_it_and_fails(
    world: World, name: str
) -> None:
    def edit(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("value = 1\n")

    with_work(world, edit)
    assert applied(world)["ticked"] == []
    assert isinstance(world.step(Stage.PUBLISH), Done)
    outcome = world.step(Stage.FINALIZE)
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "no_progress"
    assert f"on the branch {BRANCH}, in its pull request" in outcome.error.message
    assert f"tick its box in {TASKS} on the branch {BRANCH}" in outcome.error.remediation
    assert "start another run with notes" in outcome.error.remediation
    assert "retry with restart_from_discovery" in outcome.error.remediation
    assert outcome.error.details["retry"] == "never", "it would only say the same again"
    (pull,) = world.pulls()
    assert "No box was ticked" in pull.body
    assert json.loads(world.artifacts.read("finalize/summary.json"))["ticked"] == []
    assert world.vcs.find_workspace(REPOSITORY, world.run_id) is None


def test_notes_at_a_retry_send_work_without_progress_back_to_the_agent(world: World) -> None:
    with_work(world, lambda folder: (folder / "a.py").write_text("pass\n"))
    details = refused(world, "no_progress").error.details
    assert (details["retry"], details["version"], details["patch"]) == (
        "with_notes",
        __version__,
        "patches/agent-1.diff",
    )
    world.notes = "Write the package, not a stub."
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Redo)
    assert "T001: " in outcome.note


def test_what_the_agent_says_of_each_task_and_decided_is_recorded_and_published(world: World) -> None:
    said = (
        "## Decisions\n- used zlib, since lzma is missing; see @octocat and https://evil.example/#1 <img src=x>\n\n"
        "T001: done - wrote `refresh_docs/__init__.py`\n"
        "T002: not done - there is no staging server here; needs STAGING_URL, ask @octocat\n"
        "T003: not done - no time\n"
    )
    world.plays(
        {"write": "refresh_docs/__init__.py", "content": "VERSION = 1\n"}, {"end": "completed", "message": said}
    )
    world.drive(Stage.SUBMIT)
    outputs = applied(world)
    assert outputs["verdicts"][1]["said"].startswith("there is no staging server here; needs STAGING_URL")
    assert outputs["decisions"][0].startswith("used zlib, since lzma is missing")
    shown = apply.summary(outputs)
    assert shown["reasons"]["T002"].startswith("the agent says it is not done. there is no staging server here")
    assert isinstance(world.step(Stage.PUBLISH), Done)
    (pull,) = world.pulls()
    assert "used zlib, since lzma is missing" in pull.body
    assert "there is no staging server here; needs STAGING\\_URL" in pull.body
    assert "wrote `refresh_docs/__init__.py`" in pull.body
    for forbidden in ("@octocat", "https://evil", "<img", "#1"):
        assert forbidden not in pull.body


@pytest.mark.parametrize(
    ("tests", "told"),
    [
        (None, None),
        (Verification(not_run="no command was found"), {"notRun": "no command was found"}),
        (
            Verification(
                (
                    VerifiedCommand("pytest", "failed", passed=14, failed=2, broke=("a", "b")),
                    VerifiedCommand("npm test", "passed", passed=3),
                ),
                draft="2 tests fail",
            ),
            {"outcomes": {"failed": 1, "passed": 1}, "passed": 17, "failed": 2, "broke": 2, "draft": "2 tests fail"},
        ),
        (Verification((VerifiedCommand("make", "passed"),)), {"outcomes": {"passed": 1}}),
    ],
)
def test_the_stage_says_in_numbers_what_its_tests_said(tests: Verification | None, told: dict[str, Any] | None) -> None:
    outputs = an_apply_result(tests=tests).stored()
    assert apply.summary(outputs).get("tests") == told


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda folder: (folder / "link").symlink_to("/etc/passwd"), "link"),
        (lambda folder: (folder / "link").symlink_to("../../outside"), "link"),
        (lambda folder: (folder / ".gitmodules").write_text("[submodule]\n"), "gitmodules"),
        (lambda folder: (folder / "two\nlines").write_text("x"), "path"),
        (lambda folder: (folder / "README.md").write_bytes(b"\0" * (11 * 1024 * 1024)), "size"),
    ],
)
def test_a_change_that_breaks_the_policy_is_refused_with_path_and_rule(
    world: World, make: Callable[[Path], object], rule: str
) -> None:
    with_work(world, make)
    outcome = refused(world, "patch_refused")
    assert [finding["rule"] for finding in outcome.error.details["findings"]] == [rule]
    assert [finding["rule"] for finding in report(world)["policy"]] == [rule]
    assert world.artifacts.of("codex_patch"), "the patch is kept for people to look at"


def test_a_folder_in_the_place_of_tasks_md_is_refused(world: World) -> None:
    def edit(folder: Path) -> None:
        (folder / TASKS).unlink()
        (folder / TASKS).mkdir()
        (folder / TASKS / "x").write_text("x")

    with_work(world, edit)
    assert "tasks_file" in {item["rule"] for item in refused(world, "patch_refused").error.details["findings"]}


@pytest.mark.parametrize(
    "edit",
    [
        lambda folder: (folder / "a.py").write_text(f"token = '{SECRET}'\n"),
        lambda folder: (folder / "a.bin").write_bytes(b"\0\1" + SECRET.encode() + b"\0"),
        lambda folder: (folder / SECRET).write_text("x"),
        lambda folder: (folder / "link").symlink_to(SECRET),
    ],
)
@pytest.mark.in_every_run(2)
def test_a_known_secret_stops_the_run_and_is_stored_nowhere(world: World, edit: Callable[[Path], object]) -> None:
    with_work(world, edit)
    outcome = refused(world, "secret_found")
    assert SECRET not in str(outcome)
    for path in world.artifacts.rows:
        assert SECRET.encode() not in world.artifacts.read(path)


def test_what_runs_by_itself_is_pointed_out_to_the_reviewer(world: World) -> None:
    def edit(folder: Path) -> None:
        (folder / ".husky").mkdir()
        (folder / ".husky/pre-commit").write_text("make\n")

    with_work(world, edit)
    assert applied(world)["warnings"][0].startswith(".husky/pre-commit: it changes what runs on developers' machines")


def test_nothing_reaches_the_forge_before_publish(world: World) -> None:
    world.drive(Stage.SUBMIT)
    applied(world)
    assert world.tip(BRANCH) is None
    assert len(log_of(world.bare, "refs/heads/main")) == 1


def traces(world: World) -> list[str]:
    """Name what is left of the agent's work: its folder, its home, its pinned commit, objects that hold the secret."""
    state = world.vcs_options.state_folder
    (mirror,) = (state / "mirrors").glob("*.git")
    names = git(mirror, "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").decode().split()
    held = [name for name in names if SECRET.encode() in git(mirror, "cat-file", "-p", name)]
    left = [str(path) for path in (state / "jobs", state / "homes") if path.is_dir() and any(path.iterdir())]
    pinned = world.vcs.wip(REPOSITORY, world.run_id)
    workspace = world.vcs.find_workspace(REPOSITORY, world.run_id)
    return [*held, *left, *([pinned] if pinned else []), *([str(workspace)] if workspace else [])]


def test_what_holds_a_secret_is_thrown_away_and_stays_refused(world: World) -> None:
    with_work(world, lambda folder: (folder / "a.py").write_text(f"token = '{SECRET}'\n"))
    assert traces(world)
    first = refused(world, "secret_found")
    assert traces(world) == []
    # As a worker finds it that claims the stage again because the refusal could not be recorded.
    again = refused(world, "secret_found")
    assert again.error.message == first.error.message
    assert again.error.details == first.error.details


def test_other_runs_keep_what_they_share_with_the_one_that_is_erased(world: World) -> None:
    shared = "the same words in two runs\n"
    with_work(world, lambda folder: (folder / "b.py").write_text(shared))
    kept = str(world.results[Stage.SUBMIT]["wip"])
    (mirror,) = (world.vcs_options.state_folder / "mirrors").glob("*.git")
    git(mirror, "update-ref", "refs/moonmind/runs/another/wip", kept)
    world.vcs.erase(REPOSITORY, world.run_id)
    assert world.vcs.wip(REPOSITORY, world.run_id) is None
    assert world.vcs.read(REPOSITORY, kept, "b.py") == shared.encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", f"token = '{SECRET}'\n".encode()),
        ("a.py", f"token = '{SECRET[:9]}' +\n    '{SECRET[9:]}'\n".encode()),
        ("a.txt", SECRET.encode().hex().encode()),
        ("a.bin", b"\0\1" + SECRET.encode() + b"\0"),
        ("wide.txt", SECRET.encode("utf-16")),
    ],
)
def test_the_work_beside_a_known_secret_is_kept_with_the_value_masked(world: World, name: str, content: bytes) -> None:
    def edit(folder: Path) -> None:
        (folder / name).write_bytes(content)
        (folder / "other.py").write_text("paid = 'for'\n")

    with_work(world, edit)
    refused(world, "secret_found")
    (path,) = world.artifacts.of("codex_patch")
    patch = world.artifacts.read(path)
    assert b"+paid = 'for'" in patch
    assert not world.redactor.holds_known(patch)
    restored = world.vcs.restore(REPOSITORY, world.run_id, world.results[Stage.DISCOVER]["startingCommit"], patch)
    kept = world.vcs.read(REPOSITORY, restored, name)
    assert kept is not None
    assert b"[redacted]" in kept
