"""The spec: from a YAML file to checked records, and back."""
