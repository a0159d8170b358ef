"""`moonmind environment` at a terminal and in a pipe: builds that go on, and a removal that asks."""

import json
import os
import subprocess
from pathlib import Path

from tests.support.git_repos import make_bare
from tests.support.plain_wall import require_walls
from tests.support.processes import PYTHON, ROOT
from tests.support.terminal_process import CTRL_C, TerminalProcess

RECIPE = """environment:
  setup:
    - "printf '\\\\033[31mbegun\\\\033[0m\\\\n'; while [ ! -e go ]; do sleep 0.05; done"
    - mkdir node_modules; echo done
"""
MOONMIND = [PYTHON, "-m", "moonmind.cli.main", "environment"]


def test_a_build_goes_on_without_its_terminal_and_is_removed_by_a_yes_alone(tmp_path: Path) -> None:
    require_walls()
    work, state = tmp_path / "work", tmp_path / "state"
    for folder in (work, tmp_path / "tmp"):
        folder.mkdir()
    make_bare(tmp_path / "repositories/acme/shop.git", {".moonmind.yml": RECIPE, "package.json": "{}"})
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "TERM": "xterm",
        "TMPDIR": str(tmp_path / "tmp"),  # state is refused below the temporary folder, where pytest puts us
        "SPEC_WORKFLOW_TEST_MODE": "1",
        "MOONMIND_SANDBOX": "bubblewrap",
        "MOONMIND_STATE_DIR": str(state),
        "MOONMIND_LOCAL_REPOS": str(tmp_path / "repositories"),
        "DATABASE_URL": f"sqlite:///{work / 'moonmind.db'}",
    }
    with TerminalProcess([*MOONMIND, "build", "acme/shop"], env=environment, cwd=work) as terminal:
        terminal.await_text("building acme/shop (v")
        terminal.await_text("\nbegun\n")
        terminal.type(CTRL_C)
        terminal.await_text("The build goes on: acme/shop (v")
    (checkout,) = state.glob("environments/*.building/workspace")
    piped = subprocess.Popen(
        [*MOONMIND, "build", "acme/shop"], stdout=subprocess.PIPE, text=True, env=environment, cwd=work
    )
    assert piped.stdout is not None
    with piped, piped.stdout as log:
        assert [log.readline() for _ in range(3)][2] == "begun\n"  # as it grows
        (checkout / "go").touch()
        *_, printed, ready = log
    assert (printed, ready.startswith("ready: acme/shop (v"), piped.returncode) == ("done\n", True, 0)
    with TerminalProcess([*MOONMIND, "remove", "acme/shop"], env=environment, cwd=work) as terminal:
        terminal.await_text("Remove 1 environment, ")
        terminal.type("y\n")
        terminal.await_text("Removed acme/shop (v")
    listed = subprocess.run([*MOONMIND, "list", "--json"], capture_output=True, env=environment, cwd=work, check=True)
    assert json.loads(listed.stdout)["items"] == []
