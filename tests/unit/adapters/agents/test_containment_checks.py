import pytest

from moonmind.adapters.agents import containment_checks
from moonmind.adapters.agents.containment_checks import processes
from moonmind.adapters.supervisor.containment import Kind
from moonmind.ports.check import CheckStatus


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        (Kind.NAMESPACE, CheckStatus.PASSED, "pid namespace: "),
        (Kind.CGROUP, CheckStatus.PASSED, "cgroup: "),
        (Kind.TRACES, CheckStatus.UNKNOWN, "traces: "),
    ],
)
def test_doctor_says_what_holds_agents_together(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, status: CheckStatus, words: str
) -> None:
    monkeypatch.setattr(containment_checks, "kind_here", lambda: kind)
    (check,) = processes()
    assert (check.name, check.status, check.facts) == ("processes", status, {"containment": kind.value})
    assert check.message.startswith(words)


def test_without_proc_and_without_a_namespace_doctor_says_what_to_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containment_checks, "kind_here", lambda: Kind.TRACES)
    monkeypatch.setattr(containment_checks, "sees_processes", lambda: False)
    (check,) = processes()
    assert "mount -t proc" in check.remediation


def test_a_host_that_starts_no_process_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Kind:
        raise OSError("no more processes")

    monkeypatch.setattr(containment_checks, "kind_here", broken)
    (check,) = processes()
    assert (check.status, "no more processes" in check.message) == (CheckStatus.UNKNOWN, True)
