"""What tasks name below `.github/workflows`, and whether the token may change it."""

import pytest

from moonmind.ports.check import CheckStatus
from moonmind.preflight.workflow_right import workflow_right, workflows_named
from moonmind.speckit.mentions import paths_in


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Add `.github/workflows/ci.yml`", [".github/workflows/ci.yml"]),
        ("Add the build to ./.github/workflows/build.yaml.", [".github/workflows/build.yaml"]),
        ("Fill /.github/workflows/", [".github/workflows"]),
        ("Put all of CI into .github/workflows.", [".github/workflows"]),
        ("Edit .GitHub/Workflows/CI.yml", [".GitHub/Workflows/CI.yml"]),
        ("Windows: .github\\workflows\\ci.yml", [".github/workflows/ci.yml"]),
        ("**.github/workflows/ci.yml**: run the tests", [".github/workflows/ci.yml"]),
        ("[workflow](.github/workflows/ci.yml) (see there)", [".github/workflows/ci.yml"]),
        (".github//workflows/./nightly.yml", [".github/workflows/nightly.yml"]),
        (".github/workflows/ci.yml,.github/workflows/cd.yml", [".github/workflows/ci.yml", ".github/workflows/cd.yml"]),
        (".github/workflows/{ci,cd}.yml", [".github/workflows/{ci"]),
        ("Release in .github/workflows/release-*.yml", [".github/workflows/release-*.yml"]),
    ],
)
def test_every_spelling_is_found(text: str, named: list[str]) -> None:
    assert list(workflows_named([text])) == named


@pytest.mark.parametrize(
    "text",
    [
        "Describe the workflows of .github in docs/ci.md",
        "Add .github/workflows-old/ci.yml",
        "Add .github/workflows.md",
        "Add docs/.github/workflows/example.yml",
        "Add templates/app/.github/workflows/ci.yml",
        "Add .github/actions/build/action.yml",
        "Add my.github/workflows/ci.yml",
        "Model workflows in src/workflows/ci.py",
    ],
)
def test_nothing_else_is_one(text: str) -> None:
    assert workflows_named([text]) == ()
    assert workflows_named(paths_in(text)) == ()


@pytest.mark.parametrize("reference", [".github/workflows/old.yml", "./.github/workflows/old.yml"])
def test_what_a_task_only_points_to_needs_no_right(reference: str) -> None:
    text = "Write .github/workflows/new.yml like .github/workflows/old.yml"
    assert workflows_named([text], [reference]) == (".github/workflows/new.yml",)


@pytest.mark.parametrize("scopes", ["repo", "repo, gist", "public_repo, workflows", "", "repo:workflow"])
def test_a_token_whose_scopes_lack_it_is_refused(scopes: str) -> None:
    check = workflow_right({"tokenKind": "classic", "tokenScopes": scopes}, (".github/workflows/ci.yml",))
    assert check is not None
    assert check.failed
    assert ".github/workflows/ci.yml" in check.message
    assert "`workflow`" in check.remediation


@pytest.mark.parametrize("scopes", ["workflow", "repo, workflow", "gist,workflow,repo"])
def test_a_token_that_has_the_scope_passes(scopes: str) -> None:
    check = workflow_right({"tokenKind": "OAuth", "tokenScopes": scopes}, (".github/workflows/ci.yml",))
    assert check is not None
    assert check.status is CheckStatus.PASSED


@pytest.mark.parametrize("kind", ["fine-grained", "GitHub App installation", "GitHub App user", "classic"])
def test_a_token_whose_right_nobody_can_ask_for_is_a_warning(kind: str) -> None:
    check = workflow_right({"tokenKind": kind}, (".github/workflows/a.yml",) * 5)
    assert check is not None
    assert check.status is CheckStatus.UNKNOWN
    assert kind in check.message
    assert "and 2 more" in check.message


def test_there_is_nothing_to_say_without_workflows_or_without_github() -> None:
    assert workflow_right({"tokenKind": "classic", "tokenScopes": "repo"}, ()) is None
    assert workflow_right({"user": "octo"}, (".github/workflows/ci.yml",)) is None
