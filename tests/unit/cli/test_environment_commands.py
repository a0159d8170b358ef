"""What is set up on this host, listed and removed; builds themselves have their tests behind a wall."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from rich.cells import cell_len

from moonmind import wire
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.cli import consoles
from moonmind.cli.environment_commands import sheet
from moonmind.cli.main import main
from moonmind.ports.environments import BuildState
from moonmind.proof.environments.environment_value import Environment
from moonmind.runs import naming
from moonmind.runs.chain import Stage
from moonmind.runtime.container import Container
from tests.support.built_environments import build_of, built
from tests.support.git_repos import make_bare

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
RUN = UUID("5d41402a-bc4b-4a76-b971-9d911017c592")
SHOP, WEB, OTHER = f"v1-aaaa{'0' * 28}", f"v1-aabb{'0' * 28}", f"v1-cccc{'0' * 28}"
HOSTILE = "\x1b]0;owned\x07\x1b[2Jrm\n\u202eda"


@pytest.fixture
def store(container: Container) -> EnvironmentStore:
    """The host's environments: two of a repository, of which one is lent to an agent's job, and one of another."""
    made = EnvironmentStore(container.state_folder / "environments", 1 << 30)
    web = Environment(root="web/app", setup=("npm ci",))
    built(made, SHOP, build=build_of(repository="Acme/Shop"))
    built(made, WEB, build=build_of(web, repository="Acme/Shop"))
    built(made, OTHER, build=build_of(repository="acme/other", run=str(RUN)))
    ended, begins = (naming.job_key(RUN, Stage.SUBMIT, number) for number in (1, 2))
    made.borrow(OTHER, ended)
    made.borrow(WEB, begins)
    (container.state_folder / "jobs" / begins).mkdir(parents=True)  # the first that there is of a job
    return made


def keys(store: EnvironmentStore) -> list[str]:
    return [one.key for one in store.all()]


def test_a_host_without_environments_says_so(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("environment", "list") == 0
    assert capsys.readouterr().out == "Nothing is set up on this host: runs do it when they need it.\n"
    assert moonmind("environment", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"items": [], "sizeBytes": 0, "spaceBytes": 20 << 30}
    assert moonmind("environment", "remove", "--all", "--yes") == 0
    assert capsys.readouterr().out == "There was nothing to remove.\n"


def test_a_list_has_what_is_there_and_the_space_that_it_takes(
    moonmind: Command, store: EnvironmentStore, capsys: Capture
) -> None:
    assert moonmind("environment", "list") == 0
    shown = capsys.readouterr().out
    rows = [re.split(r" {2,}", line.strip()) for line in shown.splitlines()]
    assert rows[0] == ["KEY", "REPOSITORY", "ROOT", "SETUP", "SIZE", "BUILT", "USED", "FOR"]
    ago = rows[1][5]
    assert rows[1:4] == [
        ["v1-cccc0000", "acme/other", ".", "make setup", rows[1][4], ago, "just now", "run 5d41402a"],
        ["v1-aaaa0000", "Acme/Shop", ".", "make setup", rows[2][4], ago, "just now", "all runs"],
        ["v1-aabb0000", "Acme/Shop", "web/app", "npm ci", rows[3][4], ago, "now", "all runs"],
    ]
    assert re.fullmatch(
        r"3 environments, [0-9.]+ (B|KiB) of at most 20\.0 GiB \(MOONMIND_ENVIRONMENT_SPACE\)", rows[-1][0]
    )


def test_programs_are_told_the_same(moonmind: Command, store: EnvironmentStore, capsys: Capture) -> None:
    assert moonmind("environment", "list", "--json") == 0
    told = wire.HostEnvironments.model_validate_json(capsys.readouterr().out)
    assert [(one.key, one.state, one.run, one.lent_to) for one in told.items] == [
        (OTHER, BuildState.READY, str(RUN), []),
        (SHOP, BuildState.READY, None, []),
        (WEB, BuildState.READY, None, [str(RUN)]),
    ]
    assert told.size_bytes == sum(one.built.size for one in store.all()) > 0


@pytest.mark.parametrize(
    ("named", "gone"),
    [
        ("acme/OTHER", [OTHER]),
        ("v1-cccc", [OTHER]),
        ("CCCC0", [OTHER]),
        (OTHER, [OTHER]),
        ("aaaa", [SHOP]),
    ],
)
def test_what_is_named_is_removed(
    moonmind: Command, store: EnvironmentStore, capsys: Capture, named: str, gone: list[str]
) -> None:
    assert moonmind("environment", "remove", named, "--yes", "--json") == 0
    told = wire.RemovedEnvironments.model_validate_json(capsys.readouterr().out)
    assert ([one.key for one in told.removed], told.kept) == (gone, [])
    assert keys(store) == [key for key in (SHOP, WEB, OTHER) if key not in gone]


@pytest.mark.parametrize("named", ["acme/shop", "--all", "aabb"])
def test_what_a_job_works_in_is_kept_and_named(
    moonmind: Command, store: EnvironmentStore, capsys: Capture, named: str
) -> None:
    assert moonmind("environment", "remove", named, "--yes") == 1
    assert f"Kept Acme/Shop web/app (v1-aabb0000): lent to the agent of run {RUN}\n" in capsys.readouterr().out
    assert WEB in keys(store)
    assert (SHOP in keys(store)) is (named == "aabb")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "not clear"),
        (("acme/shop", "--all"), 2, "not clear"),
        (("acme/shop",), 2, "2 environments, "),
        (("--all",), 2, "no terminal to ask at"),
        (("acme/shop", "--json"), 2, "Run it again with --yes"),
        (("aaa",), 2, "neither OWNER/NAME nor the key"),
        (("v1-",), 2, "neither OWNER/NAME nor the key"),
        (("acme/shop/web",), 2, "not owner/name"),
        (("acme/none", "--yes"), 3, "no environment of acme/none"),
        (("dddd", "--yes"), 3, "starts with dddd"),
    ],
)
def test_nothing_is_removed_that_was_not_asked_for(
    moonmind: Command, store: EnvironmentStore, capsys: Capture, arguments: tuple[str, ...], code: int, said: str
) -> None:
    assert moonmind("environment", "remove", *arguments) == code
    assert said in capsys.readouterr().err
    assert keys(store) == [SHOP, WEB, OTHER]


def test_a_key_that_is_too_short_to_tell_names_those_that_it_may_be(
    moonmind: Command, store: EnvironmentStore, capsys: Capture
) -> None:
    for key in (f"v1-eeee1{'0' * 27}", f"v1-eeee2{'0' * 27}"):
        built(store, key)
    assert moonmind("environment", "remove", "eeee", "--yes") == 2
    assert f"2 keys start with eeee: v1-eeee1{'0' * 27}, v1-eeee2{'0' * 27}" in capsys.readouterr().err
    assert len(keys(store)) == 5


@pytest.mark.parametrize("command", ["list", "remove"])
def test_without_an_installation_none_is_made(
    installation: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    missing = installation / "elsewhere" / "moonmind.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{missing}")
    assert main(["environment", command, *(["--all", "--yes"] if command == "remove" else [])]) == 3
    assert "does not exist" in capsys.readouterr().err
    assert not missing.parent.exists()


def test_without_a_wall_show_says_why_and_build_refuses(moonmind: Command, installation: Path, capsys: Capture) -> None:
    make_bare(installation / "repositories/acme/shop.git", {".moonmind.yml": "environment:\n  setup: make\n"})
    assert moonmind("environment", "show", "acme/shop") == 0
    assert "nothing is set up on this host: jobs run without a sandbox" in capsys.readouterr().out
    assert moonmind("environment", "show", "acme/shop", "--json") == 0
    told = wire.RepositoryEnvironments.model_validate_json(capsys.readouterr().out)
    assert ([one.setup for one in told.environments], told.not_here is not None) == ([["make"]], True)
    assert moonmind("environment", "build", "acme/shop") == 4
    assert "nothing is set up on this host" in capsys.readouterr().err
    assert moonmind("environment", "show", "acme/shop", "--ref", "gone") == 3
    assert "has no branch 'gone'" in capsys.readouterr().err


def test_show_makes_no_installation(installation: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = installation / "elsewhere" / "moonmind.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{missing}")
    make_bare(installation / "repositories/acme/shop.git", {"README.md": "hello"})
    assert main(["environment", "show", "acme/shop"]) == 0
    assert "nothing would be set up" in capsys.readouterr().out
    assert not missing.parent.exists()


def hosted(**changes: object) -> wire.HostEnvironment:
    now = datetime.now(UTC)
    terms: dict[str, object] = {
        "key": SHOP, "repository": "acme/shop", "root": ".", "state": BuildState.READY, "setup": ["uv sync"], "start": [],
        "size_bytes": 3 << 30, "built_at": now - timedelta(days=3), "used_at": now - timedelta(hours=2),
    }  # fmt: skip
    return wire.HostEnvironment.model_validate(terms | changes)


@pytest.mark.parametrize("columns", [80, 100, 160])
@pytest.mark.parametrize(
    "changes",
    [
        {"repository": f"{'a' * 39}/{'b' * 100}", "root": "services/" + "c" * 200, "setup": ["x" * 4000] * 50},
        {"root": HOSTILE, "setup": [HOSTILE], "repository": HOSTILE},
        {"state": BuildState.BUILDING, "begun_at": datetime.now(UTC) - timedelta(minutes=90), "run": str(RUN)},
        {"root": "서버/環境" * 9, "run": str(RUN), "lent_to": [str(RUN)]},
    ],
    ids=["long", "hostile", "building", "wide characters"],
)
def test_each_row_fits_into_one_line_of_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, columns: int, changes: dict[str, object]
) -> None:
    monkeypatch.setattr(consoles, "_PIPED_WIDTH", columns)
    found = wire.HostEnvironments(items=[hosted(), hosted(**changes)], size_bytes=6 << 30, space_bytes=20 << 30)
    console = consoles.out()
    console.print(sheet(found, console))
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 5
    assert all(cell_len(line) <= columns for line in shown.splitlines())
    assert not re.search(r"[\x1b\x07\u202e]", shown)
    assert "BUILT" in shown
    assert "2 environments, 6.0 GiB of at most 20.0 GiB" in shown
