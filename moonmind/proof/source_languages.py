"""Whether a file's code is of the language that its name says."""

from moonmind.proof.python_parsing import parse_python
from moonmind.proof.verification.script_syntax import ENDINGS, parse_script


def is_in_another_language(path: str, text: str) -> bool:
    """Return True for a Python file that can only be read as JavaScript or TypeScript, and the other way round."""
    name = path.casefold().rpartition("/")[2]
    ending = f".{name.rpartition('.')[2]}"
    if not text.strip():
        return False
    if ending in {".py", ".pyw"}:
        return parse_python(text) is None and _is_script(text, ".ts")
    if ending in ENDINGS:
        return not _is_script(text, ending) and parse_python(text) is not None
    return False


def _is_script(text: str, ending: str) -> bool:
    return parse_script(text.encode("utf-8", "replace"), ending) is not None
