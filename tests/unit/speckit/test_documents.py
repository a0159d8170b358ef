from moonmind.speckit.documents import MOST, constitution_in, documents_of, skills_in
from tests.support.plans import FEATURE, FOLDER


def test_documents_come_by_kind_the_spec_first_and_contracts_last() -> None:
    listing = [
        f"{FOLDER}/{name}" for name in ("contracts/b.yaml", "contracts/a.yaml", "tasks.md", "spec.md", "notes.txt")
    ]
    assert list(documents_of(FEATURE, listing).items()) == [
        (f"{FOLDER}/spec.md", "spec"),
        (f"{FOLDER}/tasks.md", "tasks"),
        (f"{FOLDER}/contracts/a.yaml", "contract"),
        (f"{FOLDER}/contracts/b.yaml", "contract"),
    ]


def test_another_features_documents_are_not_named() -> None:
    assert documents_of(FEATURE, [f"{FOLDER}-2/spec.md", "spec.md"]) == {}


def test_a_feature_with_very_many_contracts_names_some() -> None:
    assert len(documents_of(FEATURE, [f"{FOLDER}/contracts/{n:03d}.yaml" for n in range(100)])) == MOST


def test_the_constitution_is_found_where_spec_kit_keeps_and_kept_it() -> None:
    assert constitution_in(["memory/constitution.md", ".specify/memory/constitution.md"]) == (
        ".specify/memory/constitution.md"
    )
    assert constitution_in(["memory/constitution.md"]) == "memory/constitution.md"
    assert constitution_in(["README.md"]) is None


def test_only_the_instructions_for_implementing_count_as_skills() -> None:
    listing = [".agents/skills/speckit-implement/SKILL.md", ".agents/skills/speckit-plan/SKILL.md", "x/SKILL.md"]
    assert skills_in(listing) == (".agents/skills/speckit-implement/SKILL.md",)
