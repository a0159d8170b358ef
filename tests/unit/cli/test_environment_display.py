"""What a repository needs, and builds that are followed, as they are drawn."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from moonmind import wire
from moonmind.cli import consoles
from moonmind.cli.environment_display import BuildView, needs
from moonmind.ports.environments import BuildState
from moonmind.redact import Redactor
from moonmind.services.environment_following import BuildEvent, BuildNews, FollowedBuilds

Capture = pytest.CaptureFixture[str]
KEY = "v1-90cf0011223344556677889900aabbcc"
HOSTILE = "\x1b]0;owned\x07\x1b[2Jr\x07m\u202eda"
NOW = datetime.now(UTC)


def needed(**changes: Any) -> wire.RepositoryEnvironment:
    terms: dict[str, Any] = {
        "root": "web", "setup": ["npm ci"], "start": [], "variables": {}, "paths": ["**"], "hosts": ["registry.npmjs.org"],
        "key_files": ["web/package.json"],
    }  # fmt: skip
    return wire.RepositoryEnvironment(**(terms | changes))


def found(*environments: wire.RepositoryEnvironment, **changes: Any) -> wire.RepositoryEnvironments:
    terms: dict[str, Any] = {
        "repository": "acme/shop", "branch": "main", "commit": "c" * 40, "declared": True, "notes": [],
    }  # fmt: skip
    return wire.RepositoryEnvironments(environments=list(environments), **(terms | changes))


def drawn(shown: wire.RepositoryEnvironments, capsys: Capture) -> str:
    consoles.out().print(needs(shown))
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        ({}, r"^web +$"),
        ({"state": BuildState.ABSENT}, r"^web  not built"),
        ({"state": BuildState.BUILDING, "begun_at": timedelta(minutes=5)}, r"^web  being built for 5 min"),
        (
            {
                "state": BuildState.READY,
                "size_bytes": 3 << 20,
                "build_seconds": 34.0,
                "built_at": timedelta(hours=2),
            },
            r"^web  ready: 3\.0 MiB, set up in 34 s, 2 h ago",
        ),
        ({"state": BuildState.FAILED, "message": "one\ntwo"}, r"^web  its last build failed\s+failure +one +\n +two"),
    ],
)
def test_it_is_told_where_each_stands(capsys: Capture, standing: dict[str, Any], said: str) -> None:
    # Ages, since what is drawn is counted from the moment of drawing.
    ages = {name: datetime.now(UTC) - age for name, age in standing.items() if isinstance(age, timedelta)}
    standing = {**standing, **ages}
    assert re.search(said, drawn(found(needed(**standing)), capsys), re.MULTILINE)


@pytest.mark.parametrize(
    ("changes", "environments", "said"),
    [
        ({}, [needed()], "as .moonmind.yml says"),
        ({}, [], ".moonmind.yml says that nothing has to be set up"),
        ({"declared": False}, [needed(shown_by=["web/package.json"])], "as the build files show it"),
        ({"declared": False}, [], "nothing would be set up"),
        ({"not_here": "jobs run without a sandbox"}, [needed()], "nothing is set up on this host: jobs run without"),
        ({"notes": ["it depends"]}, [needed()], "note: it depends"),
        ({}, [needed(notes=["it varies"])], "  note: it varies"),
        ({}, [needed(setup=[])], "setup      nothing"),
        ({}, [needed(hosts=[])], "may reach  no host"),
        ({}, [needed(variables={"A": "1"})], "variables  A=1"),
        ({}, [needed(paths=["web/**", "shared/**"])], "for        web/**, shared/**"),
    ],
)
def test_it_is_told_who_says_so_and_what_of(
    capsys: Capture, changes: dict[str, Any], environments: list[wire.RepositoryEnvironment], said: str
) -> None:
    assert said in drawn(found(*environments, **changes), capsys)


@pytest.mark.parametrize("columns", [80, 160])
def test_hostile_names_are_drawn_harmless_and_within_the_width(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(consoles, "_PIPED_WIDTH", columns)
    long = "x" * 500
    lists = {name: [HOSTILE, long] for name in ("setup", "start", "paths", "shown_by", "key_files", "hosts", "notes")}
    names = dict.fromkeys(("root", "image", "key", "message"), f"{HOSTILE}{long}")
    one = needed(**lists, **names, variables={"A": HOSTILE}, state=BuildState.FAILED)
    shown = drawn(found(one, branch=HOSTILE, repository=HOSTILE, notes=[HOSTILE], not_here=HOSTILE), capsys)
    assert not re.search(r"[\x1b\x07\u202e]|owned", shown)
    assert max(map(cell_len, shown.splitlines())) <= columns


def news(event: BuildEvent, text: str = "", root: str = ".", key: str = KEY) -> BuildNews:
    return BuildNews(event, root, key, text, seconds=2.0, size=1 << 20)


def a_view(count: int) -> BuildView:
    builds = FollowedBuilds("acme/shop", [], Redactor(()))
    builds.count = count
    return BuildView(builds, consoles.out())


def test_lines_of_a_build_are_printed_whole_and_harmless(capsys: Capture) -> None:
    view = a_view(1)
    line = f"  {HOSTILE} " + "word " * 200 + "\u2028end"
    for one in (news(BuildEvent.BEGUN), news(BuildEvent.LOG, line), news(BuildEvent.READY)):
        view.show(one)
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "building acme/shop (v1-90cf0011)"
    assert second.startswith("  rmda word word")
    assert second.endswith("word  end")
    assert third == "ready: acme/shop (v1-90cf0011), 1.0 MiB, in 2.0 s"
    assert [(one.key, one.build_seconds) for one in view.ready] == [(KEY, 2.0)]


def test_lines_of_several_builds_name_their_root(capsys: Capture) -> None:
    view = a_view(2)
    view.show(news(BuildEvent.LOG, "one", root="web"))
    view.show(news(BuildEvent.LOG, "two", root=f"{'deep/' * 20}down{HOSTILE}"))
    first, second = capsys.readouterr().out.splitlines()
    assert first == "web | one"
    assert re.fullmatch(r"[a-z/]{20} \| two", second)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            BuildEvent.WAITS,
            "acme/shop web (v1-90cf0011) waits for its turn: as many builds run as may (MOONMIND_MAX_JOBS)",
        ),
        (BuildEvent.JOINED, "following the build of acme/shop web (v1-90cf0011), which is under way"),
        (BuildEvent.READY, "ready: acme/shop web (v1-90cf0011), 1.0 MiB, since before"),
        (BuildEvent.FAILED, "failed: acme/shop web (v1-90cf0011)"),
    ],
)
def test_each_event_is_told_in_a_line(capsys: Capture, event: BuildEvent, said: str) -> None:
    a_view(1).show(news(event, root="web"))
    assert capsys.readouterr().out == f"{said}\n"


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ([], "None of its builds is at work."),
        ([news(BuildEvent.WAITS)], "None of its builds is at work."),
        ([news(BuildEvent.BEGUN), news(BuildEvent.READY)], "None of its builds is at work."),
        ([news(BuildEvent.BEGUN)], "The build goes on: acme/shop (v1-90cf0011). `moonmind environment show acme/shop`"),
        (
            [news(BuildEvent.BEGUN), news(BuildEvent.JOINED, root="web", key="v1-aaaa0000")],
            "The builds go on: acme/shop (v1-90cf0011), acme/shop web (v1-aaaa0000). ",
        ),
    ],
)
def test_whoever_leaves_is_told_what_goes_on(capsys: Capture, before: list[BuildNews], said: str) -> None:
    view = a_view(2)
    for one in before:
        view.show(one)
    view.leave()
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("count", "said"), [(0, "Nothing has to be set up.\n"), (1, "")])
def test_a_repository_that_needs_nothing_gets_a_sentence(capsys: Capture, count: int, said: str) -> None:
    a_view(count).close()
    assert capsys.readouterr().out == said
