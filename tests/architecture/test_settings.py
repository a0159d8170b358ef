"""Each setting is classified: what a `.env` that came with a clone may not choose is decided when the setting is made."""

from moonmind import env_file
from moonmind.env_file import KINDS
from moonmind.settings import Settings


def test_every_setting_has_a_kind_and_a_new_one_is_not_harmless() -> None:
    unclassified = set(Settings.model_fields) - set(KINDS)
    assert not unclassified, "say in moonmind/env_file.py what these decide (KINDS)"
    assert not set(KINDS) - set(Settings.model_fields)
    assert not env_file.harmless("a_field_of_tomorrow")
