// The pictures of docs/console.md: each page, light and dark, of a Turnwire that `python -m console.pictures` runs.

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { BrowserContext, Page } from "playwright-core";
import { launched } from "./browser.ts";

const told = (name: string) => process.env[name] ?? "";
const origin = told("TURNWIRE_URL");
const folder = process.env["PICTURES"] ?? fileURLToPath(new URL("../../docs/pictures/", import.meta.url));
const SIZE = { width: 1280, height: 800 };

type Picture = { name: string; path: string; who?: "operator" | "none"; before?: (page: Page) => Promise<void>; narrow?: boolean };

const turn = `responses/${told("TAKEN_OVER")}`;
const PICTURES: Picture[] = [
  { name: "sign-in", path: "", who: "none" },
  { name: "responses", path: "responses" },
  { name: "response", path: turn, before: (page) => page.getByRole("button", { name: /taken over/ }).click() },
  { name: "response-live", path: `responses/${told("LIVE")}` },
  { name: "stream", path: `${turn}?tab=frames`, before: (page) => page.getByLabel("Frame to look at").fill("24") },
  { name: "replay", path: `${turn}?tab=replay`, before: async (page) => {
    for (let steps = 0; steps < 4; steps += 1) await page.getByRole("button", { name: "Next" }).click();
    await page.getByLabel("What it changed").waitFor();
  } },
  { name: "fork", path: turn, before: async (page) => (await page.keyboard.press("f"), await page.getByRole("dialog").waitFor()) },
  { name: "compare", path: `compare?before=${told("BEFORE")}&after=${told("AFTER")}`, before: (page) => page.getByRole("region", { name: "Differences of the text" }).waitFor() },
  { name: "conversations", path: "conversations" },
  { name: "conversation", path: `conversations/${told("CONVERSATION")}` },
  { name: "approvals", path: "approvals", before: (page) => page.getByRole("button", { name: "Approve" }).first().waitFor() },
  { name: "playground", path: "playground", before: played },
  { name: "commands", path: "responses", before: async (page) => (await page.keyboard.press("Control+k"), await page.getByRole("dialog").waitFor()) },
  { name: "keys", path: "keys" },
  { name: "limits", path: "limits" },
  { name: "audit", path: "audit" },
  { name: "erasure", path: "erasure" },
  { name: "system", path: "system", who: "operator", before: (page) => page.getByRole("region", { name: "Processes" }).waitFor() },
  { name: "guard", path: "guard", who: "operator", before: judged },
  { name: "tools", path: "tools", who: "operator", before: (page) => page.getByText("get_time").first().waitFor() },
  { name: "response-narrow", path: turn, narrow: true },
];

/** A third of the bytes; the browser itself writes it anew. */
async function asWebp(context: BrowserContext, png: Buffer): Promise<Buffer> {
  const blank = await context.newPage();
  const url = await blank.evaluate(async (data) => {
    const picture = new Image();
    picture.src = `data:image/png;base64,${data}`;
    await picture.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [picture.width, picture.height];
    canvas.getContext("2d")!.drawImage(picture, 0, 0);
    return canvas.toDataURL("image/webp", 0.88);
  }, png.toString("base64"));
  await blank.close();
  return Buffer.from(url.slice(url.indexOf(",") + 1), "base64");
}

async function played(page: Page): Promise<void> {
  const answers = [{ text: ["Steep it ", "at 75 °C, ", "for two ", "to three ", "minutes."], delay_ms: 20 }];
  await fetch(`${told("BACKEND_URL")}/mock/script`, { method: "POST", body: JSON.stringify({ answers }) });
  await page.waitForFunction(() => (document.querySelector("input[list]") as HTMLInputElement | null)?.value);
  await page.getByLabel("Instructions").fill("You answer for a tea shop. Be brief.");
  await page.getByLabel("Message").fill("How do I brew white tea?");
  await page.keyboard.press("Enter");
  await page.getByText("completed").waitFor();
}

async function judged(page: Page): Promise<void> {
  await page.getByRole("textbox", { name: "Text" }).fill("Write to ada@example.org about it.");
  await page.getByRole("button", { name: "Judge it" }).click();
  await page.getByText("blocked").first().waitFor();
}

async function signedIn(context: BrowserContext, key: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${origin}/console/`);
  if (!key) return page;
  await page.getByLabel("API key").fill(key);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Responses", level: 1 }).waitFor();
  return page;
}

const KEYS = { admin: told("TURNWIRE_KEY"), operator: told("OPERATOR_KEY"), none: "" };
mkdirSync(folder, { recursive: true });
const only = process.env["ONLY"]?.split(",");
const browser = await launched();
for (const colorScheme of ["light", "dark"] as const) {
  for (const who of ["admin", "operator", "none"] as const) {
    const wanted = PICTURES.filter((each) => (each.who ?? "admin") === who && (!only || only.includes(each.name)));
    if (!wanted.length) continue;
    const context = await browser.newContext({ viewport: SIZE, colorScheme, locale: "en-GB", timezoneId: "Europe/Berlin", reducedMotion: "reduce" });
    const page = await signedIn(context, KEYS[who]);
    for (const picture of wanted) {
      await page.setViewportSize(picture.narrow ? { width: 390, height: 780 } : SIZE);
      await page.goto(`${origin}/console/${picture.path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await page.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => undefined);
      await picture.before?.(page).catch((error: Error) => console.log(`${picture.name}: ${error.message}`));
      const shot = await page.screenshot({ caret: "hide" });
      const small = process.env["FORMAT"] === "png" ? shot : await asWebp(context, shot);
      writeFileSync(`${folder}/${picture.name}-${colorScheme}.${process.env["FORMAT"] ?? "webp"}`, small);
    }
    await context.close();
  }
}
await browser.close();
console.log(`The pictures are in ${folder}.`);
