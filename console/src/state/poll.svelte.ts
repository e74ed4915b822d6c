// One answer of the API, asked for again and again while its page is open and can be seen.

import { ApiError, ask, type Query } from "../api/client";

type Polled<T> = { value: T | null; error: ApiError | null; again: () => void };

/** `everyMs` 0: asked once. To be called while a component is made. */
export function poll<T>(path: string, query: Query | (() => Query), everyMs: number): Polled<T> {
  let value = $state.raw<T | null>(null);
  let error = $state.raw<ApiError | null>(null);
  let turn = $state(0);

  $effect(() => {
    void turn;
    const asked = typeof query === "function" ? query() : query;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const read = async () => {
      try {
        if (!document.hidden) {
          value = await ask<T>(path, { query: asked, signal: abort.signal });
          error = null;
        }
      } catch (refused) {
        if (abort.signal.aborted) return;
        error = refused as ApiError;
      }
      if (everyMs && !abort.signal.aborted) timer = setTimeout(read, everyMs);
    };
    void read();
    return () => (abort.abort(), clearTimeout(timer));
  });
  return {
    get value() {
      return value;
    },
    get error() {
      return error;
    },
    again: () => (turn += 1),
  };
}
