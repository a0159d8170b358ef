"""Whether a task only asks that the tests pass, which running them decides."""

import re

from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.people_tasks import looks_only
from moonmind.speckit.spec_tasks import LOOKED_AT

_TESTS = lazy_pattern(
    r"\b(?:tests?|suites?|pytest|unittest|jest|vitest|(?:npm|pnpm|yarn|bun|go|cargo|dotnet|mvn|gradle|make)[ ](?:run[ ])?test"
    r"|pruebas|testes|тесты?)\b|测试|測試|テスト|테스트",
    re.IGNORECASE,
)
_OTHER_CHECKS = lazy_pattern(
    r"\b(?:manual\w*|by hand|browsers?|chrome|safari|firefox|coverage|lint\w*|type[ -]?check\w*|mypy|ruff|eslint|tsc|builds?|compil\w*"
    r"|benchmarks?|performance|profil\w*|load|stress|smoke|sanity|mutation|fuzz\w*|accessib\w*|a11y|lighthouse|quickstart|e2e"
    r"|end-to-end|playwright|cypress|staging|production|devices?|emulators?|fail\w*|red|success criteria|scenarios?|acceptance"
    r"|sc-\d+|fr-\d+|security|audit|docs?|documentation|screens?|users?|deploy\w*|migrations?|on (?:windows|macos|linux)"
    r"|manuell\w*|manuel\w*|a mano|fallan?|falham|échou\w*|fehlschlag\w*)\b|手动|手動|수동|覆盖|覆蓋|失败|失敗|실패|性能|浏览器|ブラウザ",
    re.IGNORECASE,
)


def asks_for_tests(text: str) -> bool:
    """Return True if a task changes nothing and asks for nothing but that tests pass: "Run the full test suite"."""
    shown = text[:LOOKED_AT]
    return bool(looks_only(shown, closing=True)) and bool(_TESTS.search(shown)) and _OTHER_CHECKS.search(shown) is None
