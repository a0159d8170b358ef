"""What users do with runs: one method, one short transaction, and the public JSON out."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

from pydantic import ValidationError

from moonmind import wire
from moonmind.db.unit_of_work import Database, DuplicateIdempotencyKey, UnitOfWork
from moonmind.engine.dispatch_loop import Notifier
from moonmind.engine.run_artifacts import copy_patches, list_artifact
from moonmind.engine.stage import Stages
from moonmind.errors import (
    AnswerNotAwaited,
    IdempotencyMismatch,
    InvalidRequest,
    NotCancellable,
    NotFound,
    NotRetryable,
    RunActive,
    SecretSuspected,
)
from moonmind.ports.artifact_store import ArtifactStore
from moonmind.preflight.checks import Need, Preflight
from moonmind.preflight.retry_precheck import RetryPrecheck
from moonmind.repository_patterns import RepositoryPatterns
from moonmind.runs import naming
from moonmind.runs.attention import Attention
from moonmind.runs.chain import FIRST, from_stage
from moonmind.runs.event_types import EventType
from moonmind.runs.kinds import PHASE, TICKS
from moonmind.runs.machine import RetryMode, RunStatus, may_retry
from moonmind.runs.records import Artifact, NewRun, Run, RunFilter
from moonmind.runs.repetition import repeats
from moonmind.services import answer_check, run_views
from moonmind.services.forced_start import left_for
from moonmind.services.listing_cursor import read_cursor, write_cursor
from moonmind.wire.problems import in_words

_NAMED_TASKS = 20


@dataclass(frozen=True, slots=True)
class ArtifactContent:
    """An artifact opened for reading, whole or in part."""

    content_type: str
    size: int
    """Of the whole file, in bytes, now."""
    growing: bool
    chunks: Iterator[bytes]


class RunService:
    """Create, look at, answer, retry and cancel runs."""

    def __init__(
        self,
        database: Database,
        store: ArtifactStore,
        notifier: Notifier,
        preflight: Preflight,
        stages: Stages,
        *,
        run_deadline_seconds: float,
        works_here: bool = True,
        host_id: UUID | None = None,
        admitted: RepositoryPatterns = RepositoryPatterns(),  # noqa: B008 - frozen, and admits all
    ) -> None:
        """`works_here`: this process runs stages itself; else `host_id` names the machine that it could speak of."""
        self._database = database
        self._stages = stages
        self._store = store
        self._notifier = notifier
        self._precheck = RetryPrecheck(database, preflight, works_here=works_here, host_id=host_id)
        self._admitted = admitted
        self._deadline = run_deadline_seconds

    # --- start ------------------------------------------------------------------------------------------------------

    def create(
        self, body: wire.CreateRun, *, idempotency_key: str | None = None, actor: str | None = None
    ) -> wire.SpecWorkflowRun:
        """Accept a run; it is safe once this returns, whether the broker is up or not. `actor` is who asks for it.

        Raises RepositoryNotAllowed, RunActive, NothingToResume, IdempotencyMismatch. The same key with the same body finds the first run.
        """
        repository = naming.repository(body.repository)
        self._admitted.require(repository)
        _refuse_late_selection(body)
        _refuse_boxes_without_tasks(body)
        digest = hashlib.sha256(body.model_dump_json(by_alias=True, exclude_none=True).encode()).hexdigest()
        if idempotency_key is not None and (known := self._by_idempotency_key(idempotency_key, digest)):
            return known
        new = NewRun(
            id=uuid4(),
            repository=repository,
            requested_key=naming.requested_key(body.feature_key),
            stage=FIRST,
            chain_id=uuid4(),
            deadline_seconds=self._deadline,
            notes=body.notes,
            selection=body.select.stored() if body.select is not None else None,
            kind=body.kind or PHASE,
            idempotency_key=idempotency_key,
            request_digest=digest if idempotency_key is not None else None,
            started_by=actor,
        )
        patches: tuple[Artifact, ...] = ()
        if body.force_phase is not None and body.force_phase is not FIRST:
            with self._database.read() as uow:
                left = left_for(uow, new, body.force_phase, self._stages)
            new, patches = left.new, copy_patches(left.artifacts, new.id, self._store)
        try:
            with self._database.write() as uow:
                run = uow.runs.add(new)
                for patch in patches:
                    list_artifact(uow, patch)
                attempts = uow.attempts.all(run.id)
        except (RunActive, DuplicateIdempotencyKey):
            self._store.delete(new.id)
            # Two requests with one key at once: the other one was first, and whichever constraint refused this one,
            # that run is the answer to both.
            if idempotency_key is not None and (known := self._by_idempotency_key(idempotency_key, digest)):
                return known
            raise
        self._notifier.notify(run)
        # Shown as it was created, without another look: the first worker is about to read the same rows.
        return run_views.run_view(run, attempts, patches, None, stages=self._stages, now=run.created_at)

    def accept(
        self, run_id: UUID, body: wire.AcceptTasks, *, idempotency_key: str | None = None, actor: str | None = None
    ) -> wire.SpecWorkflowRun:
        """Start the run that ticks tasks of an ended run, in the name of `actor`.

        Raises NotFound, RunActive while the run goes on, InvalidRequest for tasks that it was not given, and what `create` raises.
        """
        with self._database.read() as uow:
            run = _found(uow.runs.get(run_id), run_id)
            outputs = uow.attempts.results(run.id)
        if not run.status.terminal:
            raise RunActive(
                f"run {run.id} is still at work on these tasks; its verdicts are not final",
                run_id=str(run.id),
                remediation="Accept them once it has ended.",
            )
        start = self._stages[FIRST].starting_point(outputs.get(FIRST, {}))
        if start is None:
            raise InvalidRequest(
                f"run {run.id} chose no tasks, so there is none to accept",
                remediation="Use `moonmind reconcile` to tick what is there already.",
            )
        if unknown := [one for one in body.tasks if one not in start.tasks]:
            named = ", ".join(start.tasks[:_NAMED_TASKS]) + (" ..." if len(start.tasks) > _NAMED_TASKS else "")
            raise InvalidRequest(
                f"{', '.join(unknown[:_NAMED_TASKS])}: run {run.id} has no such task; its tasks are {named}",
                field="tasks",
                remediation="Name tasks of the run by their ids, each by its own.",
            )
        try:
            select = wire.Select(tasks=list(dict.fromkeys(body.tasks)), commit=start.commit, why=body.reason)
            asked = wire.CreateRun(repository=run.repository, feature_key=start.feature_key, kind=TICKS, select=select)
        except ValidationError as error:
            problem = in_words(error.errors()[0])
            raise InvalidRequest(
                f"tasks of run {run.id} cannot be accepted by it: {problem}",
                remediation="Tick the boxes in the file yourself.",
            ) from None
        return self.create(asked, idempotency_key=idempotency_key, actor=actor)

    def _by_idempotency_key(self, key: str, digest: str) -> wire.SpecWorkflowRun | None:
        with self._database.read() as uow:
            run = uow.runs.find_by_idempotency_key(key)
        if run is None:
            return None
        if run.request_digest != digest:
            raise IdempotencyMismatch("this Idempotency-Key was already used with a different request body")
        return self.get(run.id)

    # --- look -------------------------------------------------------------------------------------------------------

    def get(self, run_id: UUID) -> wire.SpecWorkflowRun:
        """Show a run whole; raises NotFound."""
        with self._database.read() as uow:
            return self._view(uow, _found(uow.runs.get(run_id), run_id))

    def page(
        self,
        *,
        status: str | None = None,
        repository: str | None = None,
        feature_key: str | None = None,
        q: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> wire.RunPage:
        """List runs, newest first, from after the cursor; raises InvalidRequest for a cursor that is not ours."""
        wanted = RunFilter(
            status=_status(status),
            repository=repository,
            feature_key=naming.requested_key(feature_key) if feature_key else None,
            text=q,
        )
        limit = max(1, min(limit, 100))
        with self._database.read() as uow:
            runs = uow.runs.page(wanted, limit + 1, read_cursor(cursor))
            now = uow.now()
        more = len(runs) > limit
        shown = runs[:limit]
        return wire.RunPage(
            items=[run_views.run_view(run, now=now) for run in shown],
            next_cursor=write_cursor(shown[-1].created_at, shown[-1].id) if more else None,
        )

    def tasks(self, run_id: UUID, *, every_attempt: bool = False) -> list[wire.WorkflowTaskState]:
        """List a run's stages with their latest attempts, or every attempt there was."""
        with self._database.read() as uow:
            _found(uow.runs.get(run_id), run_id)
            attempts, artifacts = uow.attempts.all(run_id), uow.artifacts.list(run_id)
        return run_views.task_views(attempts, artifacts, stages=self._stages, every=every_attempt)

    def artifacts(self, run_id: UUID) -> list[wire.WorkflowArtifact]:
        """List the files that a run left."""
        with self._database.read() as uow:
            _found(uow.runs.get(run_id), run_id)
            return [run_views.artifact_view(artifact) for artifact in uow.artifacts.list(run_id)]

    def open_artifact(self, run_id: UUID, path: str, *, start: int = 0, length: int | None = None) -> ArtifactContent:
        """Open a listed artifact, or a range of it; raises NotFound."""
        with self._database.read() as uow:
            artifact = uow.artifacts.get(run_id, path)
        if artifact is None:
            raise NotFound(f"the run has no artifact {path!r}")
        size = self._store.size(run_id, path)
        if size is None:
            raise NotFound(
                f"the file of artifact {path!r} was deleted",
                remediation="Files of ended runs are deleted after MOONMIND_RETENTION_DAYS days.",
            )
        growing = artifact.size is None
        return ArtifactContent(artifact.content_type, size, growing, self._store.read(run_id, path, start, length))

    def events(self, run_id: UUID | None, *, after: int = 0, limit: int = 100) -> list[wire.RunEvent]:
        """List what happened after a position: a run's own `seq`, or the global id when no run is named."""
        with self._database.read() as uow:
            if run_id is not None:
                _found(uow.runs.get(run_id), run_id)
            return [run_views.event_view(event) for event in uow.events.after(run_id, after, max(1, min(limit, 1000)))]

    def requests(self, run_id: UUID) -> list[wire.RunEvent]:
        """List what people asked of a run, its start first: the events that name who did."""
        with self._database.read() as uow:
            return [run_views.event_view(event) for event in uow.events.of_people(run_id)]

    def questions_asked(self, run_id: UUID) -> int:
        """Count the questions that a run has asked so far."""
        with self._database.read() as uow:
            return uow.events.count(run_id, EventType.RUN_ASKED)

    def last_event_id(self) -> int:
        """Return the position in the events of all runs after which only what happens from now on follows."""
        with self._database.read() as uow:
            return uow.events.last_id()

    # --- steer ------------------------------------------------------------------------------------------------------

    def retry(self, run_id: UUID, body: wire.RetryRun, *, actor: str | None = None) -> wire.SpecWorkflowRun:
        """Start an ended run again; `actor` is who asks for it.

        Raises RepositoryNotAllowed, NotRetryable, CredentialInvalid (409) when it is known to fail again.
        """
        mode = RetryMode(body.mode)
        with self._database.read() as uow:
            run = _found(uow.runs.get(run_id), run_id)
        self._admitted.require(run.repository)
        self._check_retry(run, mode)
        self._refuse_repetition(run, mode, body.notes)
        accepted = _accepted(run, mode, body.accept_findings)
        first = FIRST if mode is RetryMode.RESTART_FROM_DISCOVERY else run.stage
        needs = {need for stage in from_stage(first) for need in self._stages[stage].needs}
        self._precheck.refuse(run, needs - {Need.AGENT} if run.kind == TICKS else needs)
        with self._database.write() as uow:
            retried = uow.requests.retry(
                run_id,
                mode,
                notes=body.notes,
                deadline_seconds=self._deadline,
                chain_id=uuid4(),
                accepted=accepted,
                actor=actor,
            )
            if retried is None:
                # Another retry was faster; the status says so.
                self._check_retry(_found(uow.runs.get(run_id), run_id), mode)
                raise NotRetryable("the run changed at the same moment; check its status and try again")
            view = self._view(uow, retried)
        self._notifier.notify(retried)
        return view

    def answer(self, run_id: UUID, body: wire.AnswerRun, *, actor: str | None = None) -> wire.SpecWorkflowRun:
        """Answer what a run asks; it goes on at once.

        Raises RepositoryNotAllowed, AnswerNotAwaited with what is awaited now, and RunActive where another run works on the
        feature that was chosen: the question stays open then.
        """
        with self._database.write() as uow:
            asked = _found(uow.runs.get(run_id), run_id)
            self._admitted.require(asked.repository)
            question, now = Attention.read(asked.attention), uow.now()
            if question is None or run_views.attention_view(asked, now) is None:
                raise self._late(uow, asked)
            answer = answer_check.given(asked, question, body, by=actor, at=now)
            try:
                answered = uow.requests.answer(
                    asked,
                    question.answered(answer),
                    feature_key=answer_check.feature_of(question, answer),
                    deadline_seconds=self._deadline,
                )
            except RunActive as busy:
                raise answer_check.taken(busy) from None
            if answered is None:
                # Another answer, a cancel or the end of the time was faster.
                raise self._late(uow, _found(uow.runs.get(run_id), run_id))
            view = self._view(uow, answered)
        self._notifier.notify(answered)
        return view

    def _late(self, uow: UnitOfWork, run: Run) -> AnswerNotAwaited:
        earlier, asked = (uow.events.last(run.id, kind) for kind in (EventType.RUN_ANSWERED, EventType.RUN_ASKED))
        if earlier is not None and asked is not None and earlier.seq < asked.seq:
            earlier = None  # it answered an earlier question
        return answer_check.late(run, uow.now(), None if earlier is None else earlier.data)

    def cancel(self, run_id: UUID, *, actor: str | None = None) -> wire.SpecWorkflowRun:
        """Ask a run to stop; it is closed once its agent is provably gone. Raises NotCancellable.

        `actor` is who asks for it; where several do, the first one is recorded.
        """
        with self._database.write() as uow:
            run = _found(uow.runs.get(run_id), run_id)
            if run.status is RunStatus.CANCELLED:
                return self._view(uow, run)
            if run.status.terminal:
                raise NotCancellable(f"the run has already ended: {run.status}", status=run.status.value)
            asked = _found(uow.requests.request_cancel(run_id, actor=actor) or uow.runs.get(run_id), run_id)
            view = self._view(uow, asked)
        if not asked.status.terminal:
            self._notifier.notify(asked)
        return view

    def _check_retry(self, run: Run, mode: RetryMode) -> None:
        if may_retry(run.status, mode):
            return
        if run.status is RunStatus.NO_WORK:
            raise NotRetryable("a run that found no work can only be retried from discovery", status=run.status.value)
        raise NotRetryable(
            f"only failed or cancelled runs can be retried; the status of this one is {run.status}",
            status=run.status.value,
        )

    def _refuse_repetition(self, run: Run, mode: RetryMode, notes: str | None) -> None:
        """Raise NotRetryable, with what helps instead, where the stage said that a retry would only end as before."""
        if run.error is None:
            return
        new = notes is not None and notes != (run.notes or "")
        why = repeats(run.error, mode, new_notes=new, kept=lambda path: self._store.size(run.id, path) is not None)
        if why is not None:
            raise NotRetryable(why, remediation=run.error.remediation, error=run.error.code)

    def _view(self, uow: UnitOfWork, run: Run) -> wire.SpecWorkflowRun:
        return run_views.run_view(
            run,
            uow.attempts.all(run.id),
            uow.artifacts.list(run.id),
            uow.audits.get(run.id),
            stages=self._stages,
            now=uow.now(),
        )


def _refuse_late_selection(body: wire.CreateRun) -> None:
    """Raise InvalidRequest where a run is to skip discover, which alone can choose tasks."""
    if body.select is not None and body.force_phase not in {None, FIRST}:
        raise InvalidRequest(
            "tasks cannot be selected together with forcePhase: they are those of the run whose results it uses",
            field="select",
            remediation="Leave out one of them.",
        )


def _refuse_boxes_without_tasks(body: wire.CreateRun) -> None:
    """Raise InvalidRequest for a run that would tick boxes that nobody named."""
    if body.kind != TICKS:
        return
    if body.select is None or not body.select.tasks:
        raise InvalidRequest(
            "a run of kind ticks needs the tasks whose boxes it ticks",
            field="select.tasks",
            remediation="Name them in select.tasks; a preview of this kind proposes some.",
        )
    if body.force_phase not in {None, FIRST}:
        raise InvalidRequest("a run of kind ticks begins at discover", field="forcePhase", remediation="Leave it out.")


def _accepted(run: Run, mode: RetryMode, asked: wire.AcceptFindings | None) -> list[dict[str, str]]:
    """Return what a person accepts of what stopped the run; raises InvalidRequest for anything else."""
    if asked is None:
        return []
    found = run.error.details.get("findings", ()) if run.error and run.error.code == SecretSuspected.code else ()
    known = {one.get("fingerprint") for one in found}
    if mode is not RetryMode.RESUME_FAILED_TASK or not known.issuperset(asked.fingerprints):
        raise InvalidRequest(
            "acceptFindings takes only fingerprints of the findings that stopped this run, with the mode resume_failed_task",
            field="acceptFindings",
        )
    return [{"fingerprint": one, "why": asked.reason} for one in dict.fromkeys(asked.fingerprints)]


def _found(run: Run | None, run_id: UUID) -> Run:
    if run is None:
        raise NotFound(f"run {run_id} does not exist")
    return run


def _status(text: str | None) -> RunStatus | None:
    if text is None:
        return None
    try:
        return RunStatus(text)
    except ValueError:
        known = ", ".join(status.value for status in RunStatus)
        raise InvalidRequest(f"status must be one of {known}, not {text[:40]!r}", field="status") from None
