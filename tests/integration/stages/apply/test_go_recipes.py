"""Recipes for Go, as docs/verification.md has them, run for real."""

import shutil
from pathlib import Path

import pytest

from tests.support.verified_world import SPEC, VerifiedWorld

TASKS = (
    "# Tasks: A\n\n## Phase 1: Totals\n\n- [ ] T001 Test the total in total_test.go\n- [ ] T002 Add up in total.go\n"
)
TEST = 'package shop\n\nimport "testing"\n\nfunc Test{name}(t *testing.T) {{\n\tif {sum} {{\n\t\tt.Fatal()\n\t}}\n}}\n'
BEFORE: dict[str, bytes | str] = {
    f"{SPEC}/spec.md": "# Feature Specification: A\n",
    f"{SPEC}/plan.md": "# Plan\n",
    f"{SPEC}/tasks.md": TASKS,
    "go.mod": "module example.com/shop\n\ngo 1.19\n",
    "twice.go": "package shop\n\nfunc Twice(a int) int { return 2 * a }\n",
    "twice_test.go": TEST.format(name="Twice", sum="Twice(2) != 4"),
}
AFTER = {
    "total.go": "package shop\n\nfunc Total(prices []int) int {\n\tsum := 0\n\tfor _, price := range prices {\n\t\tsum += price\n\t}\n\treturn sum\n}\n",
    "total_test.go": TEST.format(name="Total", sum="Total([]int{1, 2}) != 3"),
}


@pytest.mark.full
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("run", "program", "counts", "added"),
    [
        ("go test ./...", "go", (0, None), ()),
        (
            'gotestsum --junitfile "$MOONMIND_REPORTS/go.xml" ./...',
            "gotestsum",
            (2, 1),
            ("example.com/shop::TestTotal",),
        ),
    ],
)
def test_a_change_in_go_is_passing_by_exit_codes_or_by_a_report(
    tmp_path: Path, run: str, program: str, counts: tuple[int, int | None], added: tuple[str, ...]
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    world = VerifiedWorld(tmp_path, {**BEFORE, ".moonmind.yml": f"environment: {{}}\nverify:\n  - run: '{run}'\n"})
    try:
        found = world.judged(AFTER)
    finally:
        world.tests.stop(world.run_id)
        world.agent.forget(str(world.run_id))
    (command,) = found.tests.commands
    assert (command.outcome, (command.passed, command.passed_before), command.added) == ("passed", counts, added)
    assert found.words == {"T001": "passing", "T002": "passing"}
