"""What an honest agent has done earns its verdicts: phases in Python, JavaScript and TypeScript, as real ones are written."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.sample import source
from moonmind.settings import ambient_environment
from moonmind.stages.kit.stage_results import ApplyResult
from tests.support.honest_phases import HonestPhase, read_phase
from tests.support.verified_world import Judged, VerifiedWorld

PHASES = [read_phase(path) for path in sorted((Path(__file__).parent / "honest_phases").glob("*.txt"))]
IN_EVERY_RUN = {
    "py-18-implementation-after-tests",
    "js-03-bugfix-regression",
}
PACKAGES = ("vitest@4", "typescript@5", "jest@30", "jest-junit@17")
SAMPLE: Mapping[int, Mapping[str, str]] = {
    1: {"T001": "passing", "T002": "passing", "T003": "passing"},
    2: {"T004": "tested", "T005": "tested", "T006": "tested"},
    3: {"T007": "tested", "T008": "tested", "T009": "tested", "T010": "passing"},
    4: {"T011": "tested", "T012": "tested", "T013": "passing"},
}


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what runs tests of JavaScript; skips where npm or its registry is not there."""
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("packages")
    if npm is None:
        pytest.skip("npm is not installed")
    (folder / "package.json").write_text('{"private": true}')
    try:
        done = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES],
            cwd=folder, capture_output=True, text=True, check=False, timeout=300,
            env={**ambient_environment(), "HOME": str(folder)},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip("the registry of npm does not answer")
    if done.returncode:
        pytest.skip(f"npm cannot install packages here: {done.stderr[-300:]}")
    return folder / "node_modules"


def judged(world: VerifiedWorld, phase: HonestPhase) -> Judged:
    try:
        return world.judged(phase.after, claim=tuple(phase.expected))
    finally:
        world.tests.stop(world.run_id)
        world.agent.forget(str(world.run_id))


def marks(phase: HonestPhase) -> list[pytest.MarkDecorator]:
    return [pytest.mark.timeout(400), *([] if phase.name in IN_EVERY_RUN else [pytest.mark.full])]


@pytest.mark.parametrize("phase", [pytest.param(one, id=one.name, marks=marks(one)) for one in PHASES])
def test_each_task_of_a_phase_gets_what_it_has_earned(
    tmp_path: Path, phase: HonestPhase, request: pytest.FixtureRequest
) -> None:
    if phase.name.startswith(("js", "jest", "vitest")) and shutil.which("node") is None:
        pytest.skip("node is not installed")
    if phase.name.startswith(("jest", "vitest")):
        # Programs look for packages in all folders above.
        (tmp_path / "node_modules").symlink_to(request.getfixturevalue("packages"))
    found = judged(VerifiedWorld(tmp_path, phase.before), phase)
    assert found.words == phase.expected, {one.id: one.because for one in found.by_id.values()}
    assert not [one for one in found.tests.findings if one.confirms_nothing and phase.main]
    assert not found.tests.draft


@pytest.mark.full
@pytest.mark.timeout(300)
def test_reports_that_the_recipe_names_are_read(tmp_path: Path, packages: Path) -> None:
    phase = next(one for one in PHASES if one.name.startswith("vitest"))
    run = "npx vitest run --reporter=junit --outputFile=reports/vitest.xml"
    recipe = f"environment: {{}}\nverify:\n  - run: {run}\n    reports: ['reports/*.xml']\n"
    (tmp_path / "node_modules").symlink_to(packages)
    found = judged(VerifiedWorld(tmp_path, {**phase.before, ".moonmind.yml": recipe}), phase)
    assert found.words == phase.expected
    assert found.tests.commands[0].passed == 6


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_phases_of_the_sample_get_what_they_have_earned(tmp_path: Path) -> None:
    for number, words in SAMPLE.items():
        world = VerifiedWorld(tmp_path, source.files(), number=number)
        try:
            assert isinstance(world.step(Stage.DISCOVER), Done)
            assert isinstance(world.drive(Stage.SUBMIT), Done)
            outcome = world.verified()
            assert isinstance(outcome, Done), outcome
            found = Judged(ApplyResult.read(outcome.result))
            world.results[Stage.APPLY] = outcome.result
            assert isinstance(world.step(Stage.PUBLISH), Done)
        finally:
            world.tests.stop(world.run_id)
            world.agent.forget(str(world.run_id))
        assert found.words == words


def test_enough_phases_of_an_honest_agent_are_tested_and_none_is_open() -> None:
    """Each phase's words are held by its own test, so these sums hold where all of them pass."""
    phases: list[tuple[str, Mapping[str, str], str]] = [(one.name, one.expected, one.main) for one in PHASES]
    assert len(phases) + len(SAMPLE) >= 24
    assert {name.partition("-")[0] for name, _, _ in phases} >= {"py", "js", "vitest", "jest"}
    tested = [name for name, words, main in phases if main and words[main] == "tested"]
    assert len(tested) >= 14
    words = Counter(word for _, expected, _ in phases for word in expected.values())
    assert words["open"] == words["contradicted"] == 0
    assert words["tested"] > 2 * words["passing"]
