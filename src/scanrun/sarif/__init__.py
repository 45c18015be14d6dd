"""SARIF 2.1.0: built by converters, streamed to disk, read back through one typed view."""
