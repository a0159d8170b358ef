"""Features whose folders have one name in different places are told apart by their paths."""

import json

import pytest

from moonmind.errors import FeatureUnclear
from moonmind.speckit.answer import CHOOSE_FEATURE, AnswerKind, Repository, answer
from moonmind.speckit.features import Feature, find_features, refuse_shared_key
from moonmind.speckit.pointer import FEATURE_JSON
from moonmind.speckit.tasks_md import read_tasks

OPEN = read_tasks(b"- [ ] T001 a\n- [x] T002 b\n")
DONE = read_tasks(b"- [x] T001 a\n- [x] T002 b\n")


def features(*folders: str) -> tuple[Feature, ...]:
    return find_features([f"{folder}/tasks.md" for folder in folders])


TWINS = ("specs/001-a", "backend/specs/001-a", "frontend/specs/001-a", "specs/002-b")


@pytest.mark.parametrize(
    ("paths", "asked", "shared"),
    [
        (TWINS, "001-a", 3),
        (TWINS[1:], "001-a", 2),
        (("specs/feature/x", "web/specs/feature/x"), "feature/x", 2),
        (("specs/web/x", "web/specs/x"), "web/x", 2),
        (TWINS, "specs/001-a", 0),
        (TWINS, "backend/specs/001-a", 0),
        (TWINS, "backend/001-a", 0),
        (TWINS, "002-b", 0),
        (TWINS, "001", 0),
        (TWINS, "", 0),
        (("specs/x", "specs/feature/x"), "x", 0),
    ],
)
def test_a_key_that_several_features_have_is_refused_with_their_paths(
    paths: tuple[str, ...], asked: str, shared: int
) -> None:
    if not shared:
        refuse_shared_key(features(*paths), asked)
        return
    with pytest.raises(FeatureUnclear, match=f"key of {shared} features") as caught:
        refuse_shared_key(features(*paths), asked)
    for path in caught.value.details["features"]:
        assert path in caught.value.message
        assert caught.value.advice.endswith(f"such as {caught.value.details['features'][0]}.")
        refuse_shared_key(features(*paths), path)
        found = answer(Repository(features(*paths), {path: OPEN}, ()), requested=path)
        assert found.feature
        assert found.feature.path == path


@pytest.mark.parametrize("pointed", ["specs/001-a", "backend/specs/001-a", "frontend/specs/001-a"])
def test_a_pointer_names_the_feature_of_its_path_and_no_other_of_that_name(pointed: str) -> None:
    known = features(*TWINS)
    paths = (*(one.tasks_path for one in known), FEATURE_JSON)
    pointers = {"": json.dumps({"feature_directory": pointed})}
    files = dict.fromkeys((one.path for one in known), OPEN)
    found = answer(Repository(known, files, paths, pointers=pointers))
    assert found.feature
    assert found.feature.path == pointed
    # The pointer's own is complete: which of the others is meant is a question.
    found = answer(Repository(known, files | {pointed: DONE}, paths, pointers=pointers))
    assert (found.kind, found.asks) == (AnswerKind.ASK, CHOOSE_FEATURE)
    assert f"{pointed}, which has no open task" in " ".join(found.notes)
