import ast
import builtins
import re
import time
from collections.abc import Coroutine
from pathlib import Path

import pytest

from moonmind.proof.verification.emptied_bodies import emptied

ROOT = Path(__file__).parents[4]


def emptied_text(after: str, before: str | None = None) -> str:
    found = emptied("src/a.py", before.encode() if before is not None else None, after.encode())
    assert found is not None
    return found.content.decode()


def names(after: str, before: str | None = None) -> tuple[str, ...]:
    found = emptied("src/a.py", before.encode() if before is not None else None, after.encode())
    return found.functions if found else ()


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("def a(x):\n    return x\n", "def a(x):\n    GUARD\n    return x\n"),
        ("class A:\n  def b(self):\n    c()\n    return self\n", "class A:\n  def b(self):\n    GUARD self\n    c()\n    return self\n"),
        ("class A:\n  def b(self):\n    return self\n", "class A:\n  def b(self):\n    GUARD\n    return self\n"),
        ("def a(x):\n    y = x\n    return y  # why\nb = 1\n", "def a(x):\n    GUARD\n    y = x\n    return y  # why\nb = 1\n"),
        ("def a(x):  # why \\\n\n    # so\n    return x\n", "def a(x):  # why \\\n\n    # so\n    GUARD\n    return x\n"),
        ("def a(x):\n    'Doc.'\n    return x\n", "def a(x):\n    'Doc.'\n    GUARD\n    return x\n"),
        ("def a(x):\n    'Doc.'; return x;\n", "def a(x):\n    'Doc.'; \n    GUARD\n    return x;\n"),
        ("def a(x): return x\n", "def a(x): \n GUARD\n return x\n"),
        ("def a(x): b(x); return x;\n", "def a(x): \n GUARD\n b(x); return x;\n"),
        ("def a(x): 'Doc.'; return x\n", "def a(x): \n 'Doc.'; \n GUARD\n return x\n"),
        ("class A:\n\tdef b(x): return x\n", "class A:\n\tdef b(x): \n\t GUARD\n\t return x\n"),
        ("def a(\n  x,\n): return x\n", "def a(\n  x,\n): \n GUARD\n return x\n"),
        ("def a(x): \\\n    return x\n", "def a(x): \\\n    \n GUARD\n return x\n"),
        ("def a(x): return (\n  x,\n)\nb = 1", "def a(x): \n GUARD\n return (\n  x,\n)\nb = 1"),
        ("async def a():\n\tawait b()\n", "async def a():\n\tGUARD\n\tawait b()\n"),
        ("def a():\n    yield 1\n", "def a():\n    GUARD\n    yield 1\n"),
        ("def a():\n    global b\n    b = 1\n", "def a():\n    GUARD\n    global b\n    b = 1\n"),
        ("def a():\n    @b(\n      1)\n    def c(): pass\n    return c\n", "def a():\n    GUARD\n    @b(\n      1)\n    def c(): pass\n    return c\n"),
        ("def a():\n    @(\n     b)\n    class c: pass\n    return c\n", "def a():\n    GUARD\n    @(\n     b)\n    class c: pass\n    return c\n"),
        ("def a():\n    @ \\\n     b\n    class c: pass\n", "def a():\n    GUARD\n    @ \\\n     b\n    class c: pass\n"),
        ("class A:\n    def __init__(self):\n        self.b = 1\n", "class A:\n    def __init__(self):\n        GUARD\n        self.b = 1\n"),
        ("class A:\n  @property\n  def b(self): return 1\n", "class A:\n  @property\n  def b(self): \n   GUARD\n   return 1\n"),
        ("try:\n    b\nexcept C:\n    def a():\n        return 1\n", "try:\n    b\nexcept C:\n    def a():\n        GUARD\n        return 1\n"),
        ("match b:\n    case 1:\n        def a():\n            return 1\n", "match b:\n    case 1:\n        def a():\n            GUARD\n            return 1\n"),
        ("a = lambda x: x + 1\n", "a = lambda x: (None if [5][:1] else (x + 1))\n"),
        ("a: B = lambda x: (\n    x +\n    1)\n", "a: B = lambda x: (\n    (None if [5][:1] else (x +\n    1)))\n"),
        ("a = lambda x: \'\'\'\n\'\'\'\nb = 1\n", "a = lambda x: (None if [5][:1] else (\'\'\'\n\'\'\'))\nb = 1\n"),
        ("def a():\n    \'\'\'é\'\'\'; 'ü'; return 'ö'\n", "def a():\n    \'\'\'é\'\'\'; \n    GUARD\n    'ü'; return 'ö'\n"),
        ("\ufeffdef a():\n    return 1\n", "\ufeffdef a():\n    GUARD\n    return 1\n"),
        ("\ufeffdef a(): return 1\n", "\ufeffdef a(): \n GUARD\n return 1\n"),
        ("def a():\r\n    b()\r\n    c()\r\n", "def a():\r\n    GUARD\r\n    b()\r\n    c()\r\n"),
        ("def a(): return 1\r\n", "def a(): \r\n GUARD\r\n return 1\r\n"),
        ("def a(): return 1", "def a(): \n GUARD\n return 1"),
        ("def a():\n    return 1 \\\n\nb = 2\n", "def a():\n    GUARD\n    return 1 \\\n\nb = 2\n"),
        ("\x0cdef a():\n    return '\x0c'\n", "\x0cdef a():\n    GUARD\n    return '\x0c'\n"),
    ],
)  # fmt: skip
def test_a_guard_stands_before_each_body_and_the_rest_stays_as_it_is(after: str, expected: str) -> None:
    found = emptied("src/a.py", None, after.encode())
    assert found is not None
    assert found.content.decode() == expected.replace("GUARD", "if [5][:1]: return")
    assert found.control.decode() == expected.replace("GUARD", "if [5][:0]: return").replace("[5][:1]", "[5][:0]")
    compile(found.content, "a.py", "exec")


SHAPES = [
    ("def a(x):\n    return x + 1\n", "a(1)"),
    ("def a(x): return x + 1\n", "a(1)"),
    ("def a(x): 'Doc.'; y = x; return y\n", "a(1)"),
    ("def a(x): \\\n  return x\n", "a(1)"),
    ("def a(x):\n    'Doc.'; \\\n    return x\n", "a(1)"),
    ("def a(x):  # \\\n    y = x\n    return y\n", "a(1)"),
    ("def a(x):\n\tif x:\n\t\treturn x\n\treturn 2\n", "a(1)"),
    ("class A:\n\tdef b(self): return 1\n", "A().b()"),
    ("class A:\n    @property\n    def b(self): return 1\n", "A().b"),
    ("class A:\n    @staticmethod\n    def b(\n        x,\n    ): return x\n", "A.b(1)"),
    ("class A:\n    @classmethod\n    def b(cls):\n        return cls.__name__\n", "A.b()"),
    ("class A:\n    def __init__(self, x):\n        self.x = x\n", "hasattr(A(1), 'x') or None"),
    ("class A:\n    def b(self):\n        self.x = 1\n        return self\n", "vars(A().b()) or None"),
    ("class A(dict):\n    def __getitem__(self, x):\n        'Doc.'\n        return super().get(x, 1)\n", "A()[2]"),
    ("def a():\n    yield 1\n", "[*a()] or None"),
    ("def a(): yield 1; yield 2\n", "[*a()] or None"),
    ("def a():\n    x = yield\n    yield from [1]\n", "[*a()] or None"),
    ("def a():\n    return [*(lambda: (yield 1))()]\n", "a()"),
    ("async def a():\n    return 1\n", "run(a())"),
    ("async def a(): return await b()\nasync def b(): return 1\n", "run(a())"),
    ("async def a():\n    yield 1\nasync def go(x):\n    return [y async for y in x]\n", "run(go(a())) or None"),
    ("X = 1\ndef a():\n    global X\n    X = 2\n    return X\n", "a()"),
    (
        "def a():\n    x = 1\n    def b():\n        nonlocal x\n        x += 1\n        return x\n    return b()\n",
        "a()",
    ),
    ("def a():\n    class B: x = 1\n    return B.x\n", "a()"),
    ("def a():\n    @staticmethod\n    def b(): return 1\n    return b()\n", "a()"),
    ("def a():\n    for x in 1, 2:\n        pass\n    else:\n        return x\n", "a()"),
    ("def a():\n    with open(__file__) as b: return 1\n", "a()"),
    ("def a():\n    '''é'''; return 'ö'\n", "a()"),
    ("def a(): return '''\n  1\n'''\nb = 1\n", "a()"),
    ("a = lambda x: x\n", "a(1)"),
    ("a = lambda x: (\n    x  # why\n    + 1)\n", "a(1)"),
    ("a = lambda x: x if x else 2\n", "a(0)"),
    ("a = lambda: (y := 1)\n", "a()"),
    ("a: object = lambda x: lambda: x\n", "a(1) and a(1)()"),
    ("class A:\n    b = lambda self: (self)(1)\n    def __call__(self, x): return x\n", "A().b()"),
    ("if True:\n        def a(): return 1\nelse:\n  def a(): return 2\n", "a()"),
    ("def a(x=[1]): return x\r\n\r\nb = 1\r\n", "a()"),
    ("\x0cdef a(): return 1\n", "a()"),
    ("def a(): return 1", "a()"),
    ("def a(x): type = object = x; return type\n", "a(1)"),
    ("def a(type, object=1, iter=2):\n    return type\n", "a(1)"),
    ("X = object = 3\ndef a():\n    global type\n    type = X\n    return type\n", "a()"),
    ("def a():\n    object = 1\n    def b():\n        nonlocal object\n        object = 2\n        return object\n    return b()\n", "a()"),
    ("a = lambda type, iter=1: type\n", "a(1)"),
    ("def a(b='#'): \\\n    return b\n", "a()"),
    ("def a(b='''\n#'''): \\\n    return b\n", "a()"),
    ("def a(b='#'):  # why \\\n    return b\n", "a()"),
    ("x = '''\r#''' \\\r\n\r\ndef a(): return x\n", "a()"),
]  # fmt: skip


def run(made: Coroutine[object, None, object]) -> object:
    """Run a coroutine that waits for nothing."""
    with pytest.raises(StopIteration) as ended:
        made.send(None)
    return ended.value.value


def came_of(content: bytes, asked: str) -> object:
    space: dict[str, object] = {"run": run, "__file__": __file__}
    builtins.exec(content, space)
    found: object = eval(asked, space)
    return found


@pytest.mark.parametrize("start", ["", "\ufeff", "import os\n\n"])
@pytest.mark.parametrize(("text", "asked"), SHAPES)
def test_emptied_functions_return_nothing_and_those_of_the_control_what_they_did(
    text: str, asked: str, start: str
) -> None:
    content = (start + text).encode()
    found = emptied("a.py", None, content)
    inert = emptied("a.py", None, content, inert=True)
    assert found is not None
    assert inert is not None
    assert came_of(content, asked) is not None
    assert came_of(found.content, asked) is None
    assert came_of(inert.content, asked) != came_of(content, asked)
    assert came_of(found.control, asked) == came_of(inert.control, asked) == came_of(content, asked)
    assert len(found.control) == len(found.content) > len(content)
    assert len(inert.control) == len(inert.content)


def test_a_body_that_no_guard_can_stand_before_is_not_emptied() -> None:
    assert emptied("a.py", None, b"\\\n def a(): return 1\n") is None


FINALLY = "".join(f"{' ' * level}try: return a\n{' ' * level}finally:\n" for level in range(1, 14))


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("async def a():\n    def b(x=(yield 1)): pass\n", "return\n"),
        ("async def a():\n    @(yield 1)\n    def b(): pass\n", "return\n"),
        ("async def a():\n    class B((yield 1)): pass\n", "return\n"),
        ("async def a():\n    b = lambda x=(yield 1): x\n", "return\n"),
        ("def a(b=lambda: (yield)):\n    return b\n", "return ()."),
        (f"def a():\n{FINALLY}{' ' * 14}b()\n", "return ()."),
    ],
)
def test_a_generator_returns_nothing_and_no_hostile_file_is_compiled(text: str, done: str) -> None:
    began = time.process_time()
    found = emptied("a.py", None, text.encode(), inert=True)
    assert found is not None
    assert f"    if [5][:1]: {done}" in found.content.decode().replace("\n ", "\n    ", 1)
    assert time.process_time() - began < 1
    if FINALLY not in text:
        compile(found.content, "a.py", "exec")


BEFORE = "import x\n\nRATE = 2\n\n\ndef a(y):\n    return y\n\n\nclass B:\n    def c(self):\n        return 1\n\n    def d(self):\n        return 2\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return y", "return y + 1", ("a",)),
        ("def a(y)", "def a(y, z=1)", ("a",)),
        ("return 1", "return 3", ("B.c",)),
        ("    def d(self)", "    @cached\n    def d(self)", ("B.d",)),
        ("class B", "class C", ("C.c", "C.d")),
        ("return 2\n", "return 2\n\n    def e(self):\n        return 5\n", ("B.e",)),
        ("return 2\n", "return 2\n\n\ndef c(self):\n    return 1\n", ("c",)),
        ("RATE = 2", "RATE = 3", ()),
        ("return y", "'''Doc.'''\n    return   y  # so", ()),
        ("def a(y):\n    return y\n", "", ()),
        ("import x", "import x  # noqa", ()),
        ("return y", "raise NotImplementedError('later')", ()),
        ("return y", "pass", ()),
        ("return y", "return None", ()),
    ],
)
def test_only_what_the_change_added_or_changed_is_emptied(old: str, new: str, expected: tuple[str, ...]) -> None:
    assert names(BEFORE.replace(old, new), BEFORE) == expected


def test_of_two_functions_of_one_name_the_changed_one_is_emptied() -> None:
    before = "if x:\n    def a():\n        return 1\nelse:\n    def a():\n        return 2\n"
    guarded = before.replace("        return 2", "        if [5][:1]: return\n        return 3")
    assert emptied_text(before.replace("return 2", "return 3"), before) == guarded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def make():\n    return 1\n\nAPP = make()\n\ndef b():\n    return 2\n", ("b",)),
        ("def mark(f):\n    return f\n\n@mark\ndef b():\n    return 2\n", ("b",)),
        ("def mark(f):\n    return f\n\nclass A:\n    @mark\n    def b(self):\n        return 2\n", ("A.b",)),
        ("def one():\n    return two()\n\ndef two():\n    return {}\n\nX = one()['a']\n\ndef b():\n    return 1\n", ("b",)),
        ("class A:\n    def __init__(self):\n        self.x = self.y()\n    def y(self):\n        return 1\n    def z(self):\n        return 2\n\nB = A()\n", ("A.z",)),
        ("class A:\n    def go(self):\n        return 1\n    def z(self):\n        return 2\n\nB = A()\nC = B.go()\n", ("A.z",)),
        ("class A:\n    @classmethod\n    def go(cls):\n        return 1\n\nC = A.go().x\n\ndef b():\n    return 1\n", ("b",)),
        ("def d():\n    return 1\n\ndef b(x=d()):\n    return 2\n", ("b",)),
        ("def main():\n    return 1\n\nif __name__ == '__main__':\n    main()\n", ("main",)),
        ("router = R()\n\nclass Store:\n    def get(self):\n        return 1\n\n@router.get('/')\ndef b():\n    return 2\n", ("Store.get", "b")),
    ],
)  # fmt: skip
def test_what_runs_while_the_module_loads_is_left(text: str, expected: tuple[str, ...]) -> None:
    assert names(text) == expected
    compile(emptied_text(text), "a.py", "exec")


@pytest.mark.parametrize(
    "text",
    [
        "@overload\ndef a(x: int) -> int: ...\n",
        "@typing.overload\ndef a(x: int) -> int:\n    return x\n",
        "class A(Protocol):\n    def a(self) -> int: ...\n",
        "def a():\n    '''Only words.'''\n",
        "def a():\n    raise NotImplementedError\n",
        "a = [lambda x: x]\n",
        "X = {'a': 1}\nprint(X)\n",
        "",
    ],
)
def test_stubs_and_data_are_left(text: str) -> None:
    assert emptied("a.py", None, text.encode()) is None


@pytest.mark.parametrize(
    "content",
    [
        b"def a(:\n",
        b"def a():\n    return 1\n\0",
        b"# -*- coding: latin-1 -*-\ndef a():\n    return '\xe9'\n",
        b"def a():\n    return '\xe9'\n",
        b"# coding: no-such\ndef a():\n    return 1\n",
        b"def a():\n    return " + b"(" * 5_000,
        b"def a():\n    return " + b"-" * 200_000 + b"1\n",
        b"def a():\n    return a" + b".b" * 150_000 + b"\n",
        b"def a():\n    return 1\nif a:\n pass\n" + b"elif a:\n pass\n" * 900,
        b"def a():\n    if a: pass\n" + b"    elif a: pass\n" * 900,
        b"def a():\n    return 1\n" + b"#" * 600_000,
        b"def a():\n    return 1\nimport " + b"a." * 100_000 + b"a\n",
        b"def a():\n    return " + b"1 + " * 700 + b"1\n",
    ],
)
def test_hostile_files_cost_neither_time_nor_an_error(content: bytes) -> None:
    began = time.process_time()
    for found in (emptied("a.py", None, content), emptied("a.py", content, b"def b():\n    return 1\n")):
        if found is not None:
            ast.parse(found.content)
    assert time.process_time() - began < 5


def test_an_old_file_that_cannot_be_read_says_nothing_of_what_changed() -> None:
    assert emptied("a.py", b"def a(:\n", b"def a():\n    return 1\n") is None


@pytest.mark.parametrize("path", ["a.rb", "a.txt", "py", "Makefile", "a.pyc", "a.py/b"])
def test_other_languages_are_not_emptied(path: str) -> None:
    assert emptied(path, None, b"def a():\n    return 1\n") is None


def own_files() -> list[Path]:
    return sorted((ROOT / "moonmind").rglob("*.py"))[::40]


@pytest.mark.parametrize("inert", [False, True])
def test_the_own_files_of_the_project_are_the_same_but_for_their_guards(*, inert: bool) -> None:
    done = 0
    for path in own_files():
        content = path.read_bytes()
        found = emptied(str(path), None, content, inert=inert)
        if found is None:
            continue
        done += 1
        compile(found.content, str(path), "exec")
        assert re.sub(rb"if \[5\]\[:1\]: return[^\n]*\n +", b"", found.content) == content, path
        assert found.content.count(b"[5][:1]") == len(found.functions)
        assert found.control == found.content.replace(b"[5][:1]", b"[5][:0]")
    assert done >= 5


def test_an_emptied_function_returns_nothing_when_it_is_called() -> None:
    text = "def a(x):\n    return x\n\ndef g():\n    yield 1\n\nclass B:\n    def __init__(self, x):\n        self.x = x\n\nf = lambda: 1\n"
    space: dict[str, object] = {}
    builtins.exec(emptied_text(text), space)
    assert eval("(a(1), list(g()), hasattr(B(1), 'x'), f())", space) == (None, [], False, None)


INERT = """
def load():
    return {"port": 1}

def retry(times):
    def decorate(f):
        return f
    return decorate

class Base:
    def __init__(self, x):
        self.x = x
    def on(self):
        return self
    def __exit__(self, *error):
        return False
    @property
    def name(self):
        return "x"

double = lambda x: 2 * x
settings = load()
"""
USES = """
port = settings["port"].value + 0 if False else settings.port

@retry(3)
def asked():
    return 1

class Child(retry(1)):
    pass

for one in settings.on("a").on("b"):
    raise AssertionError
with settings as opened:
    pass
"""


def test_what_is_used_while_files_load_is_inert_and_not_left() -> None:
    plain, inert = (emptied("a.py", None, INERT.encode(), inert=one) for one in (False, True))
    assert plain is not None
    assert inert is not None
    assert plain.left == ("load",)
    assert (inert.left, "load" in inert.functions) == ((), True)
    space: dict[str, object] = {}
    builtins.exec(inert.content, space)
    builtins.exec(USES, space)
    assert eval("(load() == {'port': 1}, load() == load(), asked() == 1, double(2) == 4)", space) == (
        False,
        True,
        False,
        False,
    )
    assert eval("(hasattr(Base(1), 'x'), Base(1).name == 'x', Base(1).__exit__())", space) == (False, False, None)
    with pytest.raises(AttributeError):
        eval("settings.__wrapped__", space)


def test_a_file_whose_functions_all_run_while_it_loads_names_them() -> None:
    found = emptied("a.py", None, b"def load():\n    return 1\n\n\nsettings = load()\n")
    assert found is not None
    assert (found.functions, found.left) == ((), ("load",))
