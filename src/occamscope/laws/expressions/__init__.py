"""Laws as expressions: read, print, evaluate, compare."""
