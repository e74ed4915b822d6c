"""Every service knows the names of all settings, so that it can tell a misspelt one."""

from architecture.house import settings_classes
from turnwire_chassis.setting_names import SETTING_NAMES
from turnwire_chassis.settings import PREFIX


def test_the_list_of_names_is_what_the_settings_classes_say() -> None:
    names = {PREFIX + name.upper() for cls in settings_classes() for name in cls.model_fields}
    assert names == SETTING_NAMES


def test_every_setting_is_described() -> None:
    undescribed = [
        f"{cls.__name__}.{name}"
        for cls in settings_classes()
        for name, field in cls.model_fields.items()
        if not field.description
    ]
    assert undescribed == []


def test_nobody_can_change_settings_once_they_are_read() -> None:
    assert [cls.__name__ for cls in settings_classes() if not cls.model_config.get("frozen")] == []
