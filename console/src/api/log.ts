// Reading the log: which responses there are, and where the time of one went.

import { ask, type Query, type Schemas } from "./client";

export type SummaryPage = Schemas["ResponseList"];
export type Summary = SummaryPage["data"][number];
export type Timeline = Schemas["ResponseTimeline"];

export function listResponses(query: Query, signal: AbortSignal): Promise<SummaryPage> {
  return ask<SummaryPage>("/responses", { query, signal });
}

export function readTimeline(responseId: string): Promise<Timeline> {
  return ask<Timeline>(`/responses/${responseId}/timeline`);
}
