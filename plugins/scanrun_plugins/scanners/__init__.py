"""Scanners: one module, or small package, for each tool."""
