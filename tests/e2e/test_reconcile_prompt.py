"""`moonmind reconcile` in a terminal: what a person types decides whether a run is started."""

import os
from pathlib import Path

from moonmind.db.unit_of_work import Database
from moonmind.runs.records import RunFilter
from tests.support.git_repos import git, make_bare
from tests.support.processes import PYTHON, ROOT
from tests.support.terminal_process import CTRL_C, CTRL_D, TerminalProcess

FILES = {
    "specs/001-a/tasks.md": "# Tasks\n\n## Phase 1: Setup\n\n- [ ] T001 Create `src/a.py`\n- [ ] T002 Create `src/b.py`\n",
    "src/a.py": "def work() -> int:\n    return 41 + 1\n",
}
QUESTION = "Open a pull request that ticks this box of specs/001-a? [y/N] "


COMMANDS = """
from moonmind.cli.main import main
while True:
    print(f"ended with {main(['reconcile', 'acme/rockets'])}", flush=True)
"""
"""One after the other in one process: to start it takes longer than all of them."""


def test_the_proposals_are_accepted_by_a_yes_alone(tmp_path: Path) -> None:
    work = tmp_path / "work"
    for folder in (work, tmp_path / "tmp"):
        folder.mkdir()
    bare = tmp_path / "repositories" / "acme" / "rockets.git"
    make_bare(bare, FILES)
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "TERM": "xterm",
        "TMPDIR": str(tmp_path / "tmp"),  # state is refused below the temporary folder, where pytest puts us
        "SPEC_WORKFLOW_TEST_MODE": "1",
        "MOONMIND_STATE_DIR": str(tmp_path / "state"),
        "MOONMIND_LOCAL_REPOS": str(tmp_path / "repositories"),
        "DATABASE_URL": f"sqlite:///{work / 'moonmind.db'}",
    }
    database = Database(environment["DATABASE_URL"])
    with TerminalProcess([PYTHON, "-c", COMMANDS], env=environment, cwd=work) as terminal:
        for keys, said in (
            ("n\n", "n\nNothing was started.\nended with 0\n"),
            ("\n", "\nNothing was started.\nended with 0\n"),
            (CTRL_D, "\nNothing was started.\nended with 0\n"),
            (CTRL_C, "^C\nNothing was started.\nended with 130\n"),
        ):
            terminal.await_text(QUESTION)
            terminal.type(keys)
            terminal.await_text(said)
            assert runs_of(database) == []
        terminal.await_text(QUESTION)
        terminal.type("y\n")
        terminal.await_text("Watch it with `moonmind show")
        terminal.await_text("ended with 0\n")
    commit = git(bare, "rev-parse", "main").decode().strip()
    assert runs_of(database) == [("ticks", {"tasks": ["T001"], "commit": commit})]
    database.dispose()


def runs_of(database: Database) -> list[tuple[str, object]]:
    with database.read() as unit:
        return [(run.kind, run.selection) for run in unit.runs.page(RunFilter(), 9)]
