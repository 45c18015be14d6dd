"""scanrun: launch security scanners, read them into one SARIF log, gate a pipeline on it."""

__version__ = "0.1.0"
