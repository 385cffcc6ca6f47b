// Keys and small comforts. Every page works without this file.
(() => {
  "use strict";
  document.documentElement.classList.add("scripted");
  const rows = () => [...document.querySelectorAll(".rows tbody tr, ol.rows > li")];
  const link = (row) => row.querySelector("td a, a");
  let waiting = false;

  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const at = all.findIndex((row) => row.contains(document.activeElement));
    const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
    link(next)?.focus();
    next.scrollIntoView({ block: "nearest" });
  };

  // A tab that nobody looks at asks for nothing.
  document.addEventListener("htmx:before:request", (event) => {
    if (document.hidden) event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (waiting) {
      waiting = false;
      document.querySelector(`.nav [data-key="${CSS.escape(event.key)}"]`)?.click();
      return;
    }
    const search = document.querySelector('.bar input[type="search"]');
    const filter = document.querySelector(".filters select, .filters input");
    if (event.key === "g") waiting = true;
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/" && search) search.focus();
    else if (event.key === "f" && filter) filter.focus();
    else if (event.key === "e") document.querySelector("#receipt a, .chart")?.focus();
    else return;
    event.preventDefault();
  });

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (!copy || !navigator.clipboard) return;
    event.preventDefault();
    const said = copy.textContent;
    try {
      await navigator.clipboard.writeText(copy.href);
      copy.textContent = copy.dataset.copied;
      setTimeout(() => { copy.textContent = said; }, 1500);
    } catch {
      location.assign(copy.href);
    }
  });
})();
