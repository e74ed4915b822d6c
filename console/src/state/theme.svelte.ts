// Light, dark, or what the system says.

const KEY = "turnwire.theme";
export type Theme = "system" | "light" | "dark";

class ThemeState {
  #now = $state<Theme>((localStorage.getItem(KEY) as Theme | null) ?? "system");

  constructor() {
    this.#show();
  }
  get now(): Theme {
    return this.#now;
  }
  next(): void {
    this.#now = this.#now === "system" ? "light" : this.#now === "light" ? "dark" : "system";
    localStorage.setItem(KEY, this.#now);
    this.#show();
  }
  #show(): void {
    document.documentElement.dataset["theme"] = this.#now;
  }
}

export const theme = new ThemeState();
