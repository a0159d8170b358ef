import time
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.verification import junit_reading
from moonmind.proof.verification.junit_reading import LARGEST, LONGEST_MESSAGE, read_reports
from moonmind.proof.verification.test_ids import LONGEST_ID
from moonmind.proof.verification.test_results import TestOutcome, TestReport

SAMPLES = Path(__file__).parents[3] / "fixtures" / "test_reports"
PYTHON = ("pkg/base.py", "tests/test_broken.py", "tests/test_cart.py")
SCRIPTS = (
    "test/broken.test.js",
    "test/cart.test.js",
    "test/broken.test.mjs",
    "test/cart.test.mjs",
    "test/other.test.mjs",
)
PASSED, FAILED, ERROR, SKIPPED = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.ERROR, TestOutcome.SKIPPED

PYTEST = {
    "tests/test_cart.py::TestTotal::test_inherited": PASSED,
    "tests/test_cart.py::TestTotal::test_empty": PASSED,
    "tests/test_cart.py::TestTotal::TestInner::test_deep": FAILED,
    "tests/test_cart.py::Unit::test_expected": SKIPPED,
    "tests/test_cart.py::Unit::test_later": SKIPPED,
    "tests/test_cart.py::Unit::test_sub": FAILED,
    "tests/test_cart.py::test_word[a.b]": PASSED,
    "tests/test_cart.py::test_word[c/d]": FAILED,
    "tests/test_cart.py::test_word[\\x1b[31m]": PASSED,
    "tests/test_cart.py::test_teardown": FAILED,
    "tests/test_cart.py::test_known": SKIPPED,
}
BROKEN = {"tests/test_broken.py": ERROR}


def node(file: str) -> dict[str, TestOutcome]:
    names = {"cart > total > adds up": PASSED, "cart > total > breaks": FAILED, "cart > later": SKIPPED,
             "cart > sometime": SKIPPED, "top level > inner": PASSED}  # fmt: skip
    return {f"{file}::{name}" if file else name: outcome for name, outcome in names.items()}


JEST = {"cart total adds > up": PASSED, "cart total breaks": FAILED, "cart later": SKIPPED, "top level": PASSED}
VITEST = {
    "cart > total > adds > up": PASSED,
    "cart > total > breaks": FAILED,
    "cart > later": SKIPPED,
    "top level": PASSED,
}
SAMPLE_OUTCOMES = {
    "pytest_9_xunit1.xml": BROKEN | PYTEST,
    "pytest_9_xunit2.xml": BROKEN | PYTEST,
    "pytest_5_xunit1.xml": PYTEST,
    "node_20.xml": {"test/broken.test.mjs": ERROR} | node(""),
    "node_24.xml": {"test/broken.test.mjs": ERROR} | node("test/cart.test.mjs") | node("test/other.test.mjs"),
    "vitest_4.xml": {"test/broken.test.js": ERROR} | {f"test/cart.test.js::{name}": end for name, end in VITEST.items()},
    "jest_junit_plain.xml": JEST,
    "jest_junit_files.xml": {f"test/cart.test.js::{name}": end for name, end in JEST.items()} | {"test/broken.test.js": ERROR},
}  # fmt: skip


def sample(name: str, root: str = ".", listing: tuple[str, ...] = (*PYTHON, *SCRIPTS)) -> TestReport:
    return read_reports([(name, (SAMPLES / name).read_bytes())], root, listing)


def read(text: str | bytes, root: str = ".", listing: tuple[str, ...] = ()) -> TestReport:
    return read_reports([("r.xml", text if isinstance(text, bytes) else text.encode())], root, listing)


def ids(report: TestReport) -> dict[str, TestOutcome]:
    return {name: case.outcome for name, case in report.cases.items()}


def case(name: str, inside: str = "", **attributes: str) -> str:
    words = " ".join(f"{key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<testcase name={quoteattr(name)} {words}>{inside}</testcase>"


def suite(*cases: str, name: str = "s") -> str:
    return f"<testsuites><testsuite name={quoteattr(name)}>{''.join(cases)}</testsuite></testsuites>"


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_what_real_runners_write_is_read(name: str) -> None:
    report = sample(name)
    assert report.unread == ()
    assert ids(report) == SAMPLE_OUTCOMES[name]


@pytest.mark.parametrize("name", ["pytest_9_xunit1.xml", "node_24.xml", "vitest_4.xml", "jest_junit_files.xml"])
def test_a_report_that_shows_files_names_them_without_a_listing(name: str) -> None:
    without = sample(name, listing=())
    differ = {one for one in ids(without) if "test_inherited" not in one} ^ {
        one for one in SAMPLE_OUTCOMES[name] if "test_inherited" not in one
    }
    assert differ == set()


@pytest.mark.parametrize("name", ["pytest_9_xunit1.xml", "pytest_9_xunit2.xml", "vitest_4.xml", "jest_junit_files.xml"])
def test_paths_begin_at_the_repositorys_root(name: str) -> None:
    listing = tuple(f"backend/{path}" for path in (*PYTHON, *SCRIPTS))
    expected = {f"backend/{one}": outcome for one, outcome in SAMPLE_OUTCOMES[name].items()}
    assert ids(sample(name, "backend", listing)) == expected
    assert ids(sample(name, ".", listing)) == expected, (
        "the runner may count from another folder than it was started in"
    )
    assert {one.file for one in sample(name, "backend", listing).cases.values()} <= set(listing)


@pytest.mark.parametrize(
    ("text", "listing", "expected", "file"),
    [
        (case("test_x", classname="tests.test_a.TestA", file="tests/test_a.py"), (), "tests/test_a.py::TestA::test_x", "tests/test_a.py"),
        (case("test_x", classname="tests.test_a.TestA"), ("tests/test_a.py",), "tests/test_a.py::TestA::test_x", "tests/test_a.py"),
        (case("test_x", classname="tests.test_a.TestA"), (), "tests.test_a.TestA::test_x", ""),
        (case("TestSum/of_none", classname="example.com/shop/cart"), ("example/com/shop/cart.py",), "example.com/shop/cart::TestSum/of_none", ""),
        (case("total", classname="com.acme.CartTest"), ("a/src/com/acme/CartTest.java", "com.py"), "com.acme.CartTest::total", "a/src/com/acme/CartTest.java"),
        (case("total()", classname="com.acme.CartTest$Empty"), ("src/com/acme/CartTest.kt",), "com.acme.CartTest$Empty::total()", "src/com/acme/CartTest.kt"),
        (case("adds", classname="cart adds"), ("cart.py",), "cart adds::adds", ""),
        (case("adds", classname="/workspace/src/a.test.ts"), (), "src/a.test.ts::adds", "src/a.test.ts"),
        (case("adds", classname="x", file="/tmp/elsewhere/src/a.test.ts"), ("a.test.ts", "src/a.test.ts"), "src/a.test.ts::x::adds", "src/a.test.ts"),
        (case("adds", classname="x", file="../../etc/a.test.ts"), (), "x::adds", ""),
        (case("adds", classname="x", file="/etc/passwd"), (), "x::adds", ""),
        (case("adds", classname="x", file="/workspace/../etc/a.ts"), (), "x::adds", ""),
        (case("adds", classname="x", file="src\\a.test.ts"), (), "src/a.test.ts::x::adds", "src/a.test.ts"),
        (case("", classname=""), (), "(a test without a name)", ""),
        ("<testcase/>", (), "(a test without a name)", ""),
    ],
)  # fmt: skip
def test_ids_begin_with_the_file_where_it_is_known(
    text: str, listing: tuple[str, ...], expected: str, file: str
) -> None:
    (found,) = read(suite(text), listing=listing).cases.values()
    assert (found.id, found.file) == (expected, file)


@pytest.mark.parametrize("name", sorted(SAMPLE_OUTCOMES))
def test_the_order_of_a_report_changes_no_id_and_no_outcome(name: str) -> None:
    tree = ET.parse(SAMPLES / name).getroot()
    for element in list(tree.iter()):
        element[:] = reversed(element)
    listing = (*PYTHON, *SCRIPTS)
    assert ids(read(ET.tostring(tree), listing=listing)) == SAMPLE_OUTCOMES[name]
    documents = [(name, (SAMPLES / name).read_bytes()), ("other.xml", (SAMPLES / "vitest_4.xml").read_bytes())]
    assert ids(read_reports(documents, ".", listing)) == ids(read_reports(documents[::-1], ".", listing))


OUTCOMES = {
    PASSED: "",
    FAILED: "<failure message='no'/>",
    ERROR: "<error message='no'/>",
    SKIPPED: "<skipped message='no'/>",
}


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (FAILED, PASSED, FAILED), (FAILED, SKIPPED, FAILED), (ERROR, PASSED, ERROR), (ERROR, SKIPPED, ERROR),
        (PASSED, SKIPPED, PASSED), (FAILED, ERROR, FAILED), (FAILED, FAILED, FAILED),
    ],
)  # fmt: skip
def test_of_two_cases_with_one_id_the_worse_one_counts(
    first: TestOutcome, second: TestOutcome, counts: TestOutcome
) -> None:
    both = [case("t", OUTCOMES[first], classname="c"), case("t", OUTCOMES[second], classname="c")]
    for one in (both, both[::-1]):
        assert ids(read(suite(*one))) == {"c::t": counts}
        apart = read_reports([(str(n), suite(text).encode()) for n, text in enumerate(one)])
        assert ids(apart) == {"c::t": counts}


@pytest.mark.parametrize(
    ("inside", "outcome"),
    [
        ("<skipped/><failure/>", FAILED),
        ("<skipped/><error/>", ERROR),
        ("<error/><failure/>", FAILED),
        ("<system-out><failure/></system-out>", FAILED),
        ("<flakyFailure message='once'/>", PASSED),
        ("<failure/><rerunFailure/>", FAILED),
        ("<system-out>FAILED</system-out>", PASSED),
        ("<x:failure xmlns:x='urn:x'/>", FAILED),
    ],
)
def test_the_worst_result_of_a_case_counts(inside: str, outcome: TestOutcome) -> None:
    assert list(ids(read(suite(case("t", inside)))).values()) == [outcome]


DTD = '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa">%s]>'
LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 9))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (DTD % "" + suite(case("t")), "declares a document type"),
        ("<?xml version='1.0'?><!-- x -->" + DTD % "" + suite(case("&a;")), "declares a document type"),
        ('<!DOCTYPE t SYSTEM "file:///etc/passwd">' + suite(case("t")), "declares a document type"),
        ('<!DOCTYPE t [<!ENTITY a0 "a">' + LAUGHS + "]><testsuites>&a8;</testsuites>", "declares a document type"),
        ("<testsuites>&a;</testsuites>", "is no XML"),
        ((DTD % "" + suite(case("t"))).encode("utf-16"), "declares a document type"),
        ("<testsuite>" * 60 + "</testsuite>" * 60, "nested deeper"),
        ("<testsuite>" * 400_000, "nested deeper"),
        ("<testsuite>" + "<a>" * 300_000 + "</a>" * 300_000 + "</testsuite>", "nested deeper"),
        ("<testsuite>" + "<a/>" * 400_001 + "</testsuite>", "more than 400000 elements"),
        (b" " * (LARGEST + 1), "larger than 8 MiB"),
        ("<html/>", "no JUnit report"),
        ("<testcase name='t'/>", "no JUnit report"),
        ("", "is no XML"),
        (b"\0\0\0", "is no XML"),
        (b"\xff\xfe\xfd", "is no XML"),
        ("<?xml version='1.0' encoding='no-such'?><testsuites/>", "encoding is not known"),
        ("<?xml version='1.0' encoding='rot13'?><testsuites/>", "encoding is not known"),
        ("<testsuites><testsuite>", "is no XML"),
        (f"<testsuite><testcase name='t' {'x' * 100_000}/></testsuite>", "is no XML"),
    ],
    ids=range(20),
)  # fmt: skip
def test_a_hostile_document_is_unread_and_named(content: str | bytes, reason: str) -> None:
    report = read(content)
    assert ids(report) == {}
    (unread,) = report.unread
    assert unread.startswith("r.xml: ")
    assert reason in unread


def test_the_other_documents_are_read_beside_a_hostile_one() -> None:
    report = read_reports([("a", b"<"), ("b", suite(case("t")).encode()), ("c", b"\xff")])
    assert ids(report) == {"t": PASSED}
    assert [one[:2] for one in report.unread] == ["a:", "c:"]


def test_a_report_without_a_test_says_that_none_ran() -> None:
    assert read_reports([]).known is False
    assert read_reports([("broken.xml", b"<testsuites")]).known is False
    empty = read_reports([("a.xml", b'<testsuites><testsuite name="pytest" tests="0"/></testsuites>')])
    assert (empty.known, empty.read, dict(empty.cases)) == (True, 1, {})


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("MOST_CASES", "more than 3 tests"),
        ("MOST_DOCUMENTS", "more than 3 reports"),
        ("LARGEST_TOGETHER", "MiB together"),
    ],
)
def test_many_documents_are_bounded_together(monkeypatch: pytest.MonkeyPatch, limit: str, reason: str) -> None:
    documents = [(f"r{n}", suite(case(f"t{n}")).encode()) for n in range(5)]
    monkeypatch.setattr(junit_reading, limit, 3 if limit != "LARGEST_TOGETHER" else 3 * len(documents[0][1]))
    report = read_reports(documents)
    assert list(report.cases) == ["t0", "t1", "t2"]
    assert [reason in one for one in report.unread] == [True, True]


def test_past_the_bound_a_worse_outcome_of_a_known_test_still_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(junit_reading, "MOST_CASES", 1)
    assert ids(read(suite(case("t"), case("t", "<failure/>")))) == {"t": FAILED}


def test_not_all_unread_documents_are_named() -> None:
    unread = read_reports([(str(n), b"<") for n in range(100)]).unread
    assert len(unread) == 21
    assert unread[-1] == "80 more"


@pytest.mark.parametrize("words", ["\x7fbell\u202eright", "a\nb\tc", "\u2028line", "\ufeffx", "e\u0301\u200b"])
def test_ids_reasons_and_files_are_printable(words: str) -> None:
    text = suite(case(words, classname=f"tests.{words}", file=f"tests/{words}.py"))
    (found,) = read(text).cases.values()
    assert found.id.isprintable()
    assert found.file.isprintable()
    (unread,) = read_reports([(words, b"<")]).unread
    assert unread.isprintable()


@pytest.mark.parametrize("absolute", [True, False])
def test_as_many_files_of_one_name_are_read_as_quickly_as_others(absolute: bool) -> None:
    listing = [f"packages/p{number}/test/index.test.js" for number in range(20_000)]
    cases = "".join(
        f'<testcase name="t" file="{"/home/x/packages/" if absolute else ""}p{number}/test/index.test.js"/>'
        for number in range(5_000)
    )
    began = time.process_time()
    report = read_reports(
        [("a.xml", f"<testsuites><testsuite>{cases}</testsuite></testsuites>".encode())], ".", listing
    )
    assert time.process_time() - began < 15  # where each is compared with all, 20 and more
    assert len(report.cases) == 5_000
    assert report.cases["packages/p7/test/index.test.js::t"].file == "packages/p7/test/index.test.js"


def test_long_ids_are_cut_and_stay_apart() -> None:
    report = read(suite(*(case("x" * 100_000 + end) for end in ("", "y")), *(case("y" * 1_000 + end) for end in "ab")))
    assert all(len(one) <= LONGEST_ID for one in report.cases)
    assert len([one for one in report.cases if one.startswith("y")]) == 2


@pytest.mark.parametrize("tag", ["failure", "error", "skipped"])
def test_of_a_message_the_end_is_read(tag: str) -> None:
    (found,) = read(suite(case("t", f"<{tag} message='m'>{'x' * 5_000}THE END</{tag}>"))).cases.values()
    assert found.message.endswith("THE END")
    assert len(found.message) == LONGEST_MESSAGE


def test_a_message_can_be_stored() -> None:
    (found,) = read(suite(case("t", "<failure message='why'>at &#xd7ff;</failure>"))).cases.values()
    assert found.message == "why\nat \ud7ff"


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("1.5", 1.5), ("1,234.5", 1234.5), ("", 0), ("x", 0), ("nan", 0), ("inf", 0), ("-1", 0), ("1e999", 0), ("9" * 5000, 9e39)],
)  # fmt: skip
def test_odd_times_break_nothing(time: str, seconds: float) -> None:
    (found,) = read(suite(case("t", time=time))).cases.values()
    assert found.seconds == pytest.approx(seconds, rel=0.2)


@given(st.binary(max_size=400))
def test_no_bytes_raise(content: bytes) -> None:
    report = read_reports([("r", content), ("s", b"<testsuites>" + content + b"</testsuites>")])
    assert len(report.unread) + len(report.cases) >= 1 or not content.strip(b" \n\r\t")


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12) | st.sampled_from(
    [
        "a.b",
        "/",
        "..",
        "../x.py",
        "tests/test_cart.py",
        "tests.test_cart",
        "/workspace",
        "file://",
        "\\",
        ".py",
        "$",
        ".",
        "a/",
    ]
)


@given(TEXT, TEXT, TEXT, st.sampled_from([".", "", "..", "a/b", "/"]))
def test_no_names_raise_or_leave_the_repository(name: str, classname: str, file: str, root: str) -> None:
    text = suite(case(name, classname=classname, file=file), name=classname)
    report = read(text, root, PYTHON)
    assert report.unread == ()
    (found,) = report.cases.values()
    assert found.id
    assert not found.file.startswith("../")
