"""Who simulated people say they are: names and numbers that can belong to nobody.

Names say "simulated". National ids have the shape and check digit of GB 11643, under region codes that
begin with 99, which is no province. Phone numbers begin with 100, which is no mobile prefix in China;
mail goes to `.invalid` (RFC 2606).
"""

from __future__ import annotations

from hashlib import blake2b

from obligor.world.people import Person

__all__ = ["account_number", "device_id", "national_id", "person_payload", "reference"]

# GB 11643 (ISO 7064 mod 11-2): weights of the first seventeen characters.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"


def reference(number: int) -> str:
    """The lender's own name for a person, as the front desk sends it."""
    return f"sim-person-{number:05d}"


def national_id(person: Person) -> str:
    """Eighteen characters, unique among ten million people of a world, valid but for its region."""
    high, low = divmod(person.number, 1000)
    body = f"99{high:04d}{person.born_on:%Y%m%d}{low:03d}"
    return body + _CHECK[sum(int(c) * w for c, w in zip(body, _WEIGHTS, strict=True)) % 11]


def device_id(person: Person, devices: int) -> str:
    """The device that a person uses now; the members of a ring share two of them."""
    owner = (
        f"ring {person.ring} {person.number % 2}" if person.ring is not None else f"{person.number} {devices}"
    )
    return f"sim-device-{_opaque('device', owner):012x}"


def account_number(account: str) -> str:
    """A bank's number of an account; no bank issues letters."""
    return f"SIMULATED {account.removeprefix('sim-account-')}"


def person_payload(person: Person, *, known: bool) -> dict[str, str]:
    """The `person` of an application; one who is `known` gives the national id alone."""
    identity = national_id(person)
    if known:
        return {"national_id": identity}
    number = person.number
    chinese, english = ("模拟企业", "Simulated Firm") if person.firm else ("模拟客户", "Simulated Person")
    name = f"{chinese}{number:05d}" if number % 2 else f"{english} {number:05d}"
    home = _opaque("home", f"ring {person.ring}" if person.ring is not None else str(number))
    return {
        "reference": reference(number),
        "national_id": identity,
        "name": name,
        "phone": f"+86100{number:08d}",
        "email": f"person{number:05d}@simulated.invalid",
        "address": f"{home % 997 + 1} Simulated Road {home // 997 % 9973 + 1}, Nowhere",
        "born_on": person.born_on.isoformat(),
        "kind": "firm" if person.firm else "person",
    }


def _opaque(kind: str, owner: str) -> int:
    """A number of 48 bits that tells nothing of its owner."""
    return int.from_bytes(blake2b(f"{kind} {owner}".encode(), digest_size=6).digest(), "big")
