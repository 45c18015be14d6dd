"""Report formats besides the SARIF log."""
