"""Runs, made and read. What moves them is in `claims`, `outcomes`, `operator_requests`, `rescues`, `wakeups`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from moonmind.db import row_mapping
from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.conflicts import DuplicateIdempotencyKey, violated
from moonmind.db.in_transaction import InTransaction
from moonmind.db.journal import record
from moonmind.db.tables import ONE_FEATURE, ONE_IDEMPOTENCY_KEY, ONE_REQUEST, active, attempt, run
from moonmind.errors import RunActive
from moonmind.runs import naming
from moonmind.runs.attention import CHOOSE_FEATURE, Attention
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import TERMINAL, AttemptState, RunStatus, WaitingReason
from moonmind.runs.records import NewRun, Run, RunFilter
from moonmind.runs.retry import DISPATCH_SECONDS
from moonmind.speckit.feature import may_be_one, short_path

_REQUESTS = 1_297_050_177
"""Separates the locks of requests from the database's other advisory locks."""

CANDIDATES = 200
"""How many of a repository's newest ended runs are looked through for a feature's own."""


class Runs(InTransaction):
    """The runs of one transaction."""

    def add(self, new: NewRun) -> Run:
        """Create a run, due at once; raises RunActive for a busy feature and DuplicateIdempotencyKey for a used key.

        Either error ends the whole transaction: nothing written in it is kept.
        """
        key = naming.repository_key(new.repository)
        refuse_alias(self._connection, key, new.requested_key)
        try:
            added = self._insert(new, key)
        except IntegrityError as error:
            self._connection.rollback()
            index = violated(error)
            if index == ONE_IDEMPOTENCY_KEY:
                raise DuplicateIdempotencyKey("A run was made with this Idempotency-Key before.") from None
            if index in {ONE_REQUEST, ONE_FEATURE}:
                raise run_active(self.holder(key, index, new.requested_key, new.feature_key)) from None
            raise
        self._add_attempts(new, added)
        record(self._connection, added, EventType.RUN_CREATED, {"chainId": str(added.chain_id)}, actor=new.started_by)
        return added

    def _insert(self, new: NewRun, repository_key: str) -> Run:
        statement = insert(run).values(
            id=new.id,
            repository=new.repository,
            repository_key=repository_key,
            requested_key=new.requested_key,
            feature_key=new.feature_key,
            status=RunStatus.PENDING,
            stage=new.stage,
            fence=0,
            not_before=db_now(),
            dispatch_after=db_now_plus(DISPATCH_SECONDS),
            dispatches=0,
            errors=0,
            crashes=0,
            rounds=0,
            deadline=db_now_plus(new.deadline_seconds),
            event_seq=1,
            chain_id=new.chain_id,
            notes=new.notes,
            kind=new.kind,
            selection=None if new.selection is None else dict(new.selection),
            idempotency_key=new.idempotency_key,
            request_digest=new.request_digest,
            started_by=new.started_by,
            created_at=db_now(),
            updated_at=db_now(),
            **new.facts,
        )
        return Run(*self._connection.execute(statement.returning(*row_mapping.RUN)).one())

    def _add_attempts(self, new: NewRun, added: Run) -> None:
        results = new.results or {}
        attempts: list[dict[str, Any]] = []
        for stage in STAGES:
            skipped = stage.position < new.stage.position
            attempts.append(
                {
                    "run_id": added.id,
                    "stage": stage,
                    "number": 1,
                    "state": AttemptState.SUCCEEDED if skipped else AttemptState.WAITING,
                    "claims": 0,
                    "result": dict(results.get(stage, {})) if skipped else None,
                    "operator_retry": False,
                    "created_at": added.created_at,
                    "started_at": None,
                    "finished_at": added.created_at if skipped else None,
                }
            )
        self._connection.execute(insert(attempt), attempts)

    def holder(self, repository_key: str, index: str, requested_key: str, feature_key: str | None) -> Run | None:
        """Find the active run that a unique index refused another one for; None when it has ended since."""
        same = run.c.requested_key == requested_key if index == ONE_REQUEST else run.c.feature_key == feature_key
        return self._first(run.c.repository_key == repository_key, same, active)

    def get(self, run_id: UUID) -> Run | None:
        """Read a run."""
        return self._first(run.c.id == run_id)

    def find_by_idempotency_key(self, key: str) -> Run | None:
        """Find the run that a request with this Idempotency-Key made."""
        return self._first(run.c.idempotency_key == key)

    def asked_for(self, repository_key: str, requested_key: str) -> Run | None:
        """Find the active run of a request."""
        return self.holder(repository_key, ONE_REQUEST, requested_key, None)

    def active_on(self, repository_key: str, asked: str) -> Run | None:
        """Find an active run on what the name can mean."""
        query = select(*row_mapping.RUN).where(run.c.repository_key == repository_key, active)
        found = row_mapping.runs_of(self._connection.execute(query))
        return next((one for one in found if works_on(one, asked)), None)

    def page(self, wanted: RunFilter, limit: int, before: tuple[datetime, UUID] | None = None) -> list[Run]:
        """List runs, newest first; `before` is the last row's `(created_at, id)` of the page before."""
        conditions = _conditions(wanted)
        if before is not None:
            conditions.append(tuple_(run.c.created_at, run.c.id) < before)
        query = (
            select(*row_mapping.RUN).where(*conditions).order_by(run.c.created_at.desc(), run.c.id.desc()).limit(limit)
        )
        return row_mapping.runs_of(self._connection.execute(query))

    def ended(self, repository_key: str, feature_alias: str) -> list[Run]:
        """List the ended runs of what the alias can mean, newest first; an empty alias means any feature."""
        query = (
            select(*row_mapping.RUN)
            .where(run.c.repository_key == repository_key, run.c.status.in_(sorted(TERMINAL)))
            .order_by(run.c.created_at.desc(), run.c.id.desc())
            .limit(CANDIDATES)
        )
        found = row_mapping.runs_of(self._connection.execute(query))
        return [one for one in found if not feature_alias or works_on(one, feature_alias)]

    def last_that_reached(
        self, stage: Stage, repository_key: str, feature_key: str, excluding: UUID, *, kind: str | None = None
    ) -> UUID | None:
        """Find the feature's newest other run that reached the stage in its last round, whatever came of it there.

        `kind` is the only kind that counts; None: each.
        """
        tries = attempt.alias()
        newest = (
            select(func.max(tries.c.number))
            .where(tries.c.run_id == attempt.c.run_id, tries.c.stage == attempt.c.stage)
            .scalar_subquery()
        )
        reached = (
            select(attempt.c.id)
            .where(
                attempt.c.run_id == run.c.id,
                attempt.c.stage == stage,
                attempt.c.number == newest,
                attempt.c.state != AttemptState.WAITING,
            )
            .exists()
        )
        query = (
            select(run.c.id)
            .where(run.c.repository_key == repository_key, run.c.feature_key == feature_key, run.c.id != excluding)
            .where(reached, *([] if kind is None else [run.c.kind == kind]))
            .order_by(run.c.created_at.desc(), run.c.id.desc())
            .limit(1)
        )
        return self._connection.execute(query).scalar_one_or_none()

    def expired_files(self, older_than_days: float, limit: int, *, without: Collection[UUID] = ()) -> list[Run]:
        """List ended runs whose files are older than retention allows and still there, oldest first, but for some."""
        query = (
            select(*row_mapping.RUN)
            .where(run.c.completed_at.is_not(None), run.c.pruned_at.is_(None))
            .where(run.c.completed_at < db_now_plus(-86400.0 * older_than_days))
            .order_by(run.c.completed_at)
            .limit(limit + len(without))
        )
        # Left out here: a list of any length would not fit into a statement.
        found = row_mapping.runs_of(self._connection.execute(query))
        return [one for one in found if one.id not in set(without)][:limit]

    def take_for_pruning(self, run_id: UUID) -> bool:
        """Note that an ended run's files are being removed; False when it was retried or taken by another meanwhile."""
        statement = update(run).where(run.c.id == run_id, run.c.completed_at.is_not(None), run.c.pruned_at.is_(None))
        return self._connection.execute(statement.values(pruned_at=db_now()).returning(run.c.id)).first() is not None

    def give_back_unpruned(self, run_id: UUID) -> None:
        """Note that removing a run's files failed, so that it is tried again."""
        self._connection.execute(update(run).where(run.c.id == run_id).values(pruned_at=None))

    def _first(self, *conditions: ColumnElement[bool]) -> Run | None:
        return row_mapping.run_of(self._connection.execute(select(*row_mapping.RUN).where(*conditions)).first())


def refuse_alias(connection: Connection, repository_key: str, asked: str, *, besides: UUID | None = None) -> None:
    """Raise RunActive if an active run of the repository, other than `besides`, works on what the name can mean."""
    if not asked:
        return
    if connection.dialect.name == "postgresql":
        # Two names of one feature meet no unique index, so requests for a repository wait for each other here until
        # the transaction ends; SQLite has one writer at a time.
        connection.execute(select(func.pg_advisory_xact_lock(_REQUESTS, func.hashtext(repository_key))))
    query = select(*row_mapping.RUN).where(run.c.repository_key == repository_key, active)
    for other in row_mapping.runs_of(connection.execute(query)):
        if other.id != besides and works_on(other, asked) and not _chooses(other):
            raise run_active(other)


def _chooses(other: Run) -> bool:
    """Return True if a person has yet to choose the run's feature; until then its own request alone is taken."""
    asked = Attention.read(other.attention) if other.waiting_reason is WaitingReason.NEEDS_ATTENTION else None
    return asked is not None and asked.kind == CHOOSE_FEATURE


def run_active(other: Run | None) -> RunActive:
    """Report which run is in the way; it may have ended between the refusal and the look."""
    if other is None:
        return RunActive("Another run of this feature was active a moment ago; try again.")
    if other.waiting_reason is WaitingReason.NEEDS_ATTENTION:
        return RunActive(
            f"Run {other.id} of {other.repository} waits for a person's answer.",
            remediation=f"Answer it with `moonmind answer {other.id}`, cancel it, or name a feature.",
            runId=str(other.id),
        )
    feature = other.feature_key or other.requested_key or "the next unfinished feature"
    return RunActive(f"Run {other.id} works on {feature} of {other.repository}.", runId=str(other.id))


def _conditions(wanted: RunFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.status is not None:
        conditions.append(run.c.status == wanted.status)
    if wanted.repository is not None:
        conditions.append(run.c.repository_key == naming.repository_key(wanted.repository))
    if wanted.feature_key is not None:
        conditions.append(_of_feature(naming.requested_key(wanted.feature_key)))
    if wanted.text:
        shown = (run.c.repository, run.c.requested_key, run.c.feature_key, run.c.phase, run.c.branch)
        matches = [column.icontains(wanted.text, autoescape=True) for column in shown]
        conditions.append(or_(*matches, *_by_id(wanted.text)))
    return conditions


def _of_feature(asked: str) -> ColumnElement[bool]:
    """Match what a key, or a path with or without its `specs`, names: of a plain key, every feature of that name."""
    parts = asked.split("/")
    if "specs" in parts[:-1]:
        # What is not discovered yet may have been asked for by less than its path.
        short = (asked, short_path(asked), asked.rpartition("specs/")[2])
        return or_(run.c.feature_key == asked, and_(run.c.feature_key.is_(None), run.c.requested_key.in_(short)))
    paths = ["/".join([*parts[:place], "specs", *parts[place:]]) for place in range(len(parts))]
    named: list[ColumnElement[bool]] = [run.c.feature_key.in_([asked, *paths]), run.c.requested_key == asked]
    if len(parts) == 1:
        named.append(run.c.feature_key.endswith(f"/{asked}", autoescape=True))
    return or_(*named, and_(run.c.feature_key.is_(None), run.c.requested_key.in_(paths)))


def _by_id(text: str) -> list[ColumnElement[bool]]:
    try:
        return [run.c.id == UUID(text.strip())]
    except ValueError:
        return []


def works_on(run: Run, asked: str) -> bool:
    """Return True if the run works on what the request can mean: the feature it chose, or before that what it was asked for."""
    return may_be_one(run.feature_key or run.requested_key, asked)
