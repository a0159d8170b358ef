"""Where the settings' values come from beside the caller: the environment, and the one file."""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from moonmind import env_file
from moonmind.env_file import EnvFile


class Environment(EnvSettingsSource):
    """The process's environment, by the documented names only: a field's own name is for code."""

    def _extract_field_info(
        self, field: FieldInfo, field_name: str, model_config: Mapping[str, Any] | None = None
    ) -> list[tuple[str, str, bool]]:
        found = super()._extract_field_info(field, field_name, model_config)
        return [info for info in found if info[0] != field_name]

    def names(self) -> dict[str, tuple[str, str]]:
        """Return the documented name and the field for each name that is read, which is in small letters."""
        return {
            read: (documented, field_name)
            for field_name, field in self.settings_cls.model_fields.items()
            for documented, read, _ in self._extract_field_info(field, field_name)
        }


class File(Environment):
    """The one file, by the names of the environment.

    Raises EnvFileRefused for a file that cannot be read, and for one of a foreign work tree that sets more than harmless
    settings.
    """

    def __init__(self, settings_cls: type[BaseSettings], environment: Mapping[str, str | None]) -> None:
        self._environment = environment
        super().__init__(settings_cls)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        variable = env_file.VARIABLE.lower()
        found = env_file.read(self._environment.get(variable))
        if found is None:
            return {}
        self._judge(found, self.names())
        values: dict[str, str | None] = {name.lower(): value for name, value in found.values.items()}
        return values | {variable: str(found.path)}

    @staticmethod
    def _judge(found: EnvFile, names: Mapping[str, tuple[str, str]]) -> None:
        if found.foreign_tree is None:
            return
        refused = []
        for name in found.values:
            documented, field = names.get(name.lower(), (name, None))
            if field is not None and not env_file.harmless(field):
                refused.append(documented if name == documented else f"{documented} ({name})")
        if refused:
            raise env_file.refusal(found.path, found.foreign_tree, refused)
