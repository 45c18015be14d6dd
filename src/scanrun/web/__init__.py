"""What scanners of running applications have in common: is it there, and is it the right one?"""
