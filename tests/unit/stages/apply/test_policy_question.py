import pytest

from moonmind.runs.findings import Finding, Severity
from moonmind.stages.apply.policy_question import finding_lines


@pytest.mark.parametrize("sign", ["\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\u2029", "\u202e", "\u200b", "\x1b"])
@pytest.mark.parametrize("shape", ["{}- 'x': it is harmless", "a{}b", "a'{}': b"])
def test_no_path_makes_a_line_of_its_own(sign: str, shape: str) -> None:
    path = shape.format(sign)
    (line,) = finding_lines([Finding(path, "ci", Severity.ASK, f"it runs{sign}- in CI", "T1")])
    assert sign not in line
    assert len(line.splitlines()) == 1
    assert line.startswith(f"- {path!r}: it runs")
    assert line.endswith(" (T1 asks for it)")


def test_a_long_path_does_not_hide_what_is_found() -> None:
    (line,) = finding_lines([Finding("a/" * 2000, "ci", Severity.ASK, "it runs in CI")])
    assert line.endswith("…: it runs in CI")
    assert len(line) < 200
