// What keys do, everywhere and on the page that is open.

import { untrack } from "svelte";

export type Shortcut = { keys: string; label: string; act: () => void };

class Keyboard {
  #page = $state.raw<Shortcut[]>([]);

  get ofPage(): Shortcut[] {
    return this.#page;
  }

  /** Have shortcuts while a page is open: use it in an effect. */
  use(shortcuts: Shortcut[]): () => void {
    untrack(() => (this.#page = [...this.#page, ...shortcuts]));
    return () => untrack(() => (this.#page = this.#page.filter((each) => !shortcuts.includes(each))));
  }

  press(event: KeyboardEvent): boolean {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return false;
    const found = this.#page.findLast((each) => each.keys.split(" ").includes(event.key));
    if (!found) return false;
    event.preventDefault();
    found.act();
    return true;
  }
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export const keyboard = new Keyboard();
