"""The store's answers over a log in memory, without a process."""

from turnwire_chassis.retention import KEEPS_ALL, Retention
from turnwire_store.handlers import QueryHandlers
from turnwire_store.projecting.projector import ProjectionProgress
from turnwire_store.queries.freshness import Freshness
from turnwire_store.queries.recall import Recall
from turnwire_store.queries.responses import ResponseLists
from turnwire_store.recent_turns import RecentTurns
from turnwire_store.views import Generations
from turnwire_testing.memory_feed import MemoryFeeds


def query_handlers(
    log: MemoryFeeds,
    generations: Generations,
    recent: RecentTurns,
    retention: Retention = KEEPS_ALL,
) -> QueryHandlers:
    """Answer from `log` and its views, and wait for no view that is late."""
    freshness = Freshness(log, generations, recent, lambda: 0, patience_s=0)
    recall = Recall(log, generations, recent, freshness, retention)
    lists = ResponseLists(recall, generations, freshness, log)
    return QueryHandlers(recall, log, generations, freshness, lists, ProjectionProgress())
