import pytest

from moonmind.adapters.supervisor.egress_hosts import target_of
from moonmind.adapters.supervisor.egress_notes import EgressNotes


def test_hosts_are_counted_and_no_more_than_fifty_of_them() -> None:
    notes = EgressNotes()
    for number in range(60):
        notes.unlisted(target_of(f"h{number}.org:443"))
        notes.unreachable(target_of(f"h{number}.org:443"), "no answer")
    notes.private(target_of("h0.org:443"))
    notes.private(target_of("late.org:443"))
    notes.receive(7)
    facts = notes.facts()
    assert (len(facts["refused"]), len(facts["unreachable"]), facts["received"]) == (50, 50, 7)
    assert facts["refused"]["h0.org:443"] == 2
    assert "late.org:443" not in facts["refused"]


def test_a_refusal_names_the_host_and_what_adds_it() -> None:
    for refusal in (EgressNotes().unlisted(target_of("a.org:443")), EgressNotes().private(target_of("a.org:443"))):
        assert refusal.status == 403
        for words in (refusal.reason, refusal.words):
            assert "a.org:443" in words
            assert "MOONMIND_ENVIRONMENT_HOSTS" in words


def test_what_was_asked_for_in_vain_is_said_with_what_to_do() -> None:
    notes = EgressNotes()
    assert notes.sentences() == []
    for place in ("files.example.org:443", "files.example.org:80", "a.org:8443"):
        notes.unlisted(target_of(place))
    notes.private(target_of("10.0.0.1:443"))
    notes.unreachable(target_of("pypi.org:443"), "Connection refused")
    notes.unreachable(target_of("pypi.org:443"), "another reason")
    assert notes.sentences() == [
        (
            "the build asked for files.example.org and a.org:8443, which are not in the allow-list; "
            "add them with MOONMIND_ENVIRONMENT_HOSTS"
        ),
        (
            "the build asked for 10.0.0.1 at an address of this machine or of a private network, which only hosts of "
            "MOONMIND_ENVIRONMENT_HOSTS may have; add it there if it is meant"
        ),
        "the build asked for pypi.org, which could not be reached: Connection refused",
    ]


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (1, "h0.org, which is not in the allow-list; add it with"),
        (2, "h0.org and h1.org, which are"),
        (5, "h0.org, h1.org, h2.org, h3.org and h4.org, which are"),
        (200, "h0.org, h1.org, h2.org, h3.org, h4.org and 45 others, which are"),
    ],
)
def test_of_many_hosts_the_first_are_named(count: int, named: str) -> None:
    notes = EgressNotes()
    for number in range(count):
        notes.unlisted(target_of(f"h{number}.org:443"))
        notes.unreachable(target_of(f"u{number}.org:443"), "x" * 1000)
    first, *others = notes.sentences()
    assert first.startswith(f"the build asked for {named}")
    assert len(others) == min(count, 5)
    assert all(len(words) < 500 for words in others)
