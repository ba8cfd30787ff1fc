"""The language of kernels, which Triton compiles."""

from typing import Any

constexpr = int

def __getattr__(name: str) -> Any: ...
