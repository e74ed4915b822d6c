"""Operations beside the responses: models, health, and what this is."""

from turnwire_gateway.openapi.operations.operation import BODY_ERRORS, Answer, Body, Operation
from turnwire_gateway.openapi.operations.parameters import in_path

_BACKEND = (
    "orchestrator_unavailable",
    "backend_unavailable",
    "backend_refused_credentials",
    "backend_error",
    "backend_timeout",
)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="listModels",
        method="get",
        path="/v1/models",
        tag="Models",
        summary="List the models of all backends.",
        answers=(Answer(200, "ModelList", "The models."),),
        errors=_BACKEND,
    ),
    Operation(
        id="retrieveModel",
        method="get",
        path="/v1/models/{model}",
        tag="Models",
        summary="Read what a backend says of a model.",
        parameters=(in_path("model", "The model's name."),),
        answers=(Answer(200, "Model", "The model."),),
        errors=("model_not_found", *_BACKEND),
    ),
    Operation(
        id="check",
        method="post",
        path="/v1/check",
        tag="Guardrails",
        summary="Have content checked by the policy of an application.",
        description="Violations are an answer, not an error. Where the operator has no policy, "
        "or none for this application and kind of content, everything is safe.",
        body=Body("CheckRequest"),
        answers=(Answer(200, "CheckResult", "What the guard says."),),
        errors=(
            *BODY_ERRORS,
            "rate_limit_exceeded",
            "rate_limiter_unavailable",
            "guard_unavailable",
        ),
        counts=True,
    ),
    Operation(
        id="health",
        method="get",
        path="/health",
        tag="Operations",
        summary="Ask how the whole is.",
        answers=(
            Answer(200, "Health", "All is well."),
            Answer(503, "Health", "A part is ill; it says which and why."),
        ),
        open=True,
    ),
    Operation(
        id="about",
        method="get",
        path="/",
        tag="Operations",
        summary="Ask what this is.",
        answers=(Answer(200, "About", "Its name, and where to look."),),
        open=True,
    ),
)
