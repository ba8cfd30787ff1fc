"""The documentation site: pages written when it is built, formulas, and links to the repository."""
