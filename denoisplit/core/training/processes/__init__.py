"""Several processes, on one host or more, that train one network together."""
