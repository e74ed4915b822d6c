"""Libraries that others import in case they are needed: loaded when they are first used, or not.

nats-py imports aiohttp for brokers behind WebSockets. Loaded at once, it would be a fifth of what a
service needs to start. structlog imports Rich, a tenth, for logs in color that no service writes.
"""

import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType


def defer(name: str) -> None:
    """Let `import` of a package give a module that is loaded by the first use of it.

    Nothing happens where it is loaded already, or not installed.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None:
        sys.modules[name] = _Deferred(spec)


@contextmanager
def hidden(name: str) -> Generator[None]:
    """Let `import` of a package raise `ImportError` meanwhile, as where it is not installed.

    Nothing happens where it is loaded already.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # pyright: ignore[reportArgumentType] -- what `import` looks for
    try:
        yield
    finally:
        del sys.modules[name]


class _Deferred(ModuleType):
    # Not importlib's `LazyLoader`: the second `import` of its module loads it.
    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        self.__loader__ = spec.loader
        self.__file__ = spec.origin
        self.__package__ = spec.name

    def __getattr__(self, name: str) -> object:
        """Load it; called for what is not there yet."""
        spec = self.__spec__
        if spec is None or spec.loader is None:
            raise AttributeError(name)
        self.__class__ = ModuleType  # pyright: ignore[reportAttributeAccessIssue] -- loaded, it defers nothing
        self.__path__ = spec.submodule_search_locations or []
        spec.loader.exec_module(self)
        return getattr(self, name)
