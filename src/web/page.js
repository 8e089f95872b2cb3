"use strict";
// The page as the server renders it is whole. This asks for it again and again and takes over what has changed, node by
// node, so that focus, scrolling, selections and what is folded out stay. It never makes markup of text.
(() => {
  const EVERY_MS = 2000;
  const find = (id) => document.getElementById(id);
  const age = find("age"), pause = find("pause"), news = find("news");
  let sort = null, paused = false, answered = Date.now(), timer = 0, failure = "";

  // --- what has changed ---------------------------------------------------------------------------------------------

  function takeAttributes(here, there) {
    for (const { name } of [...here.attributes])
      if (!there.hasAttribute(name) && !(name === "open" && here.localName === "details"))
        here.removeAttribute(name);
    for (const { name, value } of there.attributes)
      if (here.getAttribute(name) !== value)
        here.setAttribute(name, value);
  }

  const isSame = (here, there) => here.nodeType === there.nodeType && here.nodeName === there.nodeName &&
    (here.nodeType !== Node.ELEMENT_NODE || here.id === there.id);

  function take(here, there) {
    if (here.nodeType !== Node.ELEMENT_NODE) {
      if (here.nodeValue !== there.nodeValue)
        here.nodeValue = there.nodeValue;
      return;
    }
    takeAttributes(here, there);
    takeChildren(here, there);
  }

  function takeChildren(here, there) {
    let at = here.firstChild;
    for (const wanted of [...there.childNodes]) {
      let found = at;
      if (found && !isSame(found, wanted)) {
        found = wanted.id ? [...here.children].find((child) => isSame(child, wanted)) : null;
        if (found)
          here.insertBefore(found, at);
      }
      if (found) {
        take(found, wanted);
        at = found.nextSibling;
      } else {
        here.insertBefore(document.importNode(wanted, true), at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  // --- the table ----------------------------------------------------------------------------------------------------

  const keyOf = (row, column) => {
    const cell = row.cells[column];
    return cell.hasAttribute("data-sort") ? Number(cell.dataset.sort) : cell.textContent;
  };

  function arrange(table) {
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = table.ownerDocument.createElement("button");
      button.type = "button";
      button.textContent = cell.textContent;
      cell.replaceChildren(button);
      if (sort && sort.column === column)
        cell.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      else
        cell.removeAttribute("aria-sort");
    });
    if (!sort)
      return;
    const sign = sort.down ? -1 : 1, body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: keyOf(row, sort.column) }));
    rows.sort((a, b) => sign * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    body.replaceChildren(...rows.map(({ row }) => row));
  }

  function onHeader(event) {
    const cell = event.target.closest("th");
    if (!event.target.closest("button") || !cell)
      return;
    const column = cell.cellIndex;
    sort = { column, down: sort && sort.column === column ? !sort.down : cell.classList.contains("number") };
    const copy = find("table").cloneNode(true);
    arrange(copy);
    take(find("table"), copy);
  }

  // --- turns --------------------------------------------------------------------------------------------------------

  const statesOf = () =>
    new Map([...document.querySelectorAll(".card")].map((card) => [card.dataset.pool, card.dataset.state]));

  function tell(before) {
    const told = [];
    for (const [pool, state] of statesOf())
      if (before.get(pool) !== state)
        told.push(`${pool} is ${state}`);
    for (const pool of before.keys())
      if (!statesOf().has(pool))
        told.push(`${pool} is gone`);
    if (told.length > 0)
      news.textContent = told.join(", ");
  }

  function show() {
    const seconds = Math.round((Date.now() - answered) / 1000);
    age.className = failure ? "late" : "";
    const text = failure ? `${failure}; as it was ${seconds} s ago` : paused ? `as it was ${seconds} s ago` : "live";
    if (age.textContent !== text)
      age.textContent = text;
  }

  async function look() {
    const response = await fetch(location.href.split("#")[0], { headers: { Accept: "text/html" }, cache: "no-store",
      signal: AbortSignal.timeout(5000) });
    if (!response.ok)
      throw new Error((await response.text()).trim().slice(0, 100));
    const there = new DOMParser().parseFromString(await response.text(), "text/html");
    if (!there.getElementById("content") || !there.getElementById("daemon"))
      throw new Error("no page of preforkd");
    if (paused)
      return;
    const before = statesOf(), focused = document.activeElement;
    arrange(there.getElementById("table"));
    document.title = there.title;
    take(find("daemon"), there.getElementById("daemon"));
    take(find("content"), there.getElementById("content"));
    if (focused !== document.activeElement && focused.isConnected)
      focused.focus({ preventScroll: true }); // it was in a card that has moved
    answered = Date.now();
    tell(before);
  }

  async function turn() {
    clearTimeout(timer);
    if (!paused && !document.hidden) {
      try {
        await look();
        failure = "";
      } catch (error) {
        failure = error.name === "TypeError" || error.name === "TimeoutError" ? "no answer" : error.message;
      }
    }
    show();
    clearTimeout(timer);
    timer = setTimeout(turn, EVERY_MS);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    turn();
  });
  document.addEventListener("visibilitychange", () => document.hidden || turn());
  find("table").addEventListener("click", onHeader);
  find("controls").hidden = false;
  arrange(find("table"));
  show();
  timer = setTimeout(turn, EVERY_MS);
})();
