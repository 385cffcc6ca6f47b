"""Strategies: rules, tables and formulas as data, compiled to a function that decides and says why."""

from obligor.strategy.certificate import Certificate, Difference, certify
from obligor.strategy.explain import Detail, Explained
from obligor.strategy.outcome import Need, Outcome, Scored
from obligor.strategy.problems import Place, Problem, StrategyError
from obligor.strategy.schema import Input
from obligor.strategy.strategy import Strategy, load
from obligor.strategy.types import Kind, Type, Value

__all__ = [
    "Certificate",
    "Detail",
    "Difference",
    "Explained",
    "Input",
    "Kind",
    "Need",
    "Outcome",
    "Place",
    "Problem",
    "Scored",
    "Strategy",
    "StrategyError",
    "Type",
    "Value",
    "certify",
    "load",
]
