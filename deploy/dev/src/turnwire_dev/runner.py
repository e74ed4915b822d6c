"""One run of the whole system, from the first check to the last process."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine, Generator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from turnwire_cli.exit_codes import BAD_INPUT, FAILED
from turnwire_dev.backend import BackendAnswers, BackendFails, ask_backend
from turnwire_dev.components.installed import PartMissingError
from turnwire_dev.components.model import MODEL_ID
from turnwire_dev.components.nats_security import LogKeyError
from turnwire_dev.instance.callers import AuthenticationMissingError, require_authentication
from turnwire_dev.instance.disk import NoRoomError, require_room
from turnwire_dev.instance.folder import DataFolder, FolderInUseError
from turnwire_dev.instance.ports import port_problem
from turnwire_dev.instance.run_file import Run, RunFile, read_run
from turnwire_dev.plan import Plan, make_plan
from turnwire_dev.scale import in_words
from turnwire_dev.screen import Screen, StartSummary
from turnwire_dev.settings import RunnerSettings
from turnwire_dev.storage_watch import StorageWatch, illnesses
from turnwire_dev.supervision.probe import HTTP_OK, NoAnswerError, get
from turnwire_dev.supervision.process import ChildGaveUpError
from turnwire_dev.supervision.reports import Report
from turnwire_dev.supervision.restarts import RestartRules
from turnwire_dev.supervision.supervisor import Supervisor

REMIND_EVERY = 15.0
READY_WITHIN = 120.0
WELL_WITHIN = 10.0
WELL_PAUSE = 0.1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class CannotRunError(Exception):
    """Why there is no run; the text is for people and names the way out."""


async def run(settings: RunnerSettings, screen: Screen, environ: Mapping[str, str]) -> int:
    """Run until a signal; returns the exit code. Nothing is started unless everything can be."""
    began = time.monotonic()
    folder = DataFolder(settings.data_dir)
    try:
        await require_authentication(settings, folder)
        _claim_port(settings, folder)
        if settings.keeps_data_here:
            require_room(folder, settings.storage_reserve_bytes)
        folder.prepare()
        with folder.held():
            plan = make_plan(settings, folder, environ)
            return await Runner(settings, screen, folder, plan).run(began)
    except AuthenticationMissingError as error:
        screen.problem(str(error))
        return BAD_INPUT
    except FolderInUseError as error:
        screen.problem(_folder_in_use(error, folder))
    except (CannotRunError, NoRoomError, PartMissingError, LogKeyError) as error:
        screen.problem(str(error))
    except OSError as error:
        screen.problem(f"Cannot work in {folder.path}: {error}. TURNWIRE_DATA_DIR names another.")
    return FAILED


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
        rules = RestartRules(longest_pause=settings.max_restart_pause_s)
        self._supervisor = Supervisor(self._tell, rules)
        self._run_file = RunFile(folder.run_file, _as_run(plan), plan.children)
        self._watch = StorageWatch(
            folder.path,
            settings.storage_reserve_bytes,
            screen,
            illnesses(plan.children),
            self._supervisor.restart,
        )

    async def run(self, began: float) -> int:
        """Start everything, wait for a signal, end everything. `began`: monotonic seconds."""
        with self._signals():
            watching = asyncio.create_task(self._watch_storage())
            try:
                self._screen.starting(self._plan.children, self._folder.path)
                for spec in self._plan.children:
                    self._supervisor.start(spec)
                if await self._unless_stopped(self._come_up(began)):
                    await self._unless_stopped(self._supervisor.failed())
            except ChildGaveUpError as error:
                self._tell(error.report)
                return FAILED
            except CannotRunError as error:
                self._screen.problem(str(error))
                return FAILED
            finally:
                watching.cancel()
                await self._end()
        return 0

    async def _watch_storage(self) -> None:
        if self._settings.keeps_data_here:
            await self._watch.run(self._run_file.settle)

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
        unwell, (model, note, apis) = await asyncio.gather(
            self._wait_until_well(), self._backends()
        )
        if unwell:
            self._screen.warning(f"The gateway reports trouble: {unwell}")
        self._screen.welcome(
            StartSummary(
                seconds=time.monotonic() - began,
                url=self._plan.addresses.api,
                has_console=self._settings.console,
                model=model,
                model_note=note,
                apis=apis,
                data=self._folder.path,
                logs=self._folder.logs,
                members=in_words(self._settings.members),
            )
        )

    async def _wait_until_well(self) -> str:
        """Wait until the gateway is well; gives what is wrong after `WELL_WITHIN` seconds."""
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

    async def _backends(self) -> tuple[str, str, tuple[str, ...]]:
        """Give a model's id, where it is served, and which API each inference server speaks."""
        settings, url = self._settings, self._plan.addresses.backend
        servers = settings.named_servers(url)
        models, apis = list[str](), list[str]()
        for server, answer in zip(
            servers, await asyncio.gather(*map(ask_backend, servers)), strict=True
        ):
            match answer:
                case BackendAnswers(listed, api):
                    models += listed
                    apis.append(f"{server.name} speaks {api}")
                case BackendFails(problem, way_out):
                    self._screen.warning(f"The backend does not work yet: {problem}. {way_out}")
        if settings.needs_local_model:
            note = "135M parameters, served here; TURNWIRE_BACKEND_URL brings your own"
            return MODEL_ID, note, tuple(apis)
        where = settings.backends or url
        if not models:
            return "your-model", f"{where} lists no models" if apis else f"at {where}", tuple(apis)
        more = f", and {len(models) - 1} more" if len(models) > 1 else ""
        return models[0], f"at {where}{more}", tuple(apis)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run `work` unless a stop comes first; gives whether it ended. Raises its error."""
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
        self._watch.note(report)
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
        version=version("turnwire-dev"),
    )


def _claim_port(settings: RunnerSettings, folder: DataFolder) -> None:
    trouble = port_problem(settings.host, settings.port)
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
