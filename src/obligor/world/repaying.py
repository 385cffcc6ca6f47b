"""How a borrower's loan is paid from day to day: the moves of `behaviour`, turned into money and events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from obligor.kernel import add_months
from obligor.world.behaviour import AHEAD, Now, move, onset, stage, weather, weight
from obligor.world.counterparties import LENDER
from obligor.world.luck import Purpose, stream
from obligor.world.scene import Scene
from obligor.world.state import Bounce, Debt, Folk, Pay, Recover, Redraw, Step

__all__ = ["begin", "bounce", "pay", "recover", "recovery", "step", "told"]

CONTAGION = 4.0
MOOD = 0.3
BOUNCED = 0.004
RECOVERS = 0.40
AGENCY_COST = 0.25
# Who sees trouble coming draws what is left of their line first.
DRAWS_FIRST = 0.6
EARLIEST_PAYMENT, LATEST_PAYMENT = 5_000, 50_000


def begin(scene: Scene, debt: Debt) -> None:
    """Plan the first step of a loan that was just paid out."""
    _plan_step(scene, debt, behind=False)
    _set_mood(scene, debt, behind=False)


def step(scene: Scene, task: Step) -> None:
    """A borrower decides about an instalment: on its day, or a few days ahead when something is unpaid."""
    debt = scene.state.debts[task.loan_id]
    if debt.status != "open":
        return
    today = scene.state.today
    place = debt.step
    due = _due(debt, place)
    last = _due(debt, place - 1) if place else date.fromordinal(debt.disbursed_on)
    is_due = place < len(debt.due_on)
    oldest = debt.oldest(min(today, due.toordinal() - 1))
    behind = stage(date.fromordinal(oldest), due) if oldest else 0
    if not is_due and not debt.owed(today):
        return
    begun = date.fromordinal(debt.disbursed_on)
    climate = _climate(scene, debt, place, due)
    now = Now(place, _months(begun, due), _months(last, due), behind, climate, _stress(scene, debt))
    made = move(scene.nature(scene.state.petitions[debt.petition], debt.draw), now)
    debt.step += 1
    worse = made.kind in {"miss", "one"}
    if made.kind == "miss":
        debt.first_missed_on = debt.first_missed_on or due.toordinal()
        oldest = debt.oldest(today)
        folk = scene.state.folks[debt.person]
        folk.worst_dpd = max(folk.worst_dpd, today - oldest if oldest else 0)
    elif made.kind == "part":
        _pay_in(scene, debt, 0, "half", made.delay / 20.0)
        _pay_in(scene, debt, made.delay, "all")
    else:
        _pay_in(scene, debt, made.delay, made.kind)
        if behind and made.kind == "all" and is_due and due.toordinal() > today:
            _pay_in(scene, debt, due.toordinal() - today, "all")
    if debt.status == "open":
        _plan_step(scene, debt, behind=worse)
        _set_mood(scene, debt, behind=worse)


def pay(scene: Scene, task: Pay) -> None:
    """Pay from the account the lender sees where the money is there, else from somewhere else."""
    debt = scene.state.debts[task.loan_id]
    today = scene.state.today
    if debt.status != "open":
        return
    amount = {
        "all": debt.owed(today),
        "one": min(debt.oldest_minor(), debt.owed(today)),
        "half": int(debt.owed(today) * (0.35 + 0.4 * task.draw)),
        "off": debt.payoff(today),
    }[task.mode]
    if amount <= 0:
        return
    folk = scene.state.folks[debt.person]
    own = bool(folk.accounts) and scene.state.balances[folk.accounts[0]] >= amount
    if own:
        scene.pay_out(folk.accounts[0], amount, LENDER, task.seconds, memo="loan repayment")
    body = {
        "loan_id": debt.loan_id,
        "amount_minor": amount,
        "currency": scene.settings.currency,
        "value_on": scene.today.isoformat(),
    }
    request = scene.event("repayment.received", "payments", task.seconds, body)
    debt.paid_minor += amount
    if task.mode == "off" or debt.paid_minor >= debt.cumulative_minor[-1] + debt.fees_minor:
        _close(scene, debt, "repaid")
    elif not own and task.draw < BOUNCED * 2.0 and task.mode != "half":
        scene.plan(2, Bounce(debt.loan_id, task.seconds, request, amount))


def bounce(scene: Scene, task: Bounce) -> None:
    """A direct debit comes back; the borrower makes it good within days."""
    debt = scene.state.debts[task.loan_id]
    if debt.status != "open":
        return
    body = {"loan_id": debt.loan_id, "source_ref": task.request_id, "why": "direct debit returned"}
    scene.event("repayment.reversed", "payments", task.seconds, body)
    debt.paid_minor -= task.amount_minor
    scene.plan(3 + task.seconds % 5, Pay(debt.loan_id, task.seconds, "all"))


def recover(scene: Scene, task: Recover) -> None:
    """Money on a claim that was written off, less what the agency keeps."""
    body = {
        "loan_id": task.loan_id,
        "amount_minor": task.amount_minor,
        "cost_minor": task.cost_minor,
        "currency": scene.settings.currency,
        "value_on": scene.today.isoformat(),
    }
    scene.event("recovery.received", "agency", task.seconds, body)


def told(scene: Scene, debt: Debt, kind: str, data: Mapping[str, Any]) -> None:
    """A fee is owed from now on; a write-off ends the payments and begins the recovery."""
    if debt.status != "open":
        return
    if kind == "fee.charged":
        debt.fees_minor += int(data["amount_minor"])
    else:
        debt.claim_minor = debt.payoff(scene.state.today)
        _plan_recovery(scene, debt)
        _close(scene, debt, "written_off")


def recovery(seed: int, person: int, turn: int) -> tuple[float, list[int]]:
    """The share of a written-off claim that comes back, and after how many days each time.

    Four in ten claims bring something back, about a fifth of it within a year (DOMAIN: 9 % gross).
    """
    rng = stream(seed, Purpose.RECOVERY, person, turn)
    recovers, share, pieces = float(rng.random()), float(rng.beta(1.2, 4.0)), int(rng.integers(1, 7))
    if recovers >= RECOVERS:
        return 0.0, []
    return share, sorted(rng.integers(15, 340, pieces).tolist())


def _plan_recovery(scene: Scene, debt: Debt) -> None:
    petition = scene.state.petitions[debt.petition]
    share, days = recovery(scene.seed, petition.person, petition.turn + (debt.draw << 32))
    if not days or scene.people[debt.person].ring is not None:
        return
    each = int(debt.claim_minor * share) // len(days)
    if each < 100:
        return
    for after in days:
        cost = int(each * AGENCY_COST)
        scene.plan(after, Recover(debt.loan_id, 30_000 + debt.petition % 9_000, each, cost))


def _close(scene: Scene, debt: Debt, status: str) -> None:
    debt.status = "repaid" if status == "repaid" else "written_off"
    folk = scene.state.folks[debt.person]
    folk.loans.remove(debt.loan_id)
    folk.written_off |= status == "written_off"
    if not folk.loans:
        folk.income_factor = 1.0
        scene.watch(debt.person, scene.state.today + scene.settings.watched_days)
    scene.forget_nature(debt.petition, debt.draw)


def _pay_in(scene: Scene, debt: Debt, days: int, mode: Any, draw: float | None = None) -> None:
    """Pay today, or plan it. The time of day and the small chances come from the loan's own number."""
    mixed = (debt.petition * 2_654_435_761 + debt.step * 40_503) % 1_000_003 / 1_000_003
    seconds = EARLIEST_PAYMENT + int(mixed * (LATEST_PAYMENT - EARLIEST_PAYMENT))
    task = Pay(debt.loan_id, seconds, mode, mixed if draw is None else draw)
    if days:
        scene.plan(days, task)
    else:
        pay(scene, task)


def _plan_step(scene: Scene, debt: Debt, *, behind: bool) -> None:
    """The next step: on its due date, or ahead of it for who is behind; none after the last paid line."""
    if debt.step >= len(debt.due_on) and not behind:
        return
    due = _due(debt, debt.step).toordinal()
    seconds = EARLIEST_PAYMENT + debt.petition * 7_919 % (LATEST_PAYMENT - EARLIEST_PAYMENT)
    scene.plan(due - scene.state.today - (AHEAD if behind else 0), Step(debt.loan_id, seconds))


def _set_mood(scene: Scene, debt: Debt, *, behind: bool) -> None:
    """Trouble shows before it strikes: income falls for most who will miss one of the next two dues."""
    folk = scene.state.folks[debt.person]
    if behind:
        return
    petition = scene.state.petitions[debt.petition]
    who = scene.nature(petition, debt.draw)
    begun = date.fromordinal(debt.disbursed_on)
    last = _due(debt, debt.step - 1) if debt.step else begun
    for place in range(debt.step, min(debt.step + 2, len(debt.due_on))):
        due = _due(debt, place)
        row = 3 * (place % (len(who.luck) // 3))
        climate = _climate(scene, debt, place, due)
        ages = (_months(begun, due), _months(last, due))
        if who.luck[row] < MOOD and who.luck[row] < onset(petition.index, *ages, climate):
            fall = who.luck[row + 2]
            folk.income_factor = min(folk.income_factor, 0.10 + fall if fall < 0.65 else 1.0)
            if petition.product == "line" and fall < DRAWS_FIRST:
                scene.plan(1 + int(fall * 9.0), Redraw(petition.number, EARLIEST_PAYMENT + 600, 1.0))
            return
        last = due
    if not _stressed(scene, folk):
        folk.income_factor = 1.0


def _climate(scene: Scene, debt: Debt, place: int, due: date) -> float:
    heavy = weight(place, len(debt.due_on), bullet=debt.bullet)
    return scene.settings.onset * weather(due, scene.start, scene.settings) * heavy


def _stress(scene: Scene, debt: Debt) -> float:
    """A borrower two instalments behind elsewhere here misses this loan more readily."""
    others = [loan for loan in scene.state.folks[debt.person].loans if loan != debt.loan_id]
    today = scene.state.today
    return CONTAGION if any(scene.state.debts[loan].behind(today) >= 2 for loan in others) else 1.0


def _stressed(scene: Scene, folk: Folk) -> bool:
    today = scene.state.today
    return any(scene.state.debts[loan].behind(today) >= 1 for loan in folk.loans)


def _due(debt: Debt, place: int) -> date:
    """The day of a step: the due date of that line, or the same day of a month after the last."""
    lines = len(debt.due_on)
    if place < lines:
        return date.fromordinal(debt.due_on[place])
    return add_months(date.fromordinal(debt.due_on[-1]), place - lines + 1)


def _months(start: date, end: date) -> int:
    return max(0, (end.year - start.year) * 12 + end.month - start.month)
