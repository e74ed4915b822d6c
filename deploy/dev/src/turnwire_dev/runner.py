"""One run of the whole system, from the first check to the last process."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine, Generator, Mapping
from datetime import UTC, datetime
from typing import Any

from turnwire_dev.backend import BackendAnswers, BackendFails, ask_backend
from turnwire_dev.claims.callers import NobodyMayCallError, refuse_if_nobody_may_call
from turnwire_dev.claims.folder import DataFolder, FolderInUseError
from turnwire_dev.claims.ports import why_not
from turnwire_dev.claims.run_file import Run, RunFile, read_run
from turnwire_dev.parts.installed import PartMissingError
from turnwire_dev.parts.model import MODEL_ID
from turnwire_dev.parts.nats_security import LogKeyError
from turnwire_dev.plan import Plan, make_plan
from turnwire_dev.scale import in_words
from turnwire_dev.screen import Screen, Welcome
from turnwire_dev.settings import RunnerSettings
from turnwire_dev.supervision.probe import HTTP_OK, NoAnswerError, get
from turnwire_dev.supervision.process import ChildGaveUpError
from turnwire_dev.supervision.reports import Report
from turnwire_dev.supervision.supervisor import Supervisor

REMIND_EVERY = 15.0
READY_WITHIN = 120.0
WELL_WITHIN = 10.0
WELL_PAUSE = 0.1
BAD_SETTINGS = 2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotRunError(Exception):
    """Why there is no run; the text is for people and names the way out."""


async def run(settings: RunnerSettings, screen: Screen, environ: Mapping[str, str]) -> int:
    """Run until a signal; returns the exit code. Nothing is started unless everything can be."""
    began = time.monotonic()
    folder = DataFolder(settings.data_dir)
    try:
        await refuse_if_nobody_may_call(settings, folder)
        _claim_port(settings, folder)
        folder.prepare()
        with folder.held():
            plan = make_plan(settings, folder, environ)
            return await Runner(settings, screen, folder, plan).run(began)
    except NobodyMayCallError as error:
        screen.problem(str(error))
        return BAD_SETTINGS
    except FolderInUseError as error:
        screen.problem(_folder_in_use(error, folder))
    except (CannotRunError, PartMissingError, LogKeyError) as error:
        screen.problem(str(error))
    except OSError as error:
        screen.problem(f"Cannot work in {folder.path}: {error}. TURNWIRE_DATA_DIR names another.")
    return 1


class Runner:
    """The children of one plan, kept alive between the first signal and the last."""

    def __init__(
        self, settings: RunnerSettings, screen: Screen, folder: DataFolder, plan: Plan
    ) -> None:
        """Needs a running event loop and the folder held."""
        self._settings = settings
        self._screen = screen
        self._folder = folder
        self._plan = plan
        self._stop = asyncio.Event()
        self._supervisor = Supervisor(self._tell)
        self._run_file = RunFile(folder.run_file, _as_run(plan), plan.children)

    async def run(self, began: float) -> int:
        """Start everything, wait for a signal, end everything. `began`: monotonic seconds."""
        with self._signals():
            try:
                self._screen.starting(self._plan.children, self._folder.path)
                for spec in self._plan.children:
                    self._supervisor.start(spec)
                if await self._unless_stopped(self._come_up(began)):
                    await self._unless_stopped(self._supervisor.failed())
            except ChildGaveUpError as error:
                self._tell(error.report)
                return 1
            except CannotRunError as error:
                self._screen.problem(str(error))
                return 1
            finally:
                await self._end()
        return 0

    async def _come_up(self, began: float) -> None:
        ready = asyncio.create_task(self._supervisor.all_ready())
        try:
            while not (await asyncio.wait({ready}, timeout=REMIND_EVERY))[0]:
                waited = time.monotonic() - began
                late = self._supervisor.waiting_for()
                self._screen.still_waiting(late, waited)
                if waited > READY_WITHIN:
                    names = ", ".join(spec.name for spec in late)
                    raise CannotRunError(
                        f"Given up after {waited:.0f} s: {names} did not get ready."
                    )
            await ready
        finally:
            ready.cancel()
        await self._greet(began)

    async def _greet(self, began: float) -> None:
        unwell, (model, note) = await asyncio.gather(self._wait_until_well(), self._model())
        if unwell:
            self._screen.warning(f"The gateway reports trouble: {unwell}")
        self._screen.welcome(
            Welcome(
                seconds=time.monotonic() - began,
                url=self._plan.addresses.api,
                model=model,
                model_note=note,
                data=self._folder.path,
                logs=self._folder.logs,
                members=in_words(self._settings.members),
            )
        )

    async def _wait_until_well(self) -> str:
        """What the gateway says is wrong after WELL_WITHIN; empty as soon as all is well."""
        deadline = time.monotonic() + WELL_WITHIN
        while True:
            try:
                answer = await get(f"{self._plan.addresses.api}/health")
                trouble = f"{answer.status} {answer.body.decode(errors='replace')[:300]}"
                if answer.status == HTTP_OK:
                    return ""
            except NoAnswerError as error:
                trouble = str(error)
            if time.monotonic() > deadline:
                return trouble
            await asyncio.sleep(WELL_PAUSE)

    async def _model(self) -> tuple[str, str]:
        """The model's id, and a word about it."""
        if self._settings.brings_no_backend:
            return MODEL_ID, "135M parameters, served here; TURNWIRE_BACKEND_URL brings your own"
        # The gateway lists the models of all backends that a file names.
        backends, key = self._settings.backends, self._settings.backend_api_key
        url = f"{self._plan.addresses.api}/v1" if backends else self._plan.addresses.backend
        where = backends or url
        match await ask_backend(url, None if backends else key):
            case BackendAnswers((first, *others)):
                more = f", and {len(others)} more" if others else ""
                return first, f"at {where}{more}"
            case BackendAnswers():
                return "your-model", f"{where} lists no models"
            case BackendFails(problem, way_out):
                self._screen.warning(f"The backend does not work yet: {problem}. {way_out}")
                return "your-model", f"at {where}"

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether `work` came to its end before somebody asked to stop. Raises what it raises."""
        task = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                return False
            await task
            return True
        finally:
            stopped.cancel()
            task.cancel()

    async def _end(self) -> None:
        began = time.monotonic()
        self._screen.stopping()
        await self._supervisor.stop()
        self._run_file.remove()
        self._screen.stopped(time.monotonic() - began)

    def _tell(self, report: Report) -> None:
        self._run_file.note(report)
        self._screen.show(report)

    @contextlib.contextmanager
    def _signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        try:
            yield
        finally:
            for number in STOP_SIGNALS:
                loop.remove_signal_handler(number)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._supervisor.kill()
        self._stop.set()


def _as_run(plan: Plan) -> Run:
    return Run(
        runner=os.getpid(),
        started_at=datetime.now(UTC),
        url=plan.addresses.api,
        nats_url=plan.addresses.nats,
        mongodb_url=plan.addresses.mongodb,
        backend_url=plan.addresses.backend,
    )


def _claim_port(settings: RunnerSettings, folder: DataFolder) -> None:
    trouble = why_not(settings.host, settings.port)
    if not trouble:
        return
    other = read_run(folder.run_file) if folder.is_held() else None
    by = f" by the Turnwire of this folder (process {other.runner}, {other.url})" if other else ""
    raise CannotRunError(
        f"Port {settings.port} on {settings.host} {trouble}{by}. "
        f"Choose another with TURNWIRE_PORT, as in: TURNWIRE_PORT={settings.port + 1} turnwire up"
    )


def _folder_in_use(error: FolderInUseError, folder: DataFolder) -> str:
    run = read_run(folder.run_file)
    where = f" at {run.url}" if run else ""
    return (
        f"The data folder {error.path} is in use by another Turnwire "
        f"(process {error.holder}{where}). "
        f"Stop that one (kill {error.holder}), or choose another folder with TURNWIRE_DATA_DIR."
    )
