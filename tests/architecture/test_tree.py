"""The habits of the tree: short files, names that say what, a test module for each module of the core."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("moonmind", "api_service", "tests", "benchmarks", "script", ".ci")

LONGEST = 300

LONG_FILES = {
    "moonmind/errors.py": "the one error tree: one row per error, read as a table",
}

UNTESTED = {
    "moonmind/engine/stage_context.py": "what a stage is given: values and protocols, nothing that runs",
}
"""Modules of the core without a test module of their own, and why."""

FOREIGN_NAMES = {
    "process_bind_param": "SQLAlchemy's name",
    "process_result_value": "SQLAlchemy's name",
}

CORE = ("runs", "speckit", "engine", "stages")

FORBIDDEN_NAME = re.compile(
    r"^(utils?|helpers?|managers?|misc|common|process_.+|handle_.+)$|_(utils?|helpers?|manager)$"
)


def files(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            place = path.relative_to(ROOT).as_posix()
            if path.is_file() and path.suffix in suffixes and not place.startswith("moonmind/sample/repository/"):
                yield path.relative_to(ROOT)


def test_no_file_is_longer_than_it_can_be_read_at_once() -> None:
    suffixes = (".py", ".sh", "", ".js", ".css", ".html")
    lengths = {
        place.as_posix(): len((ROOT / place).read_bytes().splitlines()) for place in files(*FOLDERS, suffixes=suffixes)
    }
    assert lengths, "no files found"
    long = {place: length for place, length in lengths.items() if length > LONGEST and place not in LONG_FILES}
    assert long == {}
    assert {place for place in LONG_FILES if lengths.get(place, 0) <= LONGEST} == set(), (
        "exemptions that are not needed"
    )


@pytest.mark.parametrize("room", CORE)
def test_every_module_of_the_core_has_its_test_module(room: str) -> None:
    modules = [place for place in files(f"moonmind/{room}") if place.name != "__init__.py"]
    missing = [
        place.as_posix()
        for place in modules
        if place.as_posix() not in UNTESTED and not list(ROOT.glob(f"tests/unit/{room}/**/test_{place.stem}*.py"))
    ]
    assert missing == []


def test_the_list_of_untested_modules_names_real_files_without_tests() -> None:
    for place in map(Path, UNTESTED):
        assert (ROOT / place).is_file(), place
        assert not (ROOT / "tests" / "unit" / place.parent.name / f"test_{place.stem}.py").exists(), place


def test_no_name_hides_what_a_file_does() -> None:
    named = {part for place in files("moonmind", "api_service", "tests") for part in (*place.parent.parts, place.stem)}
    assert {name for name in named if FORBIDDEN_NAME.search(name)} == set()


def test_no_function_is_named_after_handling_or_processing() -> None:
    definition = re.compile(r"^\s*(?:async )?def (_?(?:process|handle)_\w+)", re.MULTILINE)
    found = [
        f"{place}: {name}"
        for place in files("moonmind", "api_service")
        for name in definition.findall((ROOT / place).read_text("utf-8"))
        if name not in FOREIGN_NAMES
    ]
    assert found == []
