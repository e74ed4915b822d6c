// Reading the log: which responses there are.

import { ask, type Query } from "./client";

export type Summary = {
  id: string;
  created_at: number;
  completed_at: number | null;
  status: string;
  model: string;
  owner: string;
  application: string | null;
  conversation: string | null;
  previous_response_id: string | null;
  background: boolean;
  tools: string[];
  guard: string;
  error_code: string | null;
  incomplete_reason: string | null;
  duration_ms: number | null;
  usage: null | { input_tokens: number; output_tokens: number; total_tokens: number };
};

export type SummaryPage = {
  data: Summary[];
  last_id: string | null;
  has_more: boolean;
  scan?: { scanned: number; complete: boolean; last_scanned_id: string | null };
};

export function listResponses(query: Query, signal: AbortSignal): Promise<SummaryPage> {
  return ask<SummaryPage>("/responses", { query, signal });
}
