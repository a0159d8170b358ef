import json
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.environments.detection import Detection, detect
from moonmind.proof.environments.environment_value import key_paths
from moonmind.proof.environments.project_tree import MOST_PROJECTS
from moonmind.proof.recipe import MOST_ENVIRONMENTS
from moonmind.speckit.project_commands import LARGEST

Files = Mapping[str, str | bytes]
VENV = "python3 -m venv .venv"


def found_in(files: Files) -> Detection:
    def read(path: str) -> bytes | None:
        content = files.get(path)
        return content.encode() if isinstance(content, str) else content

    return detect(list(files), read)


def commands(files: Files) -> dict[str, list[str]]:
    """Return the commands of each root that would be set up."""
    return {one.environment.root: list(one.environment.setup) for one in found_in(files).environments}


def package(**more: object) -> str:
    return json.dumps(more)


@pytest.mark.parametrize(
    ("files", "setup", "ecosystems"),
    [
        ({"pyproject.toml": "[project]\nname='x'\n", "uv.lock": ""}, ["uv sync --frozen"], ["pypi"]),
        (
            {"pyproject.toml": "[project]\n[project.optional-dependencies]\ntest=['pytest']\ndocs=[]\n", "uv.lock": ""},
            ["uv sync --frozen --extra test"], ["pypi"],
        ),
        ({"pyproject.toml": "[tool.poetry]\n", "poetry.lock": ""}, ["poetry install"], ["pypi"]),
        ({"pyproject.toml": "[project]\n", "pdm.lock": ""}, ["pdm install"], ["pypi"]),
        ({"Pipfile": "", "Pipfile.lock": ""}, ["pipenv install --dev"], ["pypi"]),
        (
            {"requirements.txt": "", "requirements-dev.txt": "", "requirements-gpu.txt": ""},
            [VENV, ".venv/bin/pip install -r requirements.txt -r requirements-dev.txt"], ["pypi"],
        ),
        ({"requirements/base.txt": "", "requirements/dev.txt": "-r base.txt\n", "setup.py": ""},
         [VENV, ".venv/bin/pip install -r requirements/dev.txt -e ."], ["pypi"]),
        ({"pyproject.toml": "[project]\n[project.optional-dependencies]\ndev=['pytest']\n"},
         [VENV, ".venv/bin/pip install -e '.[dev]'"], ["pypi"]),
        ({"pyproject.toml": "[project]\n[dependency-groups]\ndev=['pytest']\n"},
         [VENV, ".venv/bin/pip install --upgrade pip", ".venv/bin/pip install -e . --group dev"], ["pypi"]),
        ({"pyproject.toml": "[build-system]\nrequires=[]\n", "setup.cfg": "[metadata]\n"},
         [VENV, ".venv/bin/pip install -e ."], ["pypi"]),
        ({"package.json": "{}", "package-lock.json": ""}, ["npm ci"], ["npm"]),
        ({"package.json": "{}", "npm-shrinkwrap.json": ""}, ["npm ci"], ["npm"]),
        ({"package.json": "{}", "pnpm-lock.yaml": ""}, ["pnpm install --frozen-lockfile"], ["npm"]),
        ({"package.json": "{}", "yarn.lock": "# yarn lockfile v1\n"}, ["yarn install --frozen-lockfile"], ["npm"]),
        ({"package.json": "{}", "yarn.lock": "#\n\n__metadata:\n  version: 8\n"}, ["yarn install --immutable"], ["npm"]),
        ({"package.json": package(packageManager="yarn@4.1.0"), "yarn.lock": ""}, ["yarn install --immutable"], ["npm"]),
        ({"package.json": package(packageManager="yarn@1.22"), "yarn.lock": ""}, ["yarn install --frozen-lockfile"], ["npm"]),
        ({"package.json": "{}", "yarn.lock": "", ".yarnrc.yml": ""}, ["yarn install --immutable"], ["npm"]),
        ({"package.json": "{}", "bun.lock": ""}, ["bun install --frozen-lockfile"], ["npm"]),
        ({"package.json": "{}"}, ["npm install"], ["npm"]),
        ({"go.mod": "module x\n", "go.sum": ""}, ["go mod download"], ["go"]),
        ({"go.work": "use ./a\n", "a/go.mod": "", "b/go.mod": ""}, ["go mod download"], ["go"]),
        ({"go.mod": "", "vendor/modules.txt": ""}, [], ["go"]),
        ({"go.mod": "", "package.json": "{}", "package-lock.json": "", "uv.lock": "", "pyproject.toml": ""},
         ["uv sync --frozen", "npm ci", "go mod download"], ["go", "npm", "pypi"]),
    ],
    ids=range(24),
)  # fmt: skip
def test_lock_files_and_manifests_show_what_installs_the_packages(
    files: Files, setup: list[str], ecosystems: list[str]
) -> None:
    (one,) = found_in(files).environments
    assert (list(one.environment.setup), list(one.environment.ecosystems)) == (setup, ecosystems)
    assert one.environment.paths == ("**",)
    assert [step.command for step in one.steps] == setup
    assert all(step.source in files and step.because for step in one.steps)
    assert key_paths(one.environment, list(files))


@pytest.mark.parametrize(
    ("files", "keys"),
    [
        ({"requirements.txt": "-r more/base.txt\n-c limits.txt\n-r ../out.txt\n-r requirements.txt\n",
          "more/base.txt": "-r ../deep.txt # x\n", "limits.txt": "", "deep.txt": "", "other.txt": ""},
         ["deep.txt", "limits.txt", "more/base.txt", "requirements.txt"]),
        ({"package.json": package(workspaces=["packages/*", "../*", "!x"]), "package-lock.json": "", ".npmrc": "",
          "packages/a/package.json": "{}", "packages/a/index.js": ""},
         [".npmrc", "package-lock.json", "package.json", "packages/a/package.json"]),
        ({"package.json": "{}", "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "packages:\n  - apps/**\n", "apps/x/y/package.json": ""},
         ["apps/x/y/package.json", "package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"]),
        ({"pyproject.toml": "[project]\n[tool.uv.workspace]\nmembers=['libs/*']\n", "uv.lock": "", "libs/a/pyproject.toml": "[project]\n"},
         ["libs/a/pyproject.toml", "pyproject.toml", "uv.lock"]),
        ({"go.work": "", "a/go.mod": "", "a/go.sum": "", "a/x.go": ""}, ["a/go.mod", "a/go.sum", "go.work"]),
    ],
    ids=range(5),
)  # fmt: skip
def test_key_files_are_lock_files_manifests_and_what_they_include(files: Files, keys: list[str]) -> None:
    (one,) = found_in(files).environments
    assert list(key_paths(one.environment, list(files))) == keys


@pytest.mark.parametrize(
    ("files", "test", "note"),
    [
        ({"uv.lock": "", "pyproject.toml": "[project]\n[tool.pytest]\n"}, "uv run --no-sync pytest", ""),
        ({"requirements.txt": "pytest", "pytest.ini": ""}, ".venv/bin/python -m pytest", "no lock file"),
        ({"requirements.txt": "flask", "tests/test_a.py": ""}, ".venv/bin/python -m pytest", "no list of packages names pytest"),
        ({"requirements.txt": "", "requirements-gpu.txt": ""}, None, "neither for all nor for tests: requirements-gpu.txt"),
        ({"requirements.txt": "django", "manage.py": ""}, ".venv/bin/python manage.py test", ""),
        ({"uv.lock": "", "pyproject.toml": "[project]\n", "tox.ini": ""}, None, "needs a network"),
        ({"package.json": package(scripts={"test:e2e": "x", "test": "vitest"}), "package-lock.json": ""}, "npm run test", ""),
        ({"package.json": package(scripts={"test": "echo no test specified"}), "yarn.lock": ""}, None, ""),
        ({"package.json": "{}"}, None, "there is no lock file of npm"),
        ({"package.json": "{}", "package-lock.json": "", "pnpm-lock.yaml": ""}, None, "package-lock.json is there, too: pnpm is taken"),
        ({"package.json": package(packageManager="npm@11"), "package-lock.json": "", "yarn.lock": ""}, None, "as packageManager"),
        ({"go.mod": ""}, "go test ./...", ""),
        ({"Makefile": "test:\n", "package.json": "{}", "package-lock.json": ""}, None, ""),
    ],
    ids=range(13),
)  # fmt: skip
def test_the_test_command_and_what_to_know_are_said(files: Files, test: str | None, note: str) -> None:
    (one,) = found_in(files).environments
    assert [found.command for found in one.tests] == ([] if test is None else [test])
    assert note in " ".join(one.notes)


@pytest.mark.parametrize(
    ("files", "roots", "notes"),
    [
        ({"backend/requirements.txt": "", "web/package.json": "{}", "web/yarn.lock": ""}, {"backend": ("backend/**",), "web": ("web/**",)}, ""),
        ({"package.json": "{}", "pnpm-lock.yaml": "", "api/package.json": "{}", "api/pnpm-lock.yaml": "", "shared/package.json": "{}"},
         {".": ("**",), "api": ("api/**",)}, "in no workspace that was read: shared"),
        ({"package.json": package(workspaces={"packages": ["apps/*"]}), "yarn.lock": "", "apps/a/package.json": "{}"}, {".": ("**",)}, ""),
        ({"pyproject.toml": "[tool.ruff]\n", "svc/pyproject.toml": "[project]\n"}, {"svc": ("**",)}, ""),
        ({"a/go.mod": "", "a/b/go.mod": ""}, {"a": ("a/**",), "a/b": ("a/b/**",)}, ""),
        ({"setup.py": "", "docs/requirements.txt": ""}, {".": ("**",)}, "are not installed: docs"),
        ({"app/[id]/package.json": "{}", "b/package.json": "{}"}, {"b": ("**",)}, ""),
        ({"node_modules/x/package.json": "{}", "vendor/y/go.mod": "", ".venv/z/setup.py": "", "tests/fixtures/a/package.json": "{}",
          "examples/b/uv.lock": "", "dist/package.json": "{}", "sub/.git": "gitdir: x", "sub/package.json": "{}"}, {}, "left out"),
        ({"README.md": "", "src/a.c": ""}, {}, ""),
    ],
    ids=range(9),
)  # fmt: skip
def test_each_project_of_a_repository_has_its_own_environment(
    files: Files, roots: dict[str, tuple[str, ...]], notes: str
) -> None:
    found = found_in(files)
    assert {one.environment.root: one.environment.paths for one in found.environments} == roots
    assert notes in " ".join(found.notes)
    assert bool(found.notes) is bool(notes)


@pytest.mark.parametrize(
    ("files", "command", "ecosystems"),
    [
        ({"Cargo.toml": "", "Cargo.lock": "", "crates/a/Cargo.toml": ""}, "cargo fetch --locked", ("crates",)),
        ({"Cargo.toml": ""}, "cargo fetch", ("crates",)),
        ({"pom.xml": "", "mvnw": "", "core/pom.xml": ""}, "./mvnw -B dependency:go-offline", ("maven",)),
        ({"build.gradle.kts": "", "app/build.gradle": ""}, "gradle --no-daemon testClasses", ("maven",)),
        ({"Gemfile": "", "Gemfile.lock": ""}, "bundle install", ()),
        ({"composer.json": "{}"}, "composer install", ()),
        ({"pubspec.yaml": "flutter:\n", "android/build.gradle": ""}, "flutter pub get", ()),
        ({"Shop.sln": "", "Shop/Shop.csproj": ""}, "dotnet restore", ()),
    ],
)
def test_other_ecosystems_are_proposed_and_not_taken(files: Files, command: str, ecosystems: tuple[str, ...]) -> None:
    found = found_in(files)
    assert found.environments == ()
    (one,) = found.proposals
    assert (one.environment.setup, one.environment.ecosystems) == ((command,), ecosystems)


def test_more_projects_than_a_recipe_may_name_are_only_proposed() -> None:
    files = {f"p{number:03}/package.json": "{}" for number in range(MOST_ENVIRONMENTS + 1)}
    found = found_in(files)
    assert found.environments == ()
    assert len(found.proposals) == MOST_ENVIRONMENTS
    assert "21 folders could be set up, more than 20: none is taken" in found.notes[0]


HUGE = b"[" * (10 * 1024 * 1024)
HOSTILE = [
    {"package.json": HUGE, "package-lock.json": HUGE},
    {"package.json": "[" * 200_000, "pnpm-workspace.yaml": "[" * 60_000},
    {"package.json": package(workspaces=["**/" * 60 + "x"] * 50, scripts=[1], packageManager={"a": 1}), "a/package.json": "{}"},
    {"package.json": package(packageManager="npm; rm -rf /"), "yarn.lock": b"\xff" * 5_000},
    {"package.json": package(workspaces={"packages": "x"}), "lerna.json": package(packages=[None, 3, {"a": []}])},
    {"pyproject.toml": "project = 3\ntool = [1]\n", "uv.lock": ""},
    {"pyproject.toml": "a = " + "[" * 9_000},
    {"requirements.txt": "-r " * 80_000, "setup.py": b"\0" * 1_000},
    {"requirements.txt": "-r requirements-dev.txt\n", "requirements-dev.txt": "-r requirements.txt\n" * 9_000},
    {".devcontainer/devcontainer.json": "/*" * 120_000},
    {".devcontainer/devcontainer.json": '"\\' * 120_000},
    {".devcontainer/devcontainer.json": "," * 250_000 + "}"},
    {".devcontainer/devcontainer.json": ", /* x */" * 25_000},
    {".devcontainer/devcontainer.json": ",//\n" * 60_000},
    {".devcontainer/devcontainer.json": json.dumps({"image": ["a"], "postCreateCommand": {"a": {"b": {}}}})},
    {".github/workflows/copilot-setup-steps.yml": "a: &a [x]\nb: [*a, *a]\n"},
    {".github/workflows/copilot-setup-steps.yml": "jobs: {copilot-setup-steps: {steps: [1, [2], {run: 3}]}}"},
    {".github/workflows/copilot-setup-steps.yml": b"\xff\xfe\0"},
    {"go.work": "\u202e" * 1_000, "go.mod": b"\xff" * 1_000},
    {"Makefile": "a" + " " * 250_000},
    {f"{'d/' * 100}package.json": "{}", "\u202egp/package.json": "{}", "a\nb/setup.py": "", "-rf/package.json": "{}"},
    {"a/../package.json": "{}", "/etc/package.json": "{}", "//package.json": "{}", ".git/package.json": "{}", "": ""},
]  # fmt: skip


@pytest.mark.timeout(60)
@pytest.mark.parametrize("files", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_files_neither_raise_nor_hold_up(files: Files) -> None:
    before = time.monotonic()
    found = found_in(files)
    for one in found.environments:
        assert key_paths(one.environment, list(files)) is not None
        assert not any(sign in one.environment.root for sign in ("\n", "..", "\u202e"))
    assert time.monotonic() - before < 20


def test_a_file_that_was_not_read_is_named() -> None:
    found = found_in({"package.json": b" " * (LARGEST + 1), "package-lock.json": ""})
    assert any("package.json" in note and "too large" in note for note in found.notes)


@pytest.mark.timeout(60)
def test_a_repository_of_very_many_projects_is_read_in_bounds() -> None:
    files = {
        f"p{number}/{name}": ""
        for number in range(4_000)
        for name in ("package.json", "uv.lock", "go.mod", "Cargo.toml")
    }
    reads: list[str] = []

    def read(path: str) -> bytes:
        reads.append(path)
        return b"#" * LARGEST

    found = detect(list(files), read)
    assert found.environments == ()
    assert str(MOST_PROJECTS) in found.notes[0]
    assert len(reads) <= 3 * MOST_PROJECTS


NAMES = st.sampled_from(
    ["package.json", "package-lock.json", "yarn.lock", "pyproject.toml", "uv.lock", "requirements.txt", "go.mod", "go.work",
     "Cargo.toml", "pom.xml", "pnpm-workspace.yaml", ".devcontainer.json", "Makefile", "setup.py", "x.csproj"]
)  # fmt: skip
CONTENTS = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            b"{}",
            b"[project]\n",
            b'{"workspaces": ["*"]}',
            b"packages: ['a/*']",
            b'{"packageManager": "yarn@3"}',
            b"test:\n",
            b"-r x\n",
        ]
    ),
)


@given(
    st.dictionaries(
        st.builds(lambda folder, name: f"{folder}{name}", st.sampled_from(["", "a/", "a/b/", "c/"]), NAMES),
        CONTENTS,
        max_size=10,
    )
)
def test_any_build_files_give_environments_whose_roots_and_sources_exist(files: dict[str, bytes]) -> None:
    found = found_in(files)
    for one in (*found.environments, *found.proposals):
        begin = "" if one.environment.root == "." else f"{one.environment.root}/"
        assert any(path.startswith(begin) for path in files)
        assert all(step.source in files for step in one.steps)
        assert one.environment.ecosystems == tuple(sorted(set(one.environment.ecosystems)))
    again = detect(list(reversed(list(files))), files.get)
    assert again == found
