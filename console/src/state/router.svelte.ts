// The address is the state: pages read their path and their filters from it, and write them there.

import { CONSOLE } from "../api/address";

class Router {
  #path = $state(pathNow());
  #search = $state(location.search);

  constructor() {
    addEventListener("popstate", () => this.#read());
  }

  get path(): string {
    return this.#path;
  }

  get parts(): string[] {
    return this.#path.split("/").filter(Boolean).map(decodeURIComponent);
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#search);
  }

  /** Go to a path below the console, such as `responses/resp_1?tab=events`. */
  go(path: string): void {
    history.pushState(null, "", CONSOLE + path.replace(/^\//, ""));
    this.#read();
    scrollTo(0, 0);
  }

  /** Change parameters of this address; `null` and empty remove one. */
  set(changes: Record<string, string | null>): void {
    const query = this.query;
    for (const [name, value] of Object.entries(changes)) {
      if (value) query.set(name, value);
      else query.delete(name);
    }
    const search = query.size ? `?${query}` : "";
    history.replaceState(null, "", location.pathname + search);
    this.#read();
  }

  /** Take over clicks on links into the console, but not those that open elsewhere. */
  take(event: MouseEvent): void {
    const link = (event.target as Element | null)?.closest?.("a[href]") as HTMLAnchorElement | null;
    if (!link || event.defaultPrevented || event.button !== 0 || link.target || link.hasAttribute("download")) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.origin !== location.origin || !`${link.pathname}/`.startsWith(CONSOLE)) return;
    event.preventDefault();
    this.go((link.pathname + link.search).slice(CONSOLE.length));
  }

  #read(): void {
    this.#path = pathNow();
    this.#search = location.search;
  }
}

function pathNow(): string {
  return `${location.pathname}/`.startsWith(CONSOLE) ? location.pathname.slice(CONSOLE.length) : "";
}

export function href(path: string): string {
  return CONSOLE + path;
}

export const router = new Router();
