"""Particles on Dask workers: the forward stays on each, models and gradients travel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from vip.dispatch.serial import Serial
from vip.dispatch.shared import Place, SharedArrays, open_place
from vip.dispatch.shares import Indices, Shares, as_slice
from vip.errors import DispatchError, Interrupted
from vip.protocols import Evaluation, Floats, Forward

if TYPE_CHECKING:
    from distributed import Client

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How often to ask the scheduler which workers there are."""

REMIND_SECONDS = 60.0
"""How often to say that there are none."""

START_SECONDS = 600.0
"""A worker that takes longer to build the forward never will: it may lack this package."""

KILL_SECONDS = 5.0
"""What a worker that hangs gets to end by itself."""

TRIES = 3
"""A group whose workers are lost so often is cut into particles; a particle that loses so many is at fault itself. If so many
for each worker are lost and no group is done in between, none is at fault but the machines."""


class Resident:
    """A forward that lives on a worker; a Dask actor, which Dask calls directly, past its scheduler.

    Parameters
    ----------
    build : callable
        Makes the forward from its settings and files: data never travel.
    threads : int
        For a forward that runs its own threads.
    """

    def __init__(self, build: Callable[[], Forward], threads: int) -> None:
        self._serial = Serial(build(), threads)
        self._place: Place | None = None
        threadpool_limits(1, user_api="blas")  # sums depend on the number of threads; this process does nothing else

    def evaluate(self, models: Floats, blocks: Sequence[int] | None) -> Evaluation:
        """As `vip.protocols.Dispatcher.evaluate`."""
        return self._serial.evaluate(models, blocks)

    def evaluate_shared(self, place: Place, rows: Indices, blocks: Sequence[int] | None) -> Evaluation:
        """The same of some rows of shared models; the gradient is left in shared memory too."""
        if place != self._place:
            self._place, (self._models, self._gradients) = place, open_place(place)
        where = as_slice(rows)
        evaluation = self._serial.evaluate(self._models[where], blocks)
        self._gradients[where] = evaluation.gradient
        return evaluation._replace(gradient=np.zeros((0, 0)))


class DaskWorkers:
    """Hands groups of particles to whichever worker is free, and again to another if the worker is lost.

    Workers may come and go at any time: who joins gets the forward and then particles, who is lost is forgotten.

    Parameters
    ----------
    client : distributed.Client
        With ``direct_to_workers``; entering and leaving it is the caller's.
    build : callable
        Makes the forward on a worker.
    threads : int
        For a forward that runs its own threads.
    batch : int
        Particles that the forward evaluates at the price of one.
    timeout : float, optional
        Seconds that the evaluation of one particle may take; a worker that takes longer is restarted.
    minimum : int
        Workers to wait for before the first evaluation.
    shared : bool
        Whether all workers are processes of this machine and user, that can share memory.
    replace_lost : callable
        Called now and then, to have lost workers replaced.
    leave : callable
        Asked while waiting; when it says so the evaluation is given up.
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
        leave: Callable[[], bool] = lambda: False,
    ) -> None:
        self.client, self.timeout, self._replace_lost, self._leave = client, timeout, replace_lost, leave
        self._build, self._threads, self._use_shared = build, threads, shared
        self._shares, self._minimum = Shares(batch), minimum
        self._shared: SharedArrays | None = None
        self._residents: dict[str, Any] = {}
        self._starting: dict[asyncio.Task[Any], tuple[str, float]] = {}
        self._refused: dict[str, str] = {}
        self._looked = self._reminded = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shared is not None:
            self._shared.close()

    @property
    def workers(self) -> int:
        """Workers that have the forward now."""
        return len(self._residents)

    def evaluate(self, models: Floats, blocks: Sequence[int] | None = None) -> Evaluation:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), of some data blocks or all.

        Raises
        ------
        DispatchError
            If the scheduler is lost, or no worker can build the forward.
        Interrupted
            If `leave` says so.
        """
        start = time.perf_counter()
        if self._use_shared:
            self._share(models)
        try:
            evaluation: Evaluation = self.client.sync(self._evaluate, models, blocks)
        except OSError as error:
            raise DispatchError(f"dispatch: the Dask scheduler is lost: {error}; `vip resume` the run") from error
        return evaluation._replace(seconds=time.perf_counter() - start)

    def _share(self, models: Floats) -> None:
        if self._shared is None or self._shared.place.shape != models.shape:
            if self._shared is not None:
                self._shared.close()
            self._shared = SharedArrays((models.shape[0], models.shape[1]))
        self._shared.models[:] = models

    async def _evaluate(self, models: Floats, blocks: Sequence[int] | None) -> Evaluation:
        result = Evaluation(np.full(len(models), np.nan), np.empty(models.shape), 0.0, {})
        while len(self._residents) < self._minimum:
            await self._look()
            await self._settle(set())
        self._minimum = 1  # to begin with; from now on the run goes on with whom it has
        todo = deque(self._shares.groups(len(models), len(self._residents)))
        running: dict[asyncio.Task[Evaluation], tuple[str, Indices, float]] = {}
        lost: Counter[tuple[int, ...]] = Counter()
        in_a_row, most = 0, len(self._residents)
        try:
            while todo or running:
                busy = {address for address, _, _ in running.values()}
                for address in [address for address in self._residents if address not in busy][: len(todo)]:
                    group = todo.popleft()
                    task = asyncio.ensure_future(self._call(address, models, group, blocks))
                    running[task] = address, group, time.monotonic()
                done = await self._settle(set(running))
                for task in done | self._overdue(running):
                    address, group, _ = running.pop(task)
                    reason = self._take(task, address, group, result)
                    in_a_row = 0 if reason is None else in_a_row + 1
                    if reason is not None:
                        self._forget(address, reason)
                        todo.extendleft(_again(group, lost, reason, result))
                most = max(most, len(self._residents))
                if in_a_row >= TRIES * (most + 2):
                    raise DispatchError(f"dispatch: {in_a_row} workers were lost one after the other, the last one: {reason}")
        finally:
            for task in running:
                task.cancel()
        return result

    async def _call(self, address: str, models: Floats, group: Indices, blocks: Sequence[int] | None) -> Evaluation:
        resident = self._residents[address]
        if self._shared is not None:
            evaluation: Evaluation = await resident.evaluate_shared(self._shared.place, group, blocks)
            return evaluation._replace(gradient=self._shared.gradients[as_slice(group)])
        return await resident.evaluate(models[as_slice(group)], blocks)  # type: ignore[no-any-return]

    def _take(self, task: asyncio.Task[Evaluation], address: str, group: Indices, result: Evaluation) -> str | None:
        """Put a group's evaluation where it belongs; or say why there is none."""
        if not task.done():
            task.cancel()
            return f"no answer within {self.timeout:g} s a particle" if address in self._residents else "it has gone"
        error = task.exception()
        if error is not None:  # a forward's own errors are in the evaluation: this is the worker's
            return f"{type(error).__name__}: {error}"
        evaluation = task.result()
        where = as_slice(group)
        result.log_likelihood[where], result.gradient[where] = evaluation.log_likelihood, evaluation.gradient
        result.failures.update({int(group[i]): reason for i, reason in evaluation.failures.items()})
        self._shares.learn(group, evaluation.seconds)
        return None

    def _overdue(self, running: dict[asyncio.Task[Evaluation], tuple[str, Indices, float]]) -> set[asyncio.Task[Evaluation]]:
        """Calls that take too long, or whose worker the scheduler no longer knows."""
        now, limit = time.monotonic(), self.timeout
        return {
            task
            for task, (address, group, since) in running.items()
            if not task.done() and (address not in self._residents or (limit and now - since > limit * len(group)))
        }

    async def _settle(self, running: set[asyncio.Task[Evaluation]]) -> set[asyncio.Task[Evaluation]]:
        """Wait until a call or a worker's start is done, or a while; calls that are done."""
        if self._leave():
            raise Interrupted("dispatch: told to end")
        waiting = running | set(self._starting)
        if waiting:
            await asyncio.wait(waiting, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(LOOK_SECONDS)
        late = time.monotonic() - START_SECONDS
        for task in [task for task, (_, since) in self._starting.items() if task.done() or since < late]:
            self._welcome(task)
        if time.monotonic() - self._looked > LOOK_SECONDS:
            await self._look()
        return {task for task in running if task.done()}

    async def _look(self) -> None:
        """Learn which workers there are; give the forward to new ones, forget those that are gone."""
        self._looked = time.monotonic()
        present = set(await self.client.nthreads())
        for address in set(self._residents) - present:
            self._forget(address, "it has gone")
        starting = {address for address, _ in self._starting.values()}
        for address in present - set(self._residents) - set(self._refused) - starting:
            self._starting[asyncio.ensure_future(self._start(address))] = address, self._looked
        if not (self._residents or self._starting) and self._looked - self._reminded > REMIND_SECONDS:
            self._reminded = self._looked
            log.info("no workers yet: waiting for them")
        self._replace_lost()

    async def _start(self, address: str) -> Any:
        """A new resident."""
        options = {"actor": True, "workers": [address], "allow_other_workers": False, "pure": False}
        return await self.client.submit(Resident, self._build, self._threads, **options)

    def _welcome(self, start: asyncio.Task[Any]) -> None:
        address, _ = self._starting.pop(start)
        error = start.exception() if start.done() else TimeoutError(f"not done after {START_SECONDS:g} s; see its log")
        if error is None:
            self._residents[address] = start.result()
            log.info("worker %s: ready, %d in all", address, len(self._residents))
            return
        self._refused[address] = str(error)
        log.warning("worker %s: cannot build the forward: %s", address, error)
        if not self._residents and not self._starting:
            raise DispatchError(f"dispatch: worker {address} cannot build the forward: {error}") from error

    def _forget(self, address: str, reason: str) -> None:
        """Drop a worker, and have it restarted if it is still there."""
        if self._residents.pop(address, None) is not None:
            log.warning("worker %s: lost: %s", address, reason)
            self._restarting = asyncio.ensure_future(self._restart(address))

    async def _restart(self, address: str) -> None:
        """End a worker's process, whose nanny then starts another; one without a nanny is not used again."""
        try:
            if address in await self.client.nthreads():
                await self.client.restart_workers([address], timeout=KILL_SECONDS, raise_for_error=False)
        except (OSError, ValueError, KeyError) as error:
            self._refused[address] = str(error)
            log.warning("worker %s: cannot be restarted, left out: %s", address, error)


def _again(group: Indices, lost: Counter[tuple[int, ...]], reason: str, result: Evaluation) -> list[Indices]:
    """What to hand out anew of a group whose worker was lost."""
    key = tuple(group.tolist())
    lost[key] += 1
    if lost[key] < TRIES:
        return [group]
    if len(group) > 1:
        return [group[i : i + 1] for i in range(len(group))]
    result.gradient[group] = np.nan
    result.failures[key[0]] = f"{TRIES} workers were lost evaluating it, the last one: {reason}"
    return []
