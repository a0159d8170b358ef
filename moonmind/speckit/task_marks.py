"""Marks by which an author takes a task from the agent: manual, skipped, deferred, blocked and the like, in many languages."""

import re
from collections.abc import Iterator, Mapping

from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.spec_tasks import LOOKED_AT, Reason
from moonmind.speckit.targets import DOCUMENTS, split

MANUAL = "manual"

MARKS: Mapping[str, Mapping[str, str]] = {
    "deferred": {
        "English": "deferred, postponed, descoped, out of scope, post-mvp, future work",
        "Chinese": "推迟, 推遲, 延期, 延后, 延後, 暂缓, 暫緩",
        "Japanese": "延期, 後回し, 見送り, 先送り",
        "Korean": "연기, 연기됨, 미룸, 추후 진행",
        "German": "verschoben, zurückgestellt, aufgeschoben, vertagt",
        "French": "reporté, reportée, différé, différée",
        "Spanish": "aplazado, aplazada, pospuesto, pospuesta, postergado, diferido, diferida",
        "Portuguese": "adiado, adiada, postergado, postergada",
        "Russian": "отложено, отложена, перенесено",
        "Italian": "rimandato, rinviato, posticipato",
    },
    "skipped": {
        "English": "skipped, skip",
        "Chinese": "跳过, 跳過, 略过, 略過, 已跳过",
        "Japanese": "スキップ, 省略",
        "Korean": "건너뜀, 건너뛰기, 건너뛴, 스킵, 생략, 생략됨",
        "German": "übersprungen, ausgelassen",
        "French": "ignoré, ignorée, sauté, sautée, omis",
        "Spanish": "omitido, omitida, saltado, saltada",
        "Portuguese": "pulado, pulada, omitido, ignorado",
        "Russian": "пропущено, пропущена, пропустить",
        "Italian": "saltato, saltata, omesso",
    },
    "blocked": {
        "English": "blocked, on hold",
        "Chinese": "阻塞, 被阻塞, 受阻, 搁置, 擱置, 已搁置",
        "Japanese": "ブロック, ブロック中, 保留, 保留中",
        "Korean": "보류, 보류 중, 보류중, 차단됨, 막힘, 블로킹",
        "German": "blockiert, pausiert, angehalten",
        "French": "bloqué, bloquée, en attente, en pause",
        "Spanish": "bloqueado, bloqueada, en espera, en pausa",
        "Portuguese": "bloqueado, bloqueada, em espera, em pausa",
        "Russian": "заблокировано, заблокирована, приостановлено, на паузе",
        "Italian": "bloccato, bloccata, in attesa, sospeso",
    },
    "covered": {"English": "covered, superseded, obsolete"},
    "cancelled": {
        "English": "cancelled, canceled, dropped, deleted, removed, reverted, wontfix, won't do",
        "Chinese": "已取消, 取消, 作废, 作廢, 废弃",
        "Japanese": "中止, 取りやめ, 取消",
        "Korean": "취소, 취소됨, 폐기",
        "German": "abgebrochen, gestrichen, entfällt",
        "French": "annulé, annulée, abandonné",
        "Spanish": "cancelado, cancelada, descartado",
        "Portuguese": "cancelado, cancelada, descartado",
        "Russian": "отменено, отменена",
        "Italian": "annullato, annullata",
    },
    "not applicable": {
        "English": "n/a, n.a., not applicable",
        "Chinese": "不适用, 不適用",
        "Japanese": "対象外, 該当なし",
        "Korean": "해당 없음, 해당없음",
        "German": "nicht anwendbar",
        "French": "sans objet, non applicable",
        "Spanish": "no aplica",
        "Portuguese": "não se aplica",
        "Russian": "не применимо",
        "Italian": "non applicabile",
    },
    MANUAL: {
        "English": "manual, manually, by hand",
        "Chinese": "手动, 手動, 手工, 人工",
        "Japanese": "手動, 手作業, 人手",
        "Korean": "수동, 수동으로, 수작업",
        "German": "manuell, manuelle, manueller, manuelles, händisch",
        "French": "manuel, manuelle, manuellement",
        "Spanish": "manual, manualmente, a mano",
        "Portuguese": "manual, manualmente, à mão",
        "Russian": "вручную, ручное, ручная, ручной, руками",
        "Italian": "manuale, manualmente, a mano",
    },
}
"""The words of each kind by language; they count where they stand as a mark (docs/speckit.md), not within a sentence."""

_TO_KIND = {
    word.strip(): kind for kind, languages in MARKS.items() for words in languages.values() for word in words.split(",")
}


def _any(*kinds: str, but: str = "") -> str:
    words = [word for word, kind in _TO_KIND.items() if kind in kinds and word != but]
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_OPENING = r"[(\[{<«（【［〔〈《「『＜｛]"
_CLOSING = r"[)\]}>»）】］〕〉》」』＞｝]"
_PLACE = rf"(?:^\W{{0,4}}|{_OPENING}\W{{0,4}}|\*\*\W{{0,4}}|[—–][ ]?|[ ]-{{1,2}}[ ])"
"""Where a mark stands: first of all, first in brackets or bold, or after a dash."""
_ENDS = rf"(?=[ ]?(?:$|{_CLOSING}|[:：,，、;；.。!！*~_|/—–-]))"
_MORE = r"to|until|till|for|due|because|since|per|pending|without|after|from|this|post|see|v\d|bis|wegen|pour|hasta|por|para|até|до"
_GOES_ON = rf"(?=[ ]?[(（\[［【]|[ ](?:{_MORE})\b)"
"""What follows a mark that says more about itself: "deferred to v2"; "deferred import" is no mark."""
_FLAG = lazy_pattern(
    rf"{_PLACE}(?P<word>(?:{_any('deferred', 'skipped', but='skip')})(?:{_ENDS}|{_GOES_ON})"
    rf"|(?:{_any('blocked')})(?:{_ENDS}|{_GOES_ON}|(?=[ ](?:on|by(?![ ]T?\d))\b))"
    rf"|(?:superseded|obsolete)(?=[ ]by\b)"
    rf"|(?:{_any('cancelled', 'covered', 'not applicable')}|skip)(?:{_ENDS}|(?=[ ]?[(（]|[ ]for now\b)))",
    re.IGNORECASE,
)
_SHOUTED = lazy_pattern(
    r"\b(MANUAL|DEFERRED|POSTPONED|SKIPPED|BLOCKED|COVERED|CANCELLED|CANCELED|DROPPED|OBSOLETE|SUPERSEDED)(?!\.\w|[\w/-]|[ ]by[ ]T?\d)"
)
_VALUE_BEFORE = lazy_pattern(
    r"(?:/[ ]?|\b[A-Z][A-Z_]{2,}[ ]?[|,、，][ ]?|\b[A-Z][A-Z_]{2,}[ ](?:and|or)[ ]|\b[A-Z][A-Z_]{3,}[ ]|\b(?:status(?:es)?|states?|to|as)[ ]|=[ ]?)$"
)
_VALUE_BEHIND = lazy_pattern(
    r"[ ]?/|[ ]?[|,、，][ ]?(?:(?:and|or)[ ])?[A-Z][A-Z_]{3,}\b|[ ](?:and|or)[ ][A-Z][A-Z_]{2,}\b|[ ](?:status(?:es)?|states?)\b"
)
_NAMES_BEHIND = lazy_pattern(
    rf"[ ](?!(?i:{_MORE}|not|in)\b)[A-Z][A-Z_]{{2,}}\b|[ ](?!(?:{_MORE}|on|by|in|at|and|but|as|not|waiting)\b)[a-z]"
)
"""What stands behind a word in capitals within a sentence that names a value or a thing, as in "show CANCELLED orders"."""
_HAND = _any(MANUAL)
_BY_HAND = (
    r"(?:[ ]*(?:(?:smoke|ui|ux|e2e|end-to-end|screen|reader|browser|exploratory|regression|acceptance|accessibility|usability|visual|device"
    r"|functional|integration|user|final|full|cross-browser|quick)[ ]){0,3}(?:test|verif|check|review|qa\b|valid|inspect|smoke|walk|accept|approv|audit)"
    r"|[ ]*(?:step|action|only|task|work)"
    r"|[ ]*(?:での?|による|으로[ ]?)?(?:冒烟|回归|端到端|スモーク|回帰|스모크[ ]?|회귀[ ]?)?(?:测试|測試|验证|驗證|验收|驗收|检查|檢查|确认|確認|操作|执行|執行|步骤|评审|审核|审查|テスト|検証|動作確認|チェック"
    r"|作業|実施|対応|테스트|확인|검증|점검|작업|진행|처리|수행)(?![ ]?(?:用的?|的|の|용[ ]?)?(?:工具|脚本|腳本|ツール|スクリプト|도구|스크립트|页面|功能))"
    r"|[ ]*(?:prüf|überprüf|abnahme|prueba|verificaci|validaci|revisi|verifica|valida|essai|vérif|прове|тестир|controll))"
)
"""What follows "manual" when it means a person: "manual test", not "manual mode"."""
_HANDWORK = lazy_pattern(_BY_HAND, re.IGNORECASE)
_DONE_BY_HAND = (
    r"[ ]*(?:re-?)?(?:test|verif|check|review|valid|inspect|smoke|confirm|walk|exercise|try|click|open|run|execut|perform|compare|ensure"
    r"|measure|approve|deploy|install|trigger|step|qa\b)"
)
_MANUAL = lazy_pattern(
    rf"(?:^\W{{0,4}}|\*\*\W{{0,4}}|[—–][ ]?|[ ]-{{1,2}}[ ])(?P<lead>manually{_DONE_BY_HAND}|(?:{_HAND})(?:{_BY_HAND}|{_ENDS}))"
    rf"|{_OPENING}\W{{0,4}}(?:requires?[ ]|needs?[ ]|must be |only[ ])?(?P<inside>manually{_DONE_BY_HAND}|(?:{_HAND})(?:{_BY_HAND}|{_ENDS}))"
    rf"|{_OPENING}\W{{0,4}}(?P<human>(?P<reserved>human[ -](?:only|action|steps?|tasks?|required|needed)(?=[ ]?{_CLOSING})"
    r"|(?:user|owner|operator|maintainer)[ ](?:(?:to|must)[ ](?:test|verify|run|check|confirm|decide|provide)|action[ ](?:required|needed))\b)"
    rf"|human[ -](?:review|decision|verification|testing)(?=[ ]?{_CLOSING})|(?:requires?|needs?)[ ](?:an?[ ])?(?:human|user[ ]input)\b)"
    rf"|^{_OPENING}\W{{0,4}}(?P<person>(?:human|人|人间|人間|사람)(?=[ ]?{_CLOSING}))|^\W{{0,4}}(?P<called>human(?=[:：]|\*\*))"
    rf"|(?P<last>(?:manually|by hand)[ ]?(?={_CLOSING}))"
    r"|^\W{0,4}(?P<doing>(?:run|execute|perform|do|conduct|complete|carry out|repeat)\b[\w\s'`-]{0,30}?\bmanual(?:ly)?"
    rf"(?:{_BY_HAND}))"
    rf"|^\W{{0,4}}(?P<asian>(?:执行|進行|进行|完成|运行|執行)[ ]?(?:手动|手動|人工)(?:{_BY_HAND}))"
    r"|^\W{0,4}(?P<noun>(?:tests?|essais?|vérifications?|validations?|pruebas?|verificaci[oó]n|validaci[oó]n|revisi[oó]n|testes?|verificação"
    r"|validação|revisão|controllo)[ ](?:manuel(?:le)?s?|manual(?:es)?|manuais|manuale)\b"
    r"|(?:testar|verificar|validar|probar|comprobar|tester|vérifier)[ ](?:manualmente|manuellement))",
    re.IGNORECASE,
)
_QUOTED = lazy_pattern(r"`[^`]{2,200}`|\"[^\"]{2,80}\"|“[^”]{2,80}”")
"""What a task quotes is no mark of it: `show "[deleted]"`."""
_LABELS = lazy_pattern(r"^(?:\W{0,4}\[[\w &/-]{1,24}\])+")
_BEFORE_TITLE = lazy_pattern(
    r"^[^\w(（\[【]*(?:(?:final[ ])?(?:phase|fase|étape|etapa|этап|阶段|階段|フェーズ|단계)[ ]?[\w.]{0,5}|第.{1,3}(?:阶段|階段|フェーズ))[ ]?[:：.—–-][ ]*",
    re.IGNORECASE,
)
_STORY = lazy_pattern(
    r"^\W{0,4}(?:user[ ]stor(?:y|ies)|story|us|用户故事|使用者故事|ユーザーストーリー|사용자[ ]?스토리)[ ]?\d{1,3}[a-z]?[ ]?[:：.—–-]{1,2}[ ]*",
    re.IGNORECASE,
)
_REST = rf"(?:[ ]?{_OPENING}(?!P\d|priority)[^()（）\[\]]{{0,200}}{_CLOSING})?\W{{0,8}}$"
"""The end of a title, perhaps after brackets; with a priority in them, the title names work."""
_WHOLE = lazy_pattern(
    rf"^\W{{0,4}}(?P<word>deferred|postponed|skipped|cancelled|canceled)(?:[ ](?:tasks?|items?|work|features?|scope))?{_REST}",
    re.IGNORECASE,
)
_TO_THE_END = lazy_pattern(
    rf"{_REST}|[ ](?:to|until|till|due|because|since|per|pending|from|on|by|post|see|bis|hasta|até|до)\b", re.IGNORECASE
)
_MANUAL_TITLE = lazy_pattern(
    rf"^\W{{0,4}}(?:(?:{_HAND})(?:[ ](?:smoke|ui|ux|e2e|end-to-end|browser|device|accessibility|acceptance|integration|regression|user|final|full)){{0,3}}"
    r"(?:[ ](?:tests?|testing|verification|validation|qa|prüfung)|[ ]?(?:での?)?(?:测试|測試|验证|驗證|验收|驗收|テスト|検証|테스트|검증))?"
    r"|(?:tests?|essais?|vérifications?|validations?|pruebas?|verificaci[oó]n|validaci[oó]n|testes?|verificação|validação)[ ]"
    r"(?:manuel(?:le)?s?|manual(?:es)?|manuais|manuale))"
    rf"(?:[ ](?:for|of)[ ](?:user[ ]stor(?:y|ies)|us|phases?)\b[\w ,&-]{{0,40}})?{_REST}",
    re.IGNORECASE,
)
_BRACKET_OR_DASH = lazy_pattern(rf"(?:{_OPENING}|[—–]|[ ]-)")
_BRACKET = lazy_pattern(_OPENING)
_IN_THE_LAST_BRACKETS = lazy_pattern(rf"[^()（）\[\]]{{0,200}}{_CLOSING}\W{{0,8}}$")
_APART = lazy_pattern(rf"(?:^[^\w]{{0,4}}|{_OPENING}[ ]?|[—–:：*-][ ]?|[.;][ ])\Z")
"""What stands before a word that is apart from a sentence."""
_NEAR = 40
"""Characters before a word that are looked at."""


def marks_in(text: str) -> tuple[Reason, ...]:
    """Name the marks in a task's own words, each kind once, with the words."""
    return _once(_of_text(text[:LOOKED_AT]))


def marks_in_heading(title: str) -> tuple[Reason, ...]:
    """Name the marks by which a heading takes all its tasks from the agent: "(Deferred)", "Manual Testing", "CANCELLED"."""
    return _once(_of_heading(title[:LOOKED_AT]))


def _of_text(text: str) -> Iterator[Reason]:
    plain = _QUOTED.sub(lambda quoted: quoted[0][0] + "_" * (len(quoted[0]) - 2) + quoted[0][-1], text)
    for searched in dict.fromkeys((plain, _LABELS.sub("", plain))):
        for match in _FLAG.finditer(searched):
            word = match["word"]
            # "Skip: ..." at the start is an order, "(skip)" a decision.
            if word.casefold() in {"skip", "on hold", "пропустить"} and not _BRACKET_OR_DASH.search(match[0]):
                continue
            if word.isupper() and _VALUE_BEHIND.match(searched, match.end()):
                continue
            yield Reason(_TO_KIND[word.casefold()], _words(match[0]))
        for match in _SHOUTED.finditer(searched):
            if not _is_value(searched, match) and not _is_named(searched, match):
                yield Reason(_TO_KIND[match[1].casefold()], match[1])
        for match in _MANUAL.finditer(searched):
            if not _is_behaviour(searched, match):
                yield Reason(MANUAL, _words(match[0]))


def _is_behaviour(text: str, match: re.Match[str]) -> bool:
    """Return True for brackets about a person that describe what is built: "(user to confirm) in src/a.ts"."""
    if not (match["human"] or match["person"] or match["called"]):
        return False
    apart = match.start() == 0 or _IN_THE_LAST_BRACKETS.match(text, match.end()) is not None
    return not apart or any(path.rpartition("/")[2] not in DOCUMENTS for path in split(text).targets)


def _of_heading(title: str) -> Iterator[Reason]:
    bare = _STORY.sub("", _BEFORE_TITLE.sub("", title))
    if found := _WHOLE.match(bare):
        yield Reason(_TO_KIND[found["word"].casefold()], _words(found[0]))
    if found := _MANUAL_TITLE.match(bare):
        yield Reason(MANUAL, _words(found[0]))
    for match in _FLAG.finditer(bare):
        if _is_bracketed(match, bare) or (_is_dashed(match) and _TO_THE_END.match(bare, match.end())):
            yield Reason(_TO_KIND[match["word"].casefold()], _words(match[0]))
    for match in _SHOUTED.finditer(bare):
        alone = _APART.search(bare, 0, match.start()) or not bare[match.end() :].strip(" *_~.!")
        if match[1] not in {"MANUAL", "COVERED"} and alone and not _is_value(bare, match):
            yield Reason(_TO_KIND[match[1].casefold()], match[1])
    for match in _MANUAL.finditer(bare):
        if (match["inside"] or match["last"] or match["reserved"]) and not bare.startswith("/", match.end()):
            yield Reason(MANUAL, _words(match[0]))


def _is_bracketed(match: re.Match[str], title: str) -> bool:
    """Return True for a mark in brackets that is not one of several words: "(skip, pause, resume)"."""
    several = "/,、，" if match["word"].casefold() == "skip" else "/"
    return _BRACKET.match(match[0]) is not None and title[match.end() : match.end() + 1] not in set(several)


def _is_dashed(match: re.Match[str]) -> bool:
    return _BRACKET_OR_DASH.match(match[0]) is not None and _BRACKET.match(match[0]) is None


def _is_value(text: str, match: re.Match[str]) -> bool:
    """Return True for a word in capitals that is one of several values, or a status."""
    before = text[max(match.start() - _NEAR, 0) : match.start()]
    return _VALUE_BEFORE.search(before) is not None or _VALUE_BEHIND.match(text, match.end()) is not None


def _is_named(text: str, match: re.Match[str]) -> bool:
    """Return True for a word in capitals within a sentence that names a thing with the word behind it."""
    within = _APART.search(text, 0, match.start()) is None
    by_hand = match[1] == "MANUAL" and _HANDWORK.match(text, match.end()) is not None
    return within and not by_hand and _NAMES_BEHIND.match(text, match.end()) is not None


def _once(found: Iterator[Reason]) -> tuple[Reason, ...]:
    kinds: dict[str, Reason] = {}
    for reason in found:
        kinds.setdefault(reason.kind, reason)
    return tuple(kinds.values())


def _words(matched: str) -> str:
    return matched.strip(" *—–-")
