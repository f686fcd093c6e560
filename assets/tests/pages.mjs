// Visits every page as a person would: both themes, narrow and wide, keyboard, without JavaScript; axe must find nothing.
// PLATEN_URL, PLATEN_EMAIL, PLATEN_PASSWORD say where and who; PLATEN_PICTURES is a folder for PNGs (none: no pictures).
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const env = (name) => process.env[name] ?? fail(`${name} is not set`);
const base = env("PLATEN_URL").replace(/\/$/, "");
const pictures = process.env.PLATEN_PICTURES ?? "";
const only = process.argv[2] ?? "";
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** How long a condition may take on a machine that has much else to do, ms. */
const PATIENCE = 120_000;
const faults = [];
let checks = 0;

function fail(words) {
  console.error(words);
  process.exit(2);
}
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync) ?? fail("chromium not found (apt install chromium)");
if (pictures) mkdirSync(pictures, { recursive: true });

const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"],
});

function expect(holds, words) {
  checks += 1;
  if (!holds) {
    faults.push(words);
    console.log(`  fault: ${words}`);
  }
}

async function signIn(context) {
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  await page.goto(`${base}/sign-in`);
  await page.fill("input[name=email]", env("PLATEN_EMAIL"));
  await page.fill("input[name=password]", env("PLATEN_PASSWORD"));
  await page.click("button.main");
  await page.waitForURL(/\/devices/);
  return page;
}

/** Runs axe and counts what it finds; the page's policy forbids inline script, so it goes in through the debugger. */
async function judge(page, name) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const result = await window.axe.run(document, { runOnly: tags });
    return result.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(" ")} ${n.any[0]?.message ?? ""}`).join(" | ")}`);
  });
  expect(found.length === 0, `${name}: axe ${found.join("; ")}`);
}

function listen(page, name) {
  page.on("console", (m) => m.type() === "error" && expect(false, `${name()}: console ${m.text()}`));
  page.on("pageerror", (e) => expect(false, `${name()}: script ${e.message}`));
}

async function visit(page, path, name, { shoot = true, full = false } = {}) {
  const answer = await page.goto(base + path, { waitUntil: "load" });
  expect(answer.status() < 400, `${name}: ${path} answered ${answer.status()}`);
  await page.evaluate(() => document.fonts.ready);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wide <= 0, `${name}: ${wide} px too wide`);
  await judge(page, name);
  if (!pictures || !shoot) return;
  const size = page.viewportSize();
  // The strip at the foot sticks to the window: the whole page is seen by making the window as high as the page.
  if (full) await page.setViewportSize({ width: size.width, height: await page.evaluate(() => document.documentElement.scrollHeight) });
  await page.screenshot({ path: `${pictures}/${name}.png` });
  await page.setViewportSize(size);
}

async function addresses(page) {
  const first = async (path, selector) => {
    await page.goto(base + path);
    const link = page.locator(selector).first();
    return (await link.count()) ? await link.getAttribute("href") : path;
  };
  const strip = (href) => href.replace(/\?.*$/, "");
  const pages = [
    ["fleet", "/devices"],
    ["fleet-wanted", "/devices?view=wanted"],
    ["fleet-filtered", "/devices?status=ready&vendor=ricoh&sort=-pages"],
    ["device", strip(await first("/devices?sort=name", ".fleet tbody th a"))],
    ["device-attention", strip(await first("/devices", ".fleet tbody th a"))],
    ["alerts", "/alerts"],
    ["alert-open", await first("/alerts", ".inc h2 a")],
    ["alerts-over", "/alerts?state=closed"],
    ["incidents", "/incidents"],
    ["incident", await first("/incidents", "#incident-list th a")],
    ["rules", "/rules"],
    ["rule", await first("/rules", "#rules th a")],
    ["recipients", "/recipients"],
    ["recipient", await first("/recipients", "table th a")],
    ["webhooks", "/webhooks"],
    ["notifications", "/notifications"],
    ["supplies", "/supplies"],
    ["supplies-unforetold", "/supplies?show=unforetold"],
    ["supply", await first("/supplies", "#supplies td a.plain")],
    ["supply-limits", "/supplies/limits"],
    ["forecasts", "/supplies/forecasts"],
    ["shipments", "/shipments"],
    ["parts", "/parts"],
    ["meters", "/meters"],
    ["closes", "/closes"],
    ["close", await first("/closes", "#close-list th a")],
    ["closes-over", "/closes?state=closed"],
    ["close-over", await first("/closes?state=closed", "#close-list th a")],
    ["contracts", "/contracts"],
    ["contract", await first("/contracts", "#contracts th a")],
    ["doubts", "/doubts"],
    ["doubt", await first("/doubts", "#doubt-list th a")],
    ["doubts-settled", "/doubts?state=settled"],
    ["agents", "/agents"],
    ["agent", await first("/agents", "#agents th a")],
    ["import", `${await first("/agents", "#agents th a")}/import`],
    ["invite", "/agents/invite"],
    ["registrations", "/registrations"],
    ["registration", await first("/registrations", "#monitors tr:has(.st:not(.sleep)) th a")],
    ["troubles", "/troubles"],
    ["troubles-by-code", "/troubles?by=code"],
    ["codes", "/troubles/codes?vendor=canon"],
    ["told", await first("/troubles", "#trouble-list th a")],
    ["messages", await first(await first("/registrations", "#monitors tr:has(.st:not(.sleep)) th a"), "a[href^='/messages']")],
    ["message", await first(await first(await first("/registrations", "#monitors tr:has(.st:not(.sleep)) th a"), "a[href^='/messages']"), "#message-list th a")],
    ["tasks", "/tasks"],
    ["task-new", "/tasks/new?what=report_now&kind=&hours=&filter=&life=24"],
    ["task", await first("/tasks", "#task-list th a")],
    ["organisations", "/organisations"],
    ["organisation", await first("/organisations", "table th a")],
    ["users", "/users"],
    ["user", await first("/users", "table th a")],
    ["audit", "/audit"],
    ["account", "/account"],
    ["search", "/search?q=ri"],
    ["help", "/help"],
  ];
  return pages.filter(([name]) => name.startsWith(only));
}

async function look(theme, width) {
  const context = await browser.newContext({ viewport: { width, height: width < 800 ? 844 : 900 }, colorScheme: theme, reducedMotion: "reduce" });
  const page = await signIn(context);
  let name = "sign-in";
  listen(page, () => name);
  for (const [key, path] of await addresses(page)) {
    name = `${key}-${theme}-${width}`;
    await visit(page, path, name, { full: /^device|agent$|^account|help/.test(key) });
  }
  await context.close();
  const stranger = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme });
  const door = await stranger.newPage();
  if ("sign-in".startsWith(only)) await visit(door, "/sign-in", `sign-in-${theme}-${width}`);
  await stranger.close();
}

/** At 360 px nothing scrolls sideways. */
async function narrow() {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 } });
  const page = await signIn(context);
  for (const [key, path] of await addresses(page)) {
    await page.goto(base + path);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(wide <= 0, `${key} at 360: ${wide} px too wide`);
  }
  await context.close();
}

/** On paper, A4 upright with the style sheet's margins: no navigation, title, organisation and date, and nothing is cut off at the side. */
async function paper() {
  const context = await browser.newContext({ viewport: { width: 688, height: 1000 }, colorScheme: "dark" });
  const page = await signIn(context);
  await page.emulateMedia({ media: "print" });
  for (const [key, path] of await addresses(page)) {
    await page.goto(base + path);
    const seen = await page.evaluate(() => {
      const shown = (selector) => [...document.querySelectorAll(selector)].some((one) => one.getClientRects().length > 0);
      const side = document.documentElement.clientWidth;
      const cut = [...document.querySelectorAll("main *")].find((one) => one.getBoundingClientRect().right > side + 1 && !one.closest(".vh"));
      return {
        controls: [".nav", ".side", ".tasks", ".find", ".who", ".tabs", "main button", "main input:not([type=hidden])"].filter(shown),
        title: shown("h1") && shown(".org b") && shown(".printed"),
        cut: cut && `${cut.tagName.toLowerCase()}.${cut.getAttribute("class") ?? ""} ${cut.textContent.trim().slice(0, 40)}`,
      };
    });
    expect(seen.controls.length === 0, `${key} on paper: ${seen.controls.join(", ")}`);
    expect(seen.title, `${key} on paper: title, organisation and date`);
    expect(!seen.cut, `${key} on paper: cut off at ${seen.cut}`);
  }
  await context.close();
}

async function keyboard() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await signIn(context);
  listen(page, () => "keyboard");
  const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.getAttribute("name"));
  await page.goto(`${base}/devices`);
  await page.keyboard.press("Tab");
  expect((await focused()) === "Skip to the sheet", "keyboard: the first stop is the skip link");
  await page.keyboard.press("Enter");
  await page.waitForURL(/#main$/).catch(() => expect(false, "keyboard: the skip link leads to the sheet"));
  const becomes = (holds, words) => page.waitForFunction(holds, null, { timeout: PATIENCE }).then(() => expect(true, words), () => expect(false, words));
  // Just after a jump within the page Chromium may still be moving the focus itself.
  const inSearch = () => page.evaluate(() => document.activeElement?.getAttribute("name") === "q");
  for (const end = Date.now() + PATIENCE; !(await inSearch()) && Date.now() < end; await page.waitForTimeout(500)) await page.keyboard.press("/");
  expect(await inSearch(), "keyboard: / goes to the search field");
  await page.keyboard.type("ri");
  await becomes(() => document.querySelector("#suggest li a"), "keyboard: search suggests something");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await becomes(() => document.querySelectorAll("tr.at").length === 1, "keyboard: j marks a row");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/devices\/[0-9a-f-]{36}/);
  await page.waitForLoadState("load");
  const before = page.url();
  await page.keyboard.press("j");
  await page.waitForURL((url) => url.href !== before && /devices\/[0-9a-f-]{36}/.test(url.href)).catch(() => expect(false, "keyboard: j goes to the next device"));
  await page.waitForLoadState("load");
  await page.keyboard.press("?");
  await becomes(() => document.querySelector("dialog#help[open]"), "keyboard: ? opens the list of keys");
  await page.keyboard.press("Escape");
  await page.keyboard.press("e");
  await becomes(() => document.activeElement?.getAttribute("name") === "name", "keyboard: e goes to the first field");
  await context.close();
}

/** Facets by script: the list changes in place, the address too, and the count is spoken. */
async function islands() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await signIn(context);
  listen(page, () => "islands");
  await page.goto(`${base}/devices`);
  await page.locator(".side input[name=status]").first().check();
  await page.waitForURL(/status=/, { timeout: PATIENCE }).catch(() => expect(false, "islands: a facet changes the address"));
  await page.waitForFunction(() => document.getElementById("say")?.textContent !== "", null, { timeout: PATIENCE }).catch(() => expect(false, "islands: the count is spoken"));
  await page.locator(".fleet tbody th a").first().click();
  const zoom = page.locator("figure button");
  if (await zoom.count()) {
    await zoom.click();
    await page.waitForSelector(".uplot canvas", { timeout: PATIENCE }).catch(() => expect(false, "islands: the chart zooms"));
    if (pictures) await page.locator("#meters").screenshot({ path: `${pictures}/device-zoom-light-1440.png` });
  }
  await context.close();
}

/** The main flow without JavaScript: sign in, filter, open, edit, acknowledge, sign out. */
async function scriptless() {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, javaScriptEnabled: false });
  const page = await signIn(context);
  await page.locator(".side input[name=status]").first().check();
  await page.locator(".side button.apply").click();
  expect(page.url().includes("status="), "scriptless: the facets' form works");
  await page.locator(".fleet tbody th a").first().click();
  await page.fill("#edit input[name=asset_no]", "A-4711");
  await page.locator("#edit button.main").click();
  expect((await page.locator(".noted").first().innerText()).includes("Saved"), "scriptless: an edit is confirmed");
  expect((await page.inputValue("#edit input[name=asset_no]")) === "A-4711", "scriptless: an edit is kept");
  await page.goto(`${base}/alerts`);
  const take = page.getByRole("button", { name: /^Take it/ });
  if (await take.count()) {
    await take.first().click();
    expect((await page.locator(".noted").first().innerText()).includes("Acknowledged"), "scriptless: an alert is taken");
  }
  await page.goto(`${base}/doubts`);
  await page.locator("#doubt-list th a").first().click();
  await page.getByRole("radio").last().check();
  await page.fill("#decide input[name=note]", "service report 4711");
  await page.locator("#decide button.main").click();
  expect((await page.locator(".noted").first().innerText()).includes("Settled"), "scriptless: a doubt is settled");
  await page.locator("#decided button").click();
  expect((await page.locator(".noted").first().innerText()).includes("Open again"), "scriptless: the decision is taken back");
  await page.goto(`${base}/account`);
  await page.locator("#out button").click();
  expect(page.url().includes("/sign-in"), "scriptless: signing out works");
  await context.close();
}

/** What a demo shows once its agents and devices have spoken; two of its counters begin anew, which takes two readings. */
const SHOWN = [
  ["/devices", ".fleet tbody th a", 25, "devices are read"],
  ["/registrations", "#monitors tr:has(.st:not(.sleep)) th a", 4, "devices report by themselves"],
  ["/troubles", "#trouble-list th a", 1, "troubles are told"],
  ["/supplies", "#supplies th:has-text('Lasts')", 1, "supplies are foretold"],
  ["/closes", "#close-list th a", 2, "contracts have periods"],
  ["/closes?state=closed", "#close-list th a", 2, "periods are closed"],
  ["/doubts", "#doubt-list th a", 2, "counters are doubted"],
];

/** Waits until all of that is there, so that every page is looked at with something on it. */
async function settled() {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await signIn(context);
  for (const [path, selector, least, words] of SHOWN) {
    const count = async () => (await page.goto(base + path), page.locator(selector).count());
    for (const end = Date.now() + 3 * PATIENCE; (await count()) < least && Date.now() < end; ) await page.waitForTimeout(1000);
    expect((await count()) >= least, `the demo: ${words}`);
  }
  await context.close();
}

await settled();
/** A list of places: looked at, taken, and asked, with what is wrong said where it is; with JavaScript and without. */
async function lists(theme, width, javaScriptEnabled) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: theme, javaScriptEnabled, reducedMotion: "reduce" });
  const page = await signIn(context);
  const name = `import-seen-${theme}-${width}`;
  const said = () => page.locator(".noted").first().innerText().catch(() => "");
  await page.goto(`${base}/agents`);
  await page.locator("#agents th a").first().click();
  await page.getByRole("link", { name: "Import a list", exact: true }).click();
  await page.fill("textarea[name=list]", "address,name,site,asset,mac\n192.0.2.17,Reception,Ground floor,A-4711,00:26:73:aa:bb:cc\n192.0.2\n192.0.2.18,,,,\n");
  await page.getByRole("button", { name: "Show what it would do" }).click();
  expect((await page.locator("#faults").innerText()).includes("neither an address nor a host name"), `${name}: a line that cannot be used is told`);
  expect((await page.locator("#places tbody tr").count()) === 2, `${name}: both places are shown`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  expect(wide <= 0, `${name}: ${wide} px too wide`);
  if (javaScriptEnabled) await judge(page, name);
  if (pictures && javaScriptEnabled) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
  const take = page.getByRole("button", { name: /^Take 2 places/ });
  if (await take.count()) {
    await take.click();
    expect((await said()).includes("Taken"), `${name}: taking is confirmed`);
  }
  const places = page.locator("textarea[name=targets]");
  await page.goto(`${base}/agents`);
  await page.locator("#agents th a").first().click();
  expect((await places.inputValue()).includes("192.0.2.17,Reception,Ground floor,A-4711"), `${name}: the places stand in the plan`);
  await page.fill("textarea[name=hours]", "at night");
  await page.getByRole("button", { name: "Save the plan" }).click();
  expect((await said()).includes("at night"), `${name}: hours that cannot be read are told`);
  expect((await page.inputValue("textarea[name=hours]")) === "at night", `${name}: what was written is not lost`);
  await page.fill("textarea[name=hours]", "daily");
  await page.fill("textarea[name=targets]", "");
  await page.fill("textarea[name=exclude]", "00:17:c8:00:00:01");
  await page.getByRole("button", { name: "Save the plan" }).click();
  expect((await said()).includes("Plan saved"), `${name}: the plan is saved`);
  await page.getByRole("button", { name: "Discover now" }).click();
  expect((await said()).includes("Asked"), `${name}: a discovery is asked for`);
  const ended = async () => (await page.goto(page.url()), (await page.locator("#discovery").innerText()).includes("Last ended"));
  let over = false;
  for (const end = Date.now() + PATIENCE; !(over = await ended()) && Date.now() < end; ) await page.waitForTimeout(500);
  expect(over, `${name}: how the last discovery went is told`);
  await context.close();
}

/** Without scripts: a serial number is registered, ordered about, suspended and heard again. */
async function registered() {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await signIn(context);
  await page.goto(`${base}/registrations`);
  const known = page.locator("#monitors tr", { hasText: "QMA00123" }).locator("th a");
  if ((await known.count()) === 0) {
    await page.fill("#new input[name=vendor]", "canon");
    await page.fill("#new input[name=serial]", "QMA00123");
    await page.locator("#new button.main").click();
    expect((await page.locator("#made code").innerText()).startsWith("plc_"), "registrations: the claim code is shown");
    await page.fill("#new input[name=vendor]", "canon");
    await page.fill("#new input[name=serial]", "qma00123");
    await page.locator("#new button.main").click();
    expect((await page.locator(".noted, [role=alert]").first().innerText()).includes("registered already"), "registrations: a serial has one holder");
  }
  await page.goto(`${base}/registrations`);
  await known.first().click();
  await page.locator("#orders .row-form button").click();
  expect((await page.locator("#orders table").innerText()).includes("waits to be fetched"), "registration: an order waits");
  await page.locator("#orders table button").first().click();
  expect((await page.locator("#orders table").innerText()).includes("taken back"), "registration: an order is taken back");
  const [file] = await Promise.all([page.waitForEvent("download"), page.locator("#activation button").click()]);
  expect(file.suggestedFilename() === "activation-QMA00123.cbor", "registration: an activation document is downloaded");
  await page.locator("button[value=suspend]").click();
  await page.locator("button[value=resume]").click();
  expect((await page.locator(".lede").innerText()).includes("has not called yet"), "registration: heard again, it still waits for its test");
  await context.close();
}

/** Without scripts: one wish for many is looked at, ordered, and taken back. */
async function wished() {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await signIn(context);
  await page.goto(`${base}/tasks/new`);
  await page.fill("input[name=filter]", "vendor eq");
  await page.getByRole("button", { name: "Look whom it reaches" }).click();
  expect((await page.locator("[role=alert]").count()) === 1, "tasks: a filter that cannot be read is told");
  expect((await page.inputValue("input[name=filter]")) === "vendor eq", "tasks: what was written is not lost");
  await page.fill("input[name=filter]", "");
  await page.selectOption("select[name=kind]", "9");
  await page.getByRole("button", { name: "Look whom it reaches" }).click();
  expect(/would get an order each/.test(await page.locator("#reached").innerText()), "tasks: it says whom it reaches");
  await page.getByRole("button", { name: "Order it of these" }).click();
  expect((await page.locator(".noted").first().innerText()).includes("Ordered"), "tasks: the order is confirmed");
  expect((await page.locator("#shares tbody tr").count()) >= 1, "tasks: each device has its share");
  const back = page.getByRole("button", { name: "Take it back" });
  if (await back.count()) {
    await back.click();
    expect((await page.locator(".lead .st").innerText()).includes("Taken back"), "tasks: it is taken back");
  }
  await page.goto(`${base}/troubles`);
  await page.locator(".side input[name=kind]").first().check();
  await page.locator(".side button.apply").click();
  expect(page.url().includes("kind="), "troubles: the facets' form works");
  await context.close();
}

/** Without scripts: a device that an agent reads is ordered to report, and its page says how that went. */
async function ordered() {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await signIn(context);
  await page.goto(`${base}/devices`);
  const places = await page.locator("#fleet a[href^='/devices/'], table a[href^='/devices/']").evaluateAll((links) => links.map((link) => new URL(link.href).pathname));
  let found = "";
  for (const place of new Set(places)) {
    await page.goto(base + place);
    if ((await page.locator("#orders h2").innerText()).includes("its agent")) {
      found = place;
      break;
    }
  }
  expect(found !== "", "orders: a device is read by an agent");
  await page.locator(".lead button", { hasText: "Report now" }).click();
  expect((await page.locator(".noted").first().innerText()).includes("Ordered"), "orders: the order is confirmed");
  const first = page.locator("#orders tbody tr").first();
  expect((await first.innerText()).includes("Report now"), "orders: it is listed");
  for (const until = Date.now() + PATIENCE; Date.now() < until && /waits|fetched/.test(await first.innerText()); ) {
    await page.waitForTimeout(500);
    await page.goto(base + found);
  }
  expect(/done/.test(await first.innerText()), "orders: the agent read the device and said so");
  await page.locator("#orders select[name=kind]").selectOption("4");
  await page.fill("#orders input[name=minutes]", "5");
  await page.locator("#orders button", { hasText: "Set" }).click();
  expect((await page.locator("#orders").innerText()).includes("now every 5 min"), "orders: a period of its own");
  await context.close();
}

if (!only || only.startsWith("o")) await ordered();
if (!only || only.startsWith("t")) await wished();
if (!only || only.startsWith("r")) await registered();
for (const theme of ["light", "dark"]) for (const width of [1440, 390]) await look(theme, width);
if (!only || only === "import") for (const [theme, width, script] of [["light", 1440, true], ["dark", 390, true], ["light", 390, false]]) await lists(theme, width, script);
if (!only) {
  await narrow();
  await paper();
  await keyboard();
  await islands();
  await scriptless();
}
await browser.close();
console.log(`${checks - faults.length} passed, ${faults.length} failed`);
for (const fault of faults) console.log(`- ${fault}`);
process.exit(faults.length ? 1 : 0);
