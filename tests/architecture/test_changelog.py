"""What CHANGELOG.md lists under "Upgrading" is what an upgraded installation logs."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from moonmind.runtime.upgrades import CHANGES, Change

ROOT = Path(__file__).parents[2]
FIRST, SECOND = Change("first", "The first thing changed."), Change("second", "The second thing changed.")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("- <!-- first -->\n  One.\n- <!-- second -->\n  Two.\n", []),
        ("- <!-- first, second -->\n  Both,\n  in two lines.\n", []),
        (
            "- <!-- first, second -->\n  Both.\n- A third.\n",
            ["no `<!-- change -->` of moonmind/runtime/upgrades.py is named above: A third."],
        ),
        ("- <!-- first -->\n  One.\n", ["no line names the change second"]),
        ("- <!-- first, second, other -->\n  Three.\n", ["there is no change other"]),
        ("- <!-- first, second -->\n  Both.\n- <!-- first -->\n  Again.\n", ["two lines name the change first"]),
    ],
)
def test_lines_of_a_changelog_are_held_to_the_changes(text: str, problems: list[str]) -> None:
    assert differences(text, [FIRST, SECOND]) == problems


def test_each_line_of_the_changelog_is_logged_and_each_change_has_a_line() -> None:
    upgrading = (ROOT / "CHANGELOG.md").read_text("utf-8").partition("### Upgrading\n")[2]
    assert differences(re.split(r"^##", upgrading, flags=re.MULTILINE)[0], CHANGES) == []


def differences(upgrading: str, changes: Sequence[Change]) -> list[str]:
    """Return what is wrong between the lines under "Upgrading", each `- <!-- name, name -->` and its text, and the changes."""
    lines = re.split(r"^- ", upgrading, flags=re.MULTILINE)[1:]
    tags = [re.match(r"<!-- (.+) -->\n", line) for line in lines]
    named = Counter(name for tag in tags if tag for name in tag[1].split(", "))
    known = {change.name for change in changes}
    return [
        *(
            f"no `<!-- change -->` of moonmind/runtime/upgrades.py is named above: {line.splitlines()[0]}"
            for line, tag in zip(lines, tags, strict=True)
            if not tag
        ),
        *(f"no line names the change {name}" for name in sorted(known - set(named))),
        *(f"there is no change {name}" for name in sorted(set(named) - known)),
        *(f"two lines name the change {name}" for name, times in sorted(named.items()) if times > 1),
    ]
