// The console in a real browser, against a running Turnwire whose backend is scripted.
// TURNWIRE_URL, TURNWIRE_KEY, OTHER_KEY (of another tenant), BACKEND_URL and ORCHESTRATOR_PID say where.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { launched, watched } from "./browser.ts";

const origin = process.env["TURNWIRE_URL"]!;
const key = process.env["TURNWIRE_KEY"]!;
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let browser: Browser;
let context: BrowserContext;
let page: Page;
let faults: string[];

before(async () => {
  browser = await launched();
  context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light", bypassCSP: false });
  ({ page, faults } = await watched(context, origin));
});
after(() => browser.close());

async function script(...answers: object[]): Promise<void> {
  await fetch(`${process.env["BACKEND_URL"]}/mock/script`, { method: "POST", body: JSON.stringify({ answers }) });
}

async function open(path: string): Promise<void> {
  await page.goto(`${origin}/console/${path}`);
}

async function say(text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.keyboard.press("Enter");
}

test("a wrong key is refused, a right one signs in", async () => {
  await open("");
  await page.getByLabel("API key").fill("sk-tw-wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("API key").fill(key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Responses", exact: true }).waitFor();
  const cookies = await context.cookies();
  assert.equal(cookies.length, 1);
  assert.ok(cookies[0]!.httpOnly && cookies[0]!.sameSite === "Strict");
  assert.ok(!(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie)).includes(key));
});

test("a question is answered live, and its turn can be opened, from the keyboard alone", async () => {
  await script({ text: ["The sea ", "is wide."] });
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await page.getByRole("heading", { name: "Playground" }).waitFor();
  await page.waitForFunction(() => (document.querySelector("input[list]") as HTMLInputElement | null)?.value);
  await page.keyboard.press("/");
  await page.keyboard.type("What is the sea?");
  await page.keyboard.press("Enter");
  await page.getByText("The sea is wide.").waitFor();
  await page.getByRole("link", { name: "Open the turn" }).waitFor();
  await page.getByLabel("Message").blur();
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await page.getByRole("main").getByRole("listitem").first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.getByRole("tab", { name: "Timeline" }).waitFor();
  await page.getByRole("button", { name: /^model/ }).waitFor();
});

test("events replay forwards and back, the stream is played, and what the model was sent is shown", async () => {
  await page.keyboard.press("4");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByText(/2 of 3|2 of 2/).waitFor();
  await page.keyboard.press("k");
  await page.getByText(/1 of/).waitFor();
  await page.getByRole("heading", { name: "requested" }).waitFor();
  await page.getByRole("tab", { name: "Prompt" }).click();
  await page.getByRole("region", { name: "What the model was sent" }).getByText("What is the sea?").waitFor();
  await page.getByRole("tab", { name: "Stream" }).click();
  await page.getByText("output_text.delta").first().waitFor();
  await page.getByLabel("Frame to look at").fill("4");
  const screen = page.getByRole("region", { name: "What stood there then" });
  await screen.getByText("The sea", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Play" }).click();
  await screen.getByText("The sea is wide.").waitFor();
});

test("an orchestrator that dies in mid-stream is taken over before one's eyes", async () => {
  await script({ text: ["It begins ", "here"], pause_after: 2 }, { text: ["and it goes on."] });
  await open("playground");
  await page.waitForFunction(() => (document.querySelector("input[list]") as HTMLInputElement | null)?.value);
  await say("Tell me something long.");
  await page.getByText("It begins here").waitFor();
  process.kill(Number(process.env["ORCHESTRATOR_PID"]), "SIGKILL");
  await page.getByText("and it goes on.").waitFor({ timeout: 60_000 });
  await page.getByRole("link", { name: "Open the turn" }).click();
  await page.getByRole("button", { name: /taken over/ }).waitFor();
});

test("a gateway that dies while a turn is open is waited for, and the turn goes on", async () => {
  await script({ text: ["One, ", "two, ", "three."], pause_after: 2 });
  await open("playground");
  await page.waitForFunction(() => (document.querySelector("input[list]") as HTMLInputElement | null)?.value);
  await say("Count.");
  await page.getByText("One, two,").waitFor();
  await page.getByRole("link", { name: "Open the turn" }).click();
  await page.getByText("One, two,").waitFor();
  process.kill(Number(process.env["GATEWAY_PID"]), "SIGKILL");
  await page.getByText("The connection was lost").waitFor();
  await page.getByText("The connection was lost").waitFor({ state: "detached", timeout: 60_000 });
  await fetch(`${process.env["BACKEND_URL"]}/mock/release`, { method: "POST" });
  await page.getByText("One, two, three.").waitFor();
  await page.getByText("completed").first().waitFor();
  await page.getByRole("button", { name: /^completed/ }).waitFor();
});

test("a fork with other instructions stands beside its origin", async () => {
  await script({ text: ["La mer est large."] });
  await page.keyboard.press("f");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.type("Answer in French.");
  await page.keyboard.press("Tab");
  await page.keyboard.type("And now?");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("La mer est large.").waitFor();
  await page.getByText("completed").first().waitFor();
  await page.getByRole("link", { name: "compare", exact: true }).waitFor();
  await page.keyboard.press("c");
  await page.getByText("Answer in French.").first().waitFor();
  await page.getByRole("region", { name: "Differences of the text" }).waitFor();
});

test("a call that waits for a person is approved, and the turn goes on", async () => {
  await script({ calls: [{ name: "note", arguments: '{"text": "buy beans"}' }] }, { text: ["Noted it is."] });
  await open("playground?server=desk");
  await page.waitForFunction(() => (document.querySelector("input[list]") as HTMLInputElement | null)?.value);
  await say("Write it down.");
  await page.getByText("waits for a person").waitFor();
  await page.getByLabel("Message").blur();
  await page.keyboard.press("g");
  await page.keyboard.press("a");
  await page.getByRole("region", { name: "Arguments" }).getByText("buy beans").waitFor();
  await page.keyboard.press("a");
  await page.getByText("Approved").waitFor();
  await page.getByRole("status").getByRole("link").click();
  await page.getByText("Noted it is.").waitFor();
  await page.getByText("Noted: buy beans").waitFor();
});

test("what is deleted can be brought back", async () => {
  await page.getByText("completed").first().waitFor();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.getByRole("button", { name: "Delete" }).waitFor();
  await page.reload();
  await page.getByText("Noted it is.").waitFor();
});

test("a poisoned answer is text", async () => {
  const poison = `<script>window.__ran = 1</script><img src="http://evil.example/x" onerror="window.__ran = 1">[x](javascript:window.__ran=1) \u202eabc\u001b[31m`;
  await script({ text: [poison, "x".repeat(400_000)] });
  await open("playground");
  await page.waitForFunction(() => (document.querySelector("input[list]") as HTMLInputElement | null)?.value);
  await say("Poison me.");
  await page.getByText("<script>window.__ran = 1</script>").waitFor();
  await page.getByText("‹U+202E›abc‹U+001B›").waitFor();
  await page.getByRole("link", { name: "Open the turn" }).click();
  await page.getByText("‹U+202E›abc").first().waitFor();
  assert.equal(await page.evaluate(() => (window as { __ran?: number }).__ran), undefined);
  assert.equal(await page.locator("main img").count(), 0);
});

test("responses are found by their text, and the filter stands in the address", async () => {
  await open("responses");
  await page.getByRole("searchbox").fill("wide");
  await page.keyboard.press("Enter");
  await page.waitForURL(/search=wide/);
  await page.getByText(/responses were read/).waitFor();
  const found = page.getByRole("main").getByRole("listitem");
  await found.filter({ hasText: "What is the sea?" }).waitFor();
  assert.equal(await found.count(), 1);
});

test("another tenant sees nothing of it", async () => {
  const other = await browser.newContext();
  const theirs = (await watched(other, origin)).page;
  await theirs.goto(`${origin}/console/`);
  await theirs.getByLabel("API key").fill(process.env["OTHER_KEY"]!);
  await theirs.keyboard.press("Enter");
  await theirs.getByText("No responses yet").waitFor();
  await theirs.goto(page.url().replace(/responses.*/, "system"));
  assert.equal(await theirs.getByRole("link", { name: "System" }).count(), 0);
  await other.close();
});

const PAGES = ["responses", "playground", "conversations", "approvals", "compare", "keys", "limits", "audit", "erasure"];
const TABS = ["timeline", "events", "frames", "replay", "prompt", "code", "json"];

test("axe finds nothing on any page of an admin, light or dark, wide or narrow", async () => {
  // The newest is the poisoned one: axe would read its 400,000 characters again and again.
  const last = await page.evaluate(async (url) => ((await (await fetch(`${url}/v1/responses?limit=2`, { headers: { "x-turnwire-console": "1" } })).json()) as { data: { id: string }[] }).data[1]!.id, origin);
  await inspect(page, [...PAGES, ...TABS.map((tab) => `responses/${last}?tab=${tab}`)]);
});

test("axe finds nothing on any page of an operator either", async () => {
  const other = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const { page: theirs, faults: found } = await watched(other, origin);
  await theirs.goto(`${origin}/console/`);
  await theirs.getByLabel("API key").fill(process.env["OPERATOR_KEY"]!);
  await theirs.keyboard.press("Enter");
  await theirs.getByRole("link", { name: "System" }).click();
  await theirs.getByRole("region", { name: "Processes" }).getByText("orchestrator").first().waitFor();
  await theirs.getByRole("link", { name: "Tools" }).click();
  await theirs.getByText("get_time").waitFor();
  await theirs.goto(`${origin}/console/responses?tenant=acme`);
  await theirs.getByText("nothing that was said").waitFor();
  await theirs.getByRole("listitem").filter({ hasText: "resp_" }).first().waitFor();
  assert.equal(await theirs.getByRole("main").getByRole("listitem").getByRole("link").count(), 0);
  await inspect(theirs, ["system", "guard", "tools"]);
  assert.deepEqual(found, []);
  await other.close();
});

// The dark look has other colours, and nothing else.
const LOOKS = [
  { colorScheme: "light", width: 1440, rules: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] },
  { colorScheme: "light", width: 320, rules: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] },
  { colorScheme: "dark", width: 1440, rules: ["color-contrast", "link-in-text-block"] },
] as const;

/** Each page once in every look; axe is run beside the page, not in it: the policy lets nothing in. */
async function inspect(at: Page, paths: string[]): Promise<void> {
  const { readFileSync } = await import("node:fs");
  const source = readFileSync(axe, "utf8");
  for (const path of paths) {
    await at.goto(`${origin}/console/${path}`);
    await at.getByRole("heading", { level: 1 }).waitFor();
    await at.waitForLoadState("networkidle", { timeout: 2_000 }).catch(() => undefined);
    await at.evaluate(source);
    for (const { colorScheme, width, rules } of LOOKS) {
      await at.emulateMedia({ colorScheme });
      await at.setViewportSize({ width, height: 900 });
      const found = await at.evaluate(`axe.run({ runOnly: ${JSON.stringify(rules)}, resultTypes: ["violations"] }).then(found => found.violations.map(each => each.id + ": " + each.nodes.map(node => node.html.slice(0, 160)).join(" | ")))`);
      assert.deepEqual(found, [], `${path}, ${colorScheme}, ${width}`);
      const over = await at.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${path} is ${over} px too wide at ${width}`);
    }
  }
}

test("signing out ends it", async () => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
});

test("nothing was blocked by the policy, nothing failed, and no other server was asked", () => {
  assert.deepEqual(faults, []);
});
