"""What an emptied file of JavaScript does where others use it while they are loaded: node says."""

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
