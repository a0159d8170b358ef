"""Which feature is meant: ours and Spec Kit's own scripts agree, in projects that its own command has made."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from moonmind.cli.speckit.speckit_command import main
from tests.support import git_repos, spec_kit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

OLDER = "0.13.4"
SCRIPT = ".specify/scripts/bash/check-prerequisites.sh"
FEATURES = {
    "001-login": "- [x] T001 Write src/login.py\n",
    "002-cart": "- [ ] T001 Write src/cart.py\n",
    "010-pay": "- [ ] T001 Write src/pay.py\n",
    "20260101-120000-audit": "- [ ] T001 Write src/audit.py\n",
}
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `specify` of an older version, in an environment of its own."""
    return spec_kit.older_specify(tmp_path_factory.mktemp("specify"), OLDER)


@pytest.fixture(scope="module", params=["current", OLDER])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as `specify init` leaves it, with four features on a branch of no feature's name."""
    folder = tmp_path_factory.mktemp("project") / "shop"
    home = tmp_path_factory.mktemp("home")
    binary = spec_kit.SPECIFY if request.param == "current" else request.getfixturevalue("older")
    spec_kit.initialize(folder, home, specify=binary)
    for name, line in FEATURES.items():
        place = folder / "specs" / name
        place.mkdir(parents=True)
        for document in ("spec.md", "plan.md"):
            (place / document).write_text(f"# {name}\n")
        (place / "tasks.md").write_text(f"# Tasks: {name}\n\n## Phase 1: Setup\n\n{line}")
    git_repos.git(folder, "init", "--quiet", "--template=", "--initial-branch=main", ".")
    recorded = json.loads((folder / ".specify/init-options.json").read_text())["speckit_version"]
    assert recorded == request.param or request.param == "current"
    return folder


@pytest.fixture(autouse=True)
def pristine(project: Path) -> None:
    (project / ".specify/feature.json").unlink(missing_ok=True)
    (project / ".git/HEAD").write_text("ref: refs/heads/main\n")


def theirs(project: Path, environment: Mapping[str, str]) -> str | None:
    """Ask Spec Kit's own script; None where it finds no feature."""
    done = subprocess.run(
        ["bash", SCRIPT, "--json", "--paths-only"], cwd=project, capture_output=True, text=True, timeout=30,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(project.parent), **environment}, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        return None
    found: dict[str, Any] = json.loads(done.stdout)
    return Path(found["FEATURE_DIR"]).relative_to(project).as_posix()


def ours(project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> str | None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    main(["next", str(project), "--json"])
    out = capsys.readouterr().out
    return json.loads(out)["feature"] if out.startswith("{") and "feature" in out else None


@pytest.mark.parametrize("given", ["specs/002-cart", "specs/010-pay", "specs/20260101-120000-audit", "absolute"])
@pytest.mark.in_every_run(2)
def test_the_variable_names_the_feature(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    value = str(project / "specs/010-pay") if given == "absolute" else given
    environment = {"SPECIFY_FEATURE_DIRECTORY": value}
    wanted = "specs/010-pay" if given == "absolute" else given
    assert theirs(project, environment) == ours(project, capsys, monkeypatch, environment) == wanted


@pytest.mark.parametrize("name", ["002-cart", "010-pay", "20260101-120000-audit"])
def test_the_pointer_names_the_feature(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (project / ".specify/feature.json").write_text(json.dumps({"feature_directory": f"specs/{name}"}))
    assert theirs(project, {}) == ours(project, capsys, monkeypatch, {}) == f"specs/{name}"


def test_the_variable_beats_the_pointer(project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".specify/feature.json").write_text('{"feature_directory": "specs/002-cart"}')
    environment = {"SPECIFY_FEATURE_DIRECTORY": "specs/010-pay"}
    assert theirs(project, environment) == ours(project, capsys, monkeypatch, environment) == "specs/010-pay"


@pytest.mark.parametrize(
    ("branch", "wanted"),
    [("main", None), ("010-pay", "specs/010-pay"), ("me/shop/010-pay", "specs/010-pay")],
)
def test_where_the_scripts_find_none_the_branch_decides_or_a_person_is_asked(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, branch: str, wanted: str | None
) -> None:
    """A clone has no pointer: it is not committed. Their answer is an error then."""
    (project / ".git/HEAD").write_text(f"ref: refs/heads/{branch}\n")
    assert theirs(project, {}) is None
    assert ours(project, capsys, monkeypatch, {}) == wanted


def test_a_pointer_to_a_finished_feature_leads_to_no_guess(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".specify/feature.json").write_text('{"feature_directory": "specs/001-login"}')
    assert theirs(project, {}) == "specs/001-login"
    assert ours(project, capsys, monkeypatch, {}) is None
    (project / ".git/HEAD").write_text("ref: refs/heads/010-pay\n")
    assert ours(project, capsys, monkeypatch, {}) == "specs/010-pay"
