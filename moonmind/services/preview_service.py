"""What a run would take up, found out without making one: no row, no branch, no agent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from moonmind import wire
from moonmind.db.unit_of_work import Database
from moonmind.engine import forge_cooldown
from moonmind.engine.lease import HeldLease, LeaseLost
from moonmind.engine.stage import Preview, Stages
from moonmind.engine.stage_context import ContextFactory, StageContext
from moonmind.errors import ErrorInfo, ForgeLimited, InvalidRequest, MoonMindError, Unavailable, Unexpected
from moonmind.ports.check import Check
from moonmind.preflight.checks import Preflight
from moonmind.preflight.workflow_right import workflow_right, workflows_named
from moonmind.redact import Redactor
from moonmind.repository_patterns import RepositoryPatterns
from moonmind.runs import naming
from moonmind.runs.chain import FIRST
from moonmind.runs.kinds import PHASE
from moonmind.runs.machine import AttemptState, RunStatus
from moonmind.runs.records import Attempt, Claim, Run
from moonmind.services.turns import Turns
from moonmind.speckit.answer import AnswerKind

SECONDS = 60.0
"""How long a caller of a server waits: a fetch that takes longer goes on without it."""
MOST = 8
"""Previews that a process has at once, those that wait included: each holds a request thread."""
_LONGEST_SECONDS = 3600.0


class PreviewService:
    """Answers what a run would take up; of one repository once at a time, since each fetches it."""

    def __init__(
        self,
        database: Database,
        contexts: ContextFactory,
        stages: Stages,
        preflight: Preflight,
        redactor: Redactor,
        *,
        admitted: RepositoryPatterns = RepositoryPatterns(),  # noqa: B008 - frozen, and admits all
        seconds: float | None = SECONDS,
    ) -> None:
        """`seconds`: how long a caller waits at most; None: until there is an answer."""
        self._database = database
        self._contexts = contexts
        self._stages = stages
        self._preflight = preflight
        self._redactor = redactor
        self._admitted = admitted
        self._turns = Turns(seconds=seconds, most=MOST)
        self._lease_seconds = seconds or _LONGEST_SECONDS

    def preview(self, body: wire.CreateRun, *, probe: bool = True) -> wire.RunPreview:
        """Answer what a run would take up; without `probe`, for a caller that needs no preflight, `checks` is empty.

        Raises RepositoryNotAllowed, InvalidRequest, and Unavailable where there is no answer now.
        """
        repository = naming.repository(body.repository)
        self._admitted.require(repository)
        if body.force_phase not in {None, FIRST}:
            raise InvalidRequest(
                "with forcePhase there is nothing to choose: the run takes up what an earlier one left",
                field="forcePhase",
                remediation="Leave out forcePhase.",
            )
        return self._turns.ask(naming.repository_key(repository), lambda: self._answer(body, repository, probe=probe))

    def _answer(self, body: wire.CreateRun, repository: str, *, probe: bool) -> wire.RunPreview:
        found = self._look(body, repository)
        checks = with_workflow_right(self._preflight.run(repository), found.outputs) if probe else []
        tasks = _tasks(found.outputs) if found.answer.get("tasks") else []
        return wire.RunPreview.model_validate(
            {
                **found.answer,
                "notes": [*found.answer.get("notes", ()), *self._in_the_way(body, found.answer.get("feature"))],
                "work": [_work(task, found.outputs) for task in tasks],
                "branch": found.outputs.get("branchName") if tasks else None,
                "base": found.outputs.get("base") if tasks else None,
                "error": None if found.error is None else wire.RunError.of(found.error),
                "ready": not any(check.failed for check in checks),
                "checks": [wire.CheckResult.of(check) for check in checks],
            }
        )

    def _look(self, body: wire.CreateRun, repository: str) -> Preview:
        choose = self._stages[FIRST].preview
        if choose is None:
            raise Unexpected(f"the stage {FIRST} chooses nothing that could be shown")
        with self._database.read() as uow:
            now = uow.now()
        claim = _imagined(body, repository, now)
        context = self._contexts.make(claim, HeldLease(claim, self._lease_seconds), {}, imagined=True)
        try:
            found = _asked(choose, context)
        except LeaseLost:
            raise Unavailable(f"looking at {repository} took too long", remediation="Ask again.") from None
        except MoonMindError as error:
            if error.retryable:
                said = self._redactor.text(error.message)
                raise Unavailable(said, remediation="Ask again once it answers.") from error
            found = Preview({"answer": AnswerKind.REFUSE}, error=error.info())
        return found if found.error is None else self._refusal(found, found.error)

    def _refusal(self, found: Preview, error: ErrorInfo) -> Preview:
        message, remediation = self._redactor.text(error.message), self._redactor.text(error.remediation)
        told = {**found.answer, "reason": message, "reasons": [message]}
        return Preview(told, error=ErrorInfo(error.code, message, remediation))

    def _in_the_way(self, body: wire.CreateRun, feature: str | None) -> Iterator[str]:
        """Yield which run refuses this request, or another run of the feature, now."""
        key, requested = (
            naming.repository_key(naming.repository(body.repository)),
            naming.requested_key(body.feature_key),
        )
        with self._database.read() as uow:
            same = uow.runs.asked_for(key, requested)
            other = None if feature is None else uow.runs.active_on(key, feature)
        if same is not None:
            yield f"Run {same.id} was asked for with the same words; another one is refused until it has ended."
        elif other is not None:
            yield f"Run {other.id} works on {feature}; another one is refused until it has ended."


def _asked(choose: Callable[[StageContext], Preview], context: StageContext) -> Preview:
    """Ask the stage; a forge that wants to be left alone is, by this and by every run, as if a run had been told so."""
    try:
        return choose(context)
    except ForgeLimited as error:
        raise forge_cooldown.unavailable(forge_cooldown.suspend(context, error).until) from error


def with_workflow_right(checks: Sequence[Check], outputs: Mapping[str, Any]) -> list[Check]:
    """Add the check of the right to change the workflows that the tasks name, where they name some."""
    named = [
        path
        for task in _tasks(outputs)
        for path in workflows_named((*task.get("targets", ()), str(task.get("text", ""))), task.get("references", ()))
    ]
    facts = {name: value for check in checks for name, value in check.facts.items()}
    right = workflow_right(facts, tuple(dict.fromkeys(named)))
    return [*checks] if right is None else [*checks, right]


def _tasks(outputs: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return list(outputs.get("tasks") or ())


def _work(task: Mapping[str, Any], outputs: Mapping[str, Any]) -> wire.PreviewTask:
    evidence = outputs.get("evidence", {}).get(f"{task['line']}:{task['id']}")
    return wire.PreviewTask(id=task["id"], line=task["line"], text=task["text"], evidence=evidence)


def _imagined(body: wire.CreateRun, repository: str, now: datetime) -> Claim:
    """Return the claim of a run that nobody created: what a stage is told of it is true, and no row holds it."""
    told: dict[str, Any] = {
        "id": uuid4(),
        "repository": repository,
        "repository_key": naming.repository_key(repository),
        "requested_key": naming.requested_key(body.feature_key),
        "status": RunStatus.RUNNING,
        "stage": FIRST,
        "deadline": now + timedelta(seconds=_LONGEST_SECONDS),
        "chain_id": uuid4(),
        "notes": body.notes,
        "selection": body.select.stored() if body.select is not None else None,
        "kind": body.kind or PHASE,
        "not_before": now,
        "created_at": now,
        "updated_at": now,
    }
    counts = dict.fromkeys(("fence", "dispatches", "errors", "crashes", "rounds", "event_seq"), 0)
    absent: dict[str, Any] = dict.fromkeys(field.name for field in fields(Run))
    run = Run(**{**absent, **counts, **told})
    attempt = Attempt(
        id=0,
        run_id=run.id,
        stage=FIRST,
        number=1,
        state=AttemptState.STARTED,
        result=None,
        checkpoint=None,
        error=None,
        operator_retry=False,
        created_at=now,
        started_at=now,
        finished_at=None,
    )
    return Claim(run, attempt, fence=0, owner="preview", cancel_requested=False, deadline_passed=False)
