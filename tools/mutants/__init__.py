"""Mutation testing: small changes to the built-in components, tried against the shipped suites alone."""
