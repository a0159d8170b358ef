import re
from pathlib import Path

from moonmind.proof.policy.policy_rules import RULES, TABLE
from moonmind.runs.findings import Severity

PAGE = Path(__file__).parents[4] / "docs/policy.md"


def test_the_page_on_the_policy_shows_the_table() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| ([a-z]+)(, protected)? \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    shown = [(name, covers, severity, bool(protects)) for name, covers, severity, protects in rows]
    written = [(one.name, one.covers.replace("|", r"\|"), one.severity.value, one.protects) for one in TABLE]
    assert shown == written


def test_each_rule_has_one_name_and_the_gravest_come_first() -> None:
    assert len(RULES) == len(TABLE)
    weights = [one.severity.weight for one in TABLE]
    assert weights == sorted(weights, reverse=True)


def test_the_gravest_of_several_counts() -> None:
    assert Severity.gravest([Severity.DRAFT, Severity.REFUSE, Severity.WARN]) is Severity.REFUSE
    assert Severity.gravest([]) is Severity.WARN
