"""The registry: names of components to lazily imported classes, built-in and from plugins."""
