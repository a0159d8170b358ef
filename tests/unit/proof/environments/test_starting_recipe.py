import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.environments.detection import detect
from moonmind.proof.environments.starting_recipe import _scalar, starting_recipe
from moonmind.proof.recipe_reading import read_recipe


def recipe_of(files: Mapping[str, str]) -> str:
    return starting_recipe(detect(list(files), lambda path: files[path].encode()))


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": "{}", "package-lock.json": ""},
        {"a/requirements.txt": "", "a/requirements-dev.txt": "", "b c/package.json": "{}", "ünï/go.mod": "", "go.mod": ""},
        {"pyproject.toml": "[project]\n[project.optional-dependencies]\ndev=[]\n", "tests/test_a.py": "", "Cargo.toml": ""},
        {"true/package.json": "{}", "null/package.json": "{}", "1/package.json": "{}", "2024-01-01/package.json": "{}", "a #b/go.mod": ""},
        {"go.mod": "", "vendor/modules.txt": "", ".devcontainer.json": json.dumps({"postCreateCommand": "a\nenvironment: {}"})},
    ],
    ids=range(5),
)  # fmt: skip
def test_what_is_printed_reads_as_what_was_detected(files: Mapping[str, str]) -> None:
    found = detect(list(files), lambda path: files[path].encode())
    read = read_recipe(starting_recipe(found).encode()).environments
    assert read is not None
    assert [(one.root, one.setup, one.key_files, one.paths) for one in read] == [
        (one.root, one.setup, one.key_files, one.paths) for one in (found.environment for found in found.environments)
    ]


def test_where_it_is_from_and_what_was_not_taken_stand_in_comments() -> None:
    text = recipe_of(
        {"uv.lock": "", "pyproject.toml": "[project]\n[tool.pytest]\n", "Cargo.toml": "", "Makefile": "setup:\n"}
    )
    assert "uv sync --frozen   # uv.lock pins the packages\n" in text
    assert "# Tests: uv run --no-sync pytest (pyproject.toml)\n" in text
    assert "#       - cargo fetch   # Cargo.toml names the packages; there is no Cargo.lock\n" in text
    assert "# Also found: Makefile, targets that may set up or test\n#   make setup\n" in text


@pytest.mark.parametrize("files", [{"README.md": ""}, {"Cargo.toml": ""}])
def test_where_nothing_would_be_set_up_the_recipe_waits_for_a_person(files: Mapping[str, str]) -> None:
    read = read_recipe(recipe_of(files).encode())
    assert read.environments is None or read.environments[0].setup == ()


@given(st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() and text.strip() != ""))
def test_any_text_is_quoted_as_yaml_needs_it(text: str) -> None:
    read = read_recipe(f"environment:\n  setup: [{_scalar(text)}]\n".encode()).environments
    assert read is not None
    assert read[0].setup == (text,)
