"""Obligor: should we lend, how is the loan doing, where did the money go, and can we prove what we did."""

__version__ = "0.1.0"
