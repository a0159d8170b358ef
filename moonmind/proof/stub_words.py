"""Words of code that does nothing: a promise to write it later, a skipped test; and of what only prepares for more."""

import re

from moonmind.proof.comment_syntax import Syntax

LONGEST = 300
"""Characters of a piece that may be a stub; a longer one is code."""
_SAYS_LATER = r"[\"'`][^\"'`]{0,80}(?:not.(?:yet.)?implemented|unimplemented|implement(?:.me|.this)?|to.?do|tbd|fixme|later|stub|placeholder)[^\"'`]{0,80}[\"'`]"
_STUB = re.compile(
    "|".join(
        (
            r"pass|\.\.\.|:|true|nil|null|undefined|void 0|noop",
            r"return(?:[ ]?\(?(?:null|nil|none|undefined|void 0|\(\)|ok\(\(\)\))\)?)?",
            r"raise notimplemented(?:error)?\b.*",
            rf"(?:throw|raise|die|panic!?|fatalerror|error|abort|croak|assert|fail|failwith)\b.{{0,60}}?{_SAYS_LATER}.{{0,20}}",
            r"throw (?:new )?[\w.:\\]*(?:notimplemented|unsupportedoperation|notsupported|badmethodcall)[\w]*.*",
            r"(?:unimplemented|todo|unreachable)!?\(.*\)",
            rf"(?:console\.\w+|print(?:ln|f)?!?|fmt\.print\w*|echo|log(?:ger)?\.\w+|system\.out\.println|puts|write-host)\b.{{0,10}}{_SAYS_LATER}\)?",
            r"echo\b.{0,10}(?:to.?do|not.(?:yet.)?implemented).{0,40}",
            r"(?:todo|tbd|fixme|placeholder|coming soon|lorem ipsum)\b.{0,80}",
            r"assert!?[ (]*(?:true|1)\)?",
            r"expect\((?:true|1|!0)\)\.(?:to\w+)\((?:true|1)?\)|assert(?:true)?\(true\)|assert\.(?:ok|true)\((?:t, ?)?true\)",
            r"#!.*|use strict|[\"']use strict[\"']",
        )
    ),
    re.IGNORECASE | re.DOTALL,
)
_SKIP = re.compile(
    r"^(?:(?:it|test|describe|context|suite)\.(?:skip|todo|failing)\b|x(?:it|describe|test|context)\b"
    r"|(?:it|test|describe|context)\(.{0,300}\bskip:[ ]?true|t\.skip\w*\(|\w+\.skiptest\(|pytest\.skip\(|pending\b|skip\b)",
    re.IGNORECASE | re.DOTALL,
)
_SKIP_MARK = re.compile(
    r"(?:#\[ignore\b.*\]|@(?:disabled|ignore)\b.*|\[(?:ignore|fact\(skip)\b.*\])", re.IGNORECASE | re.DOTALL
)
_FRAME = re.compile(
    r"^(?:import\b|from\b|export[ ](?:\*|\{)|use\b|using\b|package\b|#?include\b|require\b|require_relative\b|module\.exports\b|namespace\b|mod\b"
    r"|(?:(?:export|public|private|static|final|const|let|var|val)[ ]+)*[\w.: <>]{0,60}\b(?:log|logger|_log|_logger)\b[ ]?:?=|@[\w.]+(?:\(.{0,300}\))?$|#!?\[.{0,300}\]$|source[ ]|\.[ ]"
    r"|(?:const|let|var)[ ].{1,200}=[ ]?(?:await[ ])?require\(|set[ ]-\w+|[\w, {}]+\bfrom[ ]?[\"'])",
    re.IGNORECASE | re.DOTALL,
)
_LATER = re.compile(r"\W{0,6}(?:to.?do|tbd|fixme|placeholder|coming soon|lorem ipsum)\b.{0,80}", re.IGNORECASE)
_RETURN = re.compile(r"return\b", re.IGNORECASE)


def does_nothing(words: str, syntax: Syntax) -> bool:
    """Return True for a statement that is a stub, or skips a test."""
    if len(words) > LONGEST:
        return False
    if not syntax.code:
        return _LATER.fullmatch(words) is not None
    return skips(words) or marks_skipped(words) or _STUB.fullmatch(words) is not None


def skips(words: str) -> bool:
    """Return True for a call that skips the test it stands in, or announces."""
    return _SKIP.match(words[:LONGEST]) is not None


def marks_skipped(words: str) -> bool:
    """Return True for a mark by which the test after it never runs."""
    return _SKIP_MARK.match(words[:LONGEST]) is not None


def holds_skip_mark(header: str) -> bool:
    """Return True for a header with such a mark among its words."""
    return _SKIP_MARK.search(header[:LONGEST]) is not None


def returns(words: str) -> bool:
    """Return True for a `return`."""
    return _RETURN.match(words) is not None


def prepares(words: str) -> bool:
    """Return True for an import, a logger, an annotation: what prepares for code and does nothing alone."""
    return _FRAME.match(words) is not None
