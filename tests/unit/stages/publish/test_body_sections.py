from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from moonmind.stages.publish.body_sections import LIMIT, marker, merge, phases_in, runs_in

ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


def test_the_first_section_is_the_whole_body() -> None:
    body = merge(None, ONE, "### Phase 1\n\ntext")
    assert marker(ONE) in body
    assert runs_in(body) == (str(ONE),)


def test_a_second_run_adds_its_section_behind_the_first() -> None:
    body = merge(merge("", ONE, "first"), TWO, "second")
    assert runs_in(body) == (str(ONE), str(TWO))
    assert body.index("first") < body.index("second")


def test_a_phase_is_counted_once_however_many_runs_worked_on_it() -> None:
    body = merge(merge("### Phase 9: a person's", ONE, "### Phase 1: A\n\ntext"), TWO, "### Phase 1: A\n\nmore")
    assert phases_in(body) == 1
    assert phases_in(merge(body, THREE, "### Phase 2: B")) == 2
    assert phases_in(body.replace("\n", "\r\n").replace("\r\n", "\n")) == 1
    assert phases_in("") == 0


def test_a_repeated_publish_replaces_its_own_section_in_place() -> None:
    body = merge(merge(merge("", ONE, "first"), TWO, "second"), ONE, "again")
    assert runs_in(body) == (str(ONE), str(TWO))
    assert "first" not in body
    assert body.index("again") < body.index("second")


def test_words_that_people_wrote_stay_where_they_are() -> None:
    body = merge("Please review carefully.", ONE, "first") + "\n- [ ] checked by me\n"
    again = merge(body, ONE, "again")
    assert again.startswith("Please review carefully.")
    assert again.rstrip().endswith("- [ ] checked by me")


def test_line_ends_that_a_forge_changes_do_not_hide_a_section() -> None:
    body = merge("", ONE, "one\ntwo").replace("\n", "\r\n")
    assert merge(body, ONE, "new").count(marker(ONE)) == 1


def test_a_section_with_backslashes_arrives_as_it_is() -> None:
    body = merge(merge("", ONE, "x"), ONE, r"\1 \g<id> \\")
    assert r"\1 \g<id> \\" in body


def test_a_body_that_grows_too_long_loses_the_oldest_details_first() -> None:
    body = ""
    for run in (ONE, TWO, THREE):
        body = merge(body, run, f"### Heading {run.int}\n\n" + "x" * 25_000)
    assert len(body) <= LIMIT
    assert runs_in(body) == (str(ONE), str(TWO), str(THREE))
    assert "### Heading 1" in body
    assert body.count("x" * 25_000) == 2
    assert "details are in the run's artifacts" in body.split(marker(TWO))[0]


sections = st.text(st.characters(exclude_characters="<>\r"), min_size=1, max_size=40).map(lambda text: f"### {text}")


@given(st.lists(st.tuples(st.sampled_from([ONE, TWO, THREE]), sections), max_size=6))
def test_however_often_runs_publish_each_has_one_section_and_merging_again_changes_nothing(
    steps: list[tuple[UUID, str]],
) -> None:
    body = ""
    for run, text in steps:
        body = merge(body, run, text)
        assert merge(body, run, text) == body
    assert sorted(runs_in(body)) == sorted({str(run) for run, _ in steps})
