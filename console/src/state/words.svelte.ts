// The words with which responses begin, read for those rows of a list that can be seen.

import { ask } from "../api/client";
import { firstWords, type Item } from "./items";

const AT_ONCE = 4;
const KEPT = 5_000;

type Wanted = { id: string; tell: (words: string) => void; gone: boolean };

class Words {
  #known = new Map<string, string>();
  #waiting: Wanted[] = [];
  #running = 0;

  /** Have what was said last to a response told, now or when it is read; gives what takes that back. */
  want(id: string, tell: (words: string) => void): () => void {
    const known = this.#known.get(id);
    if (known !== undefined) return tell(known), () => undefined;
    const wanted: Wanted = { id, tell, gone: false };
    this.#waiting.push(wanted);
    this.#next();
    return () => (wanted.gone = true);
  }

  #next(): void {
    while (this.#running < AT_ONCE && this.#waiting.length) {
      const wanted = this.#waiting.shift()!;
      if (wanted.gone) continue;
      this.#running += 1;
      void this.#read(wanted).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #read(wanted: Wanted): Promise<void> {
    try {
      const query = { limit: 1, order: "desc" };
      const page = await ask<{ data: Item[] }>(`/responses/${wanted.id}/input_items`, { query });
      const words = firstWords(page.data);
      if (this.#known.size >= KEPT) this.#known.clear();
      this.#known.set(wanted.id, words);
      if (!wanted.gone) wanted.tell(words);
    } catch {
      // A list without words is a list all the same.
    }
  }
}

export const words = new Words();
