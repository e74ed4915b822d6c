"""What the store can be told."""

from pydantic import Field

from turnwire_chassis.settings import ServiceSettings


class StoreSettings(ServiceSettings):
    """The settings of the store."""

    mongodb_url: str = Field(
        default="mongodb://127.0.0.1:27017/turnwire",
        description=(
            "The database of the views; its name is the URL's path, `turnwire` without one. "
            "With `turnwire up`: set it to use that one, and none is started."
        ),
    )
