import json
import os
import shutil
from pathlib import Path

import jsonschema
import pytest

from moonmind import __version__
from moonmind.cli.speckit.speckit_command import main
from tests.support.git_repos import git, make_bare

ROOT = Path(__file__).parents[4]
FIXTURES = ROOT / "tests/fixtures/tasks_md"
TASKS = "specs/spec-42-refresh-docs/tasks.md"

Capture = pytest.CaptureFixture[str]


def test_the_version_is_said_as_the_quickstart_asks(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"speckit {__version__}\n"


def test_status_shows_each_phase_and_what_comes_next(checkout: Path, capsys: Capture) -> None:
    assert main(["status", str(checkout)]) == 0
    out = capsys.readouterr().out
    assert "specs/spec-42-refresh-docs" in out
    assert "Phase 1: Setup" in out
    assert "0/3" in out
    assert "next: T001, T002, T003" in out


def test_status_with_json_says_the_same_to_programs(checkout: Path, capsys: Capture) -> None:
    tasks = checkout / "specs/spec-42-refresh-docs/tasks.md"
    tasks.write_text(tasks.read_text("utf-8").replace("- [ ] T001", "- [X] T001"), "utf-8")
    assert main(["status", str(checkout), "--feature", "spec-42-refresh-docs", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    (feature,) = shown["features"]
    assert feature["completed"] == 1
    assert feature["next_pending"] == ["T002", "T003"]
    assert shown["next"]["tasks"] == ["T002", "T003"]
    assert feature["phases"][0]["completed"] == 1


def test_a_finished_feature_says_that_nothing_is_left(checkout: Path, capsys: Capture) -> None:
    tasks = checkout / "specs/spec-42-refresh-docs/tasks.md"
    tasks.write_text(tasks.read_text("utf-8").replace("- [ ]", "- [x]"), "utf-8")
    assert main(["status", str(checkout), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["features"][0]["all_complete"]
    assert shown["next"]["tasks"] == []
    assert "is done" in shown["next"]["reason"]


def test_a_file_that_cannot_be_read_with_certainty_is_said_and_the_others_are_shown(
    checkout: Path, capsys: Capture
) -> None:
    other = checkout / "specs/043-broken"
    other.mkdir()
    (other / "tasks.md").write_text("# nothing that asks for work\n")
    assert main(["status", str(checkout)]) == 4
    out = capsys.readouterr().out
    assert "fix: " in out
    assert "Phase 1: Setup" in out
    assert main(["status", str(checkout), "--json"]) == 4
    features = {each["key"]: each for each in json.loads(capsys.readouterr().out)["features"]}
    assert features["043-broken"]["refused"]
    assert "no line such as" in features["043-broken"]["reason"]


def test_a_folder_without_features_is_not_found(tmp_path: Path, capsys: Capture) -> None:
    assert main(["status", str(tmp_path)]) == 3
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["merge"], ["status", "/no/such/folder"]])
def test_a_wrong_command_line_is_explained(arguments: list[str], capsys: Capture) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_spec_cannot_steer_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    feature = tmp_path / "specs/001-x"
    feature.mkdir(parents=True)
    (feature / "tasks.md").write_text("## Phase 1: \x1b[2Jx\n\n- [ ] T001 Write `a.py` \x1b]0;t\x07\n")
    main(["status", str(tmp_path)])
    assert "\x1b" not in capsys.readouterr().out


# --- one file ------------------------------------------------------------------------------------------------------


def test_one_file_is_one_object(checkout: Path, capsys: Capture) -> None:
    file = checkout / TASKS
    file.write_text("# Tasks: X\n\n## Phase 1: A\n\n- [x] T001 Do a.py\n- [ ] T002 Deploy by hand (manual)\n", "utf-8")
    assert main(["status", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "refused": False,
        "reason": None,
        "total": 2,
        "completed": 1,
        "all_complete": False,
        "phases": [{"title": "Phase 1: A", "total": 2, "completed": 1}],
        "next_phase": "Phase 1: A",
        "next_pending": ["T002"],
        "flags": [{"id": "T002", "line": 6, "flags": ["manual"], "words": ["(manual"]}],
        "warnings": [],
    }
    assert main(["status", str(file)]) == 0
    assert "1/2" in capsys.readouterr().out


def test_a_file_that_is_refused_is_an_object_of_the_same_shape(checkout: Path, capsys: Capture) -> None:
    file = checkout / TASKS
    file.write_text("<<<<<<< HEAD\n- [ ] T001 x\n", "utf-8")
    assert main(["status", str(file), "--json"]) == 4
    shown = json.loads(capsys.readouterr().out)
    assert shown["refused"]
    assert "line 1" in shown["reason"]
    assert (shown["total"], shown["all_complete"], shown["phases"], shown["next_phase"]) == (0, False, [], None)


def test_what_is_printed_is_what_the_schema_says(checkout: Path, capsys: Capture) -> None:
    schema = json.loads((ROOT / "docs/speckit-status.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    for arguments, code in (
        (["status", str(checkout)], 0),
        (["status", str(checkout / TASKS)], 0),
        (["status", str(FIXTURES / "case-01.md")], 0),
        (["status", str(FIXTURES / "case-22.md")], None),
    ):
        ended = main([*arguments, "--json"])
        assert code in {None, ended}
        jsonschema.validate(json.loads(capsys.readouterr().out), schema)


def test_the_shape_of_the_json_is_the_one_that_was_promised(checkout: Path, capsys: Capture) -> None:
    """Names, order and types of everything: who parses it must not be surprised by a new version."""
    assert main(["status", str(checkout), "--json"]) == 0
    snapshot = (ROOT / "tests/fixtures/speckit_status.json").read_text("utf-8")
    assert json.dumps(json.loads(capsys.readouterr().out), indent=2, ensure_ascii=False) + "\n" == snapshot


# --- what comes next -----------------------------------------------------------------------------------------------


def test_next_says_what_a_run_would_do_and_why(checkout: Path, capsys: Capture) -> None:
    assert main(["next", str(checkout)]) == 0
    out = capsys.readouterr().out
    assert "Phase 1: Setup" in out
    assert "only feature with open tasks" in out
    assert "T003  [P] Declare the project" in out


@pytest.mark.parametrize(
    ("arguments", "tasks"),
    [
        (["--story", "US1"], ["T007", "T008", "T009", "T010"]),
        (["--story", "1"], ["T007", "T008", "T009", "T010"]),
        (["--task", "T005"], ["T005"]),
        (["--task", "T002-T005"], ["T002", "T003"]),
        (["--task", "T002,T003", "--task", "T001"], ["T001", "T002", "T003"]),
        (["--story", "US1", "--task", "T001-T008"], ["T007", "T008"]),
    ],
)
def test_a_person_may_choose_among_the_open_tasks(
    checkout: Path, capsys: Capture, arguments: list[str], tasks: list[str]
) -> None:
    assert main(["next", str(checkout), *arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"] == tasks


@pytest.mark.parametrize(
    "arguments", [["--task", "T999"], ["--task", "x y"], ["--story", "one"], ["--task", "T003-T001"]]
)
def test_a_choice_that_names_nothing_is_explained(checkout: Path, capsys: Capture, arguments: list[str]) -> None:
    assert main(["next", str(checkout), *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "fix: " in err


def test_nothing_to_do_has_its_reason_and_its_own_exit_code(checkout: Path, capsys: Capture) -> None:
    tasks = checkout / TASKS
    tasks.write_text(tasks.read_text("utf-8").replace("- [ ]", "- [x]"), "utf-8")
    assert main(["next", str(checkout), "--json"]) == 3
    assert "done" in json.loads(capsys.readouterr().out)["reason"]
    assert main(["next", str(checkout), "--feature", "spec-42-refresh-docs", "--task", "T001", "--json"]) == 3
    assert "No selected task" in json.loads(capsys.readouterr().out)["reason"]


def test_spec_kits_variables_name_the_feature_and_the_command_line_wins(
    checkout: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("001-a", "002-b", "003-c"):
        place = checkout / "specs" / number
        place.mkdir()
        (place / "tasks.md").write_text(f"## Phase 1: {number}\n\n- [ ] T001 Do it\n")

    def chosen(*arguments: str) -> str:
        assert main(["next", str(checkout), "--json", *arguments]) == 0
        return str(json.loads(capsys.readouterr().out)["feature"])

    assert main(["next", str(checkout), "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["asks"] == "choose_feature"
    monkeypatch.setenv("SPECIFY_FEATURE", "002-b")
    assert chosen() == "specs/002-b"
    monkeypatch.setenv("SPECIFY_FEATURE_DIRECTORY", str(checkout / "specs/003-c"))
    assert chosen() == "specs/003-c"
    monkeypatch.setenv("SPECIFY_FEATURE_DIRECTORY", "specs/003-c")
    assert chosen() == "specs/003-c"
    assert chosen("--feature", "001") == "specs/001-a"
    monkeypatch.setenv("SPECIFY_FEATURE_DIRECTORY", "/elsewhere/specs/001-a")
    assert main(["next", str(checkout)]) == 2
    assert "SPECIFY_FEATURE_DIRECTORY" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "tasks"),
    [
        (["--phase", "1"], ["T001", "T002", "T003"]),
        (["--phase", "setup", "--skip", "T002"], ["T001", "T003"]),
        (["--skip", "T001-T003", "--skip", "T004"], ["T005", "T006"]),
        (["--phase", "1", "--task", "T002-T009"], ["T002", "T003"]),
    ],
)
def test_phase_story_tasks_and_tasks_to_skip_are_one_choice(
    checkout: Path, capsys: Capture, arguments: list[str], tasks: list[str]
) -> None:
    assert main(["next", str(checkout), "--json", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["tasks"][: len(tasks)] == tasks


@pytest.mark.parametrize(
    ("arguments", "tasks", "part"),
    [
        ([], ["T001", "T002"], "2 of 3 open tasks of Phase 1: Setup (Shared Infrastructure), divided because --"),
        (["--phase", "1", "--skip", "T001"], ["T002", "T003"], None),
        (["--story", "US1"], ["T007", "T008"], "2 of 4 open tasks of Phase 3: "),
        (["--task", "T001-T003"], ["T001", "T002", "T003"], None),
    ],
)
def test_a_large_phase_is_divided_unless_its_tasks_are_listed(
    checkout: Path, capsys: Capture, arguments: list[str], tasks: list[str], part: str | None
) -> None:
    assert main(["next", str(checkout), "--json", "--most", "2", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tasks"] == tasks
    assert [reason.startswith(part or "-") for reason in found["reasons"]].count(True) == (part is not None)
    assert main(["next", str(checkout), "--most", "2", *arguments]) == 0
    assert ("divided because --most is 2" in " ".join(capsys.readouterr().out.split())) is (part is not None)


@pytest.mark.parametrize("root", ["", "backend"])
def test_a_question_says_when_its_candidates_were_committed_last(tmp_path: Path, capsys: Capture, root: str) -> None:
    text = "# Tasks\n\n## Phase 1: A\n\n- [ ] T001 Write a.py\n"
    files = {f"{root}/specs/{name}/tasks.md".lstrip("/"): text for name in ("001-a", "002-b")}
    make_bare(tmp_path / "bare.git", files)
    git(tmp_path, "clone", "--quiet", "bare.git", "clone")
    place = tmp_path / "clone" / root
    (place / ".specify").mkdir()
    (place / "specs" / "003-c").mkdir()
    (place / "specs" / "003-c" / "tasks.md").write_text(text)
    for arguments in (["next"], ["status"]):
        assert main([*arguments, str(place), "--json"]) == (3 if arguments == ["next"] else 0)
        said = json.loads(capsys.readouterr().out)
        changed = {one["feature"]: one["changed_at"] for one in said.get("next", said)["candidates"]}
        committed = "2026-01-01T00:00:00+00:00"
        assert changed == {"specs/001-a": committed, "specs/002-b": committed, "specs/003-c": None}
    assert main(["next", str(place)]) == 3
    assert "last changed 2026-01-01" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("most", ["0", "-1", "few", "1.5", "²"])
def test_a_limit_that_is_no_number_of_tasks_is_refused(checkout: Path, capsys: Capture, most: str) -> None:
    assert main(["next", str(checkout), f"--most={most}"]) == 2
    assert "is not a number of tasks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "arguments", "code"),
    [
        ("001-a", "<<<<<<< HEAD\n- [ ] T001 x\n", ["next", "--feature", "001"], 4),
        ("001-a", "<<<<<<< HEAD\n- [ ] T001 x\n", ["prompt", "--feature", "001"], 4),
        ("001-a", "- [ ] T001 Write a.py\n", ["next"], 3),
        ("001-a", "- [ ] T001 Write a.py\n", ["prompt"], 3),
        ("001-a", "- [ ] T001 Write a.py\n", ["next", "--feature", "099"], 3),
        ("042-a", "- [ ] T001 Write a.py\n", ["next", "--feature", "042"], 3),
        ("001-a", "- [x] T001 Write a.py\n", ["next", "--feature", "001"], 3),
        ("001-a", "- [ ] T001 Deploy to production\n", ["next", "--feature", "001"], 3),
    ],
)
def test_an_end_without_work_has_the_exit_code_of_the_page(
    checkout: Path, capsys: Capture, name: str, text: str, arguments: list[str], code: int
) -> None:
    for folder in (name, "042-other"):
        (checkout / "specs" / folder).mkdir(exist_ok=True)
        (checkout / "specs" / folder / "tasks.md").write_text(text if folder == name else "- [x] T001 Write b.py\n")
    assert main([arguments[0], str(checkout), *arguments[1:]]) == code
    if arguments[0] == "next":
        capsys.readouterr()
        assert main(["next", str(checkout), "--json", *arguments[1:]]) == code
        assert json.loads(capsys.readouterr().out)["answer"] != "work"
    assert "featureKey" not in capsys.readouterr().err


def test_what_is_neither_folder_nor_file_is_refused_at_once(tmp_path: Path, capsys: Capture) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (str(tmp_path / "pipe"), "/dev/null", "/dev/zero"):
        for command in ("status", "next", "doctor"):
            assert main([command, place]) == 2
            assert "neither a folder nor a file" in capsys.readouterr().err


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(checkout: Path, capsys: Capture) -> None:
    for path in ("specs/001-a/tasks.md", ".specify/feature.json", ".git/HEAD"):
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).unlink(missing_ok=True)
        os.mkfifo(checkout / path)
    assert main(["status", str(checkout), "--json"]) == 4
    (broken,) = [one for one in json.loads(capsys.readouterr().out)["features"] if one["refused"]]
    assert "is a named pipe" in broken["reason"]


def test_the_branch_of_a_linked_worktree_counts(checkout: Path, capsys: Capture, tmp_path: Path) -> None:
    for number in ("001-a", "002-b"):
        (checkout / "specs" / number).mkdir()
        (checkout / "specs" / number / "tasks.md").write_text("- [ ] T001 Do it\n")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "HEAD").write_text("ref: refs/heads/002-b\n")
    shutil.rmtree(checkout / ".git", ignore_errors=True)
    (checkout / ".git").write_text(f"gitdir: {tmp_path / 'link'}\n")
    assert main(["next", str(checkout), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["feature"] == "specs/002-b"


def test_the_project_is_found_from_inside_and_its_branch_counts(checkout: Path, capsys: Capture) -> None:
    for number in ("001-a", "002-b"):
        place = checkout / "specs" / number
        place.mkdir()
        (place / "tasks.md").write_text(f"## Phase 1: {number}\n\n- [ ] T001 Do it\n")
    (checkout / ".git").mkdir()
    (checkout / ".git/HEAD").write_text("ref: refs/heads/002-b\n")
    assert main(["next", str(checkout / "specs"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["feature"] == "specs/002-b"


def test_prompt_prints_what_an_agent_would_be_told(checkout: Path, capsys: Capture) -> None:
    assert main(["prompt", str(checkout), "--task", "T002", "--notes", "Be brief."]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Implement one phase of the feature in `specs/spec-42-refresh-docs`: 1 task, T002.")
    assert "specs/spec-42-refresh-docs/plan.md" in out
    assert ".specify/memory/constitution.md" in out
    assert "Be brief." in out
