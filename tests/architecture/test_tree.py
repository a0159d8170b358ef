"""Names say what is inside."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOREIGN_NAMES = {
    "process_bind_param": "SQLAlchemy's name",
    "process_result_value": "SQLAlchemy's name",
    "process_request": "the name of socketserver",
    "process_request_thread": "the name of socketserver",
}
SHARED_NAMES = {
    "__init__.py": "Python's name",
    "main.py": "the entry points: `uvicorn api_service.main:app`, and the console script `moonmind`",
}

FORBIDDEN_NAME = re.compile(
    r"^(utils?|helpers?|managers?|misc|common|process_.+|handle_.+)$|_(utils?|helpers?|manager)$"
)


def files(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            place = path.relative_to(ROOT).as_posix()
            if path.is_file() and path.suffix in suffixes and not place.startswith("moonmind/sample/repository/"):
                yield path.relative_to(ROOT)


def test_no_name_hides_what_a_file_does() -> None:
    named = {part for place in files("moonmind", "api_service", "tests") for part in (*place.parent.parts, place.stem)}
    assert {name for name in named if FORBIDDEN_NAME.search(name)} == set()


def test_no_two_files_of_the_product_share_a_name() -> None:
    counts = Counter(place.name for place in files("moonmind", "api_service"))
    assert {name for name, count in counts.items() if count > 1} == SHARED_NAMES.keys()


def test_no_function_is_named_after_handling_or_processing() -> None:
    definition = re.compile(r"^\s*(?:async )?def (_?(?:process|handle)_\w+)", re.MULTILINE)
    found = [
        f"{place}: {name}"
        for place in files("moonmind", "api_service")
        for name in definition.findall((ROOT / place).read_text("utf-8"))
        if name not in FOREIGN_NAMES
    ]
    assert found == []


def test_the_first_page_names_files_that_exist() -> None:
    named = re.findall(r"`([\w./-]+/[\w.-]*|[\w-]+\.(?:md|toml))`", (ROOT / "AGENTS.md").read_text("utf-8"))
    assert "moonmind/settings.py" in named
    assert [place for place in named if not (ROOT / place).exists()] == []
