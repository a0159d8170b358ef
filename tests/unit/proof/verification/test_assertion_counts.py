import time
from collections.abc import Mapping

import pytest

from moonmind.proof.verification.assertion_counts import assertions, weaker_tests


def counted(text: str, path: str = "tests/test_a.py") -> Mapping[str, int] | None:
    return assertions(path, text.encode())


def python(body: str) -> str:
    return "def test_a():\n" + "".join(f"    {line}\n" for line in body.split("\n"))


def script(body: str) -> str:
    return f"it('a', async () => {{ {body} }});\n"


def weaker(before: str, after: str, path: str) -> dict[str, tuple[int, int]]:
    return {one.test: (one.before, one.after) for one in weaker_tests(path, before.encode(), after.encode())}


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("assert f() == 1\nassert g()", 2),
        ("self.assertEqual(f(), 1)\nself.assertTrue(g())\nself.fail('x')", 3),
        ("with pytest.raises(ValueError):\n    f()\nwith pytest.warns(UserWarning):\n    f()", 2),
        ("m.assert_called_once()\nm.assert_called_with(1)\nm.assert_called_with(a, a)", 3),
        ("np.testing.assert_allclose(f(), 1)\nassert_frame_equal(a(), b)", 2),
        ("if f():\n    pytest.fail('x')\nif g():\n    raise AssertionError('x')", 2),
        ("assert (a.x, a.y) == (1, 2)\nself.assertEqual([a.x, 1], [3, 1])", 3),
        ("assert a.x == 1 and a.y == 2", 2),
        ("for one in (1, 2, 3):\n    assert f(one)", 3),
        ("async with a() as b:\n    assert b.c", 1),
        ("try:\n    f()\nexcept ValueError as error:\n    assert 'x' in str(error)\nelse:\n    pytest.fail()", 2),
        ("try:\n    assert f()\nexcept Exception:\n    raise", 1),
        ("if f():\n    return\nassert g()", 1),
        ("match f():\n    case 1:\n        assert g()", 1),
        ("snapshot.assert_match(f())", 1),
        ("assert f(x) == f(x)", 1),
        ("assert [1, 2] == f()", 1),
        ("assert f() == 'a', 'why'", 1),
        # what counts nothing
        ("assert True\nassert 1\nassert 'a'\nassert not False\nassert (f(), 'why')\nassert lambda: f()", 0),
        ("assert f() or True\nassert True or f()\nassert 1 == 1\nassert 1 < 2\nassert -1 != 1", 0),
        ("assert x == x\nassert a.b is a.b\nassert x >= x", 0),
        ("self.assertTrue(True)\nself.assertEqual(1, 1)\nself.assertFalse(False)\nself.assertIsNone(None)", 0),
        ("self.assertEqual(x, x)\nassert_equal(1, 1)\nself.assertIn(1, [1])\nself.assertTrue(f() or 1)", 0),
        ("try:\n    assert f()\nexcept AssertionError:\n    pass", 0),
        ("try:\n    assert f()\nexcept (ValueError, Exception) as error:\n    print(error)", 0),
        ("try:\n    self.assertEqual(f(), 1)\nexcept:\n    pass", 0),
        ("try:\n    assert f()\nfinally:\n    return", 0),
        ("with contextlib.suppress(AssertionError):\n    assert f()", 0),
        ("return\nassert f()", 0),
        ("pytest.skip('x')\nassert f()", 0),
        ("self.skipTest('x')\nself.assertTrue(f())", 0),
        ("if True:\n    return\nassert f()", 0),
        ("if False:\n    assert f()\nwhile 0:\n    assert f()\nfor x in []:\n    assert x", 0),
        ("raise ValueError\nassert f()", 0),
        ("assert all([True, True])\nf()", 0),
        ("def inner():\n    assert f()", 0),
    ],
)  # fmt: skip
def test_assertions_of_python_that_can_fail_are_counted(body: str, count: int) -> None:
    assert counted(python(body)) == {"test_a": count}


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("expect(f()).toBe(1); expect(g()).not.toEqual(2);", 2),
        ("await expect(f()).resolves.toBe(1); await expect(g()).rejects.toThrow();", 2),
        ("expect(f).to.be.a('string'); f().should.equal(1);", 2),
        ("assert(f()); assert.equal(f(), 1); assertEquals(f(), 1); sinon.assert.called(f);", 4),
        ("t.is(f(), 1); t.assert.ok(f()); t.plan(2); t.pass();", 2),
        ("await request(app).get('/').expect(200).expect('a');", 1),
        ("expect([a.x, a.y]).toEqual([1, 2]);", 2),
        ("for (const x of [1, 2, 3]) { expect(f(x)).toBe(x); }", 3),
        ("[1, 2].forEach((x) => { expect(f(x)).toBe(3); });", 2),
        ("await waitFor(() => expect(f()).toBe(1));", 1),
        ("try { f(); expect.fail(); } catch (e) { expect(e.message).toBe('a'); }", 2),
        ("if (f()) { return; } expect(g()).toBe(1);", 1),
        ("expect(f(x)).toBe(f(x)); expect('a').toBe(f());", 2),
        ("expect(spy).toHaveBeenCalledWith(expect.any(Number));", 1),
        ("expect(f()).toMatchSnapshot();", 1),
        # what counts nothing
        ("expect(true).toBe(true); expect(1).toEqual(1); expect(1).not.toBe(2);", 0),
        ("assert.ok(true); assert(true, 'why'); assert.equal(1, 1); assert.strictEqual(x, x);", 0),
        ("t.true(true); t.is(1, 1); t.pass();", 0),
        ("expect(x).toBe(x); expect(a.b).toEqual(a.b);", 0),
        ("assert(f() || true); expect(f() || true).toBe(true); assert(1 === 1);", 0),
        ("expect(f()); expect.assertions(2); expect.hasAssertions();", 0),
        ("try { expect(f()).toBe(1); } catch (e) { console.log(e); }", 0),
        ("await expect(f()).resolves.toBe(1).catch(() => {});", 0),
        ("return; expect(f()).toBe(1);", 0),
        ("t.skip(); assert(f());", 0),
        ("if (true) { return; } expect(f()).toBe(1);", 0),
        ("if (false) { expect(f()).toBe(1); } while (false) { assert(f()); }", 0),
        ("for (const x of []) { expect(x).toBe(1); }", 0),
        ("// expect(f()).toBe(1)\n const s = 'expect(f()).toBe(1)';", 0),
        ("const later = () => { expect(f()).toBe(1); };", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["a.test.js", "a.test.ts", "a.test.tsx"])
def test_assertions_of_scripts_that_can_fail_are_counted(path: str, body: str, count: int) -> None:
    assert counted(script(body), path) == {"a": count}


def test_tests_are_named_by_where_they_are() -> None:
    text = "class TestA:\n    def test_b(self):\n        assert f()\n    class TestC:\n        async def test_d(self):\n            assert f()\n"
    assert counted(text + "def test_e(): pass\ndef other(): assert f()\n") == {
        "TestA::test_b": 1,
        "TestA::TestC::test_d": 1,
        "test_e": 0,
    }
    text = "describe('a', () => { it('b', () => { assert(f()) }); test.only(`c ${1}`, () => {}); });\n"
    assert counted(
        text + "test('d', async (t) => { await t.test('e', () => { assert(f()) }); t.ok(f()) });", "a.js"
    ) == {
        "a > b": 1,
        "a > c ${1}": 0,
        "d": 1,
        "d > e": 1,
    }


def test_the_last_of_two_tests_of_one_name_is_the_one_that_runs() -> None:
    assert counted("def test_a():\n    assert f()\n\ndef test_a():\n    pass\n") == {"test_a": 0}


@pytest.mark.parametrize(
    ("path", "text"),
    [("a.py", "def test_a(:"), ("a.py", "\0"), ("a.js", "it('a', ("), ("a.go", "func TestA() {}"), ("Makefile", "a:")],
)
def test_what_cannot_be_read_is_not_counted(path: str, text: str) -> None:
    assert counted(text, path) is None
    assert weaker(python("assert f()"), text, path) == {}


THREE = python("assert f() == 1\nassert g() == 2\nassert h() == 3")
SCRIPT_THREE = script("expect(f()).toBe(1); expect(g()).toBe(2); expect(h()).toBe(3);")


@pytest.mark.parametrize(
    "after",
    [
        python("assert f() == 1\nassert g() == 2"),
        python("f()\ng()\nh()"),
        python("assert True\nassert 1 == 1\nassert f() or True"),
        python("try:\n    assert f() == 1\n    assert g() == 2\n    assert h() == 3\nexcept Exception:\n    pass"),
        python("pytest.skip()\nassert f() == 1\nassert g() == 2\nassert h() == 3"),
        python("check()") + "def check():\n    assert f() == 1\n    assert g() == 2\n",
        python("assert f() == 1") + "def test_new():\n    assert a() == 1\n    assert b() == 2\n    assert c() == 3\n",
    ],
)
def test_a_test_of_python_that_asserts_less_is_found(after: str) -> None:
    assert list(weaker(THREE, after, "a.py")) == ["test_a"]


def test_fewer_cases_are_less() -> None:
    text = "@pytest.mark.parametrize('x', [{}])\ndef test_a(x):\n    assert f(x)\n"
    assert weaker(text.format("1, 2, 3"), text.format("1"), "a.py") == {"test_a": (3, 1)}
    text = "test.each([{}])('a %i', (x) => {{ expect(f(x)).toBe(1) }});"
    assert weaker(text.format("1, 2, 3"), text.format("1"), "a.js") == {"a %i": (3, 1)}


@pytest.mark.parametrize(
    "after",
    [
        THREE,
        THREE.replace("f()", "total"),
        python("self.assertEqual(f(), 1)\nself.assertEqual(g(), 2)\nself.assertEqual(h(), 3)"),
        python("assert (f(), g(), h()) == (1, 2, 3)"),
        python("assert (f(), g(), h()) == expected"),
        python("assert f() == 1 and g() == 2 and h() == 3"),
        python("assert all([f() == 1, g() == 2, h() == 3])"),
        python("assert cart() == Cart(f=1, g=2, h=3)"),
        python("assert cart() == {'f': 1, 'g': 2, 'h': 3}"),
        python("assert cart() == snapshot"),
        python("snapshot.assert_match(cart())"),
        python("data_regression.check(cart())"),
        python("for call, wanted in CASES:\n    assert call() == wanted"),
        python("check(f, 1)\ncheck(g, 2)\ncheck(h, 3)") + "def check(call, wanted):\n    assert call() == wanted\n",
        python("def check(call, wanted):\n    assert call() == wanted\ncheck(f, 1)\ncheck(g, 2)\ncheck(h, 3)"),
        python("check()") + "def check():\n    one()\n    assert h() == 3\n\ndef one():\n    assert f() == 1\n    assert g() == 2\n",
        "@pytest.mark.parametrize('call, wanted', [(f, 1), (g, 2), (h, 3)])\n" + python("assert call() == wanted"),
        "@pytest.mark.parametrize('call, wanted', CASES)\n" + python("assert call() == wanted"),
        python("assert f() == 1") + "def test_b():\n    assert g() == 2\n\ndef test_c():\n    assert h() == 3\n",
        "@pytest.fixture\ndef cart():\n    assert f() == 1\n    assert g() == 2\n    return 1\n\ndef test_a(cart):\n    assert h() == 3\n",
        "def test_b():\n    assert f() == 1\n",
    ],
)  # fmt: skip
def test_honest_changes_to_tests_of_python_are_not_found(after: str) -> None:
    assert weaker(THREE, after, "a.py") == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("@pytest.fixture\ndef cart():\n    assert g()\n    return 1\n", "from tests.support import cart\n"),
        ("@pytest.fixture\ndef cart():\n    assert g()\n    return 1\n", "def cart():\n    return made()\n"),
        (
            "def cart():\n    return a()\n\ndef a():\n    return b()\n\ndef b():\n    assert g()\n",
            "def cart():\n    return a()\n\ndef a():\n    return c()\n\ndef c():\n    return b()\n\ndef b():\n    assert g()\n",
        ),
    ],
)
def test_what_prepares_a_test_may_move(before: str, after: str) -> None:
    test = "\ndef test_a(cart):\n    assert f(cart)\n    assert cart()\n"
    assert weaker(before + test, after + test, "a.py") == {}


def test_a_variable_may_be_renamed_while_a_test_is_split() -> None:
    before = python("cart = make()\nassert cart.a == 1\nassert cart.b == 2")
    after = python("one = make()\nassert one.a == 1") + "def test_b():\n    two = make()\n    assert two.b == 2\n"
    assert weaker(before, after, "a.py") == {}


def test_methods_of_the_class_and_of_its_base_are_helpers() -> None:
    before = (
        "class TestA(Base):\n    def test_a(self):\n        self.assertEqual(f(), 1)\n        self.assertTrue(g())\n"
    )
    check = "    def check(self):\n        self.assertEqual(f(), 1)\n        self.assertTrue(g())\n"
    calls = "class TestA(Base):\n    def test_a(self):\n        self.check()\n"
    assert weaker(before, calls + check, "a.py") == {}
    assert weaker(before, f"class Base:\n{check}\n{calls}", "a.py") == {}
    assert weaker(before, calls, "a.py") == {"TestA::test_a": (2, 0)}


@pytest.mark.parametrize(
    "after",
    [
        script("expect(f()).toBe(1); expect(g()).toBe(2);"),
        script("f(); g(); h();"),
        script("expect(true).toBe(true); assert(true); expect(f() || true).toBe(true);"),
        script("try { expect(f()).toBe(1); expect(g()).toBe(2); expect(h()).toBe(3); } catch {}"),
        script("return; expect(f()).toBe(1); expect(g()).toBe(2); expect(h()).toBe(3);"),
        script("check();") + "function check() { expect(f()).toBe(1); expect(g()).toBe(2); }",
        script("expect(f()).toBe(1);") + "it('new', () => { expect(a()).toBe(1); expect(b()).toBe(1); });",
    ],
)
def test_a_test_of_a_script_that_asserts_less_is_found(after: str) -> None:
    assert list(weaker(SCRIPT_THREE, after, "a.ts")) == ["a"]


@pytest.mark.parametrize(
    "after",
    [
        SCRIPT_THREE,
        SCRIPT_THREE.replace("f()", "total"),
        script("assert.equal(f(), 1); assert.equal(g(), 2); assert.equal(h(), 3);"),
        script("expect([f(), g(), h()]).toEqual([1, 2, 3]);"),
        script("expect(cart()).toEqual({ f: 1, g: 2, h: 3 });"),
        script("expect(cart()).toMatchSnapshot();"),
        script("expect(cart()).toMatchInlineSnapshot(`1`);"),
        script("for (const [call, wanted] of CASES) { expect(call()).toBe(wanted); }"),
        script("CASES.forEach((one) => { expect(one()).toBe(1); });"),
        script("check(f, 1); check(g, 2); check(h, 3);") + "function check(c, w) { expect(c()).toBe(w); }",
        script("const check = (c, w) => { expect(c()).toBe(w); }; check(f, 1); check(g, 2); check(h, 3);"),
        "it.each([[f, 1], [g, 2], [h, 3]])('a', (call, wanted) => { expect(call()).toBe(wanted); });",
        "it.each(CASES)('a', (call, wanted) => { expect(call()).toBe(wanted); });",
        script("expect(f()).toBe(1);") + "it('b', () => { expect(g()).toBe(2); expect(h()).toBe(3); });",
        "it('other', () => {});",
    ],
)
def test_honest_changes_to_tests_of_scripts_are_not_found(after: str) -> None:
    assert weaker(SCRIPT_THREE, after, "a.ts") == {}


@pytest.mark.parametrize(
    "text",
    [
        "def test_a():\n    " + "assert_(" * 190 + ")" * 190 + "\n",
        "def test_a():\n" + "".join(f"    self.assert{n}(x)\n" for n in range(1_000)),
        "def test_a():\n    assert " + "1 if " * 80 + "1" + " else 1" * 80 + "\n",
        "".join(f"def f{n}():\n    f{n + 1}()\n    f{n + 1}()\n" for n in range(500)) + "def test_a():\n    f0()\n",
        "def test_a():\n" + "".join(" " * n + "for x in (1, 2, 3):\n" for n in range(1, 90)) + " " * 95 + "assert x\n",
        "def test_a():\n    assert " + "not " * 4_000 + "x\n",
        "def test_a():\n    if x: pass\n" + "    elif x: assert x\n" * 1_000,
        "it('a', () => { " + "expect(" * 200 + ")" * 200 + " });",
        "it('a', () => { x" + ".a()" * 20_000 + " });",
        "it('a', () => { " + ("x" + ".expect()" * 40 + ";\n") * 40 + " });",
        "it('a', () => { " + "for (const x of [1,2]) " * 200 + "expect(x).toBe(1) });",
        "describe('a" + "b" * 600 + "', () => {" * 1 + "describe('x', () => {" * 60 + "})" * 60 + "});",
        "(" * 20_000,
    ],
)
@pytest.mark.parametrize("path", ["a.py", "a.ts"])
def test_hostile_files_cost_neither_time_nor_an_error(path: str, text: str) -> None:
    began = time.process_time()
    weaker(text, text + "\n", path)
    assert time.process_time() - began < 5
