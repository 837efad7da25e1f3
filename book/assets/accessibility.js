// What the theme leaves undone for readers who hear the page, or move through it by keyboard.
"use strict";

(() => {
  const SCROLLING =
    ".pst-scrollable-table-container, div.math mjx-container, .cell_output .output, .bd-article pre";
  const all = (selector) => [...document.querySelectorAll(selector)];

  // The logo stands outside every landmark.
  const nameLogo = () =>
    all(".sidebar-primary-item").forEach((item) => {
      if (!item.querySelector(".navbar-brand") || item.closest("nav, [role=navigation]")) return;
      item.setAttribute("role", "navigation");
      item.setAttribute("aria-label", "Title page");
    });

  // A button must be called by the words that it shows.
  const nameButtons = () =>
    all("button[aria-label], summary[aria-label], label[aria-label]").forEach((button) => {
      const shown = button.innerText.replace(/\s+/g, " ").trim().toLowerCase();
      const label = button.getAttribute("aria-label").toLowerCase();
      if (shown && !label.includes(shown)) button.removeAttribute("aria-label");
    });

  // The bibliography is a list of items.
  const nameCitations = () =>
    all(".citation-list > .citation").forEach((entry) => {
      entry.setAttribute("role", "listitem");
    });

  // A box in a list of tasks is called by its line.
  const nameTasks = () =>
    all("input.task-list-item-checkbox:not([aria-label])").forEach((box) => {
      box.setAttribute("aria-label", box.closest("li").innerText.trim());
    });

  // A corner of a table that says nothing is no heading.
  const emptyCorners = () =>
    all("th").forEach((heading) => {
      if (heading.textContent.trim() || heading.querySelector("img, svg")) return;
      const cell = document.createElement("td");
      cell.className = heading.className;
      heading.replaceWith(cell);
    });

  // What scrolls sideways can be reached by keyboard.
  const reachScrolling = () =>
    all(SCROLLING).forEach((box) => {
      if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight + 1)
        box.setAttribute("tabindex", "0");
    });

  // Chinese names are read as Chinese.
  const nameChinese = () =>
    all("dl.glossary > dt").forEach((term) => {
      if (/\p{Script=Han}/u.test(term.textContent)) term.setAttribute("lang", "zh");
    });

  const repair = () => {
    nameLogo();
    nameButtons();
    nameCitations();
    nameTasks();
    emptyCorners();
    nameChinese();
    reachScrolling();
  };

  // After the theme's own scripts, which run when the page is loaded and make buttons of their own;
  // formulas are as wide as they are only when they are set.
  const begin = () => setTimeout(repair, 0);
  if (document.readyState === "complete") begin();
  else window.addEventListener("load", begin);
  document.addEventListener("DOMContentLoaded", () =>
    window.MathJax?.startup?.promise?.then(reachScrolling),
  );
  window.addEventListener("resize", reachScrolling);
})();
