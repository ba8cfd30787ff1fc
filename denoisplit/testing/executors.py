"""Conformance suite for executors."""

import math
from concurrent.futures import Executor as Pool
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Final

import pytest

from denoisplit.core.errors import DenoisplitError, MissingPackageError
from denoisplit.core.prediction.executor import Executor
from denoisplit.testing.suite import ComponentTests, not_examined

_JOBS: Final = 20


class ExecutorTests(ComponentTests):
    """Laws of executors: every job is done, errors belong to their jobs, and nothing outlasts the pool."""

    kind: ClassVar[str] = "executor"

    def executor(self) -> Executor:
        """The component with its simplest options."""
        try:
            made = self.target()(self.defaults())
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
        """Whatever the other jobs do, and however often the executor is started."""
        executor = self.executor()
        for workers in (1, 2):
            with self.started(executor, workers) as pool:
                futures: list[Future[Any]] = [pool.submit(math.factorial, n) for n in range(_JOBS)]
                wrong = self.submitted_wrong(pool)
                found = [future.result() for future in futures]
                assert found == [math.factorial(n) for n in range(_JOBS)], "a job has the result of another"
                if wrong is not None:
                    with pytest.raises(ValueError, match="negative"):
                        wrong.result()
                assert pool.submit(math.factorial, 3).result() == 6, "after an error, no job is done"

    def submitted_wrong(self, pool: Pool) -> "Future[int] | None":
        """Submit a job that fails; an executor that runs jobs at once raises its error here."""
        try:
            return pool.submit(math.factorial, -1)
        except ValueError:
            return None

    def test_nothing_goes_on_when_the_context_ends(self) -> None:
        """Jobs are finished or dropped, also when an error ends the context, and the error is raised."""
        executor = self.executor()
        futures: list[Future[int]] = []

        def stop_in_the_middle() -> None:
            with self.started(executor, 1) as pool:
                futures.extend(pool.submit(math.factorial, n) for n in range(_JOBS))
                raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            stop_in_the_middle()
        assert all(future.done() for future in futures), "jobs go on after the context has ended"
