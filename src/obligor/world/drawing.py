"""Money under a contract: accept and sign, ask for it, get it, and draw on a line again while it is open."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from math import log
from typing import Any

from obligor.world import repaying, spending
from obligor.world.asking import REFERENCE_RATE_BP, instalment_minor
from obligor.world.luck import Purpose, stream
from obligor.world.scene import LATEST, Scene, clock
from obligor.world.state import FOR_EVER, Debt, Petition, Redraw

__all__ = ["accept", "answered", "disbursed", "end", "redraw", "tick"]

LINE_DAYS = 365
MEAN_GAP_DAYS = 60.0
LEAST_DRAW_MINOR = 50_000


def accept(scene: Scene, petition: Petition) -> None:
    """Accept, sign, and ask for the money, in one go."""
    petition.taken = True
    application = {"application_id": petition.application_id}
    contract = f"sim-contract-{petition.number:07d}"
    paper = f"simulated contract {contract} {petition.offered_minor} {petition.rate_bp}"
    signed = {"contract_id": contract, "document_sha256": hashlib.sha256(paper.encode()).hexdigest()}
    first = scene.event("offer.accepted", "customer", tick(petition, 150), dict(application))
    second = scene.event("contract.signed", "customer", tick(petition, 90), application | signed)
    scene.state.reacting |= dict.fromkeys((first, second), petition.number)
    offered = petition.offered_minor or petition.amount_minor
    drawn = offered
    if petition.product == "line":
        drawn = _rounded(offered, 0.30 + 0.40 * (petition.patience * 101.0 % 1.0))
    elif 0.05 < petition.haste < 0.10:
        drawn = _rounded(offered, 0.7)
    petition.drawn_minor = min(drawn, offered)
    _draw(scene, petition)


def answered(scene: Scene, petition: Petition, response: Mapping[str, Any]) -> None:
    """Released money is waited for. A hold over an unnamed payee is answered by naming one; others wait."""
    outcome = response.get("outcome")
    if outcome == "release" and response.get("loan_id"):
        petition.loan_id = str(response["loan_id"])
        petition.entrusted = response.get("payment_mode") == "entrusted"
        scene.state.by_loan[petition.loan_id] = petition.number
    elif outcome == "refuse" and petition.fate == "open":
        end(scene, petition, "draw_refused")
    elif outcome == "hold" and not petition.named_payee and petition.draws == 1:
        tick(petition, 900)
        _draw(scene, petition)


def disbursed(scene: Scene, petition: Petition, data: Mapping[str, Any]) -> None:
    """The money is there: note what falls due when, plan the first step, and decide what to do with it."""
    loan_id = str(data["loan_id"])
    lines = data.get("schedule") or []
    if loan_id in scene.state.debts or not lines:
        return
    debt = _debt(scene, petition, data, loan_id, lines)
    petition.loans += 1
    scene.state.debts[loan_id] = debt
    folk = scene.state.folks[petition.person]
    folk.loans.append(loan_id)
    scene.watch(petition.person, FOR_EVER)
    if debt.account:
        scene.state.balances[debt.account] += debt.principal_minor
    if petition.fate == "open":
        petition.relief = _relief(scene, petition)
        end(scene, petition, "lent")
    repaying.begin(scene, debt)
    spending.plan(scene, petition, debt)
    if petition.product == "line":
        turn = petition.turn + (debt.draw << 32)
        luck = stream(scene.seed, Purpose.LINES, petition.person, turn).random(2).tolist()
        days = min(LINE_DAYS, 15 + int(-MEAN_GAP_DAYS * log(1.0 - luck[0])))
        scene.plan(days, Redraw(petition.number, 8_000 + petition.number % 9_000, luck[1]))


def redraw(scene: Scene, task: Redraw) -> None:
    """Draw on a line again: a share of what is free, not while something is unpaid; before trouble, all."""
    petition = scene.state.petitions[task.petition]
    state = scene.state
    mine = [state.debts[loan] for loan in state.folks[petition.person].loans]
    open_debts = [debt for debt in mine if debt.petition == petition.number]
    if state.today - petition.day > LINE_DAYS or state.folks[petition.person].written_off:
        return
    if task.share < 1.0 and any(debt.behind(state.today) for debt in mine):
        return
    free = (petition.offered_minor or 0) - sum(debt.principal_left() for debt in open_debts)
    amount = _rounded(free, 0.2 + 0.8 * task.share)
    if amount < LEAST_DRAW_MINOR:
        return
    petition.drawn_minor, petition.seconds = amount, task.seconds
    _draw(scene, petition)


def end(scene: Scene, petition: Petition, fate: str) -> None:
    """An application has come to its end for the person."""
    petition.fate = fate
    folk = scene.state.folks[petition.person]
    if folk.pending == petition.number:
        folk.pending = None


def tick(petition: Petition, seconds: int) -> int:
    """The application's clock, some seconds later."""
    petition.seconds = min(LATEST, petition.seconds + seconds)
    return petition.seconds


def _draw(scene: Scene, petition: Petition) -> None:
    """Ask for the money, onto the account that the lender sees if there is one."""
    payload: dict[str, Any] = {
        "application_id": petition.application_id,
        "amount_minor": petition.drawn_minor,
        "currency": scene.settings.currency,
        "purpose": petition.purpose,
    }
    payee = spending.payee(scene, petition)
    if payee is not None:
        payload["payee"] = payee.name
    accounts = scene.state.folks[petition.person].accounts
    if accounts:
        payload["account_id"] = accounts[0]
    petition.named_payee = payee is not None
    petition.draws += 1
    payload["at"] = clock(scene.today, tick(petition, 60))
    scene.state.reacting[scene.post("drawdown", payload)] = petition.number


def _debt(
    scene: Scene, petition: Petition, data: Mapping[str, Any], loan_id: str, lines: list[dict[str, Any]]
) -> Debt:
    """The loan as its borrower sees it, from the lender's schedule."""
    due, cumulative, left = [], [], []
    rest = principal = sum(int(line["principal_minor"]) for line in lines)
    total = 0
    for line in lines:
        total += int(line["principal_minor"]) + int(line["interest_minor"])
        rest -= int(line["principal_minor"])
        due.append(_day(line["due_on"]).toordinal())
        cumulative.append(total)
        left.append(rest)
    account = data.get("account_id")
    begun = data.get("disbursed_on")
    return Debt(
        loan_id=loan_id,
        person=petition.person,
        petition=petition.number,
        account=account if account in scene.state.balances else None,
        disbursed_on=_day(begun).toordinal() if begun else scene.state.today,
        due_on=due,
        cumulative_minor=cumulative,
        left_minor=left,
        principal_minor=principal,
        draw=petition.loans,
    )


def _relief(scene: Scene, petition: Petition) -> float:
    """A smaller loan than was asked for burdens less: limits act on what becomes of a loan, causally."""
    granted = petition.offered_minor or petition.amount_minor
    if granted >= petition.amount_minor:
        return 0.0
    months = max(1, petition.asked_months)
    less = instalment_minor(petition.amount_minor - granted, REFERENCE_RATE_BP, months)
    return 0.20 * min(1.0, less / scene.people[petition.person].income_minor / 0.25)


def _rounded(minor: int, share: float) -> int:
    """A share of an amount, in whole hundreds of the currency."""
    return int(minor * share) // 10_000 * 10_000


def _day(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)
