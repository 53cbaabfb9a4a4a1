"""The file contracts of the workflow, one module a kind of file."""
