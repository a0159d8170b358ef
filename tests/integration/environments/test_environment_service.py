"""The environments of a repository and of a host: real git, real builds behind a real wall."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.scripted import ScriptedAgent
from moonmind.adapters.environments.environment_builds import BuildOptions, EnvironmentBuilds
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.sandbox_choice import set_to
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.db.unit_of_work import Database
from moonmind.engine.forge_cooldown import FORGE_COOLDOWN
from moonmind.errors import (
    EnvironmentFailed,
    MoonMindError,
    NotConfigured,
    NotFound,
    RecipeUnreadable,
    RepositoryNotAllowed,
    Unavailable,
)
from moonmind.ports.environments import BuildState
from moonmind.redact import Redactor
from moonmind.repository_patterns import RepositoryPatterns
from moonmind.sample import source
from moonmind.services.environment_following import BuildEvent, BuildNews
from moonmind.services.environment_service import EnvironmentService
from moonmind.settings import ambient_environment
from tests.support.environment_world import believed
from tests.support.git_repos import commit_to, make_bare
from tests.support.plain_wall import require_walls
from tests.support.waiting import until

NAME = "acme/shop"
SECRET = "glpat-0123456789abcdefghij"
WAITING = "echo begun; while [ ! -e go ]; do sleep 0.02; done; mkdir node_modules"


def recipe(*setups: str) -> str:
    """Return a `.moonmind.yml` with an environment for each of these: `r0`, `r1`, ..."""
    return "environment:\n" + "".join(
        f"  - root: r{number}\n    setup: ['{one}']\n" for number, one in enumerate(setups)
    )


class Site:
    """A host with one repository."""

    def __init__(self, folder: Path, database: Database, *setups: str, wall: bool = True, **terms: Any) -> None:
        self.bare = folder / "repositories" / f"{NAME}.git"
        roots = {f"r{number}/package.json": "{}" for number in range(len(setups))}
        make_bare(self.bare, {".moonmind.yml": recipe(*setups), **roots} if setups else {"README.md": "hello\n"})
        state, ambient = folder / "state", ambient_environment()
        sandbox = believed(state, f"i-{folder.name}") if wall else set_to("none")
        self.store = EnvironmentStore(state / "environments", 1 << 30)
        options = BuildOptions(state, "i", ambient, **terms.pop("builds", {}))
        self.builds = EnvironmentBuilds(options, self.store, sandbox)
        redactor = Redactor((SECRET,))
        forge = ForgeOptions(local_repos=folder / "repositories", sample=source.files, environment=ambient)
        self.make: Callable[..., EnvironmentService] = partial(
            EnvironmentService,
            database,
            self.builds,
            ScriptedAgent(AgentOptions(state, "i", environment=ambient, sandbox=sandbox, environments=self.store)),
            LocalForge(forge),
            GitVcs(VcsOptions(state, "file", dict[str, str], ambient, redactor)),
            redactor,
            **{"mode": "auto", "space": 1 << 30, **terms},
        )
        self.service = self.make()

    def go(self, root: int = 0) -> None:
        """Let the build of a root end that waits."""
        (self.store.building(self.key(root)) / f"workspace/r{root}/go").touch()

    def key(self, root: int = 0) -> str:
        key = self.service.show(NAME).environments[root].key
        assert key is not None
        return key

    def states(self) -> list[BuildState | None]:
        return [one.state for one in self.service.show(NAME).environments]


@pytest.fixture
def database(sqlite_url: str) -> Iterator[Database]:
    made = Database(sqlite_url)
    yield made
    made.dispose()


@pytest.fixture
def site(tmp_path: Path, database: Database) -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(*setups: str, **terms: Any) -> Site:
        made.append(Site(tmp_path, database, *setups, **terms))
        return made[-1]

    yield make
    for one in made:
        one.builds.stop_all()


@pytest.fixture
def walls() -> None:
    require_walls()


def events(news: list[BuildNews]) -> list[tuple[str, str]]:
    return [(one.event.value, one.root) for one in news if one.event is not BuildEvent.LOG]


def lines(news: list[BuildNews], root: str = "r0") -> list[str]:
    return [one.text for one in news if one.event is BuildEvent.LOG and one.root == root]


def test_what_is_needed_is_built_once_and_then_there(site: Callable[..., Site], walls: None) -> None:
    here = site(f"mkdir node_modules; echo one; echo {SECRET}; printf last", "true")
    shown = here.service.show("ACME/shop")
    assert (shown.declared, shown.not_here, shown.branch) == (True, None, "main")
    first = shown.environments[0]
    assert (first.root, first.key_files, "registry.npmjs.org" in first.hosts) == ("r0", ["r0/package.json"], True)
    assert here.states() == [BuildState.ABSENT] * 2
    news = list(here.service.build(NAME).news())
    assert sorted(events(news)) == sorted((event, root) for event in ("begun", "ready") for root in ("r0", "r1"))
    assert lines(news)[1:] == ["one", "[redacted]", "last"]
    assert lines(news, "r1") == ["$ true"]
    assert here.states() == [BuildState.READY] * 2
    again = list(here.service.build(NAME).news())
    assert [one.event for one in again] == [BuildEvent.READY] * 2
    assert [one.key for one in here.service.here().items] == [first.key, shown.environments[1].key]


@pytest.mark.in_every_run(1)
@pytest.mark.parametrize("failing", [0, 1])
def test_one_that_fails_ends_in_its_last_words_once_the_others_are_there(
    site: Callable[..., Site], walls: None, failing: int
) -> None:
    setups = ["true", "true"]
    setups[failing] = f"echo out of luck {SECRET}; exit 3"
    here = site(*setups)
    news: list[BuildNews] = []
    with pytest.raises(EnvironmentFailed, match=f"environment of r{failing} cannot be set up: .*out of luck") as caught:
        news.extend(here.service.build(NAME).news())
    assert SECRET not in caught.value.message
    expected = [BuildState.READY, BuildState.READY]
    expected[failing] = BuildState.FAILED
    assert here.states() == expected
    message = here.service.show(NAME).environments[failing].message
    assert message is not None
    assert "out of luck" in message
    assert SECRET not in message


def test_a_build_that_finds_no_place_waits_for_its_turn(site: Callable[..., Site], walls: None) -> None:
    here = site(WAITING, "true", builds={"most_jobs": 1})
    news = []
    for one in here.service.build(NAME).news():
        news.append(one)
        if one.event is BuildEvent.WAITS:
            here.go()
    assert events(news) == [("begun", "r0"), ("waits", "r1"), ("ready", "r0"), ("begun", "r1"), ("ready", "r1")]


def test_whoever_stops_following_leaves_the_build_to_others(site: Callable[..., Site], walls: None) -> None:
    here = site(WAITING)
    following = here.service.build(NAME).news()
    assert next(following).event is BuildEvent.BEGUN
    following.close()
    (known,) = here.service.here().items
    assert (known.state, known.begun_at is not None, known.built_at) == (BuildState.BUILDING, True, None)
    shown = here.service.show(NAME).environments[0]
    assert (shown.state, shown.begun_at) == (BuildState.BUILDING, known.begun_at)
    joined = here.service.build(NAME).news()
    assert next(joined).event is BuildEvent.JOINED
    here.go()
    news = list(joined)
    assert lines(news) == [f"$ {WAITING}", "begun"]
    assert events(news) == [("ready", "r0")]


def test_a_build_that_ended_unseen_is_listed(site: Callable[..., Site], walls: None) -> None:
    here = site(WAITING)
    next(here.service.build(NAME).news())
    here.go()
    (ready,) = until(
        lambda: [one for one in here.service.here().items if one.state is BuildState.READY], "the end of the build"
    )
    assert (ready.key, ready.begun_at, ready.built_at is not None) == (here.key(), None, True)


def test_a_build_that_is_removed_ends_for_those_who_follow_it(site: Callable[..., Site], walls: None) -> None:
    here = site(WAITING)
    following = here.service.build(NAME).news()
    next(following)
    removed = here.service.remove(here.service.named(NAME))
    assert ([one.state for one in removed.removed], removed.kept) == ([BuildState.BUILDING], [])
    with pytest.raises(EnvironmentFailed, match="was stopped"):
        list(following)
    assert here.states() == [BuildState.ABSENT]


@pytest.mark.parametrize(
    ("terms", "setups", "why"),
    [
        ({"mode": "off"}, ["true"], "MOONMIND_ENVIRONMENTS=off"),
        ({"mode": "declared"}, [], "MOONMIND_ENVIRONMENTS=declared"),
        ({"wall": False}, ["true"], "jobs run without a sandbox"),
    ],
    ids=["off", "declared", "no wall"],
)
def test_where_nothing_is_set_up_both_say_why(
    site: Callable[..., Site], terms: dict[str, Any], setups: list[str], why: str
) -> None:
    here = site(*setups, **terms)
    shown = here.service.show(NAME)
    assert shown.not_here is not None
    assert why in shown.not_here
    assert [(one.key, one.state) for one in shown.environments] == [(None, None)] * len(setups)
    with pytest.raises(NotConfigured, match=why):
        here.service.build(NAME)


def test_another_branch_is_read_where_it_is_named(site: Callable[..., Site]) -> None:
    here = site("true", wall=False)
    commit_to(here.bare, "next", {".moonmind.yml": "environment: {}\n"}, "Ask for nothing")
    shown = here.service.show(NAME, "next")
    assert (shown.branch, shown.declared, [one.setup for one in shown.environments]) == ("next", True, [[]])
    assert len(here.service.show(NAME).environments[0].setup) == 1


@pytest.mark.parametrize("action", ["show", "build"])
@pytest.mark.parametrize(
    ("named", "kind", "said"),
    [
        ((NAME, "gone"), NotFound, "has no branch 'gone'"),
        ((NAME, "--upload-pack=x"), NotFound, "has no branch"),
        (("acme/empty", None), NotFound, "is empty"),
        (("acme/broken", None), RecipeUnreadable, "line 2"),
        (("other/shop", None), RepositoryNotAllowed, "other/shop"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_in_words(
    site: Callable[..., Site], action: str, named: tuple[str, str | None], kind: type[MoonMindError], said: str
) -> None:
    here = site("true", wall=False, admitted=RepositoryPatterns(("acme/*",)))
    make_bare(here.bare.parent / "empty.git", {})
    make_bare(here.bare.parent / "broken.git", {".moonmind.yml": "setpu: [\n"})
    with pytest.raises(kind, match=said):
        getattr(here.service, action)(*named)


def test_a_forge_that_asked_to_wait_is_not_asked(site: Callable[..., Site], database: Database) -> None:
    here = site("true", wall=False)
    with database.write() as uow:
        uow.cooldowns.set(FORGE_COOLDOWN, uow.now() + timedelta(hours=1), "slow down")
    with pytest.raises(Unavailable, match="asked to wait until"):
        here.service.show(NAME)
