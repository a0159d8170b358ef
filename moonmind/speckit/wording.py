"""What a task's words ask for besides code: a comment, a stub, less of something."""

import re
from enum import StrEnum

from moonmind.speckit.lazy_pattern import lazy_pattern


class Asked(StrEnum):
    """A kind of change that counts only where the task asks for it."""

    LESS = "less"
    """Lines fewer, or others in their place."""
    REMOVAL = "removal"
    """Something gone."""
    COMMENTS = "comments"
    LAYOUT = "layout"
    STUB = "stub"
    SKIPPED = "skipped"
    MODE = "mode"
    LINK = "link"
    COPY = "copy"
    """What another file holds already."""


_END = r"(?:e?s|e?d|ing|[lnprt](?:ed|ing)|e|al|ation)?"
_REMOVE = r"(?:remov|delet|drop|clean|prun|retir|dedupe|dedup|consolidat|strip|eliminat|uninstall|purg)"
_REWORK = (
    r"(?:clear|simplif(?:y|ies|ied|ying)|refactor|fix|updat|reduc|replac|renam|mov|extract|migrat|split|trim|deprecat|disabl|revert|chang"
    r"|modif(?:y|ies|ied|ying)|adjust|optimi[sz]|merg|convert|rewrit|unif(?:y|ies|ied|ying)|correct|tid(?:y|ies|ied)|shorten|repair"
    r"|harden|entfern\w*|supprim\w*|elimin\w*|excluir|remover|atualizar|actualizar)"
)
_PATTERNS = {
    Asked.REMOVAL: rf"(?<![\w-]){_REMOVE}{_END}\b|删除|刪除|移除|削除|삭제|제거",
    Asked.LESS: rf"(?<![\w-])(?:{_REMOVE}|{_REWORK}){_END}\b|删除|刪除|移除|削除|修正|更新|重构|重構|修改|삭제|제거|수정",
    Asked.COMMENTS: (
        r"\b(?:inline|code|doc|explanatory|todo|block)[ -]comments?\b|\bcomments?[ ](?:to|in|for|on|explaining|above|at the top)\b"
        r"|\b(?:add|write|update|improve|fix)[ ](?:[\w-]+[ ])?comments\b|\b(?:docstrings?|[jt]sdocs?|javadocs?|godocs?|rustdocs?|phpdocs?|docblocks?)\b"
        r"|(?:^|\band[ ])document\b|\b(?:file|licen[sc]e|copyright)[ ](?:headers?|notices?)\b|注释|註釋|コメント|주석|\bkommentare?\b|\bcomentários?\b"
    ),
    Asked.LAYOUT: (
        r"^(?:re)?format\b|\bprettier\b|\bgofmt\b|\brustfmt\b|\bblack\b|\bwhitespace\b|\bindentation\b|\bline endings?\b|\btrailing\b"
        r"|^lint\b|\blint(?:ing|er)?[ ](?:errors?|issues?|warnings?|fixes)\b|\bcode[ ](?:style|format\w*)\b"
    ),
    Asked.STUB: (
        r"\bstub(?:s|bed)?\b|\b(?:module|package|file|class|script|project|code|function|test|directory)[ -]skeletons?\b"
        r"|\bskeletons?[ ](?:of|for|module|package|file|class|script|project|code)\b|\bscaffold(?:s|ing|ed)?\b|\bboilerplate\b|\bno-?op\b"
        r"|\b(?:empty|blank|placeholder|dummy)[ ](?:[\w`/-]+[ ]){0,3}?`?(?:files?|modules?|packages?|folders?|director(?:y|ies)|class(?:es)?|functions?"
        r"|methods?|implementations?|bod(?:y|ies)|structures?|projects?)\b"
    ),
    Asked.SKIPPED: r"\b(?:skip(?:s|ped|ping)?|disabl(?:e|es|ed|ing)|xfail|ignor(?:e|es|ed|ing)|quarantin(?:e|es|ed|ing))\b",
    Asked.LINK: r"\b(?:sym(?:bolic )?|hard )?links?\b|\bln -s",
    Asked.COPY: (
        r"\b(?:cop(?:y|ies|ied|ying)|mov(?:e|es|ed|ing)|renam\w*|duplicat\w*|vendor\w*|mirror\w*|clon(?:e|es|ed|ing)|extract\w*|split\w*|relocat\w*"
        r"|restor\w*|migrat\w*|merg\w*|consolidat\w*|re-?export\w*|port|alias\w*|same as|identical)\b|复制|複製|이동|移动|移動"
    ),
    Asked.MODE: r"\b(?:executable|chmod|file[ ](?:modes?|permissions?))\b|\+x\b",
}
_COMPILED = {asked: lazy_pattern(pattern, re.IGNORECASE) for asked, pattern in _PATTERNS.items()}

_EXISTING = lazy_pattern(
    r"^\W{0,6}(?:add|append|insert|update|extend|modify|edit|change|fix|refactor|register|wire|integrate|improve|enhance|adjust|adapt|correct"
    r"|rename|move|remove|delete|drop|replace|convert|migrate|rewrite|expose|export|enable|disable|harden|optimi[sz]e|use|switch|bump|upgrade"
    r"|mount|hook|connect|include|polish|mark|adicionar|atualizar|aktualisiere\w*|ajouter|actualizar)\b|更新|修改|追加|수정|추가",
    re.IGNORECASE,
)


def asked_in(text: str) -> frozenset[Asked]:
    """Return the kinds of change that the words of a task ask for."""
    return frozenset(asked for asked, pattern in _COMPILED.items() if pattern.search(text))


def asks_for_change(text: str) -> bool:
    """Return True if a task begins with a verb that changes what is there, "add" or "fix"; False after "create"."""
    return _EXISTING.search(text) is not None
