"""How the environments of a repository are drawn: what it needs, and builds while they are followed."""

import sys

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from moonmind import wire
from moonmind.cli.byte_sizes import byte_size
from moonmind.cli.durations import ago, between, duration
from moonmind.cli.terminal_text import clean, one_line
from moonmind.ports.environments import BuildState
from moonmind.proof.environments.environment_value import ROOT
from moonmind.services.environment_following import BuildEvent, BuildNews, FollowedBuilds

SHORT_KEY = 11
"""Characters of a key that are shown; commands take them."""
_SHORT_COMMIT = 12
_SHOWN_FILES = 6
_ROOT_CELLS = 20


def needs(found: wire.RepositoryEnvironments) -> RenderableType:
    """Draw what a repository needs, and where each stands on this host."""
    where = f"  {one_line(found.branch)} at {found.commit[:_SHORT_COMMIT]}"
    parts: list[RenderableType] = [Text.assemble((one_line(found.repository), "bold"), (where, "dim"))]
    parts.append(Text(_source(found), "dim" if found.environments else "yellow"))
    if found.not_here is not None:
        parts.append(Text(f"nothing is set up on this host: {one_line(found.not_here)}", "yellow"))
    for one in found.environments:
        parts += [Text(""), Text.assemble((one_line(one.root), "bold"), "  ", _standing(one)), _facts(one)]
        parts += [Text(f"  note: {one_line(note)}", "yellow") for note in one.notes]
    if found.notes:
        parts.append(Text(""))
    parts += [Text(f"note: {one_line(note)}", "yellow") for note in found.notes]
    return Group(*parts)


def _source(found: wire.RepositoryEnvironments) -> str:
    if found.declared:
        return "as .moonmind.yml says" if found.environments else ".moonmind.yml says that nothing has to be set up"
    if found.environments:
        return "as the build files show it"
    return "nothing would be set up: no build file says for certain what is needed; `speckit environment` shows what was found"


def _standing(one: wire.RepositoryEnvironment) -> Text:
    match one.state:
        case BuildState.READY:
            took = f", set up in {duration(one.build_seconds)}," if one.build_seconds is not None else ""
            since = f" {ago(one.built_at)}" if one.built_at else ""
            return Text(f"ready: {byte_size(one.size_bytes or 0)}{took}{since}", "green")
        case BuildState.BUILDING:
            since = f" for {between(one.begun_at, None)}" if one.begun_at else ""
            return Text(f"being built{since}", "cyan")
        case BuildState.FAILED:
            return Text("its last build failed", "red")
        case BuildState.ABSENT:
            return Text("not built", "yellow")
        case _:
            return Text("")


def _facts(one: wire.RepositoryEnvironment) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    variables = ", ".join(f"{name}={one_line(value)}" for name, value in one.variables.items())
    setup = one.setup or ["nothing"]
    for name, texts, style in (
        ("failure", [one.message or ""], "red"),
        ("key", [one.key or ""], ""),
        ("image", [one.image or ""], ""),
        ("setup", setup, "" if one.setup else "dim"),
        ("start", one.start, ""),
        ("variables", [variables], ""),
        ("shown by", [_shortened(one.shown_by)], ""),
        ("key files", [_shortened(one.key_files) or "none"], ""),
        ("may reach", [", ".join(one.hosts) or "no host"] if one.setup else [], ""),
        ("for", [] if one.paths == ["**"] else [_shortened(one.paths)], ""),
    ):
        for index, text in enumerate(filter(None, texts)):
            table.add_row("" if index else name, Text(clean(text).strip(), style))
    return Padding(table, (0, 0, 0, 2), expand=False)


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
    return ", ".join(map(one_line, names[:_SHOWN_FILES])) + more


class BuildView:
    """Prints what happens to builds while they are followed, line by line."""

    def __init__(self, builds: FollowedBuilds, console: Console) -> None:
        self._builds = builds
        self._console = console
        self._at_work: dict[str, str] = {}
        self.ready: list[wire.BuiltEnvironment] = []

    def show(self, news: BuildNews) -> None:
        """Print one of them."""
        root = "" if news.root == ROOT else f" {one_line(news.root)}"
        name = f"{one_line(self._builds.repository)}{root} ({news.key[:SHORT_KEY]})"
        match news.event:
            case BuildEvent.WAITS:
                self._say(f"{name} waits for its turn: as many builds run as may (MOONMIND_MAX_JOBS)", "yellow")
            case BuildEvent.BEGUN | BuildEvent.JOINED:
                self._at_work[news.key] = name
                begun = news.event is BuildEvent.BEGUN
                self._say(f"building {name}" if begun else f"following the build of {name}, which is under way", "bold")
            case BuildEvent.LOG:
                self._line(news)
            case BuildEvent.READY:
                built = news.key in self._at_work
                took = f", in {duration(news.seconds)}" if built else ", since before"
                self._say(f"ready: {name}, {byte_size(news.size)}{took}", "green")
                self._end(news)
                self.ready.append(
                    wire.BuiltEnvironment(
                        root=news.root, key=news.key, build_seconds=round(news.seconds, 1), size_bytes=news.size
                    )
                )
            case BuildEvent.FAILED:
                self._say(f"failed: {name}", "red")
                self._end(news)

    def leave(self) -> None:
        """Say what goes on without being followed."""
        if not self._at_work:
            print("\nNone of its builds is at work.", file=sys.stderr)
            return
        which = "The build goes on" if len(self._at_work) == 1 else "The builds go on"
        print(
            f"\n{which}: {', '.join(self._at_work.values())}. `moonmind environment show {self._builds.repository}` shows how far; "
            "`moonmind environment remove KEY` stops a build.",
            file=sys.stderr,
        )

    def close(self) -> None:
        """Say it where there was nothing to build."""
        if not self._builds.count:
            self._say("Nothing has to be set up.", "dim")

    def _line(self, news: BuildNews) -> None:
        line = Text()
        if self._builds.count > 1:
            line.append(f"{one_line(news.root)[-_ROOT_CELLS:]} | ", "dim")
        line.append(clean(news.text).replace("\n", " ").expandtabs())
        self._print(line)

    def _say(self, text: str, style: str) -> None:
        self._print(Text(text, style))

    def _print(self, line: Text) -> None:
        # Not cut at the width of a page: a reader in a pipe wants lines as they were printed.
        self._console.print(line, soft_wrap=True)
        self._console.file.flush()

    def _end(self, news: BuildNews) -> None:
        self._at_work.pop(news.key, None)
