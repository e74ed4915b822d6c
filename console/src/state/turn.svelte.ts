// One response as it is now: what the API has of it, and what its streams add.

import { ApiError, ask, type Fields } from "../api/client";
import { followEvents, followFrames, isTerminal, type Frame, type LoggedEvent } from "../api/stream";
import { readTimeline, type Timeline } from "../api/log";
import { fold } from "./folding";
import type { Item } from "./items";

export type ResponseObject = Fields & {
  id: string;
  status: string;
  model: string;
  created_at: number;
  completed_at: number | null;
  output: Item[];
  error: null | { code: string; message: string };
  usage: null | { input_tokens: number; output_tokens: number; total_tokens: number };
};

/** A frame, and when it came: milliseconds since one began to look, 0 where that was not seen. */
export type SeenFrame = { frame: Frame; at: number };

const MOST_FRAMES = 50_000;
const PAGE = 100;

/** Frames folded into items, as a client would. */
export class LiveOutput {
  items = $state<Item[]>([]);

  take(frame: Frame): void {
    fold(this.items, frame);
  }
}

export class Turn {
  response = $state.raw<ResponseObject | null>(null);
  input = $state.raw<Item[]>([]);
  events = $state.raw<LoggedEvent[]>([]);
  frames = $state.raw<SeenFrame[]>([]);
  timeline = $state.raw<Timeline | null>(null);
  live = new LiveOutput();
  isLive = $state(false);
  problem = $state.raw<ApiError | null>(null);
  #stop = new AbortController();

  constructor(readonly id: string) {}

  get output(): Item[] {
    return this.isLive ? this.live.items : (this.response?.output ?? []);
  }

  async open(): Promise<void> {
    try {
      await this.#readResponse();
      if (!this.isOver) this.#watch();
      await Promise.all([this.#readInput(), this.isOver ? Promise.all([this.#readEvents(), this.#readTimeline()]) : null]);
    } catch (error) {
      if (error instanceof ApiError) this.problem = error;
      else throw error;
    }
  }

  get isOver(): boolean {
    return !!this.response && !["queued", "in_progress"].includes(this.response.status);
  }

  close(): void {
    this.#stop.abort();
  }

  /** Read the frames of a response that has ended, as they were seen. */
  async readFrames(): Promise<void> {
    const found: SeenFrame[] = [];
    await followFrames(this.id, -1, (frame) => {
      if (found.length < MOST_FRAMES) found.push({ frame, at: 0 });
    }, this.#stop.signal);
    this.frames = found;
  }

  async #readResponse(): Promise<void> {
    this.response = await ask<ResponseObject>(`/responses/${this.id}`);
  }

  async #readTimeline(): Promise<void> {
    this.timeline = await readTimeline(this.id).catch(() => null);
  }

  async #readInput(): Promise<void> {
    const page = await ask<{ data: Item[] }>(`/responses/${this.id}/input_items`, { query: { limit: PAGE, order: "asc" } });
    this.input = page.data;
  }

  async #readEvents(): Promise<void> {
    let after = 0;
    for (;;) {
      const page = await ask<{ data: LoggedEvent[]; last_sequence: number; has_more: boolean }>(
        `/responses/${this.id}/events`, { query: { after: after || null, limit: PAGE } });
      this.events = [...this.events, ...page.data];
      after = page.last_sequence;
      if (!page.has_more) return;
    }
  }

  #watch(): void {
    this.isLive = true;
    const signal = this.#stop.signal;
    const began = performance.now();
    // Frames come by the hundred: what has come is shown once for each picture.
    let came: SeenFrame[] = [];
    const show = () => {
      this.frames = [...this.frames, ...came].slice(-MOST_FRAMES);
      came = [];
    };
    const events = followEvents(this.id, 0, (event) => (this.events = [...this.events, event]), signal);
    const frames = followFrames(this.id, -1, (frame) => {
      this.live.take(frame);
      if (!came.length) requestAnimationFrame(show);
      came.push({ frame, at: performance.now() - began });
      if (isTerminal(frame) && frame["response"]) this.response = frame["response"] as ResponseObject;
    }, signal);
    const quiet = (work: Promise<void>) => work.catch((error) => (this.problem = error instanceof ApiError && error.status !== 404 ? error : null));
    void Promise.all([quiet(events), quiet(frames)]).then(async () => {
      if (signal.aborted) return;
      await Promise.all([this.#readResponse().catch(() => undefined), this.#readTimeline()]);
      this.isLive = !this.isOver;
    });
  }
}
