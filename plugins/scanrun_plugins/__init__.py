"""Scanners, report formats, CI systems and engines that come with scanrun. Plugins like any other."""
