// The chart where one zooms: uPlot over the API's daily series. Drag to zoom, double click for all.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

interface Point { from: string; mono: number | null; color: number | null; total: number | null }

export async function draw(place: HTMLElement, address: string): Promise<void> {
  const answer = await fetch(address, { headers: { accept: "application/json", "platen-live": "1" } });
  if (!answer.ok) return;
  const all = ((await answer.json()) as { points: Point[] }).points;
  // Nothing was known before the first reading; what came after it and is missing stays a gap.
  const points = all.slice(Math.max(0, all.findIndex((point) => point.total !== null)));
  if (points.length === 0) return;
  const days = points.map((point) => Date.parse(point.from) / 1000);
  const split = points.some((point) => point.color !== null);
  const style = getComputedStyle(place);
  const color = (name: string) => resolve(style.getPropertyValue(name));
  const [second, accent, rule] = ["--ink-2", "--accent", "--rule"].map(color);
  const axis = { stroke: second, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1 }, font: "11px sans-serif" };
  const bars = uPlot.paths.bars?.({ size: [0.7, 24] });
  const line = (label: string, stroke: string, fill: string): uPlot.Series =>
    ({ label, stroke, fill, paths: bars, points: { show: false }, value: (_, v, __, at) => (at == null ? "–" : v == null ? "no reading" : v.toLocaleString("en")) });
  const totals = points.map((point) => point.total);
  place.replaceChildren();
  place.dataset.zoomed = "";
  place.classList.add("zoomed");
  const size = () => ({ width: place.clientWidth, height: 230 });
  const chart = new uPlot(
    {
      ...size(),
      series: split
        ? [{}, line("Pages", accent, accent), line("of these black", second, second)]
        : [{}, line("Pages", second, second)],
      axes: [axis, { ...axis, size: 48, values: (_, ticks) => ticks.map((tick) => tick.toLocaleString("en", { notation: "compact" })) }],
      scales: { y: { range: (_, __, most) => [0, Math.max(most, 1)] } },
      cursor: { drag: { x: true, y: false } },
    },
    split ? [days, totals, points.map((point) => point.mono)] : [days, totals],
    place,
  );
  new ResizeObserver(() => chart.setSize(size())).observe(place);
}

/** light-dark() and friends as the canvas understands them. */
function resolve(value: string): string {
  const probe = document.createElement("span");
  probe.style.color = value;
  document.body.append(probe);
  const color = getComputedStyle(probe).color;
  probe.remove();
  return color;
}
