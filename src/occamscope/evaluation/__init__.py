"""Accuracy, attacks, failure modes and claims."""
