"""The simulated lender's customers: people, cash flows, fraud, misuse of loan money.

Everything that comes out of this room is labelled simulated; its ground truth is kept apart.
"""

from obligor.world.messages import Answer, Request
from obligor.world.settings import SMOKE, Settings, Shock
from obligor.world.world import World

__all__ = ["SMOKE", "Answer", "Request", "Settings", "Shock", "World"]
