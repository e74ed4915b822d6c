"""What the inference server says of itself: its models."""

from dataclasses import dataclass

from pydantic import BaseModel, SecretStr, ValidationError

from turnwire_dev.supervision.probe import HTTP_OK, NoAnswerError, get

UNAUTHORIZED = (401, 403)


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


@dataclass(frozen=True, slots=True)
class BackendAnswers:
    """It works; the ids of its models in its own order."""

    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BackendFails:
    """It does not; what is wrong, and the way out."""

    problem: str
    way_out: str


async def ask_backend(url: str, api_key: SecretStr | None) -> BackendAnswers | BackendFails:
    """`GET /models` of an OpenAI-compatible server."""
    headers = {"Authorization": f"Bearer {api_key.get_secret_value()}"} if api_key else {}
    try:
        answer = await get(f"{url}/models", headers, within=3.0)
    except NoAnswerError as error:
        return BackendFails(
            f"no answer from {url}: {error}", "Start it, or set TURNWIRE_BACKEND_URL."
        )
    if answer.status in UNAUTHORIZED:
        return BackendFails(
            f"{url} refuses the key ({answer.status})", "Set TURNWIRE_BACKEND_API_KEY."
        )
    if answer.status != HTTP_OK:
        text = f"{url}/models answers {answer.status}"
        return BackendFails(text, "TURNWIRE_BACKEND_URL is the base URL, which ends in /v1.")
    return BackendAnswers(_model_ids(answer.body))


def _model_ids(body: bytes) -> tuple[str, ...]:
    try:
        return tuple(model.id for model in _Models.model_validate_json(body).data)
    except ValidationError:
        return ()
