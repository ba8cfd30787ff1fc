"""Loggers: where the course of a training is taken down."""
