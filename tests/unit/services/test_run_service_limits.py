"""An installation that is limited to some repositories starts and retries no run of another one."""

import pytest
from pydantic import ValidationError

from moonmind.engine.dispatch_loop import LeaveDue
from moonmind.errors import ErrorInfo, RepositoryNotAllowed
from moonmind.repository_patterns import RepositoryPatterns
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Failed, RetryMode
from moonmind.services.run_service import RunService
from moonmind.wire import CreateRun, RetryRun
from tests.support.databases import everything
from tests.support.engine_room import EngineRoom


def limited(room: EngineRoom, *patterns: str) -> RunService:
    return RunService(
        room.database,
        room.store,
        LeaveDue(room.database),
        room.preflight,
        room.stages,
        run_deadline_seconds=3600.0,
        admitted=RepositoryPatterns(patterns),
    )


@pytest.mark.parametrize("force", [None, "submit", "apply", "publish"])
@pytest.mark.parametrize("name", ["other/app", "acme-x/app", "Acme/other"])
def test_no_run_of_another_repository_is_made(room: EngineRoom, name: str, force: str | None) -> None:
    service = limited(room, "acme/app*")
    before = everything(room.database)
    with pytest.raises(RepositoryNotAllowed, match=name):
        service.create(CreateRun.model_validate({"repository": name, "forcePhase": force}), idempotency_key="k")
    assert everything(room.database) == before


def test_a_run_of_an_admitted_one_is_made_in_any_case_of_letters(room: EngineRoom) -> None:
    assert limited(room, "acme/app*").create(CreateRun.model_validate({"repository": "ACME/App2"})).id


@pytest.mark.parametrize(
    "name",
    [
        "other/app.git", "other/app.Git", "other/app/", "acme/app.git", "acme/app/", "https://github.com/other/app",
        "https://github.com/acme/app.git", "git@github.com:other/app.git", "file:///srv/other/app.git", "/srv/acme/app",
    ],
)  # fmt: skip
def test_no_other_spelling_of_a_repository_gets_past_the_limit(room: EngineRoom, name: str) -> None:
    before = everything(room.database)
    with pytest.raises(ValidationError, match="owner/name as the forge spells it"):
        limited(room, "acme/*").create(CreateRun.model_validate({"repository": name}))
    assert everything(room.database) == before


@pytest.mark.parametrize("mode", list(RetryMode))
@pytest.mark.parametrize("stage", [Stage.DISCOVER, Stage.SUBMIT, Stage.PUBLISH])
def test_a_run_from_before_the_limit_is_not_retried(room: EngineRoom, mode: RetryMode, stage: Stage) -> None:
    run = room.reach(stage)
    room.reports(stage, Failed(ErrorInfo("git_failed", "why")))
    room.execute(run, stage)
    before = everything(room.database)
    with pytest.raises(RepositoryNotAllowed, match=run.repository):
        limited(room, "acme/*").retry(run.id, RetryRun(mode=mode))
    assert everything(room.database) == before
    assert limited(room, run.repository).retry(run.id, RetryRun(mode=mode)).id == run.id
