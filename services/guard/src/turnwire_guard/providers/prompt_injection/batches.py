"""Work on a thread of its own, in batches: what comes while one is worked on is the next."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Judge = Callable[[Sequence[str]], list[float]]


class Batches:
    """Judges texts by a function that takes many at once and must not hold up the event loop."""

    def __init__(self, largest: int) -> None:
        """Give at most `largest` texts to one call; nothing runs yet."""
        self._largest = largest
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._judge: Judge | None = None
        self._waiting: list[tuple[str, asyncio.Future[float]]] = []
        self._working: asyncio.Task[None] | None = None

    async def start(self, load: Callable[[], Judge]) -> None:
        """Get the function, on the thread; raises what `load` raises."""
        loop = asyncio.get_running_loop()
        self._judge = await loop.run_in_executor(self._thread, load)

    async def judge(self, texts: Sequence[str]) -> list[float]:
        """Judge some texts, together with those of others."""
        loop = asyncio.get_running_loop()
        mine = [(text, loop.create_future()) for text in texts]
        self._waiting += mine
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await asyncio.gather(*(future for _, future in mine))

    def stop(self) -> None:
        """Start nothing more."""
        if self._working is not None:
            self._working.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._largest]
                del self._waiting[: self._largest]
                # Whoever gave up meanwhile has cancelled its future.
                await self._judged([each for each in batch if not each[1].done()])
        finally:
            self._working = None

    async def _judged(self, batch: list[tuple[str, asyncio.Future[float]]]) -> None:
        judge = self._judge
        if judge is None or not batch:
            return
        texts = [text for text, _ in batch]
        loop = asyncio.get_running_loop()
        found = loop.run_in_executor(self._thread, judge, texts)
        await asyncio.wait([found])
        for place, (_, future) in enumerate(batch):
            if future.done():
                continue
            if error := found.exception():
                future.set_exception(error)
            else:
                future.set_result(found.result()[place])
