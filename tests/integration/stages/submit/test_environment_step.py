"""What a repository's tests need is there before its agent works, and only once built."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from moonmind.adapters.environments.environment_builds import EnvironmentBuilds
from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.engine.environment_orders import RepositoryEnvironments
from moonmind.errors import ImageNotAllowed
from moonmind.ports.agent import JobState
from moonmind.ports.check import CheckStatus
from moonmind.ports.environments import EnvironmentOrder
from moonmind.ports.sandbox import SandboxKind
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Suspend, WaitingReason
from moonmind.sample import source
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import SubmitResult
from tests.support import git_repos
from tests.support.environment_world import EnvironmentWorld
from tests.support.plain_wall import require_walls
from tests.support.stage_parts import REPOSITORY, checkpoint_of
from tests.support.stage_world import TASKS, failed
from tests.support.waiting import until
from tests.unit.adapters.test_sandbox_choice import Wall

TOOL = "mkdir -p .venv/bin; printf '#!/bin/sh\\necho made >> %s' made-by-tool > .venv/bin/tool; chmod +x .venv/bin/tool; touch .venv/pyvenv.cfg"
RECIPE = f"environment:\n  setup:\n    - |\n      {TOOL}\n    - echo home > $HOME/of-build\n"
USES_IT = (
    {"exec": "tool && cat $HOME/of-build && cat made-by-tool"},
    {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
    {"claim": ["T001"]},
    {"end": "completed", "message": "T001: done - yes"},
)


@pytest.fixture(autouse=True)
def walls() -> None:
    require_walls()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[list[EnvironmentWorld]]:
    worlds: list[EnvironmentWorld] = []
    yield worlds
    for world in worlds:
        world.agent.forget(str(world.run_id))
        world.builds.stop_all()


def begin(made: list[EnvironmentWorld], folder: Path, recipe: str = RECIPE, **terms: object) -> EnvironmentWorld:
    world = EnvironmentWorld(folder, recipe, terms=terms, number=len(made) + 1)
    made.append(world)
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.plays(*USES_IT)
    return world


def test_an_agent_works_in_what_the_recipe_sets_up(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    world = begin(made, tmp_path)
    waiting = world.step(Stage.SUBMIT)
    assert isinstance(waiting, Suspend)
    assert waiting.reason is WaitingReason.ENVIRONMENT
    assert checkpoint_of(waiting)["jobKey"].startswith("env/")
    assert "stays here" in world.services.audits
    assert world.services.audits.count("audited") == 0, "no credential is probed before there is an agent to start"
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    (used,) = done.result["environments"]
    assert (used["root"], used["setup"][1], used["problem"]) == (".", "echo home > $HOME/of-build", "")
    changed = {change.path for change in world.vcs.changes(REPOSITORY, str(world.tip("main")), done.result["wip"])}
    assert changed == {"refresh_docs/__init__.py", "made-by-tool"}, "what was lent is nobody's change"
    prompt = world.artifacts.read("codex/prompt-1.md").decode()
    assert "echo home > $HOME/of-build" in prompt
    log = world.artifacts.read("environment/1-root.log").decode()
    assert "$ echo home" in log


@pytest.mark.parametrize("setup", ["", "  setup: mkdir -p $HOME/made\n"], ids=["image alone", "with a setup"])
def test_an_image_that_this_sandbox_does_not_use_is_said(
    made: list[EnvironmentWorld], tmp_path: Path, setup: str
) -> None:
    world = begin(made, tmp_path, f"environment:\n  image: evil:latest\n{setup}")
    world.plays(*USES_IT[1:])
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert (done.result["image"], done.result["sandbox"]) == ("evil:latest", "bubblewrap")
    assert len(done.result["environments"]) == bool(setup), "an image alone is nothing to build"


def refused(name: str) -> Wall:
    raise ImageNotAllowed(f"The image {name} is not allowed.")


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ("environment:\n  image: evil:latest\n  setup: make\n", "The image evil:latest is not allowed"),
        (
            "environment: [{image: 'one:1', setup: make}, {root: tests, image: 'two:2', setup: make}]\n",
            "2 environments of different images: one:1 (.), two:2 (tests)",
        ),
    ],
    ids=["nobody allowed", "several"],
)
def test_an_image_that_no_job_can_have_ends_the_run_before_an_agent(
    made: list[EnvironmentWorld], tmp_path: Path, recipe: str, words: str
) -> None:
    world = begin(made, tmp_path, recipe)
    docker = {SandboxKind.DOCKER: Wall(SandboxKind.DOCKER, CheckStatus.PASSED)}
    choice = SandboxChoice("docker", docker, NoPin(), of_image=refused)
    world.builds = EnvironmentBuilds(world.builds._options, world.built, choice)
    error = failed(world.step(Stage.SUBMIT)).error
    assert error.code == "image_not_allowed"
    assert words in error.message
    assert world.services.audits.count("audited") == 0


def test_what_was_built_is_used_again_and_no_run_sees_what_another_wrote(
    made: list[EnvironmentWorld], tmp_path: Path
) -> None:
    first = begin(made, tmp_path)
    first.plays({"exec": "echo mine > .venv/bin/tool; rm $HOME/of-build"}, *USES_IT[1:])
    assert isinstance(first.drive(Stage.SUBMIT), Done)
    second = begin(made, tmp_path)
    begun = second.step(Stage.SUBMIT)
    assert isinstance(begun, Suspend)
    assert begun.reason is WaitingReason.AGENT, "it waits for no build"
    done = second.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["environments"][0]["key"] == first.results[Stage.SUBMIT]["environments"][0]["key"]
    assert len(second.built.all()) == 1


def test_runs_that_need_the_same_share_one_build_and_its_failure(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    recipe = "environment:\n  setup: while [ ! -e go ]; do sleep 0.05; done; echo broken; exit 7\n"
    worlds = [begin(made, tmp_path, recipe) for _ in range(3)]
    waits = [world.step(Stage.SUBMIT) for world in worlds]
    jobs = {checkpoint_of(wait)["jobKey"] for wait in waits if isinstance(wait, Suspend)}
    assert len(jobs) == 1
    (building,) = (tmp_path / "host-one/environments").glob("*.building")
    (building / "workspace/go").touch()
    errors = [failed(world.built_and_started()).error for world in worlds]
    assert {error.code for error in errors} == {"environment_failed"}
    assert "broken" in errors[0].message
    # A person's retry builds anew.
    again = worlds[0].step(Stage.SUBMIT)
    assert isinstance(again, Suspend)
    assert checkpoint_of(again)["jobKey"] not in jobs


@pytest.mark.parametrize(
    "setup",
    ["exit 1", "kill -9 $$", "this-is-no-command", "false | true; false"],
    ids=["exit", "killed", "unknown", "pipe"],
)
@pytest.mark.in_every_run(2)
def test_a_setup_that_fails_ends_the_run_with_its_last_lines(
    made: list[EnvironmentWorld], tmp_path: Path, setup: str
) -> None:
    world = begin(made, tmp_path, f"environment:\n  setup:\n    - echo before\n    - '{setup}'\n    - echo never\n")
    error = failed(world.built_and_started()).error
    assert error.code == "environment_failed"
    log = world.artifacts.read("environment/1-root.log").decode()
    assert "before" in log
    assert "\nnever" not in log
    assert world.agent.poll(f"{world.run_id}/submit-1").state is JobState.ABSENT


def test_what_build_files_only_suggest_is_done_without_if_it_fails(
    made: list[EnvironmentWorld], tmp_path: Path
) -> None:
    world = EnvironmentWorld(tmp_path, "", number=1)
    made.append(world)
    git_repos.commit_to(world.bare, "main", {"package.json": '{"name": "x"}', "bun.lock": "{}"}, "Node")
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.plays(*USES_IT[1:])
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    (used,) = done.result["environments"]
    assert used["setup"] == ["bun install --frozen-lockfile"]
    assert used["key"] == ""
    assert used["problem"]
    assert "these commands failed" in world.artifacts.read("codex/prompt-1.md").decode()
    # It would only fail again.
    other = EnvironmentWorld(tmp_path, "", number=2)
    made.append(other)
    assert isinstance(other.step(Stage.DISCOVER), Done)
    other.plays(*USES_IT[1:])
    begun = other.step(Stage.SUBMIT)
    assert isinstance(begun, Suspend)
    assert begun.reason is WaitingReason.AGENT


def test_a_build_whose_sandbox_ends_is_tried_again(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    world = begin(made, tmp_path, "environment:\n  setup: echo begun; while [ ! -e go ]; do sleep 0.05; done\n")
    begun = world.step(Stage.SUBMIT)
    assert isinstance(begun, Suspend)
    job = checkpoint_of(begun)["jobKey"]
    agent_pid = world.agent.poll(job).agent_pid
    assert agent_pid is not None
    until(lambda: any("begun" in log.read_text() for log in tmp_path.rglob("build.log")), "the setup")
    os.kill(agent_pid, signal.SIGKILL)
    ended = failed(world.built_and_started())
    assert (ended.error.code, ended.transient) == ("sandbox_unavailable", True)
    assert "begun" in world.artifacts.read("environment/1-root.log").decode()
    world.numbers[Stage.SUBMIT] += 1
    again = world.step(Stage.SUBMIT)
    assert isinstance(again, Suspend)
    assert again.reason is WaitingReason.ENVIRONMENT
    assert checkpoint_of(again)["jobKey"] not in {job, ""}
    (building,) = tmp_path.rglob("*.building")
    (building / "workspace/go").touch()


@pytest.mark.full
def test_what_was_only_suggested_is_tried_again_if_its_sandbox_had_ended(
    made: list[EnvironmentWorld], tmp_path: Path
) -> None:
    world = EnvironmentWorld(tmp_path, "", number=1)
    made.append(world)
    git_repos.commit_to(world.bare, "main", {"package.json": '{"name": "x"}', "bun.lock": "{}"}, "Node")
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.plays(*USES_IT[1:])
    begun = world.step(Stage.SUBMIT)
    assert isinstance(begun, Suspend)
    job = checkpoint_of(begun)["jobKey"]
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    key = job.partition("/")[2].rpartition("-")[0]
    world.built.fail(key, "the sandbox ended", job, datetime.now(UTC), by_sandbox=True)
    other = EnvironmentWorld(tmp_path, "", number=2)
    made.append(other)
    assert isinstance(other.step(Stage.DISCOVER), Done)
    again = other.step(Stage.SUBMIT)
    assert isinstance(again, Suspend)
    assert again.reason is WaitingReason.ENVIRONMENT


def test_only_what_a_repository_asks_for_is_set_up_where_the_operator_wants_that(
    made: list[EnvironmentWorld], tmp_path: Path
) -> None:
    world = EnvironmentWorld(tmp_path, "", number=1)
    made.append(world)
    git_repos.commit_to(world.bare, "main", {"package.json": '{"name": "x"}', "bun.lock": "{}"}, "Node")
    world.only_declared = True
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.plays(*USES_IT[1:])
    begun = world.step(Stage.SUBMIT)
    assert isinstance(begun, Suspend)
    assert begun.reason is WaitingReason.AGENT


def test_a_recipe_that_cannot_be_read_ends_the_run_by_line(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    world = begin(made, tmp_path, "environment:\n  setpu: x\n")
    error = failed(world.step(Stage.SUBMIT)).error
    assert error.code == "recipe_unreadable"
    assert "line 2" in error.message


def test_services_run_beside_the_agent_and_end_with_it(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    serve = "python3 -m http.server 8123 --bind 127.0.0.1 & for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2; done"
    world = begin(made, tmp_path, f"environment:\n  start: '{serve}'\n")
    world.plays(
        {"exec": "python3 -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:8123\")' && touch served"},
        *USES_IT[1:],
    )
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert "served" in {c.path for c in world.vcs.changes(REPOSITORY, str(world.tip("main")), done.result["wip"])}


def test_other_services_need_no_new_build(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    recipe = "environment:\n  setup: echo built > $HOME/of-build\n  start: echo first > started\n"
    first = begin(made, tmp_path, recipe)
    first.plays({"exec": "cat started"}, *USES_IT[1:])
    assert isinstance(first.drive(Stage.SUBMIT), Done)
    git_repos.commit_to(first.bare, "main", {".moonmind.yml": recipe.replace("first", "second")}, "Other services")
    second = EnvironmentWorld(tmp_path, recipe, number=2)
    made.append(second)
    assert isinstance(second.step(Stage.DISCOVER), Done)
    second.plays({"exec": 'test "$(cat started)" = second'}, *USES_IT[1:])
    done = second.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    (used,) = done.result["environments"]
    assert (used["key"], used["start"]) == (
        first.results[Stage.SUBMIT]["environments"][0]["key"],
        ["echo second > started"],
    )


def test_a_service_that_does_not_start_is_named(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    world = begin(made, tmp_path, "environment:\n  start: 'echo no database here, connection refused >&2; exit 3'\n")
    error = failed(world.drive(Stage.SUBMIT)).error
    assert error.code == "environment_failed"
    assert "no database here" in error.message
    assert "start" in error.message


def test_a_run_waits_for_a_build_of_another_where_no_more_may_run(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    go = tmp_path / "go"
    first = begin(made, tmp_path / "a", "environment:\n  setup: while [ ! -e go ]; do sleep 0.05; done\n", most_jobs=1)
    waits = first.step(Stage.SUBMIT)
    assert isinstance(waits, Suspend)
    assert not go.exists()
    git_repos.commit_to(first.bare, "main", {".moonmind.yml": RECIPE}, "Another")
    second = EnvironmentWorld(tmp_path / "a", RECIPE, terms={"most_jobs": 1}, number=7)
    made.append(second)
    assert isinstance(second.step(Stage.DISCOVER), Done)
    second.plays(*USES_IT)
    behind = second.step(Stage.SUBMIT)
    assert isinstance(behind, Suspend)
    assert behind.reason is WaitingReason.ENVIRONMENT
    assert checkpoint_of(behind)["jobKey"] == checkpoint_of(waits)["jobKey"]
    (building,) = (tmp_path / "a/host-one/environments").glob("*.building")
    (building / "workspace/go").touch()
    until(lambda: first.agent.poll(checkpoint_of(waits)["jobKey"]).state is not JobState.RUNNING, "the first build")
    done = second.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done


REQUIRES = "while read -r name; do mkdir -p .venv/bin; printf '#!/bin/sh\\necho run\\n' > .venv/bin/$name; chmod +x .venv/bin/$name; done < needs.txt; touch .venv/pyvenv.cfg"
NEEDS = f'environment:\n  setup: "{REQUIRES}"\n  key_files: [needs.txt]\n'


def needing(made: list[EnvironmentWorld], folder: Path, needs: str) -> EnvironmentWorld:
    world = EnvironmentWorld(folder, NEEDS.replace("\\n", "\\\\n"), number=len(made) + 1)
    made.append(world)
    git_repos.commit_to(world.bare, "main", {"needs.txt": needs}, "Needs")
    assert isinstance(world.step(Stage.DISCOVER), Done)
    return world


def test_a_change_of_key_files_is_set_up_for_its_run_alone_and_the_agent_goes_on(
    made: list[EnvironmentWorld], tmp_path: Path
) -> None:
    world = needing(made, tmp_path, "first\n")
    world.plays(
        {"exec": "first && ! command -v second"},
        {"write": "needs.txt", "content": "first\nsecond\n"},
        {"end": "completed", "message": "T001: done - half"},
        then=({"exec": "second"}, *USES_IT[1:]),
    )
    assert isinstance(world.built_and_started(), Suspend)
    world.wait_for_agent()
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["jobKey"].endswith("submit-1.1")
    assert "T001: done - yes" in done.result["report"]
    assert "You had changed needs.txt" in world.artifacts.read("codex/prompt-1.1.md").decode()
    (own,) = [one for one in world.built.all() if one.build.run]
    assert own.build.run == str(world.run_id)
    changed = {change.path for change in world.vcs.changes(REPOSITORY, str(world.tip("main")), done.result["wip"])}
    assert changed == {"needs.txt", "refresh_docs/__init__.py"}


def test_a_change_that_cannot_be_set_up_is_told_to_the_agent_and_once_only(
    made: list[EnvironmentWorld], tmp_path: Path
) -> None:
    world = needing(made, tmp_path, "first\n")
    world.plays(
        {"write": "needs.txt", "content": "first\nno/such\n"},
        {"end": "completed", "message": "T001: done - half"},
        then=({"write": "needs.txt", "content": "first\nno/such/either\n"}, *USES_IT[1:]),
    )
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["jobKey"].endswith("submit-1.1")
    prompt = world.artifacts.read("codex/prompt-1.1.md").decode()
    assert "no/such" in prompt
    assert "failed" in prompt


def test_work_that_is_sent_back_goes_on_in_what_it_had_set_up(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    world = needing(made, tmp_path, "first\n")
    world.plays(
        {"write": "needs.txt", "content": "first\nsecond\n"},
        {"end": "completed", "message": "T001: done - half"},
        then=({"exec": "second"}, *USES_IT[1:]),
    )
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    world.checkpoints[Stage.SUBMIT] = dict(SubmitResult.read(done.result).resumed().stored())
    world.numbers[Stage.SUBMIT] += 1
    world.note = "look again"
    built = len(world.built.all())
    begun = world.step(Stage.SUBMIT)
    assert isinstance(begun, Suspend)
    assert begun.reason is WaitingReason.AGENT, "it is built already"
    again = world.drive(Stage.SUBMIT)
    assert isinstance(again, Done), again
    assert len(world.built.all()) == built
    assert again.result["jobKey"].endswith("submit-2")


def test_what_all_runs_share_is_built_from_merged_files_only(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    recipe = "environment:\n  setup: sh setup.sh > $HOME/of-build\n  key_files: [needs.txt]\n"
    world = EnvironmentWorld(tmp_path, recipe, number=1)
    made.append(world)
    git_repos.commit_to(world.bare, "main", {"setup.sh": "echo merged\n", "needs.txt": "a\n"}, "Setup")
    assert isinstance(world.step(Stage.DISCOVER), Done)
    plan = Plan.of(world.context(Stage.SUBMIT).results)
    assert plan is not None
    base = plan.starting_commit
    changed = git_repos.commit_to(world.bare, "moonmind/x", {"setup.sh": "echo evil\n", "needs.txt": "a\n"}, "Change")
    world.vcs.fetch(plan.repository)
    for commit, files, run in ((changed, "echo merged\n", ""), (base, "echo merged\n", "")):
        (order,) = repository_orders(world, commit, base)
        order.check_out(tmp_path / f"out-{commit}")
        assert (tmp_path / f"out-{commit}/setup.sh").read_text() == files
        assert order.run == run
    other = git_repos.commit_to(world.bare, "moonmind/x", {"needs.txt": "b\n"}, "Needs")
    world.vcs.fetch(plan.repository)
    (order,) = repository_orders(world, other, base)
    order.check_out(tmp_path / "own")
    assert (order.run, (tmp_path / "own/setup.sh").read_text()) == ("a-run", "echo evil\n")


def repository_orders(world: EnvironmentWorld, commit: str, base: str) -> list[EnvironmentOrder]:
    found = RepositoryEnvironments(world.vcs, REPOSITORY, commit, base)
    return found.orders(found.plan().environments, "a-run")


TWO = """environment:
  - root: a
    paths: [tests/**]
    setup: "grep -q ok needs.txt"
    key_files: [needs.txt]
  - root: b
    paths: [refresh_docs/**]
    setup: "grep -q ok needs.txt"
    key_files: [needs.txt]
"""


@pytest.mark.full
def test_builds_that_fail_one_after_the_other_are_not_built_in_turn(
    made: list[EnvironmentWorld], tmp_path: Path
) -> None:
    world = EnvironmentWorld(tmp_path, TWO, terms={"most_jobs": 1}, number=1)
    made.append(world)
    git_repos.commit_to(world.bare, "main", {"a/needs.txt": "ok\n", "b/needs.txt": "ok\n"}, "Needs")
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.plays(
        {"write": "a/needs.txt", "content": "no\n"},
        {"write": "b/needs.txt", "content": "no\n"},
        {"end": "completed", "message": "T001: done - half"},
        then=USES_IT[1:],
    )
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert {use["root"] for use in done.result["environments"] if use["problem"]} == {"a", "b"}


def test_an_agent_may_move_a_folder_that_the_recipe_names(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    world = EnvironmentWorld(
        tmp_path, "environment:\n  root: tests\n  setup: 'true'\n  key_files: ['*.txt']\n", number=1
    )
    made.append(world)
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.plays({"exec": "rm -r tests && mkdir checks && touch checks/one.py"}, *USES_IT[1:])
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done


def test_a_suggested_build_that_cannot_be_started_is_done_without(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    world = EnvironmentWorld(tmp_path, "", terms={"hosts": ("foo..bar",)}, number=1)
    made.append(world)
    git_repos.commit_to(world.bare, "main", {"package.json": '{"name": "x"}', "bun.lock": "{}"}, "Node")
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.plays(*USES_IT[1:])
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["environments"][0]["problem"]


def test_what_a_job_wrote_over_a_loan_goes_with_the_job(made: list[EnvironmentWorld], tmp_path: Path) -> None:
    world = begin(made, tmp_path)
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    homes = tmp_path / "host-one/homes"
    assert [path.name for path in homes.iterdir()] == [str(world.run_id)], "a build has no home"
    assert list((homes / str(world.run_id) / "walled/lent").iterdir()) == []


def test_a_file_that_a_task_names_is_taken_where_the_setup_made_its_folder(
    made: list[EnvironmentWorld], tmp_path: Path
) -> None:
    world = EnvironmentWorld(tmp_path, "environment:\n  setup: mkdir build && echo made > build/made\n")
    made.append(world)
    text = source.files()[TASKS].decode().replace("tests/test_setup.py", "build/named.txt")
    git_repos.commit_to(world.bare, "main", {TASKS: text, ".gitignore": "build/\n"}, "Name a hidden file")
    assert isinstance(world.step(Stage.DISCOVER), Done)
    world.plays({"write": "build/named.txt", "content": "named\n"}, *USES_IT[1:])
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    changed = {change.path for change in world.vcs.changes(REPOSITORY, str(world.tip("main")), done.result["wip"])}
    assert changed == {"build/named.txt", "refresh_docs/__init__.py"}
