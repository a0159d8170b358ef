"""Each setting is classified: what a `.env` that came with a clone may not choose is decided when the setting is made."""

from pathlib import Path

from pydantic import AliasChoices

from moonmind import env_file
from moonmind.env_file import KINDS
from moonmind.settings import Settings


def test_every_setting_has_a_kind_and_a_new_one_is_not_harmless() -> None:
    unclassified = set(Settings.model_fields) - set(KINDS)
    assert not unclassified, "say in moonmind/env_file.py what these decide (KINDS)"
    assert not set(KINDS) - set(Settings.model_fields)
    assert not env_file.harmless("a_field_of_tomorrow")


def test_every_setting_is_in_the_reference() -> None:
    reference = (Path(__file__).parents[2] / "docs/settings.md").read_text("utf-8")
    aliases = [field.validation_alias for field in Settings.model_fields.values()]
    names = [name for alias in aliases for name in (alias.choices if isinstance(alias, AliasChoices) else [alias])]
    assert [name for name in names if f"{name}`" not in reference and f"${name}/" not in reference] == []
