"""What emptied files of JavaScript do, and where others use them while they are loaded: node says."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from moonmind.proof.verification.emptied_bodies import emptied

INERT = """
export function limit(most) {
  return (next) => next;
}
export class Router extends Object {
  constructor() { super(); this.routes = []; }
  on(path) { this.routes.push(path); return this; }
  get size() { return 1; }
  set size(value) { this.routes = value; }
  *all() { yield 1; }
}
export const load = async () => ({ port: 1 });
export const settings = limit(1);
"""
USES = """
const router = new Router().on('a').on('b');
export const handle = limit(2)((x) => x);
class Child extends limit(3) {}
const [first] = limit(4);
`${limit(5)}`;
for (const one of limit(6)) throw new Error('one');
const loaded = await load();
const seen = [typeof handle(1), limit(1) === 1, new Router().size === 1, [...new Router().all()].length, loaded === 1];
if (JSON.stringify(seen) !== '["function",false,false,0,false]') throw new Error(JSON.stringify(seen));
"""


@pytest.mark.parametrize("ending", [".mjs", ".mts"])
def test_what_is_used_while_files_load_is_inert_and_not_left(tmp_path: Path, ending: str) -> None:
    plain, inert = (emptied(f"a{ending}", None, INERT.encode(), inert=one) for one in (False, True))
    assert plain is not None
    assert inert is not None
    assert plain.left == ("limit",)
    assert (inert.left, "limit" in inert.functions) == ((), True)
    assert inert.content.count(b"\n") == INERT.encode().count(b"\n")
    assert (b":any" in inert.content) is (ending == ".mts")
    if (node := shutil.which("node")) is None or ending != ".mjs":
        return
    (tmp_path / "a.mjs").write_bytes(inert.content + USES.encode())
    done = subprocess.run([node, "a.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


SHAPES = [
    ("function a(x) { return x }", "a(1)"),
    ("const a = (x) => x + 1;", "a(1)"),
    ("const a = (x) => ({ x });", "a(1)"),
    ("const a = x => x // why", "a(1)"),
    ("const a = (x) => x ? 1 : 2, b = 3;", "a(1)"),
    ("const a = true ? (x) => x : (y) => y;", "a(1)"),
    ("const a = x => y => x + y;", "a(1) && a(1)(2)"),
    ("const a = (undefined) => [undefined][0];", "a(1)"),
    ("const a = function b(x) { return x ? b(0) : 2 };", "a(1)"),
    ("async function a() { return 1 }", "await a()"),
    ("const a = async (x) => await x;", "await a(1)"),
    ("function* a() { yield 1 }", "[...a()][0]"),
    ("async function* a() { yield 1 }", "(await a().next()).value"),
    ("function a() {\n  'use strict'\n  return this === undefined }", "a()"),
    ("function a() { return /* { */ (function () { return 1 })() }", "a()"),
    ("function a() { // }\n  return b()\n  function b() { return 1 } }", "a()"),
    ("function a(x = 1, ...{ length }) { return [x, length] }", "a()"),
    ("const a = { b() { return 1 }, get c() { return 2 }, ['d']: () => 3 };", "a.b() || a.c || a.d() || null"),
    ("class A { b = 1; constructor() { this.c = 1 } }", "new A().c"),
    (
        "class A { constructor() { this.c = 1 } }\nclass B extends A { constructor() { super()\n this.d = 2 } }",
        "new B().d",
    ),
    ("class A { static #b() { return 1 } static c() { return A.#b() } }", "A.c()"),
    ("class A { set b(x) { this.c = x } }", "(() => { const a = new A(); a.b = 1; return a.c })()"),
    ("class A { b(x) { this.x = x; return this } }", "new A().b(1).b(2).x"),
    ("const a = (x) =>\r\n  x;\r\n", "a(1)"),
    ("const s = '→', a = () => '→';", "a()"),
]


def test_emptied_functions_return_nothing_and_those_of_the_control_what_they_did(tmp_path: Path) -> None:
    """All shapes in one process: what a shape evaluates to as it is, emptied, and on both controls."""
    if (node := shutil.which("node")) is None:
        pytest.skip("node is not installed")
    wanted, texts = [], []
    for text, asked in SHAPES:
        plain, inert = (emptied("a.cjs", None, text.encode(), inert=one) for one in (False, True))
        assert plain is not None, text
        assert inert is not None, text
        wanted.append([text, asked])
        texts.append([text, *(one.decode() for one in (plain.content, plain.control, inert.control))])
    program = "(async () => { const seen = [];\nfor (const [index, variants] of TEXTS.entries()) for (const one of variants) {\n  const found = await new Function(`return (async () => {${one}\\nreturn ${ASKED[index]}})()`)();\n  seen.push(found === undefined ? null : found);\n}\nconsole.log(JSON.stringify(seen)); })();"
    (tmp_path / "a.cjs").write_text(
        f"const TEXTS = {json.dumps(texts)}, ASKED = {json.dumps([one for _, one in wanted])};\n{program}"
    )
    done = subprocess.run([node, "a.cjs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    for number, shape in enumerate(wanted):
        works, empty, control, inert_control = seen[4 * number : 4 * number + 4]
        assert works is not None, shape
        assert (empty, control, inert_control) == (None, works, works), shape
