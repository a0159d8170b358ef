"""One run's world for stage tests: real git, forge, store and agent in a folder; only the row is kept in memory."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.scripted import ScriptedAgent
from moonmind.adapters.artifact_stores.filesystem import FilesystemArtifactStore
from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.scanners.betterleaks import Betterleaks
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.db.unit_of_work import Database
from moonmind.engine.lease import LeaseLost, StopRequested
from moonmind.engine.stage_context import StageContext
from moonmind.errors import MoonMindError
from moonmind.ports.agent import JobLimits, JobState
from moonmind.ports.forge import PullRequest
from moonmind.ports.scanner import Hit
from moonmind.redact import Redactor
from moonmind.runs.attention import APPROVE, REJECT, Answered, Attention
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.findings import Severity
from moonmind.runs.machine import Ask, Done, Failed, Outcome, Redo, Suspend, WaitingReason
from moonmind.runs.records import Attempt, Run
from moonmind.sample import source
from moonmind.settings import ambient_environment
from moonmind.stages.apply import apply
from moonmind.stages.discover import discover
from moonmind.stages.finalize import finalize
from moonmind.stages.publish import publish
from moonmind.stages.submit import submit
from tests.support.git_repos import make_bare, tip_of, tree_of
from tests.support.stage_parts import A_RUN, AN_ATTEMPT, REPOSITORY, HeldByTest, Listed, MemoryServices

KEY = source.FEATURE_KEY
FOLDER = f"specs/{KEY}"
TASKS = f"{FOLDER}/tasks.md"
BRANCH = f"moonmind/{KEY}"
_FUNCTIONS = {
    Stage.DISCOVER: discover.run,
    Stage.SUBMIT: submit.run,
    Stage.APPLY: apply.run,
    Stage.PUBLISH: publish.run,
    Stage.FINALIZE: finalize.run,
}


INSTALLATION = str(uuid4())
"""Marks this process's agents: those of tests that run beside it have the same runs, and are found by their marks."""

_scanned: dict[tuple[tuple[str, str], ...], tuple[Hit, ...]] = {}


class RememberingScanner(Betterleaks):
    """The real scanner, which looks through equal texts once in a process: each look compiles all its rules."""

    def scan(self, texts: Mapping[str, str]) -> tuple[Hit, ...]:
        """Return what the scanner found in these texts, now or before."""
        key = tuple(texts.items())
        if key not in _scanned:
            _scanned[key] = super().scan(texts)
        return _scanned[key]


class World:
    """A repository at a local forge, and one run on it that tests move stage by stage."""

    def __init__(
        self,
        folder: Path,
        *,
        files: Mapping[str, bytes | str] | None = None,
        secrets: tuple[str, ...] = (),
        number: int = 1,
    ) -> None:
        self.folder = folder
        self.bare = folder / "repositories" / f"{REPOSITORY}.git"
        if not self.bare.exists():
            make_bare(self.bare, source.files() if files is None else files)
        self.redactor = Redactor(secrets)
        self.script = folder / "script.json"
        self.forge = LocalForge(self.forge_options)
        self.scanner = RememberingScanner()
        self.services = MemoryServices()
        self.lease = HeldByTest()
        self.protected_files = Severity.DRAFT
        self.limits = JobLimits(stall_seconds=20, total_seconds=60)
        self.notes: str | None = None
        self.requested = KEY
        self.selection: Mapping[str, Any] | None = None
        self.attention: Attention | None = None
        self.note: str | None = None
        self.results: dict[Stage, Mapping[str, Any]] = {}
        self.checkpoints: dict[Stage, dict[str, Any]] = {}
        self.numbers: dict[Stage, int] = dict.fromkeys(STAGES, 1)
        self.run_id = UUID(int=number)
        self.job_key: str | None = None
        self.store = FilesystemArtifactStore(folder / "artifacts")
        self.database = Database(f"sqlite:///{folder}/never-opened.db")
        self.artifacts = Listed(self.run_id, self.store, self.database, self.redactor)
        self.on_host("one")

    @property
    def forge_options(self) -> ForgeOptions:
        """Return what the local forge is made from."""
        return ForgeOptions(
            local_repos=self.folder / "repositories", sample=source.files, environment=ambient_environment()
        )

    def on_host(self, name: str) -> None:
        """Go on with a state folder of another name: another machine, with the artifacts in common."""
        state = self.folder / f"host-{name}"
        environment = ambient_environment()
        self.vcs_options = VcsOptions(state, "file", dict[str, str], environment, self.redactor)
        self.vcs = GitVcs(self.vcs_options)
        self.agent = ScriptedAgent(
            AgentOptions(
                state_folder=state,
                installation_id=INSTALLATION,
                environment=environment,
                script_for=self._script_for,
            )
        )

    def context(self, stage: Stage) -> StageContext:
        """Build what the stage is given now."""
        return StageContext(
            run=self._run(stage),
            attempt=self._attempt(stage),
            results={done: self.results[done] for done in self.results if done.position < stage.position},
            checkpoint=self.checkpoints.get(stage, {}),
            note=self.note,
            lease=self.lease,
            artifacts=self.artifacts,
            services=self.services,
            agent=self.agent,
            forge=self.forge,
            vcs=self.vcs,
            redactor=self.redactor,
            scanner=self.scanner,
            limits=self.limits,
            relook_seconds=60.0,
            protected_files=self.protected_files,
        )

    def step(self, stage: Stage) -> Outcome:
        """Claim the stage once and record what it reports, as the executor does."""
        try:
            outcome = _FUNCTIONS[stage](self.context(stage))
        except (LeaseLost, StopRequested):
            raise
        except MoonMindError as error:
            outcome = Failed(error.info(), error.retryable, self.checkpoints.get(stage, {}))
        match outcome:
            case Done(outputs):
                self.results[stage] = dict(outputs)
                if stage is Stage.APPLY:
                    self.services.made.setdefault(self.run_id, []).append(outputs["commit"])
                    if (approval := outputs.get("approval") or {}).get("recipe"):
                        self.services.approved[approval["recipe"]] = approval
            case Suspend(checkpoint=kept):
                self._keep(stage, kept)
            case Ask(kind, text, options, kept):
                self._keep(stage, kept)
                self.attention = Attention.asking(kind, text, options)
            case Failed(checkpoint=kept):
                self._keep(stage, kept)
                self.numbers[stage] += 1
            case Redo(target, note, kept):
                self.note = note
                self.checkpoints[target] = dict(kept or {})
                self.numbers[target] += 1
            case _:
                pass
        return outcome

    def answers(self, choice: str) -> None:
        """Let a person choose one of the options of what the run asks."""
        assert self.attention is not None
        assert choice in self.attention.values
        self.attention = self.attention.answered(Answered(self.attention.kind, choice, by="ana"))

    def approves(self, yes: bool, why: str | None = None) -> None:
        """Let a person approve or reject what the run asks about."""
        assert self.attention is not None
        assert self.attention.values == (APPROVE, REJECT)
        self.attention = self.attention.answered(Answered(self.attention.kind, approved=yes, why=why, by="ana"))

    def drive(self, stage: Stage) -> Outcome:
        """Claim the stage until it no longer waits for its agent."""
        outcome = self.step(stage)
        while isinstance(outcome, Suspend) and outcome.reason is WaitingReason.AGENT:
            self.wait_for_agent()
            outcome = self.step(stage)
        return outcome

    def succeed(self, through: Stage = Stage.FINALIZE) -> Outcome:
        """Move the run through its stages; fails the test at the first that is not done."""
        for stage in STAGES[: through.position + 1]:
            outcome = self.drive(stage)
            assert isinstance(outcome, Done), outcome
        return outcome

    def plays(self, *steps: Mapping[str, Any], then: tuple[Mapping[str, Any], ...] | None = None) -> None:
        """Let the agent play these steps; `then` are those of every later job of the run."""
        attempts = [{"steps": list(steps)}, *([{"steps": list(then)}] if then is not None else [])]
        self.script.write_text(json.dumps({"version": 1, "attempts": attempts}))

    def submit_with(self, edit: Callable[[Path], object], *, claim: tuple[str, ...] = ()) -> Outcome:
        """Let a test's own hand do the agent's work in its folder: what a script cannot do, links for instance."""
        go = self.folder / f"go-{self.run_id}-{self.numbers[Stage.SUBMIT]}"
        self.plays({"wait_for": str(go)}, {"claim": list(claim)}, {"end": "completed", "message": "Done."})
        waiting = self.step(Stage.SUBMIT)
        assert isinstance(waiting, Suspend), waiting
        edit(self.workspace)
        go.touch()
        return self.drive(Stage.SUBMIT)

    @property
    def workspace(self) -> Path:
        """Return the folder that the agent edits."""
        found = self.vcs.find_workspace(REPOSITORY, self.run_id)
        assert found
        return found.path

    def wait_for_agent(self) -> None:
        """Wait until the job that the run waits for is no longer at work."""
        assert self.job_key
        until = time.monotonic() + 60
        while self.agent.poll(self.job_key).state is JobState.RUNNING:
            assert time.monotonic() < until, "the agent did not end"
            time.sleep(0.02)

    def next_run(self, number: int) -> "World":
        """Begin another run on the same repository."""
        other = World(self.folder, number=number)
        other.services.made = self.services.made
        return other

    def tree(self, branch: str = BRANCH) -> dict[str, bytes]:
        """Read what a branch holds at the forge."""
        return tree_of(self.bare, f"refs/heads/{branch}")

    def tip(self, branch: str = BRANCH) -> str | None:
        """Return where a branch is at the forge."""
        return tip_of(self.bare, branch)

    def pulls(self, branch: str = BRANCH) -> tuple[PullRequest, ...]:
        """List a branch's pull requests."""
        return self.forge.pull_requests(REPOSITORY, branch)

    def rewrite_pull(self, number: int, **changed: str) -> None:
        """Change the title or body of a pull request, as a person does on its page."""
        record = self.bare.with_suffix(".pulls.json")
        stored = json.loads(record.read_text())
        for pull in stored["pulls"]:
            if pull["number"] == number:
                pull.update(changed)
        record.write_text(json.dumps(stored))

    def _script_for(self, feature: str, phase: str) -> bytes | None:
        if self.script.exists():
            return self.script.read_bytes()
        packaged = source.script_for(feature, phase)
        if packaged is None:
            return None
        script = json.loads(packaged)
        # The sample's pauses are for people who watch.
        script["steps"] = [step for step in script["steps"] if "run_for_seconds" not in step]
        return json.dumps(script).encode()

    def _keep(self, stage: Stage, kept: Mapping[str, Any] | None) -> None:
        if kept is not None:
            self.checkpoints[stage] = dict(kept)
            self.job_key = kept.get("jobKey", self.job_key)

    def _attempt(self, stage: Stage) -> Attempt:
        return replace(AN_ATTEMPT, run_id=self.run_id, stage=stage, number=self.numbers[stage])

    def _run(self, stage: Stage) -> Run:
        return replace(
            A_RUN,
            id=self.run_id,
            requested_key=self.requested,
            stage=stage,
            notes=self.notes,
            job_key=self.job_key,
            selection=self.selection,
            attention=None if self.attention is None else self.attention.stored(),
        )


@contextmanager
def discovered(world: World) -> Iterator[World]:
    """Let the run find its phase, and forget its agent's files at the end."""
    assert isinstance(world.step(Stage.DISCOVER), Done)
    yield world
    world.agent.forget(str(world.run_id))


def failed(outcome: object) -> Failed:
    """Return an outcome that has to be a failure."""
    assert isinstance(outcome, Failed), outcome
    return outcome
