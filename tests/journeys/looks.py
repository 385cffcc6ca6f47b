"""What a page must stand: no overflow, no complaint, no barrier that axe finds."""

import os
from pathlib import Path

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDE = """() => [...document.querySelectorAll('main *, .bar *, footer, .nav *')]
  .filter(e => !e.closest('.scroll, .chart, .term, .clip, svg, .vh, .skip'))
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => `${e.tagName}.${e.className}`)"""


def overflow(tab):
    """What sticks out to the right, and by how much the page scrolls sideways."""
    root = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return root, tab.evaluate(WIDE)


def barriers(tab, axe):
    """What axe finds, each with the first place."""
    told = "violations.map(v => [v.id, v.nodes[0].html])"
    return tab.evaluate(f"{axe}; axe.run(document, {{runOnly: {RULES}}}).then(r => r.{told})")


def keep(tab, name):
    """Keep a picture where OBLIGOR_SHOTS names a folder for them."""
    if folder := os.environ.get("OBLIGOR_SHOTS"):
        tab.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)
