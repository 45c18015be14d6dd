"""Engines: what runs steps."""
