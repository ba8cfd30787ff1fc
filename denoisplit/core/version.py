"""The version, readable both from an installed package and from a checkout."""

VERSION = "0.1.0"
