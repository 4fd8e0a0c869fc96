"""Particles on MPI ranks: rank 0 runs the algorithm and evaluates too, the others only evaluate."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import pickle
import queue
import shutil
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple, Self

import cloudpickle
import numpy as np
from threadpoolctl import threadpool_limits

from vip.dispatch.serial import Serial, available_cores
from vip.dispatch.shares import Gathered, Indices, Part, Shares, Task, as_slice
from vip.errors import DispatchError, Interrupted
from vip.protocols import Evaluation, Floats, Forward, Simulation

log = logging.getLogger(__name__)

LAUNCHED = (
    ("PMI_RANK", "PMI_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMIX_RANK", "PMIX_SIZE"),
    ("MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)
"""Environment variables in which launchers give a process its rank and the number of ranks."""

HEAD, BODY = 1, 2
"""Tags of messages: a task or answer, and the array that follows it."""

SPIN_SECONDS, NAP_SECONDS = 1e-3, 1e-4
"""Time to look for a message without sleeping, then time to sleep between two looks, s: a core that waits is free."""


FIRST_RANK_SECONDS = 10.0
"""Time that rank 0 gets to report an error that the others met too, s: ranks that share cores start seconds apart."""
LAST_WORDS_SECONDS = 1.0
"""Time that a launcher gets to pass a message on, s: it may drop the rest when a rank ends all."""


class Order(NamedTuple):
    """Message that rank 0 sends ahead of the models (n, d)."""

    shape: tuple[int, int]
    task: Task


class Another(NamedTuple):
    """What rank 0 sends before it uses another forward: how to build it, pickled."""

    build: bytes


class Reply(NamedTuple):
    """Message that a rank sends ahead of its largest array, which the part leaves out."""

    part: Part
    shape: tuple[int, int]


def fail(message: str, exit_code: int) -> None:
    """Report an error and end the process; of several ranks, which mostly meet the same error, the first one reports it.

    All ranks end, also those that met no error: they would wait for this one for ever.
    """
    comm = None
    if launched_as()[1] > 1:
        with contextlib.suppress(DispatchError):
            comm = world()
    if comm is not None and comm.rank > 0:
        time.sleep(FIRST_RANK_SECONDS)
    if comm is not None or launched_as()[0] == 0:
        print(message, file=sys.stderr, flush=True)
    if comm is not None:
        time.sleep(LAST_WORDS_SECONDS)
        comm.Abort(exit_code)
    sys.exit(exit_code)


def launched_as() -> tuple[int, int]:
    """Rank and number of ranks that a launcher, such as mpirun, gave to this process; (0, 1) without one."""
    for rank, size in LAUNCHED:
        if rank in os.environ:
            return int(os.environ[rank]), int(os.environ.get(size, 1))
    return 0, 1


def launcher(name: str = "mpirun") -> str | None:
    """Path of the program that launches ranks: the one beside this Python, which pip installed, before others."""
    return shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)


def world() -> Any:
    """MPI's communicator of all ranks.

    Raises
    ------
    DispatchError
        If there is no MPI, or if each of several processes is alone in a world of its own.
    """
    try:
        import mpi4py

        mpi4py.rc.thread_level = "funneled"  # only the main thread communicates
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise DispatchError(
            f"dispatch: mpi: {str(error).splitlines()[0]}; install it with pip install 'vip-inversion[mpi]', and load"
            " your site's MPI or pip install mpich"
        ) from error
    _, launched = launched_as()
    if launched > 1 and MPI.COMM_WORLD.size == 1:
        library = MPI.Get_library_version().splitlines()[0].strip("\x00 ")
        raise DispatchError(
            f"dispatch: mpi: {launched} processes were launched, but each is alone: mpirun is not of the MPI that mpi4py uses"
            f" ({library}); launch with that one's mpirun, see `vip doctor`"
        )
    return MPI.COMM_WORLD


class MPIRanks:
    """A dispatcher that hands groups of particles to free ranks; rank 0 evaluates too, in a thread of its own.

    Parameters
    ----------
    forward : Forward
        Forward of rank 0; the other ranks have their own, see `serve`.
    build : callable
        Makes the same forward on a rank that has served another one before.
    threads : int
        Number of threads of each rank, for a forward that runs its own; 0 means the rank's share of the cores that it may use.
    batch : int
        Number of particles that the forward evaluates at the price of one.
    timeout : float, optional
        Seconds that the evaluation of one particle may take.
    leave : callable
        Called while waiting; the evaluation is given up where it returns true. Some launchers send SIGTERM when a rank was
        lost, and SIGKILL a second later: that is the time to save the run.
    """

    def __init__(
        self,
        forward: Forward,
        build: Callable[[], Forward],
        threads: int = 0,
        batch: int = 1,
        timeout: float | None = None,
        leave: Callable[[bool], bool] = lambda idle: False,
    ) -> None:
        self.comm, self.timeout, self._leave, self._build = world(), timeout, leave, build
        self._serial, self._shares = Serial(forward, threads or fair_share()), Shares(batch)
        self._running: dict[int, tuple[Indices, Call]] = {}
        self._beside = Beside()

    def __enter__(self) -> Self:
        log.info("MPI: %d ranks; if one is lost, mpirun ends the run and `vip resume` goes on", self.comm.size)
        other_ranks().use(self._build)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._running:  # a rank that does not answer cannot be asked to end, and would keep the others from ending
            atexit.register(self.comm.Abort, 1)

    @property
    def workers(self) -> int:
        """Number of ranks that evaluate."""
        return int(self.comm.size)

    def evaluate(self, models: Floats, blocks: Sequence[int] | None = None, observed: Floats | None = None) -> Evaluation:
        """Log-likelihood (n,) and gradient (n, d) of models (n, d), see `vip.protocols.Dispatcher`.

        Raises
        ------
        DispatchError
            If a rank does not answer in time.
        Interrupted
            If `leave` returns true.
        """
        evaluation: Evaluation = self._done(Task("evaluate", blocks, observed), models)
        return evaluation

    def simulate(self, models: Floats) -> Simulation:
        """Data (n, n_data) that models (n, d) predict; raises as `evaluate` does."""
        simulation: Simulation = self._done(Task("simulate"), models)
        return simulation

    def _done(self, task: Task, models: Floats) -> Any:
        start, gathered = time.perf_counter(), Gathered(len(models))
        todo = deque(self._shares.groups(len(models), self.comm.size))
        running = self._running
        while todo or running:
            for rank in reversed(range(self.comm.size)):  # rank 0 last: it is busy with the others
                if todo and rank not in running:
                    group = todo.popleft()
                    running[rank] = group, self._call(rank, task, models[as_slice(group)])
            _wait(lambda: any(call.done() for _, call in running.values()) or self._hopeless())
            for rank in [rank for rank, (_, call) in running.items() if call.done()]:
                group, call = running.pop(rank)
                part = call.result()
                gathered.put(group, part)
                self._shares.learn(group, part.seconds)
        return gathered.whole(time.perf_counter() - start)

    def _call(self, rank: int, task: Task, models: Floats) -> Call:
        if rank == 0:
            return Call(None, 0, self._beside.submit(task.__call__, self._serial, models))
        models = np.ascontiguousarray(models)
        self.comm.send(Order(models.shape, task), rank, HEAD)
        self.comm.Send(models, rank, BODY)
        return Call(self.comm, rank)

    def _hopeless(self) -> bool:
        """Raise if the run is to end now, or a rank takes too long."""
        if self._leave(False):
            raise Interrupted("dispatch: mpi: asked to end")
        now = time.monotonic()
        for rank, (group, call) in self._running.items():
            if self.timeout and now - call.since > self.timeout * len(group):
                raise DispatchError(
                    f"dispatch: mpi: rank {rank} gave no answer within {self.timeout:g} s a particle; MPI cannot go on without"
                    " it: `vip resume` the run with fresh ranks"
                )
        return False


class OtherRanks:
    """The ranks that serve: each begins with a forward of its own, and ends when rank 0's process does."""

    def __init__(self) -> None:
        self._have_one = False
        atexit.register(self._tell, None)

    def use(self, build: Callable[[], Forward]) -> None:
        """Have them serve the forward that `build` makes: the first one is their own already."""
        if self._have_one:
            self._tell(Another(cloudpickle.dumps(build)))
        self._have_one = True

    def _tell(self, what: Another | None) -> None:
        for rank in range(1, world().size):
            world().send(what, rank, HEAD)


@functools.cache
def other_ranks() -> OtherRanks:
    """Return the other ranks, as rank 0 sees them."""
    return OtherRanks()


class Beside:
    """A thread that evaluates while another one communicates, and that does not keep the process from ending."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Part], Callable[..., Part], Any]] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, function: Callable[..., Part], *arguments: Any) -> Future[Part]:
        """Call a function in the thread."""
        future: Future[Part] = Future()
        self._calls.put((future, function, arguments))
        return future

    def _work(self) -> None:
        while True:
            future, function, arguments = self._calls.get()
            try:
                future.set_result(function(*arguments))
            except BaseException as error:
                future.set_exception(error)


class Call:
    """A group that a rank is evaluating."""

    def __init__(self, comm: Any, rank: int, own: Future[Part] | None = None) -> None:
        self.comm, self.rank, self.own, self.since = comm, rank, own, time.monotonic()

    def done(self) -> bool:
        """Whether the rank's answer has arrived."""
        return self.own.done() if self.own else bool(self.comm.Iprobe(self.rank, HEAD))

    def result(self) -> Part:
        """The rank's answer."""
        if self.own:
            return self.own.result()
        reply: Reply = self.comm.recv(source=self.rank, tag=HEAD)
        array = np.empty(reply.shape)
        self.comm.Recv(array, self.rank, BODY)
        return _with_array(reply.part, array)


def serve(forward: Forward, threads: int = 0) -> None:
    """Evaluate what rank 0 sends, until its process ends: the work of every other rank."""
    comm = world()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):  # mpirun sends them to all ranks; rank 0 heeds them
        signal.signal(number, signal.SIG_IGN)
    threads = threads or fair_share()
    serial = Serial(forward, threads)
    try:
        with threadpool_limits(1, user_api="blas"):  # sums depend on the number of threads
            while (order := _receive(comm)) is not None:
                if isinstance(order, Another):
                    serial = Serial(pickle.loads(order.build)(), threads)
                else:
                    _answer(comm, serial, order)
    except BaseException:
        log.exception("rank %d", comm.rank)
        comm.Abort(1)


@functools.cache
def fair_share() -> int:
    """Number of cores for each rank of this node that may use the same cores as this one; all ranks must call it together."""
    from mpi4py import MPI

    comm = world()
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    ranks: int = comm.Split_type(MPI.COMM_TYPE_SHARED).allgather(mine).count(mine)
    return max(1, available_cores() // ranks)


def _receive(comm: Any) -> Any:
    _wait(lambda: comm.Iprobe(0, HEAD))
    return comm.recv(source=0, tag=HEAD)


def _answer(comm: Any, serial: Serial, order: Order) -> None:
    models = np.empty(order.shape)
    comm.Recv(models, 0, BODY)
    part = order.task(serial, models)
    array = np.ascontiguousarray(part.gradient if isinstance(part, Evaluation) else part.data, dtype=np.float64)
    comm.send(Reply(_with_array(part, np.zeros((0, 0))), array.shape), 0, HEAD)
    comm.Send(array, 0, BODY)


def _with_array(part: Part, array: Floats) -> Part:
    """The same part with another array in place of its largest."""
    return part._replace(gradient=array) if isinstance(part, Evaluation) else part._replace(data=array)


def _wait(until: Callable[[], bool]) -> None:
    """Wait without keeping a core busy."""
    start = time.perf_counter()
    while not until():
        if time.perf_counter() - start > SPIN_SECONDS:
            time.sleep(NAP_SECONDS)
