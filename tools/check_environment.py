"""Fail when torch was replaced, or torchvision installed (which replaces torch and adds gigabytes)."""

import sys
from importlib.metadata import PackageNotFoundError, distributions, version


def main(expected: str) -> int:
    """Return exit code 1, with a line, when the environment does not match constraints.txt."""
    try:
        found = version("torch").split("+")[0]
    except PackageNotFoundError:
        sys.stderr.write("environment: torch is not installed. Run 'make clean setup'.\n")
        return 1
    if found != expected:
        sys.stderr.write(
            f"environment: torch {found} is installed, constraints.txt asks for {expected}. "
            f"Run 'make clean setup'.\n"
        )
        return 1
    unwanted = {"torchvision", "torchaudio"} & {str(d.metadata["Name"]).lower() for d in distributions()}
    if unwanted:
        sys.stderr.write(
            f"environment: {', '.join(sorted(unwanted))} got in. "
            f"Find the dependency that needs it and remove it.\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
