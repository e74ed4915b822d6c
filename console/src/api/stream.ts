// Server-sent events over fetch, taken up again where they broke off.

import { EventSourceParserStream } from "eventsource-parser/stream";
import { ApiError, fetchApi, type Fields, type Query } from "./client";
import { connection } from "../state/connection.svelte";

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5_000;
const TERMINAL = new Set(["response.completed", "response.failed", "response.incomplete", "response.cancelled", "error"]);

export type Frame = Fields & { type: string; sequence_number: number };

/** Read the JSON of each event of one answer until it ends; true if it said that it is done. */
async function readEvents(answer: Response, take: (data: Fields) => void): Promise<boolean> {
  if (answer.body === null) return false;
  const events = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return false;
    if (value.data === "[DONE]") return true;
    take(JSON.parse(value.data) as Fields);
  }
}

export function isTerminal(frame: Frame): boolean {
  return TERMINAL.has(frame.type);
}

/** Follow a stream whose place is a number in each event, through every broken connection. */
async function follow(path: string, query: () => Query, take: (data: Fields) => boolean, signal: AbortSignal): Promise<void> {
  let wait = FIRST_WAIT_MS;
  const id = {};
  try {
    for (;;) {
      try {
        let ended = false;
        const answer = await fetchApi(path, { query: query(), signal });
        connection.back(id);
        const done = await readEvents(answer, (data) => {
          wait = FIRST_WAIT_MS;
          ended = take(data) || ended;
        });
        if (ended || done) return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && error.status !== 0 && error.status < 500) throw error;
      }
      if (signal.aborted) return;
      connection.lost(id);
      await pause(wait * (0.5 + Math.random()), signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  } finally {
    connection.back(id);
  }
}

/** Follow the frames of a response behind `after` (-1: from the start) until its last one. */
export function followFrames(responseId: string, after: number, take: (frame: Frame) => void, signal: AbortSignal): Promise<void> {
  let last = after;
  const query = () => ({ stream: true, starting_after: last < 0 ? null : last });
  return follow(`/responses/${responseId}`, query, (data) => {
    const frame = data as Frame;
    if (frame.sequence_number <= last) return isTerminal(frame);
    last = frame.sequence_number;
    take(frame);
    return isTerminal(frame);
  }, signal);
}

export type LoggedEvent = { sequence: number; type: string; created_at: number; cause: string; version: number; data: Fields };

/** Follow the events of a response behind the sequence `after` until it is closed. */
export function followEvents(responseId: string, after: number, take: (event: LoggedEvent) => void, signal: AbortSignal): Promise<void> {
  let last = after;
  return follow(`/responses/${responseId}/events`, () => ({ stream: true, after: last || null }), (data) => {
    const event = data as unknown as LoggedEvent;
    if (event.sequence <= last) return false;
    last = event.sequence;
    take(event);
    return false;
  }, signal);
}

/** Start a response and follow it: by its own stream, and by its id once that has broken off. */
export async function startStream(path: string, body: Fields, take: (frame: Frame) => void, signal: AbortSignal): Promise<void> {
  let last = -1;
  let responseId = "";
  let ended = false;
  const keep = (frame: Frame) => {
    last = frame.sequence_number;
    const response = frame["response"] as { id?: string } | undefined;
    responseId ||= response?.id ?? "";
    ended ||= isTerminal(frame);
    take(frame);
  };
  const answer = await fetchApi(path, { method: "POST", body: { ...body, stream: true }, signal });
  responseId = answer.headers.get("x-response-id") ?? "";
  try {
    await readEvents(answer, (data) => keep(data as Frame));
  } catch (error) {
    if (signal.aborted) throw error;
  }
  if (!ended && responseId && !signal.aborted) await followFrames(responseId, last, keep, signal);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });
}
