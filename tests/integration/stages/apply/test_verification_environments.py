"""The tests of a change are run in what the agent worked in, also where that was removed since."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from moonmind.adapters.verification.test_jobs import SupervisedTestJobs, TestJobOptions
from moonmind.engine.stage_context import StageContext
from moonmind.ports.agent import JobState
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask, Done, Failed, Outcome, Suspend, WaitingReason
from moonmind.settings import ambient_environment
from moonmind.stages.kit.stage_results import ApplyResult, SubmitResult
from tests.support.environment_world import EnvironmentWorld, believed
from tests.support.git_repos import commit_to
from tests.support.plain_wall import require_walls
from tests.support.stage_world import INSTALLATION
from tests.support.waiting import until

TOOL = "mkdir -p .venv/bin; printf '#!/bin/sh\\necho made by tool' > .venv/bin/tool; chmod +x .venv/bin/tool; touch .venv/pyvenv.cfg"
RECIPE = f"""environment:
  setup:
    - |
      {TOOL}
    - echo home > $HOME/of-build
  start:
    - echo started > $HOME/service
verify:
  - run: tool && cat $HOME/of-build $HOME/service
"""


class TestedInEnvironment(EnvironmentWorld):
    __test__ = False

    def on_host(self, name: str) -> None:
        super().on_host(name)
        state = self.folder / f"host-{name}"
        options = TestJobOptions(state, INSTALLATION, ambient_environment())
        self.tests = SupervisedTestJobs(options, self.built, believed(state))

    def context(self, stage: Stage) -> StageContext:
        return replace(super().context(stage), test_jobs=self.tests, test_seconds=60.0)

    def verified(self) -> Outcome:
        outcome = self.step(Stage.APPLY)
        while isinstance(outcome, Suspend):
            assert outcome.reason is WaitingReason.VERIFICATION
            until(partial(self.is_over, str((outcome.checkpoint or {})["jobKey"])), "the end of the job")
            outcome = self.step(Stage.APPLY)
        return outcome

    def is_over(self, job: str) -> bool:
        return self.agent.poll(job).state is not JobState.RUNNING


@pytest.fixture
def world(tmp_path: Path) -> Iterator[TestedInEnvironment]:
    require_walls()
    made = TestedInEnvironment(tmp_path, RECIPE)
    made.plays(
        {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
        {"claim": ["T002"]},
        {"end": "completed", "message": "T002: done"},
    )
    assert isinstance(made.step(Stage.DISCOVER), Done)
    assert isinstance(made.drive(Stage.SUBMIT), Done)
    yield made
    made.tests.stop(made.run_id)
    made.agent.forget(str(made.run_id))
    made.builds.stop_all()


def passes(world: TestedInEnvironment) -> None:
    done = world.verified()
    assert isinstance(done, Done), done
    result = ApplyResult.read(done.result)
    assert result.tests is not None
    (command,) = result.tests.commands
    assert command.outcome == "passed", command
    assert result.tests.sandbox == "bubblewrap"


def test_tests_run_in_the_environment_with_its_services(world: TestedInEnvironment) -> None:
    passes(world)


def test_an_environment_that_was_removed_is_built_again_for_the_tests(world: TestedInEnvironment) -> None:
    (use,) = SubmitResult.read(world.results[Stage.SUBMIT]).environments
    assert world.builds.remove(use.key)
    first = world.step(Stage.APPLY)
    assert isinstance(first, Suspend)
    assert str((first.checkpoint or {})["jobKey"]).startswith(f"env/{use.key}-")
    passes(world)


def remove_environment(world: TestedInEnvironment) -> None:
    (use,) = SubmitResult.read(world.results[Stage.SUBMIT]).environments
    assert world.builds.remove(use.key)


def next_build_fails(world: TestedInEnvironment, message: str, *, by_sandbox: bool) -> str:
    """Let the environment's next build fail; return its job."""
    (use,) = SubmitResult.read(world.results[Stage.SUBMIT]).environments
    first = world.step(Stage.APPLY)
    assert isinstance(first, Suspend)
    assert first.reason is WaitingReason.VERIFICATION
    job = str((first.checkpoint or {})["jobKey"])
    until(partial(world.is_over, job), "the end of the build")
    world.built.fail(use.key, message, job, datetime(2026, 1, 1, tzinfo=UTC), by_sandbox=by_sandbox)
    return job


def failing_to_build(world: TestedInEnvironment) -> str:
    """Let the environment be removed, and not be built again; return what a person is asked."""
    remove_environment(world)
    next_build_fails(world, "no network", by_sandbox=False)
    asked = world.verified()
    assert isinstance(asked, Ask)
    return asked.text


@pytest.mark.parametrize("corrected", [None, pytest.param("setup", marks=pytest.mark.full), "start"])
def test_without_what_the_tests_need_nothing_is_run_and_a_person_is_asked(
    world: TestedInEnvironment, corrected: str | None
) -> None:
    why = "what the tests need was removed, and could not be set up again: no network"
    assert f"\n- {why}\n" in failing_to_build(world)
    world.approves(corrected is None)
    ended = world.verified()
    if corrected is None:
        assert isinstance(ended, Done)
        result = ApplyResult.read(ended.result)
        assert result.tests is not None
        assert result.tests.not_run == why
        return
    assert isinstance(ended, Failed)
    world.attention = None
    if corrected == "start":
        text = RECIPE.replace("echo started", "echo begun").replace("cat $HOME/service", "grep begun $HOME/service")
        commit_to(world.bare, "main", {".moonmind.yml": text}, "Correct what is started")
    passes(world)


@pytest.mark.parametrize("second", ["goes well", "fails, too"])
def test_a_set_up_that_the_sandbox_ended_under_is_begun_once_more_before_anybody_is_asked(
    world: TestedInEnvironment, second: str
) -> None:
    remove_environment(world)
    job = next_build_fails(world, "the engine went away", by_sandbox=True)
    waiting = world.step(Stage.APPLY)
    assert isinstance(waiting, Suspend)
    assert waiting.reason is WaitingReason.BACKOFF
    if second == "goes well":
        passes(world)
        return
    assert next_build_fails(world, "the engine went away again", by_sandbox=True) != job
    asked = world.verified()
    assert isinstance(asked, Ask)
    assert "could not be set up again: the engine went away again\n" in asked.text


@pytest.mark.full
def test_a_retry_sets_up_what_the_recipe_asks_for_by_then(world: TestedInEnvironment) -> None:
    submitted = SubmitResult.read(world.results[Stage.SUBMIT])
    world.results[Stage.SUBMIT] = submitted.model_copy(update={"environments": ()}).stored()
    asked = world.verified()
    assert isinstance(asked, Ask), "as where there was no environment when the agent worked"
    world.approves(False)
    assert isinstance(world.verified(), Failed)
    world.attention = None
    passes(world)
