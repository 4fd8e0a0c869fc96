"""Particles on Dask workers: a forward stays on each worker, models and gradients travel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from vip.dispatch.serial import Serial
from vip.dispatch.shared import Place, SharedArrays, open_place
from vip.dispatch.shares import Gathered, Indices, Part, Shares, Task, as_slice
from vip.errors import DispatchError, Interrupted
from vip.protocols import Evaluation, Floats, Forward, Simulation

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""Time between two questions to the scheduler about which workers there are, s."""

REMIND_SECONDS = 60.0
"""Time between two messages that there are no workers, s."""

START_SECONDS = 600.0
"""Time to build the forward, s: a worker that takes longer never will, as it may lack this package."""

KILL_SECONDS = 5.0
"""Time that a worker that hangs gets to end by itself, s."""

TRIES = 3
"""Number of lost workers after which a group is cut into single particles, and a particle that lost them while others were
evaluated is at fault itself. If that many for each worker are lost one after the other, the machines are at fault."""


class Resident:
    """A forward that lives on a worker; a Dask actor, which Dask calls directly, past its scheduler.

    Parameters
    ----------
    build : callable
        Makes the forward from its settings and files: data never travel.
    threads : int
        Number of threads, for a forward that runs its own.
    """

    def __init__(self, build: Callable[[], Forward], threads: int) -> None:
        self._serial = Serial(build(), threads)
        self._place: Place | None = None
        threadpool_limits(1, user_api="blas")  # sums depend on the number of threads; this process does nothing else

    def do(self, task: Task, models: Floats) -> Part:
        """Do a task on models (n, d)."""
        return task(self._serial, models)

    def evaluate_shared(self, task: Task, place: Place, rows: Indices) -> Evaluation:
        """Evaluate some rows of shared models; the gradient is left in shared memory too."""
        if place != self._place:
            self._place, (self._models, self._gradients) = place, open_place(place)
        where = as_slice(rows)
        evaluation = self._serial.evaluate(self._models[where], task.blocks, task.observed)
        self._gradients[where] = evaluation.gradient
        return evaluation._replace(gradient=np.zeros((0, 0)))


class DaskWorkers:
    """A dispatcher that hands groups of particles to free workers, and to another worker if one is lost.

    Workers may come and go at any time: one that joins gets the forward and then particles, one that is lost is forgotten.

    Parameters
    ----------
    client : distributed.Client
        A client with ``direct_to_workers``, which the caller enters and leaves.
    build : callable
        Makes the forward on a worker.
    threads : int
        Number of threads, for a forward that runs its own.
    batch : int
        Number of particles that the forward evaluates at the price of one.
    timeout : float, optional
        Seconds that the evaluation of one particle may take; a worker that takes longer is restarted.
    minimum : int
        Number of workers to wait for before the first evaluation.
    shared : bool
        Whether all workers are processes of this machine and user, which can share memory.
    replace_lost : callable
        Called now and then, to have lost workers replaced.
    leave : callable
        Called while particles are evaluated, and with True while there is no worker; the evaluation is given up where it
        returns true.
    """

    def __init__(
        self,
        client: Client,
        build: Callable[[], Forward],
        threads: int = 1,
        batch: int = 1,
        timeout: float | None = None,
        minimum: int = 1,
        shared: bool = False,
        replace_lost: Callable[[], object] = lambda: None,
        leave: Callable[[bool], bool] = lambda idle: False,
    ) -> None:
        self.client, self.timeout, self._replace_lost, self._leave = client, timeout, replace_lost, leave
        self._build, self._threads, self._use_shared = build, threads, shared
        self._shares, self._minimum = Shares(batch), minimum
        self._shared: SharedArrays | None = None
        self._residents: dict[str, Any] = {}
        self._starting: dict[str, asyncio.Task[Any]] = {}
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._refused: dict[str, str] = {}
        self._failed_starts = 0
        self._looked = self._reminded = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(OSError):
            self.client.sync(self._abandon)
        if self._shared is not None:
            self._shared.close()

    @property
    def workers(self) -> int:
        """Workers that have the forward now."""
        return len(self._residents)

    def evaluate(self, models: Floats, blocks: Sequence[int] | None = None, observed: Floats | None = None) -> Evaluation:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), see `vip.protocols.Dispatcher`.

        Raises
        ------
        DispatchError
            If the scheduler is lost, or no worker can build the forward.
        Interrupted
            If `leave` returns true.
        """
        if self._use_shared:
            self._share(models)
        evaluation: Evaluation = self._done(Task("evaluate", blocks, observed), models)
        return evaluation

    def simulate(self, models: Floats) -> Simulation:
        """Data (n, n_data) that models (n, d) predict; raises as `evaluate` does."""
        simulation: Simulation = self._done(Task("simulate"), models)
        return simulation

    def _done(self, task: Task, models: Floats) -> Any:
        start = time.perf_counter()
        try:
            gathered: Gathered = self.client.sync(self._gather, task, models)
        except OSError as error:
            raise DispatchError(f"dispatch: the Dask scheduler is lost: {error}; `vip resume` the run") from error
        return gathered.whole(time.perf_counter() - start)

    def _share(self, models: Floats) -> None:
        if self._shared is None or self._shared.place.shape != models.shape:
            if self._shared is not None:
                self._shared.close()
            self._shared = SharedArrays((models.shape[0], models.shape[1]))
        self._shared.models[:] = models

    async def _gather(self, task: Task, models: Floats) -> Gathered:
        while len(self._residents) < max(1, self._minimum - len(self._refused)):
            await self._look()
            await self._pause(asyncio.Event(), idle=True)
        self._minimum = 1  # to begin with; from now on the run goes on with whom it has
        work = Work(task, models, self._shares.groups(len(models), len(self._residents)))
        serving: dict[str, asyncio.Task[None]] = {}
        try:
            while not work.is_done:
                for address in self._residents:
                    if work.todo and (address not in serving or serving[address].done()):
                        serving[address] = asyncio.ensure_future(self._serve(address, work))
                await self._pause(work.changed, idle=not self._residents)
                if time.monotonic() - self._looked > LOOK_SECONDS:
                    await self._look()
                for address in serving.keys() - self._residents.keys():
                    serving.pop(address).cancel()
                work.check(len(self._residents))
        finally:
            for server in serving.values():
                server.cancel()
        return work.gathered

    async def _serve(self, address: str, work: Work) -> None:
        """Hand groups to a worker, one after the other, while there are any and it is there."""
        while work.todo and address in self._residents:
            group = work.todo.popleft()
            limit = self.timeout * len(group) if self.timeout else None
            try:
                part = await asyncio.wait_for(self._call(address, work, group), limit)
            except TimeoutError:
                reason = f"no answer within {self.timeout:g} s a particle"
            except asyncio.CancelledError:
                work.lose(group, "it has gone")
                raise
            except Exception as error:  # a forward's own errors are in the evaluation: this is the worker's
                log.info("worker %s: %r", address, error)
                reason = "its process has ended, or cannot be reached"
            else:
                self._shares.learn(group, part.seconds)
                work.take(group, part)
                continue
            self._forget(address, reason)
            work.lose(group, reason)

    async def _call(self, address: str, work: Work, group: Indices) -> Part:
        resident, where = self._residents[address], as_slice(group)
        if self._shared is not None and work.task.ability == "evaluate":
            evaluation: Evaluation = await resident.evaluate_shared(work.task, self._shared.place, group)
            return evaluation._replace(gradient=self._shared.gradients[where])
        return await resident.do(work.task, work.models[where])  # type: ignore[no-any-return]

    async def _pause(self, changed: asyncio.Event, idle: bool) -> None:
        """Wait until something has changed, but not longer than `LOOK_SECONDS`."""
        if self._leave(idle):
            raise Interrupted("dispatch: asked to end")
        waiting = [asyncio.ensure_future(changed.wait()), *self._starting.values()]
        await asyncio.wait(waiting, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        waiting[0].cancel()
        changed.clear()
        for address in [address for address, task in self._starting.items() if task.done()]:
            self._welcome(address)

    async def _look(self) -> None:
        """Learn which workers there are; give the forward to new ones, forget those that are gone."""
        self._looked = time.monotonic()
        present = set(await self.client.nthreads())
        for address in self._residents.keys() - present:
            self._forget(address, "it has gone")
        for address in self._starting.keys() - present:
            self._starting.pop(address).cancel()
            self._has_failed(address, "it has gone while it built the forward")
        known = {*self._residents, *self._starting, *self._leaving, *self._refused}
        for address in present - known:
            self._starting[address] = asyncio.ensure_future(asyncio.wait_for(self._start(address), START_SECONDS))
        if not (self._residents or self._starting) and self._looked - self._reminded > REMIND_SECONDS:
            self._reminded = self._looked
            log.warning("waiting for workers: there are none now")
        self._replace_lost()

    async def _start(self, address: str) -> Any:
        """Build the forward on a worker, as a new resident."""
        options = {"actor": True, "workers": [address], "allow_other_workers": False, "pure": False}
        return await self.client.submit(Resident, self._build, self._threads, **options)

    def _welcome(self, address: str) -> None:
        start = self._starting.pop(address)
        error = start.exception()
        if error is None:
            self._residents[address], self._failed_starts = start.result(), 0
            log.info("worker %s: ready, %d in all", address, len(self._residents))
            return
        late = f"not done after {START_SECONDS:g} s; see its log"
        self._refused[address] = late if isinstance(error, TimeoutError) else str(error)
        self._has_failed(address, f"cannot build the forward: {self._refused[address]}")

    def _has_failed(self, address: str, reason: str) -> None:
        """Report that a worker's start failed; raise if there is no other worker, and it was not the first that failed."""
        log.warning("worker %s: %s", address, reason)
        self._failed_starts += 1
        none_left = not self._residents and not self._starting
        if none_left and (address in self._refused or self._failed_starts >= TRIES):
            raise DispatchError(f"dispatch: worker {address}: {reason}")

    def _forget(self, address: str, reason: str) -> None:
        """Drop a worker, and have it restarted if it is still there."""
        if self._residents.pop(address, None) is not None:
            log.warning("worker %s: lost: %s", address, reason)
            self._leaving[address] = asyncio.ensure_future(self._restart(address))

    async def _restart(self, address: str) -> None:
        """End a worker's process, whose nanny then starts another; one without a nanny is not used again."""
        try:
            if address in await self.client.nthreads():
                await self.client.restart_workers([address], timeout=KILL_SECONDS, raise_for_error=False)
        except (OSError, ValueError, KeyError) as error:
            self._refused[address] = str(error)
            log.warning("worker %s: cannot be restarted, left out: %s", address, error)
        finally:
            self._leaving.pop(address, None)

    async def _abandon(self) -> None:
        """End what is still under way, before the client is closed."""
        tasks = [*self._starting.values(), *self._leaving.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Work:
    """The groups of one task: those to do, and the results of the others."""

    def __init__(self, task: Task, models: Floats, groups: Sequence[Indices]) -> None:
        self.task, self.models, self.todo, self.changed = task, models, deque(groups), asyncio.Event()
        self.gathered = Gathered(len(models))
        self._left, self._any_done = len(models), False
        self._lost: Counter[tuple[int, ...]] = Counter()
        self._in_a_row, self._workers, self._reason = 0, 0, ""

    @property
    def is_done(self) -> bool:
        """Whether all particles are evaluated, or at fault."""
        return self._left == 0

    def take(self, group: Indices, part: Part) -> None:
        """Put the results of a group where they belong."""
        self.gathered.put(group, part)
        self._in_a_row, self._any_done = 0, True
        self._settle(len(group))

    def lose(self, group: Indices, reason: str) -> None:
        """Put a group whose worker was lost behind the others, which show by their success if it is at fault itself."""
        key = tuple(group.tolist())
        self._lost[key] += 1
        self._in_a_row, self._reason = self._in_a_row + 1, reason
        if self._lost[key] < TRIES or (len(group) == 1 and not self._any_done):
            self.todo.append(group)
        elif len(group) > 1:
            self.todo.extend(group[i : i + 1] for i in range(len(group)))
        else:
            self.gathered.lose(key[0], f"{TRIES} workers were lost evaluating it, the last one: {reason}")
            self._settle(1)
        self.changed.set()

    def check(self, workers: int) -> None:
        """Raise if workers are lost one after the other and no group is done in between."""
        self._workers = max(self._workers, workers)
        if self._in_a_row >= TRIES * (self._workers + 2):
            raise DispatchError(
                f"dispatch: {self._in_a_row} workers were lost one after the other, the last one: {self._reason}"
            )

    def _settle(self, particles: int) -> None:
        self._left -= particles
        if self.is_done:
            self.changed.set()
