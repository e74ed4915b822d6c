"""Classifies texts on a thread of its own, in batches: texts that come meanwhile are the next."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Judge = Callable[[Sequence[str]], list[float]]


class BatchClassifier:
    """Judges texts by a function that takes many at once and must not hold up the event loop."""

    def __init__(self, largest: int) -> None:
        """`largest`: how many texts the function takes at once."""
        self._largest = largest
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._judge: Judge | None = None
        self._waiting: list[tuple[str, asyncio.Future[float]]] = []
        self._working: asyncio.Task[None] | None = None

    async def start(self, load: Callable[[], Judge]) -> None:
        """Load the function on the thread; raises what `load` raises."""
        loop = asyncio.get_running_loop()
        self._judge = await loop.run_in_executor(self._thread, load)

    async def judge(self, texts: Sequence[str]) -> list[float]:
        """Give the score of each text, in a batch with the texts of other callers."""
        loop = asyncio.get_running_loop()
        mine = [(text, loop.create_future()) for text in texts]
        self._waiting += mine
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await asyncio.gather(*(future for _, future in mine))

    def stop(self) -> None:
        """Cancel the work; needs no running call to end."""
        if self._working is not None:
            self._working.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[: self._largest]
                del self._waiting[: self._largest]
                # A caller that gave up meanwhile has cancelled its future.
                await self._judged([each for each in batch if not each[1].done()])
        finally:
            self._working = None

    async def _judged(self, batch: list[tuple[str, asyncio.Future[float]]]) -> None:
        judge = self._judge
        if judge is None or not batch:
            return
        texts = [text for text, _ in batch]
        loop = asyncio.get_running_loop()
        scores = loop.run_in_executor(self._thread, judge, texts)
        await asyncio.wait([scores])
        for place, (_, future) in enumerate(batch):
            if future.done():
                continue
            if error := scores.exception():
                future.set_exception(error)
            else:
                future.set_result(scores.result()[place])
