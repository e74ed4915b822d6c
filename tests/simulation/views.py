"""The database of the views: it outlives the store, and a write may be broken off in its middle."""

from collections.abc import Sequence

from simulation.stand_ins import world
from turnwire_store.views import View
from turnwire_testing.memory_views import MemoryGenerations, MemoryViews


class SimViews(MemoryViews):
    """`MemoryViews` whose writes take steps: the store may die between two of them."""

    @property
    def reached(self) -> int:
        """Up to where in the log they are."""
        return self._checkpoint

    async def write(self, views: Sequence[View]) -> None:
        """See `Views.write`: a bulk of writes is no transaction."""
        life = world().supervisor.current
        for view in views:
            await life.before_step()
            await super().write([view])

    async def advance(self, sequence: int) -> None:
        """See `Views.advance`."""
        await world().supervisor.current.before_step()
        await super().advance(sequence)
        await world().supervisor.current.after_step()


class SimGenerations(MemoryGenerations):
    """`MemoryGenerations` of such views."""

    def __init__(self) -> None:
        super().__init__()
        self.only = SimViews()

    async def prepare(self, generation: int) -> MemoryViews:
        """See `Generations.prepare`."""
        del generation
        return self.only

    def views(self, generation: int) -> MemoryViews:
        """See `Generations.views`."""
        del generation
        return self.only

    async def close(self) -> None:
        """Have no connection to close."""
