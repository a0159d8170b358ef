"""A `.moonmind.yml` that cannot be read when the work is there: it is kept, and judged once the file is corrected."""

from pathlib import Path

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.stages.kit.stage_results import ApplyResult, SubmitResult
from tests.support import git_repos
from tests.support.stage_world import failed
from tests.support.verified_world import A_TEST, RECIPE, TOTAL, VerifiedWorld, project

GOOD = {"shop/total.py": TOTAL, "tests/test_total.py": A_TEST}


def worked(folder: Path) -> VerifiedWorld:
    world = VerifiedWorld(folder, project(recipe="verify:\n  - runn: pytest\n"))
    world.works(GOOD)
    assert isinstance(world.step(Stage.DISCOVER), Done)
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    return world


def test_the_run_ends_by_line_and_names_the_work_and_what_to_do(tmp_path: Path) -> None:
    world = worked(tmp_path)
    error = failed(world.verified()).error
    assert error.code == "recipe_unreadable"
    assert "line 2" in error.message
    path = SubmitResult.read(world.results[Stage.SUBMIT]).patch_path
    assert path is not None
    assert f"The work is kept in the artifact {path}." in error.message
    assert b"shop/total.py" in world.artifacts.read(path)
    assert "on the branch main, push, then retry the run" in error.remediation


def test_a_retry_judges_the_work_by_the_corrected_file(tmp_path: Path) -> None:
    world = worked(tmp_path)
    failed(world.verified())
    git_repos.commit_to(world.bare, "main", {".moonmind.yml": RECIPE}, "Correct the recipe")
    done = world.verified()
    assert isinstance(done, Done)
    result = ApplyResult.read(done.result)
    assert {one.verdict.value for one in result.verdicts} == {"tested"}
    world.agent.forget(str(world.run_id))
