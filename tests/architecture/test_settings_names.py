"""Every service knows the names of all settings; what several of them read is declared once."""

import inspect
from collections import Counter

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


def test_a_setting_that_several_services_read_is_declared_by_a_class_they_share() -> None:
    # The runner's settings are its own view of what the services read.
    services = [cls for cls in settings_classes() if "turnwire_dev" not in cls.__module__]
    declared = Counter(name for cls in services for name in inspect.get_annotations(cls))
    assert [name for name, classes in declared.items() if classes > 1] == []


def test_settings_do_not_change_once_they_are_read() -> None:
    assert [cls.__name__ for cls in settings_classes() if not cls.model_config.get("frozen")] == []
