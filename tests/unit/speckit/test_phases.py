import pytest

from moonmind.speckit.blocks import Heading, read_blocks
from moonmind.speckit.phases import Facts, Places, facts_by_owner, is_phase_title


@pytest.mark.parametrize(
    "title",
    ["Phase 1: Setup", "Phase 3.1: Setup", "Phase N: Polish", "Phase X — Later", "Phase M1: Setup", "Phase 7b", "Phase O: Ops",
     "Final Phase: Polish", "🚀 Phase 2: Go", "**Phase 1**: A", "PHASE 1", "Phase IV", "Phase One: A", "Phase: Setup", "Phase - A",
     "Fase 2: Base", "阶段 1：设置", "第1阶段：设置", "フェーズ1: 準備", "1단계: 설정", "[x] Phase 1: A", "Этап 1"],
)  # fmt: skip
def test_a_phase_is_known_by_how_its_title_starts(title: str) -> None:
    assert is_phase_title(title)


@pytest.mark.parametrize(
    "title",
    ["Tests for Phase 2", "T017: Do it in Phase 1", "Polish Tasks", "Phase Dependencies", "Phase summary", "Phased rollout",
     "Constitution Alignment (Pre-Phase)", "Phase is done", "Setup", ""],
)  # fmt: skip
def test_other_titles_are_none(title: str) -> None:
    assert not is_phase_title(title)


def test_a_line_belongs_to_the_innermost_phase_else_to_its_section() -> None:
    places = Places(
        [Heading(1, 1, "Tasks"), Heading(3, 2, "Phase 1: A"), Heading(5, 3, "Tests"), Heading(7, 3, "Phase 1.1: B"),
         Heading(9, 3, "Notes"), Heading(11, 1, "A note"), Heading(13, 2, "Governance"), Heading(15, 3, "Detail")]
    )  # fmt: skip
    titles = {
        number: owner.title if (owner := places.at(number).owner) else None
        for number in (2, 4, 6, 8, 10, 12, 14, 16, 999)
    }
    assert titles == {
        2: None,
        4: "Phase 1: A",
        6: "Phase 1: A",
        8: "Phase 1.1: B",
        10: "Phase 1: A",
        12: "Phase 1: A",
        14: "Governance",
        16: "Governance",
        999: "Governance",
    }


@pytest.mark.parametrize(
    "title", ["Dependencies & Execution Order", "Parallel Example: User Story 1", "Implementation Strategy", "Notes"]
)
def test_prose_sections_are_known(title: str) -> None:
    assert Places([Heading(1, 2, title)]).at(2).is_prose


@pytest.mark.parametrize(
    "title", ["Format: `[ID] [P?] [Story] Description`", "Task Format", "Path Conventions", "Legend"]
)
def test_sections_of_samples_are_known(title: str) -> None:
    assert Places([Heading(1, 2, title)]).at(2).is_illustration


def test_a_phase_says_what_it_is_for() -> None:
    text = (
        "## Phase 1: A\n\n**Purpose:** Begin\nwell\n\n**Independent Test**: Run it\n- [ ] T001 a\n\n**Checkpoint**: Ready\n---\n"
        "## Phase 2: B\n**Goal**: Go on\n**Goal**: Not this\n**Files**: a\n"
    )
    blocks = read_blocks(text.encode(), "tasks.md")
    assert facts_by_owner(blocks.visible(), Places(blocks.headings)) == {
        1: Facts("Begin well", "Ready", "Run it"),
        11: Facts("Go on"),
    }
