"""Attempts, read. Transitions write them."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import and_, bindparam, func, select

from moonmind.db import row_mapping
from moonmind.db.in_transaction import InTransaction
from moonmind.db.tables import attempt, chain_order, run
from moonmind.runs.chain import Stage
from moonmind.runs.machine import AttemptState
from moonmind.runs.records import Attempt

_OF_RUN = attempt.c.run_id == bindparam("of_run", type_=attempt.c.run_id.type)
_NEWEST = (
    select(attempt.c.stage, func.max(attempt.c.number).label("number"))
    .where(_OF_RUN)
    .group_by(attempt.c.stage)
    .subquery()
)
_LATEST = (
    select(*row_mapping.ATTEMPT)
    .join(_NEWEST, and_(_NEWEST.c.stage == attempt.c.stage, _NEWEST.c.number == attempt.c.number))
    .where(_OF_RUN)
    .order_by(chain_order)
)
"""The latest attempt of every stage; built once, since every claim reads it."""


class Attempts(InTransaction):
    """The attempts of one transaction."""

    def latest(self, run_id: UUID) -> list[Attempt]:
        """Return the latest attempt of every stage, in chain order."""
        return row_mapping.attempts_of(self._connection.execute(_LATEST, {"of_run": run_id}).all())

    def all(self, run_id: UUID) -> list[Attempt]:
        """Return every attempt, in chain order, then by number."""
        query = select(*row_mapping.ATTEMPT).where(attempt.c.run_id == run_id).order_by(chain_order, attempt.c.number)
        return row_mapping.attempts_of(self._connection.execute(query).all())

    def commits(self, run_ids: Iterable[UUID]) -> frozenset[str]:
        """Return the commits that apply recorded for these runs, those of earlier rounds too."""
        query = select(attempt.c.result).where(attempt.c.run_id.in_(list(run_ids)), attempt.c.stage == Stage.APPLY)
        found = ((row[0] or {}).get("commit") for row in self._connection.execute(query))
        return frozenset(commit for commit in found if isinstance(commit, str))

    def approval_of_recipe(self, repository_key: str, recipe: str) -> Mapping[str, Any] | None:
        """Return the newest approval that apply recorded in a repository for a recipe, of whatever run and round it is."""
        query = (
            select(attempt.c.result)
            .join(run, run.c.id == attempt.c.run_id)
            .where(run.c.repository_key == repository_key, attempt.c.stage == Stage.APPLY)
            .where(attempt.c.result["approval", "recipe"].as_string() == recipe)
            .order_by(attempt.c.id.desc())
            .limit(1)
        )
        found = self._connection.execute(query).scalar_one_or_none()
        return None if found is None else dict(found["approval"])

    def results(self, run_id: UUID) -> dict[Stage, Mapping[str, Any]]:
        """Return what the stages recorded that are done; a stage that was opened again does not count."""
        return {one.stage: one.result or {} for one in self.latest(run_id) if one.state is AttemptState.SUCCEEDED}
