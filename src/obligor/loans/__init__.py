"""Loans: products, schedules, the fold over a loan's events, days past due, and what each event posts."""

from obligor.loans.account import Charge, Classification, Loan, Payment, Recovery, Terms
from obligor.loans.commands import (
    charge_fee,
    close,
    close_if_paid,
    disburse,
    recover,
    repay,
    reverse,
    write_off,
)
from obligor.loans.fold import apply
from obligor.loans.interest import Outstanding
from obligor.loans.overdue import InstalmentStanding
from obligor.loans.postings import ACCOUNTS, STANDARD, Policy, Posting, balances, postings
from obligor.loans.product import Product, parse, product, products
from obligor.loans.schedule import amortise, level_instalment, schedule

__all__ = [
    "ACCOUNTS",
    "STANDARD",
    "Charge",
    "Classification",
    "InstalmentStanding",
    "Loan",
    "Outstanding",
    "Payment",
    "Policy",
    "Posting",
    "Product",
    "Recovery",
    "Terms",
    "amortise",
    "apply",
    "balances",
    "charge_fee",
    "close",
    "close_if_paid",
    "disburse",
    "level_instalment",
    "parse",
    "postings",
    "product",
    "products",
    "recover",
    "repay",
    "reverse",
    "schedule",
    "write_off",
]
