"""A world in which a lie is told once and judged twice: what its tests did is kept."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from moonmind.adapters.verification import unittest_junit
from moonmind.adapters.verification.overlaid_files import put_over
from moonmind.adapters.verification.report_files import read_report_files
from moonmind.adapters.verification.test_jobs import NODE_REPORTER
from moonmind.engine.stage_context import StageContext
from moonmind.ports.agent import JobState
from moonmind.ports.verification import (
    NODE_REPORTER_VARIABLE,
    REPORTS_VARIABLE,
    UNITTEST_VARIABLE,
    TestJob,
    TestJobResult,
)
from moonmind.proof.verification.test_results import RunEnd
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.settings import ambient_environment
from moonmind.stages.kit.stage_results import ApplyResult
from tests.integration.stages.apply.lying_agent.lie import DONE_HONESTLY, IDS, Lie
from tests.support.verified_world import Judged, VerifiedWorld, project

_HABITS = {"CI": "true", "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class PlainTests:
    """Runs each test job once, at once and without a supervisor: what it left stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left: dict[str, TestJobResult] = {}

    def why_not(self) -> str | None:
        """Return nothing: the lies are our own."""

    def sandbox(self) -> str:
        """Return what is around the tests."""
        return "none"

    def foundation(self, image: str | None) -> str:
        """Return what tests stand on besides the repository: always the same."""
        return ""

    def start(self, job: TestJob) -> str | None:
        """Run a job to its end, unless it ran already."""
        if job.key in self._left:
            return None
        place = self._folder / str(len(self._left))
        tree, reports, home = place / "tree", place / "reports", place / "home"
        place.mkdir(parents=True)
        job.check_out(tree)
        put_over(tree, job.files, job.executable)
        reports.mkdir()
        home.mkdir()
        with (place / "log.txt").open("wb") as log:
            done = subprocess.run(
                ["sh", "-ec", job.run],
                cwd=tree / job.root,
                env={
                    **_HABITS, "PATH": ambient_environment()["PATH"], "HOME": str(home), REPORTS_VARIABLE: str(reports),
                    UNITTEST_VARIABLE: unittest_junit.__file__, NODE_REPORTER_VARIABLE: str(NODE_REPORTER),
                    "MOONMIND_JOB": f"here/{job.key}",
                },
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, timeout=60, check=False,
            )  # fmt: skip
        written, _ = read_report_files(reports, ("**",))
        in_tree, _ = read_report_files(tree / job.root, job.reports)
        self._left[job.key] = TestJobResult(
            RunEnd.EXITED, done.returncode, reports=(*written, *in_tree), log=place / "log.txt"
        )
        return None

    def state(self, key: str) -> JobState:
        """Return where a job stands."""
        return JobState.ENDED if key in self._left else JobState.ABSENT

    def result(self, key: str) -> TestJobResult | None:
        """Return what a job left."""
        return self._left.get(key)

    def stop(self, run_id: UUID) -> None:
        """Keep all that was left."""

    def recall(self, name: str) -> bytes | None:
        """Return nothing: each lie is told in a repository of its own."""
        return None

    def remember(self, name: str, content: bytes) -> None:
        """Remember nothing."""


class Told(Judged):
    """What became of a lie."""

    @property
    def summary(self) -> str:
        """Return the verdicts and findings in words."""
        verdicts = [f"{one.id} {one.verdict.value}: {one.because}" for one in self.result.verdicts]
        tests = self.result.tests
        findings = [] if tests is None else [f"{one.where}: {one.words}" for one in tests.findings]
        commands = [] if tests is None else [f"{one.name}: {one.outcome} {one.why}" for one in tests.commands]
        return "\n".join([*verdicts, *findings, *commands])


class LiarsWorld(VerifiedWorld):
    """One lie's repository, and the run in which it is told."""

    def __init__(self, folder: Path, lie: Lie) -> None:
        super().__init__(folder, {**project(lie.tasks, lie.recipe), **lie.there})
        self.lie = lie
        self.rounds_left = False
        self.plain = PlainTests(folder / "tests")

    def context(self, stage: Stage) -> StageContext:
        """Build what the stage is given now."""
        return replace(super().context(stage), test_jobs=self.plain)

    def told(self) -> Told:
        """Let the agent tell its lie, and return what becomes of it."""
        files = {**DONE_HONESTLY, **self.lie.files}
        assert isinstance(self.step(Stage.DISCOVER), Done)
        if self.lie.edit is None:
            self.works(files, claim=IDS)
            done = self.drive(Stage.SUBMIT)
        else:
            done = self.submit_with(_written(files, self.lie.edit), claim=IDS)
        assert isinstance(done, Done), done
        return self.judged_again()

    def judged_again(self) -> Told:
        """Judge the change, with what its tests did before where they were run before."""
        outcome = self.verified()
        assert isinstance(outcome, Done), outcome
        return Told(ApplyResult.read(outcome.result))


def _written(files: dict[str, str | None], edit: Callable[[Path], object]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                (folder / path).write_text(content)
        edit(folder)

    return write
