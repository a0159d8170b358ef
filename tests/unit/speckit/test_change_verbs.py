"""A verb of change says the same wherever it is looked for."""

import pytest

from moonmind.speckit.change_verbs import ADDS, CHANGES, MAKES, OTHERS, english, spaced, unspaced
from moonmind.speckit.people_tasks import looks_only
from moonmind.speckit.staleness import asks_for
from moonmind.speckit.tasks_md import read_tasks


def asked(text: str) -> str:
    (task,) = read_tasks(f"- [ ] T001 {text}\n".encode()).tasks
    return asks_for(task)


@pytest.mark.parametrize(
    ("look", "change", "make"),
    [
        ("Run the test suite and fix what fails", "Fix src/a.py", "Implement src/a.py"),
        ("Tests ausführen, Fehler beheben", "Korrigiere src/a.py", "Erstelle src/a.py"),
        ("Vérifier le flux, corriger les erreurs", "Corriger src/a.py", "Créer src/a.py"),
        ("Verificar el flujo, corregir los errores", "Corregir src/a.py", "Crear src/a.py"),
        ("Verificar o fluxo, corrigir os erros", "Corrigir src/a.py", "Criar src/a.py"),
        ("Проверить сценарии, исправить ошибки", "Исправить src/a.py", "Создать src/a.py"),
        ("Verificare il flusso, correggere gli errori", "Correggere src/a.py", "Creare src/a.py"),
        ("运行测试，修复失败", "修复 src/a.py", "实现 src/a.py"),
        ("テストを修正し、結果を確認する", "src/a.py を修正する", "src/a.py を実装する"),
        ("테스트 수정 후 통과 확인", "src/a.py 수정", "src/a.py 구현"),
    ],
)
def test_each_language_has_its_verbs_for_both_questions(look: str, change: str, make: str) -> None:
    assert looks_only(look) == ()
    assert (asked(change), asked(make)) == ("", "make")


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Änderungshistorie-Komponente erstellen in src/history.tsx", "make"),
        ("Änderungsprotokoll implementieren in src/log.ts", "make"),
        ("Ändere src/log.ts", ""),
        ("Cập nhật src/x.ts để tạo người dùng", ""),
        ("Wijzig src/x.ts, maak de test groen", ""),
        ("Zaktualizuj src/x.ts", ""),
        ("src/x.ts dosyasını güncelle", ""),
        ("src/x.ts dosyasını oluştur", "make"),
        ("Tạo src/x.ts", "make"),
    ],
)
def test_a_change_is_told_from_a_new_file_in_further_languages(text: str, asks: str) -> None:
    assert asked(text) == asks


@pytest.mark.parametrize(
    ("text", "asks"), [("添加 src/a.py", "add"), ("src/a.py に追加する", "add"), ("Agregar src/a.py", "add")]
)
def test_an_addition_is_told_apart(text: str, asks: str) -> None:
    assert asked(text) == asks


def test_the_patterns_hold_no_word_twice_the_longest_first() -> None:
    for pattern in (english(CHANGES), spaced(CHANGES, MAKES, ADDS, OTHERS), unspaced(CHANGES, MAKES, ADDS, OTHERS)):
        words = pattern.split("|")
        assert len(words) == len(set(words))
        assert [len(word) for word in words if "\\" not in word] == sorted(
            (len(word) for word in words if "\\" not in word), reverse=True
        )
