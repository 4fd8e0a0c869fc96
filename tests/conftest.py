"""What holds for all tests."""

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def one_thread_of_blas() -> Iterator[None]:
    """As in a run; on small matrices and busy processors, threads that wait for each other take minutes instead of seconds."""
    with threadpool_limits(1, user_api="blas"):
        yield
