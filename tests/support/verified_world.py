"""A stage's world in which the tests of a small project are run for real, without a wall."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.verification.test_jobs import SupervisedTestJobs, TestJobOptions
from moonmind.engine.stage_context import StageContext
from moonmind.ports.agent import JobState
from moonmind.ports.sandbox import SandboxKind
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask, Done, Outcome, Suspend, WaitingReason
from moonmind.settings import ambient_environment
from moonmind.stages.kit.stage_results import ApplyResult, Judgement, Verification
from tests.support.stage_world import INSTALLATION, KEY, World
from tests.support.waiting import until
from tests.support.walled_agents import Believed

SPEC = f"specs/{KEY}"
RECIPE = "environment: {}\nverify:\n  - run: python3 -m pytest -q -p no:cacheprovider\n"
TASKS = """# Tasks: Cart

## Phase 1: Totals

- [ ] T001 Test the total of a cart in tests/test_total.py
- [ ] T002 Add up the prices of a cart in shop/total.py
"""
TOTAL = "def total(prices):\n    return sum(prices)\n"
A_TEST = "from shop.total import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n"


def project(tasks: str = TASKS, recipe: str | None = RECIPE, **files: str) -> dict[str, bytes | str]:
    """Return a project with one feature, one module and one test that passes."""
    found: dict[str, bytes | str] = {
        f"{SPEC}/spec.md": "# Feature Specification: Cart\n",
        f"{SPEC}/plan.md": "# Plan\n",
        f"{SPEC}/tasks.md": tasks,
        "shop/__init__.py": "",
        "shop/names.py": "def upper(name):\n    return name.upper()\n",
        "tests/__init__.py": "",
        "tests/test_names.py": "from shop.names import upper\n\n\ndef test_upper():\n    assert upper('a') == 'A'\n",
        **{path.replace("__", "/", 1) if "/" not in path else path: text for path, text in files.items()},
    }
    return found if recipe is None else {**found, ".moonmind.yml": recipe}


class VerifiedWorld(World):
    """Its agent plays steps; its tests are those of `files`."""

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, bytes | str] | None = None,
        *,
        number: int = 1,
        job_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.rounds_left = True
        self.job_options = dict(job_options or {})
        super().__init__(folder, files=project() if files is None else files, number=number)

    def on_host(self, name: str) -> None:
        super().on_host(name)
        state = self.folder / f"host-{name}"
        options = SandboxOptions(state, INSTALLATION, "here", environment=ambient_environment())
        sandbox = SandboxChoice("none", {SandboxKind.BUBBLEWRAP: Believed(options)}, NoPin())
        self.tests = SupervisedTestJobs(
            TestJobOptions(state, INSTALLATION, ambient_environment(), unwalled=True, **self.job_options),
            EnvironmentStore(state / "environments", 1 << 30),
            sandbox,
        )

    def context(self, stage: Stage) -> StageContext:
        made = super().context(stage)
        return replace(made, test_jobs=self.tests, test_seconds=120.0, may_send_back=self.rounds_left)

    def works(self, files: Mapping[str, str | None], *, claim: tuple[str, ...] = ("T001", "T002")) -> None:
        """Let the agent write these files, None for one that it deletes, and claim tasks."""
        steps: list[dict[str, Any]] = [
            {"delete": path} if content is None else {"write": path, "content": content}
            for path, content in files.items()
        ]
        self.plays(*steps, {"claim": list(claim)}, {"end": "completed", "message": "Done."})

    def verified(self) -> Outcome:
        """Claim apply until it no longer waits for tests."""
        outcome = self.step(Stage.APPLY)
        while isinstance(outcome, Suspend):
            assert outcome.reason is WaitingReason.VERIFICATION
            until(partial(self._is_over, str((outcome.checkpoint or {})["jobKey"])), "the end of the tests")
            outcome = self.step(Stage.APPLY)
        return outcome

    def _is_over(self, job: str) -> bool:
        return self.tests.state(job) is not JobState.RUNNING

    def judged(
        self, files: Mapping[str, str | None], *, claim: tuple[str, ...] = ("T001", "T002"), approved: bool = False
    ) -> "Judged":
        """Return what becomes of a change; `approved`: a person is asked first, and approves of it."""
        self.works(files, claim=claim)
        assert isinstance(self.step(Stage.DISCOVER), Done)
        done = self.drive(Stage.SUBMIT)
        assert isinstance(done, Done), done
        outcome = self.verified()
        if approved:
            assert isinstance(outcome, Ask), outcome
            self.approves(True)
            outcome = self.verified()
        assert isinstance(outcome, Done), outcome
        return Judged(ApplyResult.read(outcome.result))


class Judged:
    """What apply recorded."""

    def __init__(self, result: ApplyResult) -> None:
        self.result = result
        self.by_id: dict[str, Judgement] = {one.id: one for one in result.verdicts}

    @property
    def tests(self) -> Verification:
        """Return what the tests showed."""
        assert self.result.tests is not None
        return self.result.tests

    @property
    def words(self) -> dict[str, str]:
        """Return the verdict on each task."""
        return {one.id: one.verdict.value for one in self.result.verdicts}
