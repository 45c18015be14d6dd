"""What the scanners of running applications have in common: addresses, texts, launch."""
