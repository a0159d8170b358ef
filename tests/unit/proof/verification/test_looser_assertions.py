import time

import pytest

from moonmind.proof.verification.assertion_counts import weaker_tests
from moonmind.proof.verification.looser_assertions import looser_in_python
from moonmind.proof.verification.looser_expectations import looser_in_scripts


def looser(before: str, after: str) -> bool:
    head = "def test_a():\n    "
    return looser_in_python(f"{head}{before}\n".encode(), f"{head}{after}\n".encode()) == ("test_a",)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("assert f() == 3", "assert f() in (3, 4)"),
        ("assert f() == 3", "assert f()"),
        ("assert f() == 3", "assert f() is not None"),
        ("assert f() == 3", "assert f() >= 0"),
        ("assert f() == 3", "assert isinstance(f(), int)"),
        ("assert f() == 3", "assert f() == 3 or f() == 4"),
        ("assert 3 == f()", "assert f() != 4"),
        ("assert f() == 3", "x = f(); assert x"),
        ("x = f(); assert x == 3", "y = f(); assert y in (3, 4)"),
        ("assert f() == 3", "if g():\n        assert f() == 3"),
        ("assert f() == 3.0", "assert f() == approx(3.0)"),
        ("assert f() == approx(3)", "assert f() == approx(3, abs=5)"),
        ("assert f() == approx(3, rel=1e-3)", "assert f() == pytest.approx(3, rel=0.5)"),
        ("self.assertEqual(f(), 3)", "self.assertTrue(f())"),
        ("self.assertEqual(f(), 3)", "self.assertAlmostEqual(f(), 3, delta=9)"),
        ("self.assertAlmostEqual(f(), 3, places=5)", "self.assertAlmostEqual(f(), 3, places=1)"),
        ("assert await f() == 3", "assert await f()"),
        ("with pytest.raises(KeyError):\n        f()", "with pytest.raises(Exception):\n        f()"),
        ("with pytest.raises(KeyError, match='x'):\n        f()", "with pytest.raises(KeyError):\n        f()"),
    ],
)
def test_what_asks_for_less_of_the_same_value_is_looser_and_not_the_other_way_round(before: str, after: str) -> None:
    assert looser(before, after)
    assert not looser(after, before)
    assert not looser(before, before)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("assert f() == 3", "assert f() == 4"),
        ("assert f() is True", "assert f()"),
        ("assert f() == []", "assert not f()"),
        ("assert f() is None", "assert not f()"),
        ("assert f() == {'a': 1}", "found = f(); assert found['a'] == 1; assert found['b'] == 2"),
        ("assert f() == 3", "assert f() == g() == 3"),
        ("assert f() == 3", "assert g() in (1, 2)"),
        ("assert f() == 3", "if g():\n        assert f() == 3\n    else:\n        assert f() == 4"),
        ("assert not f(); change(); assert f()", "change(); assert f()"),
        ("self.assertEqual(f(), 3)", "assert f() == 3"),
    ],
)
def test_what_asks_for_something_else_is_not_looser(before: str, after: str) -> None:
    assert not looser(before, after)


def test_a_test_of_a_class_is_named_by_it_and_a_new_one_is_not() -> None:
    before = b"class TestA:\n    def test_a(self):\n        assert f() == 1\n"
    after = b"class TestA:\n    def test_a(self):\n        assert f()\n\n    def test_b(self):\n        assert g()\n"
    assert looser_in_python(before, after) == ("TestA::test_a",)
    assert [(one.test, one.before, one.after) for one in weaker_tests("tests/test_a.py", before, after)] == [
        ("TestA::test_a", 1, 1)
    ]


@pytest.mark.parametrize(
    ("before", "after", "looser"),
    [
        ("expect(f()).toBe(3)", "expect(f()).toBeDefined()", True),
        ("expect(f()).toEqual({a: 1})", "expect(f()).toMatchObject({})", True),
        ("assert.strictEqual(f(), 3)", "assert.ok(f())", True),
        ("assert.equal(f(), 3)", "assert.notEqual(f(), 4)", True),
        ("expect(f()).toBe(3)", "expect(f()).not.toBe(4)", True),
        ("expect(f()).toBe(3)", "expect(f()).toEqual(3)", False),
        ("expect(f()).toBeTruthy()", "expect(f()).toBe(3)", False),
        ("expect(f()).toBe(3)", "expect(g()).toBeTruthy()", False),
    ],
)
def test_scripts_are_read_alike(before: str, after: str, looser: bool) -> None:
    old, new = (f"it('adds', () => {{ {one}; }});\n".encode() for one in (before, after))
    assert looser_in_scripts(old, new, ".js") == (("adds",) if looser else ())


@pytest.mark.parametrize(
    "content",
    [
        b"def test_a(:\n",
        b"\xff\xfe",
        b"def test_a():\n" + b"    assert f() == 1\n" * 1_000,
        b"def test_a():\n    assert " + b"not " * 5_000 + b"a\n",
        b"def test_a():\n    assert a" + b" + b" * 10_000 + b"\n",
        b"def test_a():\n" + b"    a = b\n    assert a\n" * 2_000,
    ],
)
def test_hostile_files_cost_neither_time_nor_an_error(content: bytes) -> None:
    began = time.process_time()
    looser_in_python(content, content + b"\n\ndef test_b():\n    assert 1\n")
    looser_in_scripts(content, content[:-1], ".ts")
    assert time.process_time() - began < 5
