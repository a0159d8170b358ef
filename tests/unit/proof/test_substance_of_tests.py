"""Tests that never run, that assert nothing any more or that are gone are no change that counts."""

import pytest

from moonmind.proof.substance import Kind, Substance, substance_of
from moonmind.speckit.wording import Asked


def kind(path: str, before: str, after: str) -> Kind:
    return substance_of(path, before.encode(), after.encode()).kind


SKIPPED = {
    "tests/test_a.py": (
        "import pytest\n\n\n@pytest.mark.skip(reason='later')\ndef test_a():\n    assert area(2) == 4\n",
        "import pytest\n\n\ndef test_a():\n    pytest.skip('later')\n    assert area(2) == 4\n",
        "import unittest\n\n\n@unittest.skip('later')\nclass TestA(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(area(2), 4)\n",
        "import pytest\n\npytestmark = pytest.mark.skip\n\n\ndef test_a():\n    assert area(2) == 4\n",
    ),
    "web/a.test.ts": (
        "it.skip('adds', () => {\n  expect(area(2)).toBe(4);\n});\n",
        "describe.skip('area', () => {\n  it('adds', () => {\n    expect(area(2)).toBe(4);\n  });\n});\n",
        "xit('adds', () => {\n  expect(area(2)).toBe(4);\n});\n",
        "describe('area', () => {\n  test.todo('adds');\n});\n",
    ),
    "pkg/a_test.go": ('func TestA(t *testing.T) {\n\tt.Skip("later")\n\tif Area(2) != 4 {\n\t\tt.Fatal()\n\t}\n}\n',),
    "src/ATest.java": (
        "class ATest {\n  @Disabled\n  @Test\n  void adds() {\n    assertEquals(4, area(2));\n  }\n}\n",
    ),
    "tests/a.rs": ("#[test]\n#[ignore]\nfn adds() {\n    assert_eq!(area(2), 4);\n}\n",),
}


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, texts in SKIPPED.items() for text in texts])
def test_tests_that_never_run_do_not_count(path: str, text: str) -> None:
    found = substance_of(path, None, text.encode())
    assert found.kind in {Kind.SKIPPED, Kind.STUB}
    assert not found.counts(set())


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("tests/test_a.py", "def test_a():\n    assert area(2) == 4\n", "def test_a():\n    assert True\n"),
        ("tests/test_a.py", "def test_a():\n    assert area(2) == 4\n", "def test_a():\n    pass\n"),
        (
            "a.test.ts",
            "it('a', () => {\n  expect(f()).toBe(1);\n});\n",
            "it('a', () => {\n  expect(true).toBe(true);\n});\n",
        ),
        ("a_test.go", "func TestA(t *testing.T) {\n\tcheck(t)\n}\n", "func TestA(t *testing.T) {\n}\n"),
    ],
)
def test_a_gutted_test_does_not_count(path: str, before: str, after: str) -> None:
    assert kind(path, before, after) is Kind.GUTTED
    assert kind(path, before + before.replace("a", "b"), after + before.replace("a", "b")) in {Kind.STUB, Kind.LESS}


def test_deleting_tests_counts_only_where_the_task_asks_to_remove() -> None:
    two = b"def test_a():\n    assert a() == 1\n\n\ndef test_b():\n    assert b() == 1\n"
    found = substance_of("tests/test_a.py", two, two[: two.index(b"\n\n\ndef test_b")])
    assert found == Substance(Kind.LESS, test=True)
    assert not found.counts({Asked.LESS})
    assert found.counts({Asked.REMOVAL})
