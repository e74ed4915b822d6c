"""What the store can be told."""

from functools import cached_property
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from turnwire_chassis.settings import RetentionSettings
from turnwire_store.mongo.url import check_mongodb_url
from turnwire_store.sealing import MasterKeys


class StoreSettings(RetentionSettings):
    """The settings of the store."""

    mongodb_url: str = Field(
        default="mongodb://127.0.0.1:27017/turnwire",
        description=(
            "The database of the views; its name is the URL's path, `turnwire` without one. "
            "Writes are always confirmed by the majority's journal, and the primary is read: a URL "
            "that asks for less is refused. "
            "With `turnwire up`: set it to use that one, and none is started."
        ),
    )
    view_key: SecretStr | None = Field(
        default=None,
        description="Keys of 32 bytes in base64 or hex, comma-separated: the first wraps the keys "
        "that the content of views is sealed with, each opens them. Unset, those lie in the "
        "broker as they are. `turnwire up` makes one.",
    )

    @cached_property
    def master_keys(self) -> MasterKeys:
        """What wraps the keys of views. Raises `SettingsError`."""
        return MasterKeys.parse(self.view_key.get_secret_value() if self.view_key else "")

    @field_validator("mongodb_url")
    @classmethod
    def _check_mongodb_url(cls, url: str) -> str:
        return check_mongodb_url(url)

    @model_validator(mode="after")
    def _refuse_what_cannot_be(self) -> Self:
        # Here and not in `serve`: the run loop turns what is wrong with settings into exit code 2.
        _ = self.master_keys
        return self
