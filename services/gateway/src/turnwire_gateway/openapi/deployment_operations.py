"""Operations beside responses and conversations: models, the guard, health, and what this is."""

from turnwire_gateway.api.requests.other_requests import CheckRequest
from turnwire_gateway.openapi import answers
from turnwire_gateway.openapi import parameters as given
from turnwire_gateway.openapi import route_errors as errors
from turnwire_gateway.openapi.operation import operation


@operation("GET /v1/models", answers.ModelList, *errors.MODELS)
def list_models() -> None:
    """List the models of all backends."""


@operation("GET /v1/models/{model:path}", answers.Model, "model_not_found", *errors.MODELS)
def retrieve_model(model: given.ModelId) -> None:
    """Read what a backend says of a model."""


@operation("POST /v1/check", answers.CheckResult, *errors.BODY, *errors.LIMITS, "guard_unavailable")
def check(body: CheckRequest) -> None:
    """Have content checked by the policy of an application.

    Violations are an answer, not an error. Where the operator has no policy, or none for this
    application and kind of content, everything is safe.
    """


@operation(
    "GET /health",
    answers.Health,
    answers={200: "All is well.", 503: "A part is ill; it says which and why."},
)
def health() -> None:
    """Ask how the whole is."""


@operation("GET /", answers.About)
def about() -> None:
    """Ask what this is."""
