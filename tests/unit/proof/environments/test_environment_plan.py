from collections.abc import Mapping

import pytest

from moonmind.errors import RecipeUnreadable
from moonmind.proof import path_globs
from moonmind.proof.environments.environment_plan import EnvironmentPlan, plan_environments
from moonmind.proof.environments.environment_value import KNOWN_KEY_FILES, Environment, environments_for, key_paths


def plan(recipe: str, files: Mapping[str, str]) -> EnvironmentPlan:
    return plan_environments(recipe.encode(), list(files), lambda path: files[path].encode())


FILES = {
    "backend/uv.lock": "",
    "backend/pyproject.toml": "[project]\n",
    "web/package.json": "{}",
    "web/package-lock.json": "",
}


def test_without_a_recipe_the_files_decide() -> None:
    made = plan("# nothing yet\n", FILES)
    assert not made.declared
    assert [one.root for one in made.environments] == ["backend", "web"]


@pytest.mark.parametrize(
    "recipe", ["environment: {}", "environment:\n  setup: make\n", "environment:\n  - root: web\n"]
)
def test_a_recipe_decides_alone(recipe: str) -> None:
    made = plan(recipe, FILES)
    assert made.declared
    assert len(made.environments) == 1
    assert "npm ci" not in made.environments[0].setup


def test_a_recipe_becomes_an_environment_whole() -> None:
    text = (
        "environment:\n  root: web\n  image: node:22\n  setup: [a, b]\n  start: c\n  key_files: ['*.lock']\n"
        "  variables: {Z: '1', A: '2'}\n"
    )
    assert plan(text, FILES).environments == (
        Environment(
            root="web",
            image="node:22",
            setup=("a", "b"),
            start=("c",),
            key_files=("*.lock",),
            variables=(("A", "2"), ("Z", "1")),
            paths=("web/**",),
            ecosystems=("npm",),
        ),
    )


@pytest.mark.parametrize(
    ("recipe", "ecosystems"),
    [
        ("environment: {}", ("npm", "pypi")),
        ("environment: {root: backend}", ("pypi",)),
        ("environment: {root: docs}", ()),
        ("environment: {root: docs, setup: pip3 install sphinx}", ("pypi",)),
        ("environment: {root: backend, setup: './gradlew build && ../x/cargo fetch'}", ("crates", "maven", "pypi")),
        ("environment: {root: docs, setup: 'make npm-packages'}", ()),
    ],
)
def test_ecosystems_are_those_of_the_files_and_of_the_programs_called(recipe: str, ecosystems: tuple[str, ...]) -> None:
    assert plan(recipe, FILES | {"docs/a.md": ""}).environments[0].ecosystems == ecosystems


@pytest.mark.parametrize(
    ("recipe", "note"),
    [
        (
            "environment: {image: 'python:latest'}",
            "image python:latest: used in the sandbox docker only, where an operator allows it (MOONMIND_SANDBOX_IMAGES); what it names can",
        ),
        ("environment: {image: python}", "image python: used in the sandbox docker only"),
        (
            f"environment: {{image: 'python:3.12@sha256:{'0' * 64}'}}",
            f"image python:3.12@sha256:{'0' * 64}: used in the sandbox",
        ),
        (f"environment: {{image: 'sha256:{'0' * 64}'}}", f"image sha256:{'0' * 64}: used in the sandbox docker only"),
        ("environment: {setup: make, key_files: ['*.lokc']}", "no file is a key file of ."),
        ("environment: {root: web, setup: npm ci}", None),
        ("environment: {key_files: []}", None),
    ],
)
def test_what_does_not_fit_the_tree_is_said(recipe: str, note: str | None) -> None:
    notes = plan(recipe, FILES).notes
    assert (note is None) is (notes == ())
    assert (note or "") in " ".join(notes)


@pytest.mark.parametrize("recipe", ["", "# nothing yet\n", "{}", "---\n"])
def test_a_recipe_that_says_nothing_is_said_and_one_that_is_not_there_is_not(recipe: str) -> None:
    assert plan(recipe, FILES).notes == (
        ".moonmind.yml is there and says nothing of an environment; the build files decide",
    )
    assert plan_environments(None, list(FILES), lambda path: FILES[path].encode()).notes == ()


@pytest.mark.parametrize(
    ("root", "words"),
    [
        ("bakend", "there is no folder `bakend`"),
        ("backend/src", "there is no folder `backend/src`"),
        ("./back//", "there is no folder `back`"),
        ("Web", "there is no folder `Web`"),
        ("latest", "`latest` is a link, a file or a submodule"),  # what git names is no folder
        ("latest/app", "`latest` is a link, a file or a submodule"),
        ("web/package.json", "`web/package.json` is a link, a file or a submodule"),
    ],
)
def test_a_root_that_is_no_folder_of_the_tree_is_refused_with_its_line(root: str, words: str) -> None:
    for text in (
        f"# x\nenvironment:\n  setup: make\n  root: {root}\n",
        f"environment:\n  - root: web\n  - setup: make\n    root: {root}\n",
    ):
        with pytest.raises(RecipeUnreadable, match=f"^.moonmind.yml, line 4: {words}") as found:
            plan(text, FILES | {"latest": "web"})
        assert found.value.details["line"] == 4


@pytest.mark.parametrize("root", [".", "./", "web", "web/", "./web/src"])
def test_a_root_that_holds_files_is_taken(root: str) -> None:
    assert plan(f"environment: {{root: {root}}}", FILES | {"web/src/a.ts": ""}).declared


def test_faults_of_every_kind_are_named_together_by_line() -> None:
    text = (
        "environment:\n  - root: bakend\n    setup:\n    variables:\n      PATH: x\n      API_KEY: y\n      OK: z\n"
        "  - root: latest\n    setpu: make\n    key_files: [/a]\n"
    )
    with pytest.raises(RecipeUnreadable) as found:
        plan(text, FILES | {"latest": "web"})
    assert [one["line"] for one in found.value.details["problems"]] == [2, 3, 5, 6, 8, 9, 10]


@pytest.mark.parametrize("recipe", ["{}", "environment: {}"])
@pytest.mark.parametrize("path", [".moonmind.yaml", "backend/.moonmind.yml", "a/b/.moonmind.yaml"])
def test_a_recipe_in_the_wrong_place_is_named(path: str, recipe: str) -> None:
    notes = plan(recipe, FILES | {path: "", ".moonmind.yml": recipe, "x.moonmind.yml": ""}).notes
    assert notes[-1:] == (f"{path} is not read: only .moonmind.yml in the repository's root is",)


@pytest.mark.parametrize(
    ("paths", "roots"),
    [
        (["web/src/a.ts"], ["web"]),
        (["backend/a.py", "web/a.ts"], ["web", "backend"]),
        (["README.md"], ["."]),
        (["shared/x.ts"], ["web"]),
        (["web/legacy/y.go"], ["web/legacy"]),
        (["web"], ["."]),
        ([], []),
    ],
)
def test_a_change_needs_the_deepest_environments_that_are_meant_for_it(paths: list[str], roots: list[str]) -> None:
    environments = [
        Environment(root="."),
        Environment(root="web", paths=("web/**/*", "shared/**")),
        Environment(root="web/legacy", paths=("web/legacy/**",)),
        Environment(root="backend", paths=("backend/**",)),
    ]
    assert [one.root for one in environments_for(environments, paths)] == roots


def test_a_change_outside_of_all_paths_needs_none() -> None:
    assert environments_for([Environment(root="web", paths=("web/**",))], ["docs/a.md"]) == ()


def test_patterns_and_a_tree_made_to_take_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_globs, "MOST_STEPS", 100_000)
    patterns = tuple(f"{'**/*/' * 30}x{number}" for number in range(100))
    listing = [f"{'/'.join(f'd{number}x{level}' for level in range(30))}/f" for number in range(2_000)]
    with pytest.raises(RecipeUnreadable, match="take too long to compare"):
        key_paths(Environment(key_files=patterns), listing)


def test_without_named_key_files_manifests_and_lock_files_of_the_root_count() -> None:
    listing = [
        "web/package.json",
        "web/yarn.lock",
        "web/dev-requirements.txt",
        "web/a/package.json",
        "web/README.md",
        "go.mod",
    ]
    found = key_paths(Environment(root="web", key_files=KNOWN_KEY_FILES), listing)
    assert found == ("web/dev-requirements.txt", "web/package.json", "web/yarn.lock")
