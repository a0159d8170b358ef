import time

import pytest

from moonmind.proof.verification.emptied_bodies import emptied
from moonmind.proof.verification.script_syntax import ENDINGS, parse_script


def names(after: str, before: str | None = None, path: str = "src/a.ts") -> tuple[str, ...]:
    found = emptied(path, before.encode() if before is not None else None, after.encode())
    return found.functions if found else ()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("function a(x) {\n  return x;\n}\nb();\n", "function a(x) {GUARD;\n  return x;\n}\nb();\n"),
        ("export function a(x) { return x; }", "export function a(x) {GUARD; return x; }"),
        ("export default function () { return 1; }", "export default function () {GUARD; return 1; }"),
        ("export const a = (x) => x + 1;", "export const a = (x) => (IF (x + 1));"),
        ("const a = x => ({\n x,\n});\n", "const a = x => (IF (({\n x,\n})));\n"),
        ("const a = x => x // why\n", "const a = x => (IF (x)) // why\n"),
        ("const a = x => y => x + y;", "const a = x => (IF (y => x + y));"),
        ("const a = async (x) => { await x; return 1 }", "const a = async (x) => {GUARD; await x; return 1 }"),
        ("const a = function (x) { return x }", "const a = function (x) {GUARD; return x }"),
        ("function* a() { yield 1 }", "function* a() {GUARD; yield 1 }"),
        ("async function* a() { yield 1 }", "async function* a() {GUARD; yield 1 }"),
        ("class A { m() { return 1 } get b() { return 2 } static c() { return 3 } #d() { return 4 } }", "class A { m() {GUARD; return 1 } get b() {GUARD; return 2 } static c() {GUARD; return 3 } #d() {GUARD; return 4 } }"),
        ("class A { c = () => 1; }", "class A { c = () => (IF (1)); }"),
        ("class A { b() {\n c(); return this; }\n d() { return this } }", "class A { b() {GUARD this;\n c(); return this; }\n d() {GUARD; return this } }"),
        ("class A { constructor(x) { this.x = x } }", "class A { constructor(x) {GUARD; this.x = x } }"),
        ("class A extends B { constructor(x) {\n super(x);\n this.x = x } }", "class A extends B { constructor(x) {\n super(x);GUARD;;\n this.x = x } }"),
        ("class A extends B { constructor(x) {\n // why\n super(x) // so\n this.x = x } }", "class A extends B { constructor(x) {\n // why\n super(x);GUARD; // so\n this.x = x } }"),
        ("function a() { 'use strict'; return 1 }", "function a() { 'use strict';GUARD;; return 1 }"),
        ("function a() {\n 'use server'\n \"b\" // c\n return 1 }", "function a() {\n 'use server'\n \"b\";GUARD; // c\n return 1 }"),
        ("const a = { m() { return 1 }, n: (x) => x, k: 2 };", "const a = { m() {GUARD; return 1 }, n: (x) => (IF (x)), k: 2 };"),
        ("module.exports.a = function () { return 1 };", "module.exports.a = function () {GUARD; return 1 };"),
        ("exports.a = (x) => x;", "exports.a = (x) => (IF (x));"),
        ("router.get('/', (q, r) => { r.send(1) });", "router.get('/', (q, r) => {GUARD; r.send(1) });"),
        ("(function () { exports.a = function () { return 1 } })();", "(function () { exports.a = function () {GUARD; return 1 } })();"),
        ("const s = '→'; function a() { return '→' }", "const s = '→'; function a() {GUARD; return '→' }"),
        ("function a() {\r\n  return 1;\r\n}\r\n", "function a() {GUARD;\r\n  return 1;\r\n}\r\n"),
        ("\ufefffunction a() { return 1 }", "\ufefffunction a() {GUARD; return 1 }"),
        ("const a = c ? (x) => x : (y) => y;", "const a = c ? (x) => (IF (x)) : (y) => (IF (y));"),
        ("export const A = () => <p>{f()}</p>;", "export const A = () => (IF (<p>{f()}</p>));"),
    ],
)  # fmt: skip
def test_a_guard_stands_before_each_body_and_the_rest_stays_as_it_is(after: str, expected: str) -> None:
    for path in ("a.js", "a.jsx", "a.tsx"):
        guarded(path, after, expected)


def guarded(path: str, after: str, expected: str) -> None:
    """Check a file and its control; `expected` has GUARD and IF in the places of guards."""
    found = emptied(path, None, after.encode())
    assert found is not None
    full = expected.replace("GUARD", "if ([5][0]) return").replace("IF", "[5][0] ? void 0 :")
    assert found.content.decode() == full
    assert found.control.decode() == full.replace("[5][0]", "[5][1]")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("function a<T>(x: T): T { return x }", "function a<T>(x: T): T {GUARD; return x }"),
        ("class A { constructor(private x: number) { this.y = 1 } }", "class A { constructor(private x: number) {GUARD; this.y = 1 } }"),
        ("class A { m(x: string): void; m(x: any) { f(x) } }", "class A { m(x: string): void; m(x: any) {GUARD; f(x) } }"),
        ("namespace N { export function h(): number { return 1 } }", "namespace N { export function h(): number {GUARD; return 1 } }"),
        ("abstract class A { abstract a(): void; b() { return 1 } }", "abstract class A { abstract a(): void; b() {GUARD; return 1 } }"),
        ("export const a = <T,>(x: T): T => x as T;", "export const a = <T,>(x: T): T => (IF (x as T));"),
    ],
)  # fmt: skip
def test_types_stay(after: str, expected: str) -> None:
    guarded("a.ts", after, expected)


def test_a_body_that_returns_what_does_nothing_is_guarded_by_the_same_condition() -> None:
    found = emptied(
        "a.ts", None, b"class A { set b(x) { this.c = x } d() { return 1 } }\nconst a = () => 1;", inert=True
    )
    assert found is not None
    text = found.content.decode()
    assert text.startswith("class A { set b(x) {if ([5][0]) return; this.c = x } d() {if ([5][0]) return ((v?:any)")
    assert text.endswith(" : (1));")
    assert text.count("[5][0]") == 3
    assert found.control.decode() == text.replace("[5][0]", "[5][1]")


@pytest.mark.parametrize(
    ("first", "emptied_too"),
    [
        ("super(x);", True),
        ("super(x)", True),
        ("super(...x) // so", True),
        ("super(x, super.y);", True),
        ("superb();", False),
        ("super.x;", False),
        ("super.x();", False),
        ("super(x), this.y = 1;", False),
        ("super(x).y = 1;", False),
        ("super(x).y();", False),
        ("const z = super(x);", False),
        ("if (x) super(x);", False),
        ("this.y = super(x);", False),
    ],
)
def test_a_constructor_is_emptied_only_behind_a_call_of_super_alone(first: str, *, emptied_too: bool) -> None:
    text = f"class A extends B {{ constructor(x) {{ {first}\n this.z = x }} c() {{ return 1 }} }}"
    assert names(text, path="a.js") == (("A.constructor", "A.c") if emptied_too else ("A.c",))


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("function a(x) { return x }", True),
        ("function a(x) { return [Symbol('x'), Symbol.iterator, new Proxy(x, {}), x instanceof Proxy] }", True),
        ("function a(x) { return x.Symbol + x['Proxy'] }", True),
        ("function a(x: Symbol): Proxy { return x }", True),
        ("function a(Proxy) { return Proxy }", False),
        ("function a(x, { Symbol }) { return x }", False),
        ("function a(x, { y: Symbol }) { return x }", False),
        ("function a(x, ...Proxy) { return x }", False),
        ("function a(x, Symbol = 1) { return x }", False),
        ("function a(x) { const Symbol = 1; return x }", False),
        ("function a(x) { if (x) { var [Proxy] = x } return x }", False),
        ("function a(x) { return x(); class Symbol {} }", False),
        ("function a(x) { return x(); function Proxy() {} }", False),
        ("function a(x) { Proxy = x; return 1 }", False),
        ("function a(x) { try { x() } catch (Symbol) { return 1 } }", False),
        ("function a(x) { for (const Proxy of x) x() }", False),
        ("const a = Symbol => Symbol;", False),
        ("import { Symbol } from './b'; function a(x) { return x }", False),
        ("import Proxy from './b'; function a(x) { return x }", False),
        ("function Symbol() {} function a(x) { return x }", False),
        ("class Symbol {} function a(x) { return x }", False),
    ],
)
def test_what_may_bind_a_name_of_an_inert_body_returns_nothing(text: str, *, inert: bool) -> None:
    found = emptied("a.ts", None, text.encode(), inert=True)
    assert found is not None
    assert found.functions == ("a",)
    assert (b"new Proxy(function(){}" in found.content) is inert
    loaded = emptied("a.ts", None, f"{text}\na(1);".encode(), inert=True)
    assert loaded is not None
    assert loaded.left == (() if inert else ("a",))


BEFORE = "export const RATE = 2;\nexport function a(y) {\n  return y;\n}\nexport class B {\n  c() { return 1; }\n  d = () => 2;\n}\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return y", "return y + 1", ("a",)),
        ("function a(y)", "function a(y, z = 1)", ("a",)),
        ("return 1", "return 3", ("B.c",)),
        ("=> 2", "=> 3", ("B.d",)),
        ("class B", "class C", ("C.c", "C.d")),
        ("d =", "e() { return 5 }\n  d =", ("B.e",)),
        ("function a", "async function a", ("a",)),
        ("RATE = 2", "RATE = 3", ()),
        ("  return y;", "\n  /* so */ return y // why", ()),
        ("return y;", "throw new Error('Not implemented');", ()),
        ("return y;", "return null;", ()),
        ("=> 2", "=> undefined", ()),
        ("=> 2", "=> {}", ()),
    ],
)
def test_only_what_the_change_added_or_changed_is_emptied(old: str, new: str, expected: tuple[str, ...]) -> None:
    assert names(BEFORE.replace(old, new), BEFORE) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("function make() { return {} }\nexport const APP = make().x;\nexport function b() { return 1 }", ("b",)),
        ("class A { constructor() { this.x = 1 } b() { return 2 } }\nexport const a = new A();", ("A.b",)),
        (
            "class A { go() { return this.no() } no() { return 1 } b() { return 2 } }\nconst a = new A(); a.go();",
            ("A.b",),
        ),
        ("const one = () => two();\nconst two = () => ({});\none().x;\nconst b = () => 1;", ("b",)),
        ("const x = [1].map((y) => y.z);\nconst b = () => 1;", ("b",)),
        ("function main() { return 1 }\nif (require.main === module) { main(); }", ("main",)),
        ("function main() { return 1 }\nif (import.meta.url === x) main();", ("main",)),
        ("class A extends B { constructor(x) { const y = f(x); super(y); } b() { return 1 } }", ("A.b",)),
    ],
)
def test_what_a_module_needs_to_load_is_left(text: str, expected: tuple[str, ...]) -> None:
    assert names(text, path="a.mjs") == expected


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_each_ending_is_known(ending: str) -> None:
    assert names("export const a = () => 1;", path=f"src/a.test{ending.upper()}") == ("a",)


@pytest.mark.parametrize(
    "content",
    [
        b"function a( { return 1 }",
        b"function a() { return '\xff' }",
        b"\0\0\0",
        b"(" * 200_000,
        b"[" * 100_000 + b"]" * 100_000,
        b"function a() {" * 20_000 + b"}" * 20_000,
        b"class A { m() { " * 10_000 + b"} }" * 10_000,
        b"f(() => {" * 10_000 + b"})" * 10_000,
        b"(function () {" * 10_000 + b"})()" * 10_000,
        b"const a = " + b"x => " * 50_000 + b"1",
        b"a<" * 100_000,
        b"const a = () => 1;\n" * 4_000,
        b"function a() { return 1 }\n//" + b"x" * 600_000,
        b"const a = `${" * 20_000,
        b"({a:" * 20_000 + b"1" + b"})" * 20_000,
    ],
)
@pytest.mark.parametrize("ending", [".js", ".tsx"])
def test_hostile_files_cost_neither_time_nor_an_error(content: bytes, ending: str) -> None:
    began = time.process_time()
    found = emptied(f"a{ending}", None, content)
    assert found is None or parse_script(found.content, ending) is not None
    assert time.process_time() - began < 6


@pytest.mark.parametrize(
    "text", ["", "const A = 1;\n", "interface A { b(): void }", "declare function a(): void;", "type A = () => void;"]
)
def test_files_without_functions_are_left(text: str) -> None:
    assert emptied("a.ts", None, text.encode()) is None
