// The polite live region: speaks result counts after a filter, and what arrived.

/** Speaks one short sentence. */
export function say(words: string): void {
  const region = document.getElementById("say");
  if (region && region.textContent !== words) region.textContent = words;
}

/** After each exchange that a form with data-say made, speaks the text of the element it names. */
export function speech(): void {
  document.addEventListener("htmx:afterSettle", (event) => {
    const asked = (event as CustomEvent<{ requestConfig?: { elt?: HTMLElement } }>).detail.requestConfig?.elt;
    const from = asked?.closest<HTMLElement>("[data-say]")?.dataset.say;
    const words = from && document.querySelector(from)?.textContent;
    if (words) say(words.trim());
  });
}
