"""The version, where the package itself can read it whether it is installed or run from a checkout."""

VERSION = "0.1.0"
