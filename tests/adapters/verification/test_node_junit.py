"""The reporter for node's own test runner."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from moonmind.adapters.verification.test_jobs import NODE_REPORTER
from moonmind.proof.verification.junit_reading import read_reports
from moonmind.proof.verification.test_results import TestOutcome, TestReport

NODE = shutil.which("node")
TESTS = {
    "test/a.test.mjs": """
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
describe('S', () => {
  it('good <&"', () => {});
  it('bad', () => assert.equal('\\u0001]]>', 2));
  it.skip('skipped', () => {});
  it.todo('to do');
  describe('inner', () => { it('good', () => {}); });
});
describe.skip('all of it', () => { it('never', () => {}); });
test('outer', async (t) => { await t.test('inner', () => {}); assert.fail('after its parts'); });
test('parts', async (t) => { await t.test('bad', () => assert.fail('a part')); });
""",
    "test/b.test.mjs": "import './nothing.mjs';\n",
    "test/c.test.cjs": "require('node:test')('top', () => {});\n",
}


def report_of(folder: Path, *arguments: str) -> tuple[int, TestReport]:
    assert NODE is not None
    for path, content in TESTS.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(content)
    reported = folder / "node.xml"
    done = subprocess.run(
        [NODE, "--test", f"--test-reporter={NODE_REPORTER}", f"--test-reporter-destination={reported}", *arguments],
        cwd=folder,
        env={"PATH": os.defpath},
        capture_output=True,
        check=False,
    )
    return done.returncode, read_reports([("node.xml", reported.read_bytes())], ".", list(TESTS))


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_every_outcome_is_reported_with_its_file(tmp_path: Path) -> None:
    code, report = report_of(tmp_path)
    assert code == 1
    assert report.unread == ()
    assert {name: case.outcome for name, case in report.cases.items()} == {
        'test/a.test.mjs::S > good <&"': TestOutcome.PASSED,
        "test/a.test.mjs::S > bad": TestOutcome.FAILED,
        "test/a.test.mjs::S > skipped": TestOutcome.SKIPPED,
        "test/a.test.mjs::S > to do": TestOutcome.SKIPPED,
        "test/a.test.mjs::S > inner > good": TestOutcome.PASSED,
        "test/a.test.mjs::outer > inner": TestOutcome.PASSED,
        "test/a.test.mjs::outer > outer": TestOutcome.FAILED,
        "test/a.test.mjs::parts > bad": TestOutcome.FAILED,
        "test/b.test.mjs": TestOutcome.ERROR,
        "test/c.test.cjs::top": TestOutcome.PASSED,
    }
    assert "after its parts" in report.cases["test/a.test.mjs::outer > outer"].message
    assert {case.file for case in report.cases.values()} == set(TESTS)


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_some_files_alone(tmp_path: Path) -> None:
    code, report = report_of(tmp_path, "test/c.test.cjs")
    assert (code, list(report.cases)) == (0, ["test/c.test.cjs::top"])
