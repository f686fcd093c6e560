// The one script of the pages: htmx, and islands that improve what already works without them.
import "htmx.org";
import { copies } from "./copy";
import { keyboard } from "./keys";
import { live } from "./live";
import { charts } from "./zoom";
import { speech } from "./say";

document.addEventListener("DOMContentLoaded", () => {
  keyboard();
  speech();
  live();
  menus();
  fold();
  improve(document.body);
});
document.addEventListener("htmx:load", (event) => improve((event as CustomEvent<{ elt: HTMLElement }>).detail.elt));

/** What must be done again for each piece of page that arrives. */
export function improve(root: HTMLElement): void {
  copies(root);
  charts(root);
}

/** A menu closes when one looks elsewhere. */
function menus(): void {
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      if (!menu.contains(event.target as Node)) menu.open = false;
    }
  });
}

/** What stands at the left folds above the sheet where there is no room at the left. */
function fold(): void {
  const narrow = matchMedia("(width < 940px)");
  const set = () => {
    for (const part of document.querySelectorAll<HTMLDetailsElement>(".side-fold")) {
      part.open = !narrow.matches;
      part.dataset.ready = "";
    }
  };
  set();
  narrow.addEventListener("change", set);
}
