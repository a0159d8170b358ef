"""Read test reports in JUnit XML: bytes that anybody may have written, into ids, outcomes and words within bounds.

A report is hostile input: a change can write one itself. What cannot be read is named with the reason and never raises, and of
two cases with one id the worse one counts, so that a failed test cannot be covered by a passed one of its name.
"""

import math
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from types import MappingProxyType
from xml.etree import ElementTree as ET

from junitparser import Error, Failure, JUnitXmlError, Skipped
from junitparser import TestCase as ReportedCase
from junitparser.junitparser import Result

from moonmind.proof.verification.test_ids import ReportedName, TestName, TestNaming
from moonmind.proof.verification.test_results import TestCase, TestOutcome, TestReport
from moonmind.runs.stored_text import storable

LARGEST = 8 * 1024 * 1024
"""Bytes of a document."""
LARGEST_TOGETHER = 64 * 1024 * 1024
MOST_DOCUMENTS = 5_000
MOST_CASES = 50_000
"""Of all documents together."""
LONGEST_MESSAGE = 2_000
_MOST_ELEMENTS = 400_000
_DEEPEST = 50
_PIECE = 64 * 1024
"""Bytes that are parsed before it is looked whether to go on."""
_MOST_UNREAD = 20
_LONGEST_REASON = 200

_WORSE = {TestOutcome.SKIPPED: 0, TestOutcome.PASSED: 1, TestOutcome.ERROR: 2, TestOutcome.FAILED: 3}


class _Unread(Exception):
    """A document is not read further."""


class _BoundedBuilder(ET.TreeBuilder):
    """Builds the tree of a document that holds no more than a report needs."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._elements = 0

    def doctype(self, name: str, pubid: str, system: str) -> None:  # noqa: ARG002 - expat's
        raise _Unread("it declares a document type")

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEEPEST:
            raise _Unread(f"its elements are nested deeper than {_DEEPEST}")
        if self._elements > _MOST_ELEMENTS:
            raise _Unread(f"it holds more than {_MOST_ELEMENTS} elements")
        return super().start(tag.rpartition("}")[2], attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag.rpartition("}")[2])


def read_reports(documents: Iterable[tuple[str, bytes]], root: str = ".", listing: Collection[str] = ()) -> TestReport:
    """Return what the documents say, each a name for people and its bytes.

    `root` is the folder in which the command ran, from the repository's root; `listing` are paths of the repository, by which
    files of tests are found. Never raises, whatever the bytes are.
    """
    naming = TestNaming(root, listing)
    cases: dict[str, TestCase] = {}
    unread: list[str] = []
    size = read = 0
    for count, (name, content) in enumerate(documents):
        size += len(content)
        try:
            if count >= MOST_DOCUMENTS:
                raise _Unread(f"there are more than {MOST_DOCUMENTS} reports")
            if len(content) > LARGEST:
                raise _Unread(f"it is larger than {LARGEST >> 20} MiB")
            if size > LARGEST_TOGETHER:
                raise _Unread(f"the reports are larger than {LARGEST_TOGETHER >> 20} MiB together")
            for case in _cases(_tree(content), naming):
                _add(case, cases)
            read += 1
        except _Unread as reason:
            unread.append(_reason(name, str(reason)))
    hidden = len(unread) - _MOST_UNREAD
    if hidden > 0:
        unread[_MOST_UNREAD:] = [f"{hidden} more"]
    return TestReport(MappingProxyType(cases), tuple(unread), read)


def _tree(content: bytes) -> ET.Element:
    parser = ET.XMLParser(target=_BoundedBuilder())  # noqa: S314 - no document types, and bounded
    try:
        for start in range(0, len(content), _PIECE):
            parser.feed(content[start : start + _PIECE])
        root = parser.close()
    except ET.ParseError as error:
        raise _Unread(f"it is no XML: {error}") from None
    except (LookupError, ValueError):
        raise _Unread("its encoding is not known") from None
    if root.tag not in {"testsuites", "testsuite"}:
        raise _Unread("it is XML, but no JUnit report")
    return root


def _cases(root: ET.Element, naming: TestNaming) -> Iterator[TestCase]:
    """Yield the cases of a tree. junitparser walks suites only, and node writes cases beside them."""
    todo: list[tuple[ET.Element, tuple[ET.Element, ...]]] = [(root, ())]
    while todo:
        element, suites = todo.pop()
        if element.tag == "testcase":
            yield _case(element, suites, naming)
        inside = (*suites, element) if element.tag == "testsuite" else suites
        todo += [(child, inside) for child in reversed(element) if child.tag in {"testsuites", "testsuite", "testcase"}]


def _case(element: ET.Element, suites: tuple[ET.Element, ...], naming: TestNaming) -> TestCase:
    try:
        reported = ReportedCase.fromelem(element)
        results = list(reported.result)
    except (JUnitXmlError, TypeError, ValueError):
        raise _Unread("a case of it cannot be read") from None
    name = naming.name(_reported_name(element, suites))
    outcome = _outcome(results, name)
    return TestCase(name.id, outcome, name.file, _message(results), _seconds(element.get("time", "")))


def _reported_name(element: ET.Element, suites: tuple[ET.Element, ...]) -> ReportedName:
    classname = element.get("classname", "")
    around = tuple(suite.get("name", "") for suite in suites)
    file = next((found for one in (element, *reversed(suites)) if (found := one.get("file"))), "")
    # node's reporter alone writes cases outside of suites, and `disabled` for each suite.
    by_node = all("disabled" in suite.attrib for suite in suites) and classname in {"test", ".".join(around)}
    return ReportedName(element.get("name", ""), classname, file, around, nested=by_node)


def _outcome(results: list[Result], name: TestName) -> TestOutcome:
    if any(isinstance(one, Failure) for one in results):
        return TestOutcome.ERROR if name.whole_file else TestOutcome.FAILED
    if any(isinstance(one, Error) for one in results):
        return TestOutcome.ERROR
    return TestOutcome.SKIPPED if any(isinstance(one, Skipped) for one in results) else TestOutcome.PASSED


def _message(results: list[Result]) -> str:
    """Return the end of what the worst results say."""
    bad: list[Result] = [one for one in results if isinstance(one, Failure | Error)]
    words: list[str] = []
    for one in bad or results:
        summary, text = (one.message or "").strip(), (one.text or "").strip()
        words += [summary] * (summary not in text) + [text]
    return storable("\n".join(filter(None, words))[-LONGEST_MESSAGE:])[-LONGEST_MESSAGE:]


def _seconds(text: str) -> float:
    with suppress(ValueError):
        found = float(text[:40].replace(",", ""))
        if math.isfinite(found) and found >= 0:
            return found
    return 0.0


def _add(case: TestCase, cases: dict[str, TestCase]) -> None:
    there = cases.get(case.id)
    if there is None:
        if len(cases) >= MOST_CASES:
            raise _Unread(f"there are more than {MOST_CASES} tests")
        cases[case.id] = case
    elif _WORSE[case.outcome] > _WORSE[there.outcome]:
        cases[case.id] = case


def _reason(name: str, reason: str) -> str:
    shown = "".join(sign if sign.isprintable() else "?" for sign in storable(f"{name[:_LONGEST_REASON]}: {reason}"))
    return shown[: 2 * _LONGEST_REASON]
