import pytest

from moonmind.runs.findings import Finding, Severity


@pytest.mark.parametrize("severity", list(Severity))
def test_a_finding_is_written_with_the_word_of_its_severity(severity: Severity) -> None:
    written = Finding("a.py", "secret", severity, "it looks like a secret").as_json()
    assert written == {"path": "a.py", "rule": "secret", "severity": severity.value, "words": "it looks like a secret"}
