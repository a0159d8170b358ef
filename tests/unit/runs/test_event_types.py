"""Event names are a public vocabulary."""

import re

from moonmind.runs.event_types import EventType


def test_events_are_named_noun_dot_verb() -> None:
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", event.value) for event in EventType)
