"""Benchmarks: ours and a named peer on the same work, interleaved, in one run. `make bench B=name`."""
