"""How values are written for people: money, counts, shares, times; in English and in Chinese."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from obligor.kernel import EXPONENTS, format_minor, short
from obligor.web.texts import ZH

__all__ = ["Words"]

NONE = "–"
MINUS = "−"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_LONG_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
# What templates may call by its bare name.
_WRITERS = (
    *(
        "big",
        "bp",
        "brief",
        "brief_day",
        "cap",
        "clock",
        "count",
        "day",
        "moment",
        "money",
        "month",
        "name",
        "pick",
    ),
    *("ppm", "share", "short_place", "signed", "time", "value", "whole", "word"),
)
_ZH_DAYS = "一二三四五六日"
# Values that are no words as they are.
_ENGLISH = {"1-30": "1–30 days", "31-60": "31–60 days", "61-90": "61–90 days", "90+": "over 90 days"}
_PREFIX = {"decision": "D", "application": "A", "loan": "L", "person": "P", "alert": "AL", "event": "E"}


class Words:
    """Writes values in one language, times in one zone, as of a moment whose year goes without saying."""

    def __init__(self, lang: str, zone: str = "UTC", as_of: datetime | None = None) -> None:
        self.lang = lang
        self.zone = ZoneInfo(zone)
        self._year = self._local(as_of).year if as_of else 0

    @property
    def zh(self) -> bool:
        """Whether it is Chinese."""
        return self.lang == "zh"

    def say(self, text: str) -> str:
        """A text of the console, whose key is its English form."""
        return ZH.get(text, text) if self.zh else text

    def pick(self, en: str, zh: str) -> str:
        """The one of two texts that is in this language; the other where it is missing."""
        return (zh or en) if self.zh else (en or zh)

    def value(self, name: str) -> str:
        """A value of the system, such as an outcome, as a word; as it is where there is no word for it."""
        text = name.replace("_", " ")
        return ZH.get(name, ZH.get(text, text)) if self.zh else _ENGLISH.get(name, text)

    def word(self, name: str) -> str:
        """A value that stands alone: with a capital, where there are capitals."""
        return self.first(self.value(name))

    @staticmethod
    def first(text: str) -> str:
        """A text with a capital, where there are capitals."""
        return text[:1].upper() + text[1:]

    def fact(self, name: str) -> str:
        """A fact's name as words; its unit stands in how the value is written."""
        return self.word(name.removesuffix("_minor").removesuffix("_bp").removesuffix("_ppm"))

    def of_fact(self, name: str, value: object, currency: str | None) -> str:
        """A fact's value by the unit that its name ends with: money, or percent for rates and shares."""
        if isinstance(value, bool) or value is None:
            return NONE if value is None else self.say("yes" if value else "no")
        if not isinstance(value, int):
            return self.value(value) if isinstance(value, str) else str(value)
        if name.endswith("_minor") and currency:
            return self.money(value, currency)
        if name.endswith("_bp"):
            return f"{self.bp(value)} %"
        if name.endswith("_ppm"):
            return f"{self.ppm(value, 2)} %"
        return self.count(value)

    # ---- Numbers

    def count(self, n: int | None) -> str:
        """A count: 1,234."""
        return NONE if n is None else _true_minus(f"{n:,}")

    def signed(self, n: int | None) -> str:
        """Points with their sign: +12, −3, 0."""
        return NONE if n is None else _true_minus(f"{n:+,}" if n else "0")

    def money(self, amount_minor: int | None, currency: str | None) -> str:
        """An amount to the minor unit: 1,234.56."""
        if amount_minor is None or currency is None:
            return NONE
        return _true_minus(format_minor(amount_minor, currency))

    def whole(self, amount_minor: int | None, currency: str | None) -> str:
        """An amount in whole units, half away from zero: 1,235. For columns that are read, not summed."""
        if amount_minor is None or currency is None:
            return NONE
        return _true_minus(f"{_scaled(amount_minor, 10 ** EXPONENTS[currency]):,}")

    def big(self, amount_minor: int | None, currency: str | None) -> str:
        """An amount in millions or 万, 亿: 38.6m. Smaller ones in whole units."""
        if amount_minor is None or currency is None:
            return NONE
        unit = 10 ** EXPONENTS[currency]
        steps: tuple[tuple[int, str], ...] = (
            ((10**8, "亿"), (10**4, "万")) if self.zh else ((10**9, "bn"), (10**6, "m"))
        )
        for size, name in steps:
            if abs(amount_minor) >= size * unit:
                tenths = _scaled(amount_minor * 10, size * unit)
                return _true_minus(f"{tenths / 10:,.1f}{name}")
        return self.whole(amount_minor, currency)

    def share(self, part: int | None, of: int | None, places: int = 1) -> str:
        """A part of a whole in percent, without the sign: 53.0."""
        if part is None or not of:
            return NONE
        return _true_minus(f"{part * 100 / of:.{places}f}")

    def ppm(self, ppm: int | None, places: int = 1) -> str:
        """Millionths in percent, without the sign: 6.4."""
        return NONE if ppm is None else f"{ppm / 10_000:.{places}f}"

    def bp(self, rate_bp: int | None) -> str:
        """Basis points in percent, without the sign: 13.90."""
        return NONE if rate_bp is None else f"{rate_bp / 100:.2f}"

    # ---- Times

    def _local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def day(self, on: date | None) -> str:
        """A day: 20 Nov 2026."""
        if on is None:
            return NONE
        on = self._local(on) if isinstance(on, datetime) else on
        if self.zh:
            return f"{on.year}年{on.month}月{on.day}日"
        return f"{on.day} {_MONTHS[on.month - 1]} {on.year}"

    def short_day(self, on: date) -> str:
        """A month under a bar: Nov, with the year where it begins: Jan 27."""
        year = f"{on.year % 100:02d}"
        if self.zh:
            return f"{year}年{on.month}月" if on.month == 1 else f"{on.month}月"
        return f"{_MONTHS[on.month - 1]} {year}" if on.month == 1 else _MONTHS[on.month - 1]

    def long_day(self, on: date | None) -> str:
        """A day with its weekday: Friday, 20 November 2026."""
        if on is None:
            return NONE
        if self.zh:
            return f"{self.day(on)} 星期{_ZH_DAYS[on.weekday()]}"
        return f"{_DAYS[on.weekday()]}, {on.day} {_LONG_MONTHS[on.month - 1]} {on.year}"

    def clock(self, at: datetime | None) -> str:
        """A time of day: 16:28:03."""
        return NONE if at is None else f"{self._local(at):%H:%M:%S}"

    def time(self, at: datetime | None) -> str:
        """A moment: 20 Nov 2026, 16:28."""
        if at is None:
            return NONE
        return f"{self.day(at)}{' ' if self.zh else ', '}{self._local(at):%H:%M}"

    def brief(self, at: datetime | None) -> str:
        """A moment in a long list: 20 Nov, 16:28, with the year where it is another one."""
        if at is None:
            return NONE
        local = self._local(at)
        if local.year != self._year:
            return self.time(at)
        said = f"{local.month}月{local.day}日 " if self.zh else f"{local.day} {_MONTHS[local.month - 1]}, "
        return f"{said}{local:%H:%M}"

    def brief_day(self, on: date | None) -> str:
        """A day in a long list: 20 Nov, with the year where it is another one."""
        if on is None:
            return NONE
        on = self._local(on) if isinstance(on, datetime) else on
        if on.year != self._year:
            return self.day(on)
        return f"{on.month}月{on.day}日" if self.zh else f"{on.day} {_MONTHS[on.month - 1]}"

    def moment(self, at: datetime | None) -> str:
        """A moment to the second: 20 Nov 2026, 16:28:03."""
        return NONE if at is None else f"{self.time(at)}:{self._local(at):%S}"

    def local_day(self, at: datetime) -> date:
        """The day of a moment in the zone."""
        return self._local(at).date()

    def zone_name(self) -> str:
        """The zone's name with its distance from UTC: Asia/Shanghai (UTC+08:00)."""
        offset = datetime.now(UTC).astimezone(self.zone).strftime("%z")
        return f"{self.zone.key} (UTC{offset[:3]}:{offset[3:]})"

    def month(self, text: str) -> str:
        """A month, "2026-01" in, 2026-01 or 2026年1月 out."""
        year, _, month = text.partition("-")
        return f"{year}年{int(month)}月" if self.zh and month.isdigit() else text

    # ---- Names

    def cap(self, name: str) -> str:
        """A cap by what it limits: product instalment, obligor P-8F3K2QXV, each obligor."""
        kind, _, what = name.partition("/")
        if what == "*":
            return self.say("each {kind}").format(kind=self.value(kind))
        return f"{self.value(kind)} {self.name('person', what) if kind == 'obligor' else what}"

    def name(self, kind: str, identity: str | None) -> str:
        """An id for people: D-8F3K2QXV. The whole one stands in the link's title and on its own page."""
        if identity is None:
            return NONE
        made = short(identity)
        return f"{_PREFIX[kind]}-{made}" if made != identity else identity

    def short_place(self, identity: str) -> str:
        """An account or counterparty by its last characters: …4417."""
        made = short(identity)
        return identity if len(identity) <= 12 else f"…{made[-6:]}"

    def table(self) -> dict[str, Callable[..., str]]:
        """The writers by the names that templates call them."""
        return {name: getattr(self, name) for name in _WRITERS}


def _true_minus(text: str) -> str:
    return text.replace("-", MINUS)


def _scaled(n: int, d: int) -> int:
    """N / d to the nearest integer, halves away from zero."""
    quotient = (2 * abs(n) + d) // (2 * d)
    return -quotient if n < 0 else quotient
