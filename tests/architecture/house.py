"""What the rules of the house are checked against: our own Python, parsed, and our own files."""

import ast
import gc
import importlib
import pkgutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]

SERVICES = ("gateway", "orchestrator", "tool_runner", "guard", "store")

_PYTHON_FOLDERS = ("libs", "services", "deploy", "tests", "bench", "examples", "docs")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file of ours."""

    path: Path
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its code, parsed when a test first asks: most ask only for a part of all modules."""
        gc.disable()
        try:
            return ast.parse(self.text, self.place)
        finally:
            # It stays until the end; Python would visit its millions of nodes again and again.
            gc.freeze()
            gc.enable()

    @property
    def place(self) -> str:
        """Its path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def ships(self) -> bool:
        """Whether it is part of a package, and no test."""
        return "src" in self.path.parts

    def functions(self) -> Iterator[Function]:
        """Walk through all functions and methods, nested ones included."""
        for node in ast.walk(self.tree):
            if isinstance(node, Function):
                yield node


@lru_cache(maxsize=1)
def modules() -> tuple[Module, ...]:
    """Give every Python file of the repository."""
    paths = sorted(path for folder in _PYTHON_FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return tuple(Module(path, path.read_text(encoding="utf-8")) for path in paths)


def files_of_the_project() -> list[Path]:
    """Give the files that git tracks or would track."""
    command = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    paths = {ROOT / name for name in listed.stdout.split("\0") if name}
    return sorted(path for path in paths if path.is_file())


@lru_cache(maxsize=1)
def settings_classes() -> tuple[type[BaseSettings], ...]:
    """Give the settings classes of the services and of the dev runner."""
    found = [cls for package in (*SERVICES, "dev") for cls in _settings_in(f"turnwire_{package}")]
    return tuple(found)


def _settings_in(package: str) -> Iterator[type[BaseSettings]]:
    root = importlib.import_module(package)
    if "settings" not in {module.name for module in pkgutil.iter_modules(root.__path__)}:
        return
    module = importlib.import_module(f"{package}.settings")
    for value in vars(module).values():
        own = isinstance(value, type) and value.__module__ == module.__name__
        if own and issubclass(value, BaseSettings):
            yield value
