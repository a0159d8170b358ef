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
