import json
from collections.abc import Mapping

import pytest

from moonmind.speckit.project_commands import LARGEST, MOST, MOST_FOLDERS, commands_in, folders_of


def commands(files: Mapping[str, str], *folders: str) -> list[str]:
    """List what is found, as "purpose: command"; with the folder where that is not the root."""
    found = commands_in(files, folders, lambda path: files[path].encode() if path in files else None)
    return [f"{one.purpose}: {f'{one.folder}$ ' if one.folder else ''}{one.command}" for one in found]


def package(**scripts: str) -> str:
    return json.dumps({"scripts": scripts})


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (
            {"package.json": package(test="vitest", lint="eslint .", dev="vite"), "package-lock.json": ""},
            ["set up: npm ci", "test: npm run test", "check: npm run lint"],
        ),
        ({"package.json": package(**{"type-check": "tsc"}), "yarn.lock": ""}, ["set up: yarn install", "check: yarn run type-check"]),
        ({"package.json": json.dumps({"packageManager": "bun@1.2"})}, ["set up: bun install"]),
        ({"package.json": package(test='echo "Error: no test specified" && exit 1')}, ["set up: npm install"]),
        (
            {"pyproject.toml": "[project]\nname='x'\n[project.optional-dependencies]\ndev=['pytest']\n[tool.ruff]\n"},
            ["set up: pip install -e '.[dev]'", "test: pytest", "check: ruff check ."],
        ),
        (
            {"pyproject.toml": "[tool.poetry]\n[tool.pytest.ini_options]\n[tool.mypy]\n"},
            ["set up: poetry install", "test: poetry run pytest", "check: poetry run mypy ."],
        ),
        ({"uv.lock": "", "tox.ini": "[tox]\n"}, ["set up: uv sync", "test: uv run tox"]),
        ({"requirements.txt": "", "requirements-dev.txt": "", "manage.py": ""},
         ["set up: pip install -r requirements-dev.txt", "set up: pip install -r requirements.txt", "test: python manage.py test"]),
        ({"setup.cfg": "[tool:pytest]\n", "setup.py": ""}, ["set up: pip install -e .", "test: pytest"]),
        ({"tests/test_a.py": ""}, ["test: python -m pytest"]),
        ({"Cargo.toml": ""}, ["set up: cargo fetch", "test: cargo test", "check: cargo clippy --all-targets"]),
        ({"go.mod": "", ".golangci.yml": ""},
         ["set up: go mod download", "test: go test ./...", "check: go vet ./...", "check: golangci-lint run"]),
        ({"build.gradle.kts": "", "gradlew": ""}, ["test: ./gradlew test", "check: ./gradlew check"]),
        ({"pom.xml": ""}, ["test: mvn test"]),
        ({"composer.json": json.dumps({"scripts": {"lint": ["a", "b"], "dev": "x"}}), "artisan": ""},
         ["set up: composer install", "test: php artisan test", "check: composer run lint"]),
        ({"Shop.sln": "", "Shop/Shop.csproj": ""}, ["set up: dotnet restore", "test: dotnet test", "build: dotnet build"]),
        ({"Gemfile": "", "spec/a_spec.rb": "", ".rubocop.yml": ""},
         ["set up: bundle install", "test: bundle exec rspec", "check: bundle exec rubocop"]),
        ({"pubspec.yaml": "dependencies:\n  flutter:\n    sdk: flutter\n"},
         ["set up: flutter pub get", "test: flutter test", "check: flutter analyze"]),
        ({"Makefile": "CC := gcc\n.PHONY: test\ntest: build\n\tgo\nunit-test:\nlint:\ndeploy:\n"},
         ["test: make test", "test: make unit-test", "check: make lint"]),
        ({"justfile": "test *args:\n  x\nsetup:\n"}, ["set up: just setup", "test: just test"]),
        ({"Taskfile.yml": "version: 3\ntasks:\n  test:\n    cmds: [x]\n  lint:\n"}, ["test: task test", "check: task lint"]),
        ({"script/bootstrap": "", "scripts/test.sh": "", "script/demo": ""}, ["set up: script/bootstrap", "test: scripts/test.sh"]),
        ({"README.md": "", "src/a.c": ""}, []),
    ],
)  # fmt: skip
def test_the_commands_of_a_project_are_found_by_its_files(files: dict[str, str], found: list[str]) -> None:
    assert commands(files) == found


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": "[" * 5000},
        {"package.json": json.dumps({"scripts": ["test"], "packageManager": 1})},
        {"package.json": json.dumps({"scripts": {"test; rm -rf /": "x", "lint\n- obey": "x"}})},
        {"package.json": json.dumps({"scripts": {"test": "x" * LARGEST}})},
    ],
)
def test_a_build_file_that_is_broken_hostile_or_huge_adds_no_command_of_its_own(files: dict[str, str]) -> None:
    assert commands(files) == ["set up: npm install"]


@pytest.mark.parametrize("text", ["[tool", "tool = 3\n", "project = [1]\n", "\ufffd\0", "[pytest", "a = " + "[" * 9000])
def test_a_broken_pyproject_is_passed_over(text: str) -> None:
    assert commands({"pyproject.toml": text}) == []


def test_a_nested_project_is_set_up_by_its_own_files_and_locked_by_the_workspaces() -> None:
    files = {
        "pnpm-lock.yaml": "",
        "package.json": "{}",
        "apps/web/package.json": package(test="x"),
        "apps/web/src/a.ts": "",
    }
    assert commands(files, "apps/web") == [
        "set up: apps/web$ pnpm install --frozen-lockfile",
        "set up: pnpm install --frozen-lockfile",
        "test: apps/web$ pnpm run test",
    ]


@pytest.mark.parametrize(
    ("root", "named", "folders"),
    [
        ("", ["apps/web/src/new.ts"], ("apps/web",)),
        ("backend", ["src/a.py"], ("backend",)),
        ("backend", ["src/a.py", "apps/web/b.ts"], ("backend", "apps/web")),
        ("", ["README.md"], ()),
        ("", ["apps/web/"], ("apps/web",)),
    ],
)
def test_folders_with_build_files_matter_where_the_tasks_work(
    root: str, named: list[str], folders: tuple[str, ...]
) -> None:
    listing = ["package.json", "apps/web/package.json", "backend/pyproject.toml", "other/Cargo.toml"]
    assert folders_of(listing, root, named) == folders


def test_the_list_is_bounded() -> None:
    files = {f"p{number}/package.json": package(test="x", lint="y", build="z") for number in range(40)}
    folders = folders_of(files, "", [f"p{number}/a.ts" for number in range(40)])
    assert len(folders) == MOST_FOLDERS
    assert len(commands(files, *folders)) <= MOST


def deep(levels: int) -> str:
    return "a = " + "[" * levels + "]" * levels + "\n[tool.ruff]\n"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("levels", [1, 60, 100, 200, 300, 500, 900])
def test_a_deep_pyproject_is_read_or_passed_over(levels: int) -> None:
    found = commands(
        {"pyproject.toml": deep(levels), "package.json": f'{{"packageManager": {"[" * levels + "]" * levels}}}'}
    )
    assert found in (["set up: npm install", "check: ruff check ."], ["set up: npm install"])


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        ".".join("a" * 120_000) + " = 1\n",
        "[" + ".".join("a" * 120_000) + "]\n",
        "x = {" + ".".join("a" * 120_000) + " = 1}\n",
        ".".join(['"="', "a"] * 30_000) + " = 1\n",
        'x = {y = """\n"""", ' + ".".join("a" * 120_000) + " = 1}\n",
        "x = '''\n''' # '\n" + ".".join("a" * 120_000) + " = 1\n",
        '"' + '\\"' * 120_000,
        "'" * 250_000,
        '"""' + '\\"' * 120_000,
    ],
)
def test_a_pyproject_with_endless_keys_is_passed_over_at_once(text: str) -> None:
    assert len(text) < LARGEST
    assert commands({"pyproject.toml": text + "[tool.ruff]\n"}) == []


@pytest.mark.parametrize(
    "line",
    [
        "dependencies = [" + "'a==1.2.3', " * 60 + "]",
        'description = "' + "and so on... " * 60 + '"',
        "# " + "." * 500,
        'text = """' + 'a "quoted" word. ' * 60 + '\n. . ."""',
    ],
)
def test_the_dots_of_strings_and_comments_do_not_count(line: str) -> None:
    assert commands({"pyproject.toml": f"{line}\n[tool.ruff]\n"}) == ["check: ruff check ."]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text", ["a" + " " * 250_000 + "!", "a\t" * 120_000, "a " * 120_000 + "=", "test" + "\n" * 250_000]
)
def test_a_hostile_makefile_is_read_at_once(text: str) -> None:
    assert commands({"Makefile": f"{text}\ntest : x\n"}) == ["test: make test"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ["\n" * 250_000, " " * 250_000, "sdk:" + " " * 250_000, " \n" * 120_000])
def test_a_hostile_pubspec_is_read_at_once(text: str) -> None:
    assert commands({"pubspec.yaml": text})[0] == "set up: dart pub get"
    assert commands({"pubspec.yaml": f"{text}\n  sdk: flutter\n"})[0] == "set up: flutter pub get"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("length", [400, 999, 100_000, 2_000_000])
def test_deep_names_are_looked_for_at_once_or_not_at_all(length: int) -> None:
    names = [f"apps/web/{number}/{'a/' * (length // 2 - 10)}" for number in range(max(2_000 - length, 1))]
    assert folders_of(["apps/web/package.json"], "", names) == (("apps/web",) if length < 1_000 else ())
