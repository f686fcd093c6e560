// Live pages: server-sent events say which subjects changed; parts of the page that show them are fetched and replaced.
// A part has an id and data-live: the id of a subject, or the beginning of an event's type.
import { improve } from "./platen";

interface Told { type: string; subject: { kind: string; id: string } | null; data: Record<string, unknown> }

const CALM_MS = 2500; // between two fetches, however much happens
let dirty = false;
let timer = 0;
let last = 0;

export function live(): void {
  if (!document.querySelector("[data-live]") || !("EventSource" in window)) return;
  let source = open();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source.close();
    } else if (source.readyState === EventSource.CLOSED) {
      source = open();
      touch();
    }
  });
  addEventListener("pagehide", () => source.close());
}

function open(): EventSource {
  const source = new EventSource("/events");
  source.addEventListener("message", (message) => hear(JSON.parse(message.data) as Told));
  return source;
}

function hear(told: Told): void {
  const device = typeof told.data?.device === "string" ? told.data.device : "";
  for (const part of document.querySelectorAll<HTMLElement>("[data-live]")) {
    const wants = part.dataset.live ?? "";
    if (wants === told.subject?.id || (device !== "" && wants === device) || told.type.startsWith(wants)) {
      touch();
      return;
    }
  }
}

/** Fetches soon, and not more often than calm allows. */
function touch(): void {
  if (dirty) return;
  dirty = true;
  clearTimeout(timer);
  timer = window.setTimeout(refresh, Math.max(400, last + CALM_MS - Date.now()));
}

async function refresh(): Promise<void> {
  dirty = false;
  last = Date.now();
  const answer = await fetch(location.href, { headers: { "platen-live": "1" }, redirect: "error" }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll<HTMLElement>("[data-live][id]")) {
    const other = fresh.getElementById(part.id);
    if (other) replace(part, other);
  }
  for (const id of ["count"]) {
    const [here, there] = [document.getElementById(id), fresh.getElementById(id)];
    if (here && there && here.innerHTML !== there.innerHTML) here.innerHTML = there.innerHTML;
  }
  const [here, there] = [document.querySelector(".nav"), fresh.querySelector(".nav")];
  if (here && there && here.innerHTML !== there.innerHTML) here.innerHTML = there.innerHTML;
}

/** Puts the new part in place unless a person is at work in the old one; focus on a link stays where it was. */
function replace(part: HTMLElement, other: HTMLElement): void {
  const mark = part.classList.contains("at");
  part.classList.remove("at", "fresh");
  const same = part.outerHTML === other.outerHTML;
  if (mark) part.classList.add("at");
  if (same || part.querySelector("[data-zoomed]")) return;
  const active = document.activeElement as HTMLElement | null;
  const inside = active !== null && part.contains(active) ? active : null;
  if (inside?.closest("form, summary") || part.querySelector("details[open]")) return;
  const link = inside?.getAttribute("href");
  const taken = document.importNode(other, true);
  if (mark) taken.classList.add("at");
  if (taken.tagName === "TR") taken.classList.add("fresh");
  part.replaceWith(taken);
  improve(taken);
  if (link) taken.querySelector<HTMLElement>(`a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
}
