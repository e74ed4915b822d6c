// Requests to the public API, with the session's cookie; every one says that the console asks.

import { API, CONSOLE } from "./address";
import type { components } from "./schema";

export type Schemas = components["schemas"];
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Fields = { [name: string]: unknown };

/** What the API refused; `status` 0: it could not be reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly param: string | null = null,
    readonly requestId: string | null = null,
  ) {
    super(message);
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>;

type Asked = { method?: string; body?: unknown; query?: Query; signal?: AbortSignal; headers?: Record<string, string> };

const listeners = new Set<() => void>();

/** Call `act` when the session has ended; gives what takes it back. */
export function onSignedOut(act: () => void): () => void {
  listeners.add(act);
  return () => listeners.delete(act);
}

export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return given.length ? `${API}${path}?${search}` : `${API}${path}`;
}

/** Ask the API, and give the response when it is good. Throws `ApiError`. */
export async function fetchApi(path: string, asked: Asked = {}): Promise<Response> {
  return send(address(path, asked.query), asked);
}

/** Ask the API for JSON. Throws `ApiError`. */
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  return (await fetchApi(path, asked)).json() as Promise<T>;
}

export type Session = {
  needs_key: boolean;
  /** Whether one may sign in at an OIDC issuer. */
  oidc: boolean;
  expires_at: number | null;
  caller: null | { tenant: string; user: string; roles: string[]; scopes: string[]; key: string | null };
};

export async function readSession(): Promise<Session> {
  return (await send(`${CONSOLE}session`, {})).json() as Promise<Session>;
}

export async function signIn(apiKey: string): Promise<Session> {
  const sent = send(`${CONSOLE}session`, { method: "POST", body: { api_key: apiKey } }, true);
  return (await sent).json() as Promise<Session>;
}

export async function signOut(): Promise<void> {
  await send(`${CONSOLE}session`, { method: "DELETE" });
}

async function send(url: string, asked: Asked, signingIn = false): Promise<Response> {
  const headers: Record<string, string> = { "x-turnwire-console": "1", ...asked.headers };
  if (asked.body !== undefined) headers["content-type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(url, {
      method: asked.method ?? "GET",
      headers,
      body: asked.body === undefined ? null : JSON.stringify(asked.body),
      signal: asked.signal ?? null,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "unreachable", "Turnwire cannot be reached. Is it running? It is asked again.");
  }
  if (answer.ok) return answer;
  if (answer.status === 401 && !signingIn) listeners.forEach((act) => act());
  throw await errorOf(answer);
}

export async function errorOf(answer: Response): Promise<ApiError> {
  const requestId = answer.headers.get("x-request-id");
  try {
    const { error } = (await answer.json()) as { error: { code: string; message: string; param: string | null } };
    return new ApiError(answer.status, error.code, error.message, error.param, requestId);
  } catch {
    return new ApiError(answer.status, "unknown", `The answer was HTTP ${answer.status}.`, null, requestId);
  }
}
