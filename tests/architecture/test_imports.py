"""The arrows of the tree: they are kept, and each contract would notice if they were not."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ENVIRONMENT_READERS = (
    "moonmind/settings.py",
    "moonmind/adapters/supervisor/",
    "moonmind/adapters/agents/scripted_player.py",
    "moonmind/adapters/sandboxes/breach.py",
    "moonmind/adapters/sandboxes/bubblewrap_start.py",
    "moonmind/adapters/sandboxes/docker_start.py",
    "moonmind/adapters/verification/unittest_junit.py",
    "moonmind/cli/speckit/speckit_command.py",
)
"""Settings are read once; the supervisor hands on what it was given; the player and what runs at a sandbox's wall are
programs of their own; `speckit` answers to Spec Kit's own two variables, and starts without the settings' libraries."""

UNIT_TESTS_WITH_PROCESSES = {
    "tests/unit/runtime/test_server_file.py": "a process that has ended",
    "tests/unit/test_env_file.py": "one that writes to a pipe",
    "tests/unit/test_private.py": "one that wants a lock",
    "tests/unit/test_setting_sources.py": "git makes work trees",
    "tests/unit/test_var_folder_marks.py": "some that start together",
}
"""Each of theirs takes a moment."""

VIOLATIONS = [
    ("Arrows point down", "moonmind/errors/trespass.py", "import moonmind.engine"),
    ("Arrows point down", "moonmind/engine/trespass.py", "import moonmind.stages"),
    ("Arrows point down", "moonmind/services/trespass.py", "import moonmind.stages"),
    ("Nobody imports the API", "moonmind/cli/trespass.py", "import api_service"),
    ("What a run is and what the spec says know errors only", "moonmind/runs/trespass.py", "import moonmind.settings"),
    (
        "Adapters know ports, neither the engine nor the database",
        "moonmind/adapters/vcs/trespass.py",
        "import moonmind.db",
    ),
    (
        "Adapters know ports, neither the engine nor the database",
        "moonmind/adapters/forges/database.py",
        "import moonmind.db.unit_of_work",
    ),
    ("Stages and tasks never touch the database", "moonmind/stages/kit/trespass.py", "import moonmind.db.unit_of_work"),
    ("Stages and tasks never touch the database", "moonmind/stages/finalize/trespass.py", "import moonmind.db.tables"),
    (
        "Stages and tasks never touch the database",
        "moonmind/workflows/speckit_celery/trespass.py",
        "import moonmind.db",
    ),
    ("Interfaces know services, neither tables nor adapters", "api_service/trespass.py", "import moonmind.db"),
    ("Interfaces know services, neither tables nor adapters", "moonmind/demo/trespass.py", "import moonmind.adapters"),
    ("Only bootstrap knows concrete adapters", "moonmind/workflows/trespass.py", "import moonmind.adapters"),
    ("Stages never import each other", "moonmind/stages/submit/trespass.py", "import moonmind.stages.apply"),
    (
        "Adapter families never import each other",
        "moonmind/adapters/agents/trespass.py",
        "import moonmind.adapters.forges",
    ),
    (
        "The supervisor outlives everything: the standard library and redact only",
        "moonmind/adapters/supervisor/trespass.py",
        "import moonmind.ports",
    ),
    ("SQLAlchemy stays in moonmind.db", "moonmind/engine/tables.py", "import sqlalchemy"),
    ("Celery stays at the edge", "moonmind/adapters/agents/broker.py", "import celery"),
]
"""A contract, a file that would break it, and how."""


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-P", "-c", program, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (
            path for path in sorted((ROOT / folder).rglob("*.py")) if "sample/repository" not in path.as_posix()
        )


def test_the_arrows_of_the_tree_are_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def trespassed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Break every contract in a copy of the tree, and give what the linter says."""
    folder = tmp_path_factory.mktemp("trespassed")
    skip = shutil.ignore_patterns("__pycache__", "repository")
    for package in ("moonmind", "api_service"):
        shutil.copytree(ROOT / package, folder / package, ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "moonmind" / "errors.py").unlink()
    for _, path, line in VIOLATIONS:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).parent.joinpath("__init__.py").touch()
        (folder / path).write_text(line + "\n")
    return lint(folder).stdout


@pytest.mark.parametrize(("contract", "path", "line"), VIOLATIONS)
def test_a_contract_notices_when_it_is_broken(trespassed: str, contract: str, path: str, line: str) -> None:
    assert f"{contract} BROKEN" in trespassed
    importer, imported = path.removesuffix(".py").replace("/", "."), line.removeprefix("import ")
    details = trespassed.partition(f"\n{contract}\n---")[2].partition("\n---")[0]
    assert re.search(rf"{re.escape(importer)} (->|is not allowed to import) {re.escape(imported)}", details), details


def test_every_contract_is_among_those_that_are_tried() -> None:
    named = re.findall(
        r'^\[\[tool\.importlinter\.contracts\]\]\nname = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    assert set(named) == {contract for contract, _, _ in VIOLATIONS}


def test_no_contract_exempts_an_import_that_is_not_there() -> None:
    assert "unmatched_ignore_imports_alerting" not in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("folder", ["engine", "services"])
def test_engine_and_services_name_no_stage(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(f"moonmind/{folder}")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Stage" and node.attr.isupper()
    ]
    assert found == []


def test_the_supervisor_and_redact_need_nothing_but_the_standard_library() -> None:
    allowed = sys.stdlib_module_names | {"moonmind.redact", "moonmind.errors", "moonmind.adapters.supervisor"}
    files = sources("moonmind/redact", "moonmind/adapters/supervisor")
    for path in files:
        for name in imported(path):
            top = name.partition(".")[0] if not name.startswith("moonmind") else name
            assert any(top == root or top.startswith(f"{root}.") for root in allowed), f"{path}: {name}"


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield f"{node.module}"


def test_the_environment_is_read_in_few_places() -> None:
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    found = []
    for path in sources("moonmind", "api_service"):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith(ENVIRONMENT_READERS):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            direct = isinstance(node, ast.Attribute) and node.attr in names and getattr(node.value, "id", "") == "os"
            by_name = isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names}
            if isinstance(node, ast.expr | ast.stmt) and (direct or by_name):
                found.append(f"{place}:{node.lineno}")
    assert found == []


def test_unit_tests_start_no_processes() -> None:
    starters = {
        "subprocess",
        "multiprocessing",
        "tests.support.engines",
        "tests.support.processes",
        "tests.support.team",
    }
    found = {path.relative_to(ROOT).as_posix() for path in sources("tests/unit") if starters & set(imported(path))}
    assert found == UNIT_TESTS_WITH_PROCESSES.keys()
