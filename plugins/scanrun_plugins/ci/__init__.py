"""Emitters: one module for each CI system."""
