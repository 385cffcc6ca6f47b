"""Templates, and what every one of them can call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from markupsafe import Markup

from obligor.web import charts, telling
from obligor.web.static import Static
from obligor.web.wording import Words

__all__ = ["LANGUAGES", "Renderer", "url"]

LANGUAGES = {"en": "English", "zh": "中文"}
_TEMPLATES = Path(__file__).parent / "templates"

# State words with the mark that stands before them: shape and word first, colour last.
_MARKS = {
    "approve": "good",
    "accepted": "good",
    "current": "good",
    "closed": "good",
    "paid": "good",
    "release": "good",
    "info": "",
    "hold": "warn",
    "part": "warn",
    "refer": "warn",
    "special_mention": "warn",
    "warn": "warn",
    "1-30": "warn",
    "31-60": "warn",
    "61-90": "bad",
    "90+": "bad",
    "decline": "bad",
    "doubtful": "bad",
    "loss": "bad",
    "past_due": "bad",
    "refuse": "bad",
    "serious": "bad",
    "substandard": "bad",
    "written_off": "bad",
}


def url(path: str, asked: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """An address on this site, with parameters; None and empty ones are left out."""
    merged = {**(asked or {}), **changes}
    pairs = [(name, str(value)) for name, value in merged.items() if value not in (None, "")]
    return f"{quote(path)}?{urlencode(pairs)}" if pairs else quote(path)


def _spoken_query(asked: Mapping[str, Any]) -> Markup:
    """The query of an address with what is set in ink."""
    pairs = [(name, str(value)) for name, value in asked.items() if value not in (None, "")]
    return Markup("&amp;").join(Markup("<b>{}</b>").format(urlencode([pair])) for pair in pairs)


class Renderer:
    """Fills templates for one language at a time."""

    def __init__(self, static: Static) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(
            charts=charts,
            heat=charts.heat,
            languages=LANGUAGES,
            marks=_MARKS,
            spoken_query=_spoken_query,
            static=static.address,
            url=url,
        )

    def __call__(self, template: str, words: Words, values: Mapping[str, Any]) -> bytes:
        """A page as bytes of HTML."""

        def say(text: str, **given: Any) -> str:
            said = words.say(text)
            return Markup(said).format(**given) if given else said  # noqa: S704

        return (
            self._environment.get_template(template)
            .render(
                **words.table(),
                w=words,
                _=say,
                lang=words.lang,
                plural=lambda n, one, many: say(one) if n == 1 else say(many, n=words.count(n)),
                reason=lambda given: telling.reason(words, given),
                tell=lambda event: telling.tell(words, event),
                headline=lambda alert: telling.headline(words, alert),
                written=lambda value: telling.written(words, value),
                **values,
            )
            .encode()
        )
