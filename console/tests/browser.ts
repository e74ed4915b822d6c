// A browser for the tests and the screenshots: Debian's Chromium, headless, asking no other server.

import { existsSync } from "node:fs";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

const PLACES = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export const executable = PLACES.find((path) => path && existsSync(path));

export async function launched(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable!,
    args: ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"],
  });
}

/** A page that notes what should never be: faults, refusals of the policy, requests to elsewhere. */
export async function watched(context: BrowserContext, origin: string): Promise<{ page: Page; faults: string[] }> {
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (/Content Security Policy|Trusted/.test(message.text())) faults.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("blob:")) faults.push(`asked ${request.url()}`);
  });
  return { page, faults };
}
