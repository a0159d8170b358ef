import pytest

from moonmind.proof.verification.asserting_tests import AssertingTests

PATH = "tests/test_a.py"
HELPERS = "tests/helpers.py"


def asserts(body: str, *, rest: str = "", **files: str) -> bool:
    text = f"def test_a(thing):\n    {body}\n{rest}"
    others = [(f"tests/{name}.py", content.encode()) for name, content in files.items()]
    return AssertingTests([(PATH, text.encode()), *others]).asserts(f"{PATH}::test_a", PATH)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("assert f() == 1", True),
        ("assert f()", True),
        ("f()", False),
        ("f().x + 1", False),
        ("f(); assert True", False),
        ("assert f() is not None", False),
        ("assert f() is not None and callable(f())", False),
        ("assert f() is not None and f() == 1", True),
        ("self.assertIsNotNone(f())", False),
        ("self.assertEqual(f(), 1)", True),
        ("with pytest.raises(E):\n        f()", True),
        ("check_total(f())", True),
        ("self.run_case('a')", True),
        ("snapshot.assert_match(f())", True),
        ("f().raise_for_status()", False),
        ("try:\n        assert f() == 1\n    except AssertionError:\n        pass", False),
        ("return\n    assert f() == 1", False),
    ],
)
def test_a_test_asserts_by_what_it_says(body: str, expected: bool) -> None:
    assert asserts(body) is expected


def test_helpers_of_the_same_change_are_looked_into() -> None:
    rest = "\n\ndef checked(found):\n    assert found == 1\n"
    assert asserts("checked(f())", rest=rest)
    assert not asserts("checked(f())", rest=rest.replace("assert found == 1", "return found + 1"))
    assert asserts("check(f())", helpers="def check(found):\n    assert found == 1\n")
    assert not asserts("check(f())", helpers="def check(found):\n    return found + 1\n")
    assert asserts("assert_total(f())", helpers="def assert_total(found):\n    assert found == 1\n")
    assert not asserts("helpers.assert_total(f())", helpers="def assert_total(found):\n    return found + 1\n")
    assert not asserts("self.check()", cases="class Base:\n    def check(self):\n        pass\n")


def test_what_cannot_be_seen_is_not_held_against_a_test() -> None:
    seen = AssertingTests([(PATH, b"def test_a(:\n"), ("tests/test_b.rb", b"x"), ("tests/test_c.py", None)])
    assert all(seen.asserts(f"{path}::x", path) for path in (PATH, "tests/test_b.rb", "tests/test_c.py", "other.py"))


def test_a_test_that_a_class_inherits_is_looked_for_in_the_other_files() -> None:
    inherits = b"from tests.cases import Cases\n\n\nclass TestA(Cases):\n    def setUp(self):\n        self.a = 1\n"
    base = b"class Cases:\n    def test_x(self):\n        assert f() == 1\n"
    test = f"{PATH}::TestA::test_x"
    assert AssertingTests([(PATH, inherits)]).asserts(test, PATH)
    assert AssertingTests([(PATH, inherits), ("tests/cases.py", base)]).asserts(test, PATH)
    hollow = base.replace(b"assert f() == 1", b"f() + 1")
    assert not AssertingTests([(PATH, inherits), ("tests/cases.py", hollow)]).asserts(test, PATH)


def test_a_test_that_is_made_while_the_file_is_loaded_is_taken_for_what_the_file_asserts() -> None:
    made = b"test_x = lambda: total([1]) + 1\n"
    assert not AssertingTests([(PATH, made)]).asserts(f"{PATH}::test_x", PATH)
    assert AssertingTests([(PATH, made + b"\n\ndef then():\n    assert total([1]) == 1\n")]).asserts(
        f"{PATH}::test_x", PATH
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("assert.strictEqual(f(), 1)", True),
        ("expect(f()).toBe(1)", True),
        ("f().toFixed(2)", False),
        ("expect(f()).toBeDefined()", False),
        ("assert.notStrictEqual(f(), undefined)", False),
        ("checkTotal(f())", True),
    ],
)
def test_scripts_are_read_alike(body: str, expected: bool) -> None:
    text = f"describe('sums', () => {{ it('adds', () => {{ {body}; }}); }});\n"
    path = "test/a.test.js"
    seen = AssertingTests([(path, text.encode())])
    assert seen.asserts(f"{path}::sums > adds", path) is seen.asserts(f"{path}::sums adds", path) is expected


def test_parameters_do_not_matter() -> None:
    text = b"def test_a(x):\n    assert f(x) == 1\n\n\ndef test_b(x):\n    f(x)\n"
    seen = AssertingTests([(PATH, text)])
    assert (seen.asserts(f"{PATH}::test_a[1-2]", PATH), seen.asserts(f"{PATH}::test_b[x]", PATH)) == (True, False)
