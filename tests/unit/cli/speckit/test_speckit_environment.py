"""`speckit environment` shows what tests need set up, and sets up nothing."""

import json
import os
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from moonmind.cli.speckit.speckit_command import main
from moonmind.proof.recipe_reading import read_recipe
from moonmind.proof.recipe_schema import recipe_schema
from tests.support.skeletons import EXPECTED, skeleton

ROOT = Path(__file__).parents[4]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path, text in {
        ".git/HEAD": "ref: refs/heads/main\n",
        "requirements.txt": "flask\n",
        "tests/test_a.py": "",
        "web/package.json": "{}",
        "web/package-lock.json": "{}",
        "Cargo.toml": "",
        "Makefile": "setup:\n",
        "node_modules/x/package.json": "{}",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def contents(folder: Path) -> dict[Path, bytes]:
    return {place: place.read_bytes() for place in folder.rglob("*") if place.is_file()}


def test_what_the_files_show_is_said_with_where_it_is_from(folder: Path, capsys: Capture) -> None:
    before = contents(folder)
    assert main(["environment", str(folder)]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert "as the build files show it; there is no .moonmind.yml" in lines
    assert ".venv/bin/pip install -r requirements.txt  (requirements.txt)" in lines
    assert "setup      npm ci  (web/package-lock.json)" in lines
    assert "note: no list of packages names pytest, which the tests need" in lines
    assert lines.index("proposed, not taken") < lines.index("- Cargo.toml: cargo fetch")
    assert lines.index("also found, not taken") < lines.index("- Makefile: targets that may set up or test: make setup")
    assert contents(folder) == before


def test_a_recipe_at_the_root_of_the_repository_decides_wherever_one_stands(folder: Path, capsys: Capture) -> None:
    (folder / "web/.specify").mkdir()
    (folder / ".moonmind.yml").write_text(
        "environment:\n  root: web\n  setup: make deps\n  start: pg_ctl start\n  image: node:22\n  variables: {A: b}\n"
    )
    assert main(["environment", str(folder / "web")]) == 0
    out = capsys.readouterr().out
    assert "as .moonmind.yml says" in out
    for line in ("web  npm", "image      node:22", "setup      make deps", "start      pg_ctl start", "variables  A=b"):
        assert line in out
    assert "npm ci" not in out


def test_programs_are_told_the_same(folder: Path, capsys: Capture) -> None:
    assert main(["environment", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["recipe"] is None
    assert [one["root"] for one in shown["environments"]] == [".", "web"]
    first, second = shown["environments"]
    assert first["steps"][-1] == {
        "command": ".venv/bin/pip install -r requirements.txt",
        "source": "requirements.txt",
        "because": "requirements.txt lists the packages",
    }
    assert first["tests"] == [{"command": ".venv/bin/python -m pytest", "source": "tests/test_a.py"}]
    assert second["key_paths"] == ["web/package-lock.json", "web/package.json"]
    assert [one["setup"] for one in shown["proposals"]] == [["cargo fetch"]]
    assert [one["source"] for one in shown["hints"]] == ["Makefile"]


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_a_wrong_recipe_is_refused_by_line(folder: Path, arguments: list[str], capsys: Capture) -> None:
    (folder / ".moonmind.yml").write_text("# x\nenvironment:\n  root: .\n  setpu: make\n")
    assert main(["environment", str(folder), *arguments]) == 4
    said = capsys.readouterr()
    assert "error: .moonmind.yml, line 4: `setpu` is not a key of environment; did you mean `setup`?" in said.err
    assert "fix: Correct the named lines" in said.err
    if arguments:
        shown = json.loads(said.out)
        assert (shown["code"], shown["details"]["line"]) == ("recipe_unreadable", 4)


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_an_empty_recipe_is_said_and_the_build_files_decide(folder: Path, text: str, capsys: Capture) -> None:
    (folder / ".moonmind.yml").write_text(text)
    assert main(["environment", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "note: .moonmind.yml is there and says nothing of an environment; the build files decide" in out
    assert "there is no .moonmind.yml" not in out
    assert "npm ci" in out


@pytest.mark.parametrize("root", ["bakend", "linked", "linked/web", "requirements.txt"])
def test_a_root_that_is_no_folder_of_the_checkout_is_refused_by_line(folder: Path, root: str, capsys: Capture) -> None:
    (folder / "linked").symlink_to(folder / "web")
    (folder / ".moonmind.yml").write_text(f"environment:\n  setup: make\n  root: {root}\n")
    assert main(["environment", str(folder)]) == 4
    assert "error: .moonmind.yml, line 3: " in capsys.readouterr().err


def test_an_image_whose_name_can_move_is_said(folder: Path, capsys: Capture) -> None:
    (folder / ".moonmind.yml").write_text("environment:\n  image: python:latest\n")
    assert main(["environment", str(folder)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "note: image python:latest: used in the sandbox docker only, where an operator allows it" in said
    assert "what it names can change" in said


@pytest.mark.parametrize("kind", ["link", "loose link", "folder", "pipe", "huge"])
def test_a_recipe_that_is_no_small_regular_file_is_refused(folder: Path, kind: str, capsys: Capture) -> None:
    place = folder / ".moonmind.yml"
    match kind:
        case "link":
            place.symlink_to(folder / "requirements.txt")
        case "loose link":
            place.symlink_to(folder / "nowhere")
        case "folder":
            place.mkdir()
        case "pipe":
            os.mkfifo(place)
        case _:
            place.write_bytes(b"#" * 5_000_000)
    assert main(["environment", str(folder)]) == 4
    assert ".moonmind.yml" in capsys.readouterr().err


@pytest.mark.parametrize("files", [(), ("README.md",), ("pom.xml",)])
def test_where_nothing_would_be_set_up_a_person_has_to_choose(
    tmp_path: Path, files: tuple[str, ...], capsys: Capture
) -> None:
    for name in files:
        (tmp_path / name).touch()
    assert main(["environment", str(tmp_path)]) == 3
    assert "nothing would be set up" in capsys.readouterr().out


def test_an_empty_environment_is_an_answer(folder: Path, capsys: Capture) -> None:
    (folder / ".moonmind.yml").write_text("environment: {}\n")
    assert main(["environment", str(folder)]) == 0
    assert "setup      nothing" in capsys.readouterr().out


def test_a_recipe_to_begin_with_is_printed_and_reads_as_it_was_detected(folder: Path, capsys: Capture) -> None:
    (folder / ".moonmind.yml").write_text("no recipe yet")
    assert main(["environment", str(folder), "--print-recipe"]) == 0
    text = capsys.readouterr().out
    (folder / ".moonmind.yml").write_text(text)
    assert main(["environment", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["recipe"] == ".moonmind.yml"
    assert [one["setup"] for one in shown["environments"]] == [
        ["python3 -m venv .venv", ".venv/bin/pip install -r requirements.txt"],
        ["npm ci"],
    ]


def test_a_recipe_is_no_json(folder: Path, capsys: Capture) -> None:
    assert main(["environment", str(folder), "--print-recipe", "--json"]) == 2
    assert "not allowed with" in capsys.readouterr().err


def test_nothing_that_a_repository_writes_reaches_the_terminal_as_a_sequence(folder: Path, capsys: Capture) -> None:
    (folder / ".devcontainer.json").write_text(
        json.dumps({"postCreateCommand": "a\x1b[31m", "onCreateCommand": "b\u202ec"})
    )
    (folder / "web/\x1b[2Jx").mkdir()
    (folder / "web/\x1b[2Jx/go.mod").touch()
    assert main(["environment", str(folder)]) == 0
    assert "\x1b" not in capsys.readouterr().out


ROOTS = {
    "02": [".", "frontend"],
    "05": ["backend"],
    "06": ["backend", "frontend"],
    "07": [".", "app/web", "services/mafuz"],
    "08": ["."],
    "10": ["."],
    "11": [],
    "19": [],
    "23": [".", "backend", "frontend"],
    "26": [],
}
"""By skeleton of a real project, the folders that a careful person would set up by its files alone."""


@pytest.mark.parametrize("name", sorted(ROOTS.keys() & EXPECTED.keys()))
def test_real_projects_are_set_up_where_a_careful_person_would(name: str, tmp_path: Path, capsys: Capture) -> None:
    folder = skeleton(name).lay_out(tmp_path)
    code = main(["environment", str(folder), "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert [one["root"] for one in shown["environments"]] == ROOTS[name]
    assert code == (0 if ROOTS[name] else 3)


def test_the_recipes_of_the_documentation_are_read() -> None:
    page = (ROOT / "docs/environments.md").read_text("utf-8")
    recipes = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(recipes) >= 2
    for text in recipes:
        assert read_recipe(text.encode()).environments
    for key in (*recipe_schema()["$defs"]["EnvironmentPart"]["properties"],):
        assert f"| `{key}` |" in page
    assert (
        Draft202012Validator.check_schema(json.loads((ROOT / "docs/moonmind.schema.json").read_text("utf-8"))) is None
    )
