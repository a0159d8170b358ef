"""What a run would take up, asked of a server: the answer is a run's, and nothing is made."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from moonmind.adapters.forges.local import LocalForge
from moonmind.db.unit_of_work import Database
from moonmind.engine.forge_cooldown import FORGE_COOLDOWN
from moonmind.errors import ForgeLimited
from moonmind.ports.check import CheckStatus
from moonmind.runtime.container import Container
from moonmind.sample import source
from tests.support.databases import add_run, everything
from tests.support.git_repos import branches_of, commit_to, make_bare, tip_of

RUNS = "/api/workflows/speckit/runs"
PREVIEW = f"{RUNS}/preview"
OPEN = "# Tasks\n\n## Phase 1: Setup\n\n- [ ] T001 Write `a.py`\n- [ ] T002 Write `b.py`\n\n## Phase 2: More\n\n- [ ] T003 Write `c.py`\n"
DONE = OPEN.replace("[ ]", "[x]")
MANUAL = "# Tasks\n\n## Phase 1: Setup\n\n- [ ] T001 [manual] Approve the budget\n"
UNREADABLE = "# Tasks\n\n## Phase 1: Setup\n\nNo box here.\n"

WORK: Mapping[str, str | bytes] = {"specs/001-a/tasks.md": OPEN}
ASK: Mapping[str, str | bytes] = {"specs/001-a/tasks.md": OPEN, "specs/002-b/tasks.md": OPEN}
REPOSITORIES: dict[str, Mapping[str, str | bytes]] = {
    "work": WORK,
    "ask": ASK,
    "people_only": {"specs/001-a/tasks.md": MANUAL},
    "nothing_left": {"specs/001-a/tasks.md": DONE},
    "refuse": {"specs/001-a/tasks.md": UNREADABLE},
}


@pytest.fixture
def repository(container: Container) -> "Repository":
    return Repository(container)


class Repository:
    """Makes repositories of their own at the forge of the tests' container."""

    def __init__(self, container: Container) -> None:
        self._folder: Path = container.settings.local_repos

    def of(self, files: Mapping[str, str | bytes]) -> str:
        name = f"acme/p{uuid4().hex[:12]}"
        make_bare(self.bare(name), files)
        return name

    def bare(self, name: str) -> Path:
        return self._folder / f"{name}.git"


def ask(client: TestClient, name: str, **values: Any) -> dict[str, Any]:
    answer = client.post(PREVIEW, json={"repository": name, **values})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("requested", "body"), [("", {}), ("001-a", {"featureKey": "001-a"}), ("001", {"featureKey": "001"})]
)
def test_a_run_that_would_refuse_the_request_is_named(
    client: TestClient, database: Database, repository: Repository, requested: str, body: dict[str, str]
) -> None:
    name = repository.of(ASK)
    run = add_run(database, repository=name, requested_key=requested)
    assert any(str(run.id) in note for note in ask(client, name, **body)["notes"])


@pytest.mark.parametrize("kind", REPOSITORIES)
def test_each_answer_is_given_and_nothing_is_made(
    client: TestClient, database: Database, repository: Repository, kind: str
) -> None:
    name = repository.of(REPOSITORIES[kind])
    before = everything(database)
    found = ask(client, name)
    assert found["answer"] == kind
    assert everything(database) == before
    assert branches_of(repository.bare(name)) == ["main"]


def test_work_is_shown_with_its_tasks_its_branch_and_the_preflight(client: TestClient, repository: Repository) -> None:
    name = repository.of(WORK)
    found = ask(client, name)
    assert (found["feature"], found["phase"]) == ("specs/001-a", "Phase 1: Setup")
    assert found["commit"] == tip_of(repository.bare(name), "main")
    assert found["tasks"] == ["T001", "T002"]
    assert [(task["id"], task["line"], task["text"]) for task in found["work"]] == [
        ("T001", 5, "Write `a.py`"),
        ("T002", 6, "Write `b.py`"),
    ]
    assert (found["branch"], found["base"], found["reason"], found["error"]) == ("moonmind/001-a", "main", None, None)
    assert found["ready"] is True
    assert "git.binary" in [check["name"] for check in found["checks"]]


def test_an_empty_repository_has_nothing_to_do(client: TestClient, repository: Repository) -> None:
    found = ask(client, repository.of({}))
    assert (found["answer"], found["error"]) == ("nothing_left", None)
    assert "is empty" in found["reason"]


def test_a_question_lists_what_may_be_meant(client: TestClient, repository: Repository) -> None:
    found = ask(client, repository.of(ASK))
    assert [(one["feature"], one["open"], one["total"]) for one in found["candidates"]] == [
        ("specs/001-a", 3, 3),
        ("specs/002-b", 3, 3),
    ]
    assert (found["tasks"], found["work"], found["branch"], found["commit"]) == ([], [], None, None)
    assert found["reasons"]


@pytest.mark.parametrize(
    ("select", "tasks"),
    [
        ({"tasks": ["T003"]}, ["T003"]),
        ({"tasks": ["T001-T003"], "skip": ["T001"]}, ["T002"]),
        ({"phase": "2"}, ["T003"]),
        ({"skip": ["T001", "T002"]}, ["T003"]),
    ],
)
def test_a_preview_takes_a_choice_among_the_tasks(
    client: TestClient, repository: Repository, select: dict[str, Any], tasks: list[str]
) -> None:
    assert ask(client, repository.of(WORK), select=select)["tasks"] == tasks


@pytest.mark.parametrize("feature", ["002", "002-b", "specs/002-b"])
def test_a_preview_takes_the_features_name(client: TestClient, repository: Repository, feature: str) -> None:
    found = ask(client, repository.of(ASK), featureKey=feature)
    assert (found["answer"], found["feature"]) == ("work", "specs/002-b")


@pytest.mark.parametrize(
    ("files", "values", "code"),
    [
        (WORK, {"featureKey": "999"}, "feature_not_found"),
        (WORK, {"select": {"tasks": ["T999"]}}, "invalid_request"),
        ({"README.md": "nothing"}, {}, "feature_not_found"),
        ({"specs/001-a/tasks.md": UNREADABLE}, {"featureKey": "1"}, "spec_unreadable"),
        (WORK, {"featureKey": "002"}, "feature_not_found"),
    ],
)
def test_what_a_run_would_end_with_is_the_answer(
    client: TestClient,
    database: Database,
    repository: Repository,
    files: Mapping[str, str | bytes],
    values: dict[str, Any],
    code: str,
) -> None:
    before = everything(database)
    found = ask(client, repository.of(files), **values)
    assert (found["answer"], found["error"]["code"]) == ("refuse", code)
    assert found["error"]["message"] == found["reason"]
    assert everything(database) == before


SPEC = {"specs/002-b/spec.md": "# B\n"}
NO_TASKS = "specs/002-b has a spec.md and no tasks.md yet"
LOST = {".specify/feature.json": '{"feature_directory": "specs/009-z"}'}
NO_MATCH = ".specify/feature.json names specs/009-z, which matches no feature"


@pytest.mark.parametrize(
    ("files", "values", "feature", "notes"),
    [
        ({**WORK, **SPEC}, {"featureKey": "002-b"}, None, [NO_TASKS]),
        ({**SPEC, "README.md": "x"}, {}, None, [NO_TASKS]),
        ({**SPEC, **LOST, "specs/001-a/tasks.md": UNREADABLE}, {}, None, ["passed over", NO_MATCH, NO_TASKS]),
        ({**SPEC, "specs/001-a/tasks.md": UNREADABLE}, {"featureKey": "1"}, "specs/001-a", [NO_TASKS]),
    ],
)
def test_a_refusal_says_what_else_a_person_should_know(
    client: TestClient,
    repository: Repository,
    files: Mapping[str, str | bytes],
    values: dict[str, Any],
    feature: str | None,
    notes: list[str],
) -> None:
    found = ask(client, repository.of(files), **values)
    assert (found["answer"], found["feature"], found["tasks"]) == ("refuse", feature, [])
    assert len(found["notes"]) == len(notes)
    assert all(note in said for note, said in zip(notes, found["notes"], strict=True))


def test_a_refusal_after_the_choice_names_the_feature_and_hands_out_nothing(
    client: TestClient, repository: Repository
) -> None:
    name = repository.of({**WORK, **SPEC})
    bare = repository.bare(name)
    commit_to(bare, "moonmind/001-a/x", {"x": "y"}, "By hand", start=tip_of(bare, "main"))
    found = ask(client, name)
    assert (found["answer"], found["error"]["code"]) == ("refuse", "branch_conflict")
    assert (found["feature"], found["tasks"], found["work"], found["notes"]) == ("specs/001-a", [], [], [NO_TASKS])


def test_a_forge_that_wants_to_be_left_alone_is_by_every_run_and_preview(
    client: TestClient, database: Database, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = repository.of(WORK)
    asked: list[str] = []

    def limited(_: LocalForge, full_name: str) -> None:
        asked.append(full_name)
        raise ForgeLimited("the forge's limit is reached", seconds=600)

    monkeypatch.setattr(LocalForge, "repository", limited)
    try:
        for _ in range(2):
            answer = client.post(PREVIEW, json={"repository": name})
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
            with database.read() as uow:
                cooldown = uow.cooldowns.get(FORGE_COOLDOWN)
                assert cooldown is not None
                assert timedelta(seconds=590) < cooldown.until - uow.now() <= timedelta(seconds=610)
            assert f"the forge asked to wait until {cooldown.until:%Y-%m-%d %H:%M:%S} UTC" in answer.json()["message"]
            assert cooldown.reason == "the forge's limit is reached"
        assert asked == [name]
    finally:
        with database.write() as uow:
            uow.cooldowns.set(FORGE_COOLDOWN, uow.now(), "")


def test_an_active_run_of_the_feature_is_said(client: TestClient, database: Database, repository: Repository) -> None:
    name = repository.of(WORK)
    assert ask(client, name)["notes"] == []
    run = add_run(database, repository=name, requested_key="001-a")
    (note,) = ask(client, name)["notes"]
    assert str(run.id) in note
    assert ask(client, repository.of(WORK))["notes"] == []


@pytest.mark.parametrize("body", [{}, {"repository": "x"}, {"repository": "a/b", "select": {"story": "?"}}])
def test_a_wrong_question_is_refused_as_a_wrong_run_is(client: TestClient, body: dict[str, Any]) -> None:
    asked, started = client.post(PREVIEW, json=body), client.post(RUNS, json=body)
    assert asked.status_code == started.status_code == 422
    assert asked.json()["details"] == started.json()["details"]


@pytest.mark.parametrize("stage", ["submit", "apply", "publish"])
def test_a_forced_stage_leaves_nothing_to_choose(client: TestClient, stage: str) -> None:
    answer = client.post(PREVIEW, json={"repository": "a/b", "forcePhase": stage})
    assert (answer.status_code, answer.json()["details"]) == (422, {"field": "forcePhase"})


def test_a_repository_that_is_not_admitted_is_not_looked_at(connect: Any) -> None:
    limited = connect(MOONMIND_REPOSITORIES="acme/other")
    answer = limited.post(PREVIEW, json={"repository": "acme/demo"})
    assert (answer.status_code, answer.json()["code"]) == (403, "repository_not_allowed")


def test_the_sample_is_work(client: TestClient) -> None:
    found = ask(client, source.REPOSITORY)
    assert (found["answer"], found["ready"]) == ("work", True)
    assert all(check["status"] != CheckStatus.FAILED for check in found["checks"])
