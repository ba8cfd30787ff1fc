"""Conformance suite for executors."""

import math
import secrets
from concurrent.futures import Executor as Pool
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Final

import attrs
import pytest

from denoisplit.core.errors import DenoisplitError, MissingPackageError
from denoisplit.core.prediction.executor import Executor
from denoisplit.testing.rests import Rest, rested, threads_here
from denoisplit.testing.suite import ComponentTests, not_examined
from denoisplit.testing.whole_numbers import takes

_JOBS: Final = 20
_MOST: Final = "most"


class ExecutorTests(ComponentTests):
    """Laws of executors: every job is done, errors belong to their jobs, and nothing outlasts the pool."""

    kind: ClassVar[str] = "executor"

    def executor(self, **changed: int) -> Executor:
        """The component with its usual options, but for some."""
        try:
            made = self.target()(attrs.evolve(self.defaults(), **changed))
        except MissingPackageError as error:
            not_examined(str(error))
        assert isinstance(made, Executor), f"not an Executor (got {type(made)})"
        return made

    def started(self, executor: Executor, workers: int) -> AbstractContextManager[Pool]:
        """Start its pool; where it cannot start here, the law is not examined."""
        try:
            return executor.start(workers)
        except DenoisplitError as error:
            not_examined(str(error))

    def test_every_job_gives_its_result_or_its_error(self) -> None:
        """Whatever the other jobs do, and as often as it is submitted."""
        with self.started(self.executor(), 1) as pool:
            futures: list[Future[Any]] = [pool.submit(math.factorial, n) for n in range(_JOBS)]
            wrong = self.submitted_wrong(pool)
            found = [future.result() for future in futures]
            assert found == [math.factorial(n) for n in range(_JOBS)], "a job has the result of another"
            if wrong is not None:
                with pytest.raises(ValueError, match="negative"):
                    wrong.result()
            assert pool.submit(math.factorial, 3).result() == 6, "after an error, no job is done"
            drawn = [pool.submit(secrets.token_hex) for _ in range(2)]
            assert drawn[0].result() != drawn[1].result(), "a job that is submitted twice is done once"

    def submitted_wrong(self, pool: Pool) -> "Future[int] | None":
        """Submit a job that fails; an executor that runs jobs at once raises its error here."""
        try:
            return pool.submit(math.factorial, -1)
        except ValueError:
            return None

    def test_no_more_is_done_at_a_time_than_asked_for(self) -> None:
        """Neither more jobs nor, in other processes, with more threads than this one has."""
        executor = self.executor()
        for workers in (2,) if executor.elsewhere else (1, 2):
            with self.started(executor, workers) as pool:
                most = most_at_a_time(pool, 3 * workers)
                threads, here = pool.submit(threads_here).result(), threads_here()
            assert most <= workers, f"{most} jobs are done at a time by {workers} workers"
            assert not executor.elsewhere or threads <= max(1, here // workers), (
                f"each of {workers} workers has {threads} threads, this process {here}"
            )

    def test_an_option_most_is_the_largest_number_of_jobs_at_a_time(self) -> None:
        """Whatever the number of workers that is asked for; for executors with such a number."""
        for limit in (one for one in (1, 2) if takes(self.defaults(), _MOST, one)):
            with self.started(self.executor(**{_MOST: limit}), 2 * limit) as pool:
                most = most_at_a_time(pool, 6 * limit)
            assert most <= limit, f"with most={limit}, {most} jobs are done at a time by {2 * limit} workers"

    def test_nothing_goes_on_when_the_context_ends(self) -> None:
        """Jobs that have not begun are dropped, also when an error ends the context, and it is raised."""
        executor = self.executor()
        futures: list[Future[Rest]] = []
        early: list[bool] = []

        def stop_in_the_middle() -> None:
            with self.started(executor, 1 if executor.elsewhere else 2) as pool:
                futures.extend(pool.submit(rested) for _ in range(_JOBS))
                early.append(futures[-1].done())
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            stop_in_the_middle()
        assert all(future.done() for future in futures), "jobs go on after the context has ended"
        assert early[0] or futures[-1].cancelled(), "the context does not end before all jobs are done"


def most_at_a_time(pool: Pool, jobs: int) -> int:
    """Submit some jobs, and return how many of them were being done at the same time."""
    rests = [future.result() for future in [pool.submit(rested) for _ in range(jobs)]]
    return max(sum(other.begin <= one.begin < other.end for other in rests) for one in rests)
