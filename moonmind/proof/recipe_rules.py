"""What the values of `.moonmind.yml` may look like: as patterns, which the JSON Schema holds too, and in words for people."""

import re

CONTROLS = "\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff"
"""Control characters, and those that show a text otherwise than it is."""
_TEXT_CONTROLS = CONTROLS.replace("\\u0000-\\u001f", "\\u0000-\\u0008\\u000b-\\u001f")
"""The same for texts of several lines."""

LONGEST_PATH = 500
LONGEST_COMMAND = 4_000
LONGEST_VALUE = 4_000
LONGEST_IMAGE = 300
LONGEST_NAME = 100
LONGEST_LABEL = 60


def _any_case(word: str) -> str:
    return "".join(f"[{one.upper()}{one.lower()}]" if one.isalpha() else one for one in word)


def _one_of(words: tuple[str, ...]) -> str:
    return "|".join(_any_case(word) for word in words)


COMMAND = rf"^(?=[\s\S]*\S)[^{_TEXT_CONTROLS}]*$"
VALUE = rf"^[^{_TEXT_CONTROLS}]*$"

_RELATIVE = rf"^(?![\s\S]*[{CONTROLS}\\])(?!/)(?!~)(?![A-Za-z]:)(?!(?:[\s\S]*/)?\.\.(?:/|$))(?!(?:[\s\S]*/)?\.{_any_case('git')}(?:/|$))"
ROOT = rf"{_RELATIVE}[^*?\[]+$"
GLOB = rf"{_RELATIVE}(?!!)(?![\s\S]*/$)[\s\S]+$"

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?"
_DIGEST = r"sha256:[0-9a-f]{64}"
IMAGE = (
    rf"^(?:{_DIGEST}|(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@{_DIGEST})?)$(?!\n)"
)
PINNED = re.compile(rf"(?:[\s\S]+@)?{_DIGEST}")

_SET_HERE = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "OLDPWD", "TMPDIR", "IFS", "ENV", "SHELLOPTS", "BASHOPTS", "PS4",
    "PROMPT_COMMAND", "PYTHONHOME", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
    "all_proxy", "http_proxy", "https_proxy", "ftp_proxy", "no_proxy",
)  # fmt: skip
"""Names that a job sets itself, or that change every program in it."""
_PREFIXES = (
    "LD_", "DYLD_", "BASH_", "GIT_", "CODEX_", "MOONMIND_", "SPEC_WORKFLOW_", "CELERY_", "OPENAI_", "GITHUB_", "GH_", "SUDO_",
    "XDG_",
)  # fmt: skip
_CREDENTIAL_ENDS = (
    "TOKEN", "SECRET", "SECRETS", "PASSWORD", "PASSWORDS", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS", "APIKEY",
    "PRIVATEKEY",
)  # fmt: skip
"""How a word of a name ends that holds a credential; `TOKENIZERS_PARALLELISM` and `MAX_TOKENS` hold none."""

_RESERVED = rf"(?:{'|'.join(_SET_HERE)})$|(?:{'|'.join(_PREFIXES)})"
_CREDENTIAL = rf"(?:.*_)?(?:[A-Za-z0-9]*(?:{_one_of(_CREDENTIAL_ENDS)})(?:_.*)?|{_any_case('KEY')})$"
_NAME = rf"[A-Za-z_][A-Za-z0-9_]{{0,{LONGEST_NAME - 1}}}$(?!\n)"
VARIABLE = rf"^(?!{_RESERVED})(?!{_CREDENTIAL}){_NAME}"


LABEL = r"^[A-Za-z0-9](?:[A-Za-z0-9 ._-]*[A-Za-z0-9])?$(?!\n)"


def label_problem(text: str) -> str | None:
    """Return what is wrong with the name of a command."""
    if len(text) > LONGEST_LABEL:
        return f"has more than {LONGEST_LABEL} characters; shorten it"
    return None if re.search(LABEL, text) else "is no name; use letters, digits, spaces and `.`, `_`, `-`"


def command_problem(text: str) -> str | None:
    """Return what is wrong with a command."""
    if not text.strip():
        return "is empty; write a command, or remove it"
    return _text_problem(text, LONGEST_COMMAND)


def value_problem(text: str) -> str | None:
    """Return what is wrong with a variable's value."""
    return _text_problem(text, LONGEST_VALUE)


def root_problem(text: str) -> str | None:
    """Return what is wrong with a folder."""
    if problem := _path_problem(text):
        return problem
    return None if re.search(ROOT, text) else "is a pattern; name one folder"


def glob_problem(text: str) -> str | None:
    """Return what is wrong with a pattern of paths."""
    if problem := _path_problem(text):
        return problem
    if text.startswith("!"):
        return "excludes; name what is meant instead"
    return None if re.search(GLOB, text) else f"names a folder; write `{text}**` for the files in it"


def image_problem(text: str) -> str | None:
    """Return what is wrong with the name of an image; whether it may be used is the operator's to say."""
    if len(text) <= LONGEST_IMAGE and re.search(IMAGE, text):
        return None
    return "is no image; write NAME@sha256:DIGEST, an image's ID (sha256:...), or a name that the operator allows"


def variable_problem(name: str) -> str | None:
    """Return what is wrong with a variable's name."""
    if not re.match(_NAME, name):
        return "is no name of a variable; use letters, digits and `_`"
    if re.match(_RESERVED, name):
        return "is set by MoonMind, or changes every program in the job; remove it"
    if re.match(_CREDENTIAL, name):
        return "looks like a credential, and this file is no place for one; remove it, and give tests a stand-in in their own configuration"
    return None


def _text_problem(text: str, longest: int) -> str | None:
    if len(text) > longest:
        return f"has more than {longest} characters; shorten it, or put it in a script of the repository"
    return _control_problem(text, _TEXT_CONTROLS)


def _path_problem(text: str) -> str | None:
    if len(text) > LONGEST_PATH:
        return f"has more than {LONGEST_PATH} characters; shorten it"
    if not text:
        return "is empty; use `.` for the repository's root"
    if problem := _control_problem(text, CONTROLS):
        return problem
    if "\\" in text:
        return "holds a backslash; separate folders by `/`"
    if text[0] in "/~" or re.match("[A-Za-z]:", text):
        return "is absolute; write it relative to the repository"
    if ".." in text.split("/"):
        return "leads out of its folder with `..`; name what is inside"
    return None if re.search(_RELATIVE, text) else "leads into `.git`; name something else"


def _control_problem(text: str, controls: str) -> str | None:
    found = re.search(f"[{controls}\\ud800-\\udfff]", text)
    return None if found is None else f"holds the character U+{ord(found[0]):04X}, which cannot be seen; remove it"
