"""What comes with scanrun: scanners, report formats, CI systems, engines. Plugins like any."""
