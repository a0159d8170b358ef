"""Verbs by which a task asks for something: a change of what is there, something new, an addition, a record.

The same words tell a task that asks for work from one that only looks, and a task that changes old files from one that asks for
new ones. `*` stands for any ending.
"""

import re
from collections.abc import Collection, Iterable, Mapping

CHANGES: Mapping[str, str] = {
    "English": (
        "adjust, correct, eliminate, fix, harden, improve, optimise, optimize, patch, refactor, repair, replace, resolve, "
        "rewrite, tune, update"
    ),
    "German": "aktualisiere, aktualisieren, ändere, ändern, anpassen, beheb, behebe, beheben, korrigiere, korrigieren",
    "French": "mettre à jour, modifier, corriger",
    "Spanish": "actualizar, modificar, corregir, refactorizar, arreglar, ajustar",
    "Portuguese": "atualizar, modificar, alterar, corrigir, refatorar, ajustar",
    "Russian": "обновить, изменить, исправить, переименовать, удалить",
    "Italian": "aggiornare, modificare, correggere",
    "Dutch": "wijzig, bijwerken, verbeter, corrigeer, vervang",
    "Polish": "zaktualizuj, zmień, popraw",
    "Turkish": "güncelle*, değiştir*, düzelt*",
    "Vietnamese": "cập nhật, sửa",
    "Chinese": "更新, 修改, 修复, 修正, 重构, 重構, 优化, 删除, 移除, 替换, 迁移, 重命名, 调整, 調整, 完善, 补充",
    "Japanese": "更新, 修正, 変更, 削除, 移行, 置換, リファクタ, 拡張, 改名, 移動",
    "Korean": "수정, 변경, 갱신, 업데이트, 삭제, 제거, 이동, 리팩터링, 리팩토링, 확장",
}
"""What is there already becomes something else, or goes."""
MAKES: Mapping[str, str] = {
    "German": "erstell*, schreib*, implementier*",
    "French": "créer, écrire, implémenter, générer",
    "Spanish": "crear, escribir, implementar, generar",
    "Portuguese": "criar, escrever, implementar, gerar",
    "Russian": "создать, написать, реализовать",
    "Italian": "creare, scrivere, implementare",
    "Dutch": "maak, schrijf, implementeer",
    "Polish": "utwórz, napisz, zaimplementuj",
    "Turkish": "oluştur*, yaz",
    "Vietnamese": "tạo, viết, triển khai",
    "Chinese": "创建, 建立, 实现, 新建, 编写",
    "Japanese": "作成, 実装, 新規, テストを書",
    "Korean": "생성, 구현, 작성, 신규",
}
"""What is not there yet."""
ADDS: Mapping[str, str] = {
    "German": "hinzufüg*",
    "French": "ajouter",
    "Spanish": "añadir, agregar",
    "Portuguese": "adicionar",
    "Russian": "добавить",
    "Italian": "aggiungere",
    "Chinese": "添加, 新增, 增加",
    "Japanese": "追加",
    "Korean": "추가",
}
"""A new file, or a line in an old one."""
OTHERS: Mapping[str, str] = {
    "German": "dokumentier*",
    "French": "documenter",
    "Spanish": "documentar",
    "Portuguese": "documentar",
    "Russian": "описать",
    "Chinese": "记录, 记入, 写入, 配置, 集成, 安装, 生成",
    "Japanese": "記録, 記載, 記入, まとめ, 設定, 導入, 整備, 反映, 修復",
    "Korean": "기록, 반영, 설정, 도입, 정리, 리팩",
}
"""Work besides: a record, a configuration."""

_UNSPACED = frozenset({"Chinese", "Japanese", "Korean"})
"""Languages in which nothing sets a word off."""
_Table = Mapping[str, str]


def english(*tables: _Table) -> str:
    """Return a pattern of the English words, without what may stand around them."""
    return _pattern(tables, {"English"})


def spaced(*tables: _Table) -> str:
    """Return a pattern of the words of the other languages that set words off by spaces."""
    return _pattern(tables, {language for table in tables for language in table} - _UNSPACED - {"English"})


def unspaced(*tables: _Table, languages: Collection[str] = _UNSPACED) -> str:
    """Return a pattern of the words of the languages that do not."""
    return _pattern(tables, languages)


def _pattern(tables: Iterable[_Table], languages: Collection[str]) -> str:
    words = {word for table in tables for language in languages for word in table.get(language, "").split(", ") if word}
    return "|".join(re.escape(word).replace(r"\*", r"\w*") for word in sorted(words, key=lambda one: (-len(one), one)))
