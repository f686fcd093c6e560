// A button beside each chart that loads the chart script only when somebody zooms.

export function charts(root: HTMLElement): void {
  const script = document.body.dataset.chartScript;
  if (!script) return;
  for (const figure of root.querySelectorAll<HTMLElement>("figure[data-chart]:not([data-ready])")) {
    figure.dataset.ready = "";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "word";
    button.textContent = "Zoom in days";
    button.addEventListener("click", () => void zoom(figure, button, script));
    figure.querySelector(".legend")?.append(button);
  }
}

async function zoom(figure: HTMLElement, button: HTMLButtonElement, script: string): Promise<void> {
  button.disabled = true;
  const style = document.body.dataset.chartStyle;
  if (style && !document.querySelector(`link[href="${style}"]`)) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = style;
    document.head.append(link);
  }
  const chart = (await import(script)) as typeof import("./chart");
  const place = figure.querySelector<HTMLElement>(".scroll");
  if (place) await chart.draw(place, figure.dataset.chart ?? "");
  button.remove();
}
