import io

import pytest
from rich.console import Console

from moonmind.cli.terminal_tables import runs_table
from moonmind.wire import TaskName
from tests.support.terminal import a_run

LONG = a_run(
    1,
    repository="a-company-with-a-name/a-repository-that-has-a-very-long-name",
    feature_key="042-refresh-the-documentation-of-everything",
    phase="Phase 3: User Story 1 - a reader finds the page that answers",
    current_task_name=TaskName.DISCOVER,
)
SHORT = a_run(5, repository="acme/rockets")


def drawn(width: int) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, markup=False, highlight=False)
    console.print(runs_table([LONG, SHORT], console))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (240, ["ID", "STATUS", "STAGE", "REPOSITORY", "FEATURE", "PHASE", "CREATED"]),
        (100, ["ID", "STATUS", "STAGE", "REPOSITORY", "FEATURE", "PHASE", "CREATED"]),
        (60, ["ID", "STATUS", "STAGE", "REPOSITORY", "FEATURE"]),
        (44, ["ID", "STATUS", "STAGE", "REPOSITORY"]),
    ],
)
def test_columns_go_where_there_is_no_room_and_what_is_cut_says_so(width: int, columns: list[str]) -> None:
    header, first, second = drawn(width)
    assert header.split() == columns
    assert max(map(len, (header, first, second))) <= width
    whole = f"{LONG.id} running discover {LONG.repository} {LONG.feature_key} {LONG.phase} ago"
    for cell in first.split("  "):
        assert cell.strip().removesuffix("…") in whole or "ago" in cell
        assert cell.strip().endswith("…") == (width < 240 and cell.strip() not in whole and "ago" not in cell)
    assert "acme/rockets" in second


def test_a_run_without_a_feature_does_not_show_its_repository_there() -> None:
    assert drawn(60)[2].count("acme/rockets") == 1
    assert drawn(60)[2].endswith(" -")
