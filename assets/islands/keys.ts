// Keyboard first: / search, j k move, Enter opens, e edits, u goes up, g then a letter goes places, ? lists all.

const PLACES: Record<string, string> = { f: "/devices", a: "/alerts", m: "/meters", n: "/agents", s: "/organisations", c: "/account" };
let going = false;

export function keyboard(): void {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      search();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      escape(event);
      return;
    }
    if (arrows(event)) return;
    const field = (event.target as HTMLElement).closest("input, select, textarea, [contenteditable]");
    if (field || document.querySelector("dialog[open]")) return;
    if (act(event.key)) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (!(event.target as HTMLElement).closest("[data-help]")) return;
    event.preventDefault();
    help();
  });
}

function act(key: string): boolean {
  if (going) {
    going = false;
    const place = PLACES[key];
    if (place) location.assign(place);
    return place !== undefined;
  }
  switch (key) {
    case "/": search(); return true;
    case "?": help(); return true;
    case "j": move(1); return true;
    case "k": move(-1); return true;
    case "g": going = true; setTimeout(() => (going = false), 1200); return true;
    case "u": return follow("[data-up]");
    case "e": return edit();
    default: return false;
  }
}

function search(): void {
  const field = document.querySelector<HTMLInputElement>(".find input");
  field?.focus();
  field?.select();
}

function help(): void {
  const dialog = document.getElementById("help") as HTMLDialogElement | null;
  if (dialog && !dialog.open) dialog.showModal();
}

function edit(): boolean {
  const field = document.querySelector<HTMLInputElement>("#edit input:not([type=hidden]), #plan textarea");
  field?.focus();
  return field !== null;
}

function follow(selector: string): boolean {
  const link = document.querySelector<HTMLAnchorElement>(selector);
  link?.click();
  return link !== null;
}

/** The next row of the list, or the neighbour on a sheet. */
function move(step: number): void {
  const neighbours = document.querySelector("[data-neighbours]");
  if (neighbours) {
    neighbours.querySelector<HTMLAnchorElement>(step > 0 ? "a[rel=next]" : "a[rel=prev]")?.click();
    return;
  }
  const rows = [...document.querySelectorAll<HTMLElement>("table[data-rows] tbody tr, [data-rows] > article")].filter((row) => row.querySelector("a"));
  if (rows.length === 0) return;
  const now = rows.findIndex((row) => row.classList.contains("at"));
  const next = rows[Math.min(Math.max(now + step, 0), rows.length - 1)];
  rows[now]?.classList.remove("at");
  next.classList.add("at");
  next.querySelector<HTMLAnchorElement>("th a, h2 a, a")?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

/** Arrows walk from the search field through what was found. */
function arrows(event: KeyboardEvent): boolean {
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return false;
  const find = (event.target as HTMLElement).closest(".find");
  if (!find) return false;
  const stops = [...find.querySelectorAll<HTMLElement>("input, .suggest a")];
  const next = stops[stops.indexOf(event.target as HTMLElement) + (event.key === "ArrowDown" ? 1 : -1)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
  return true;
}

function escape(event: KeyboardEvent): void {
  const menu = (event.target as HTMLElement).closest<HTMLDetailsElement>("details.menu[open]") ?? document.querySelector<HTMLDetailsElement>("details.menu[open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary")?.focus();
  } else if ((event.target as HTMLElement).closest(".find")) {
    document.getElementById("suggest")?.replaceChildren();
    (event.target as HTMLElement).blur();
  }
}
