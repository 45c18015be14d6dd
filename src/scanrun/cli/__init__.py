"""The command line: one module per command, each with a click command called `command`.

Only modules below this one print or exit.
"""
