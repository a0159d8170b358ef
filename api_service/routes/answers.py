"""What routes declare about their refusals, so that the schema says it too."""

from typing import Any

from moonmind.wire import Problem

Answers = dict[int | str, dict[str, Any]]

_WORDS = {
    403: "The caller may not ask this from where it is, or the installation is limited to other repositories.",
    404: "There is no such run or artifact.",
    409: "The present state does not allow it.",
    422: "The request is not valid; `details.fields` says where.",
    503: "There is no answer now; `remediation` says what to wait for.",
}


def refusals(*statuses: int) -> Answers:
    """Declare these refusals and the default: every one of them is a Problem."""
    declared: Answers = {status: {"model": Problem, "description": _WORDS[status]} for status in statuses}
    return {**declared, "default": {"model": Problem, "description": "Any other refusal or failure."}}
