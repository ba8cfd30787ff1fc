"""Reference numbers that follow from the formulas of ``docs/method.md``, for tests in a plain clone."""
