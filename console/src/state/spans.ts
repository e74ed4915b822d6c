// A turn's events as bars: what ran from when until when, also while it runs.

import type { Fields } from "../api/client";
import type { Timeline } from "../api/log";
import type { LoggedEvent } from "../api/stream";
import { duration } from "./format";

export type Lane = "queue" | "guard" | "model" | "tool" | "takeover" | "wait" | "end";
export type Span = { lane: Lane; label: string; detail: string; from: number; until: number | null; sequence: number; failed: boolean; mark?: number };

/** Spans in the order in which they began; times in milliseconds since the request. */
export function spansOf(events: LoggedEvent[]): Span[] {
  const first = events[0];
  if (!first) return [];
  const at = (event: LoggedEvent) => (event.created_at - first.created_at) * 1000;
  const spans: Span[] = [];
  const tools = new Map<string, Span>();
  const names = new Map<string, string>();
  let open: Span | null = { lane: "wait", label: "waiting for an owner", detail: "", from: 0, until: null, sequence: first.sequence, failed: false };
  let samples = 0;
  const close = (event: LoggedEvent, changes: Partial<Span> = {}) => {
    if (open) spans.push(Object.assign(open, { until: at(event) }, changes));
    open = null;
  };
  const begin = (event: LoggedEvent, lane: Lane, label: string) => {
    open = { lane, label, detail: "", from: at(event), until: null, sequence: event.sequence, failed: false };
  };
  const sample = (event: LoggedEvent) => begin(event, "model", samples++ ? `model, round ${samples}` : "model");
  for (const event of events.slice(1)) {
    const data = event.data;
    for (const item of [data["items"], data["output"]].flat() as (Fields | undefined)[]) {
      if (item?.["type"] === "mcp_call") names.set(String(item["id"]), `${item["server_label"]} · ${item["name"]}`);
    }
    switch (event.type) {
      case "started":
        close(event, { lane: "queue", label: "queued" });
        sample(event);
        break;
      case "screened":
        close(event, { lane: "guard", label: "guard", detail: "judged the input", sequence: event.sequence });
        samples = 0;
        sample(event);
        break;
      case "tools_listed":
        close(event, { lane: "tool", label: "tools listed", sequence: event.sequence });
        samples = 0;
        sample(event);
        break;
      case "sampled":
        close(event, { lane: "model", label: samples > 1 ? `model, round ${samples}` : "model", detail: "asked for tools", sequence: event.sequence });
        samples = Math.max(samples, 1);
        break;
      case "tool_called": {
        close(event);
        for (const id of (data["item_ids"] ?? []) as string[]) {
          const span: Span = { lane: "tool", label: names.get(id) ?? "tool", detail: "", from: at(event), until: null, sequence: event.sequence, failed: false };
          tools.set(id, span);
          spans.push(span);
        }
        break;
      }
      case "tool_returned": {
        const id = String(data["item_id"]);
        const span = tools.get(id);
        if (span) Object.assign(span, { until: at(event), failed: Boolean(data["error"]) });
        tools.delete(id);
        if (!tools.size) sample(event);
        break;
      }
      case "taken_over":
        for (const span of tools.values()) Object.assign(span, { until: at(event), failed: true });
        tools.clear();
        close(event, { failed: true, detail: "its owner was lost", label: "model, lost" });
        spans.push({ lane: "takeover", label: "taken over", detail: "", from: at(event), until: at(event), sequence: event.sequence, failed: false });
        sample(event);
        break;
      case "cancel_requested":
        spans.push({ lane: "end", label: "cancel requested", detail: "", from: at(event), until: at(event), sequence: event.sequence, failed: false });
        break;
      case "closed":
        close(event, samples === 0 && open?.lane === "wait" ? { lane: "model", label: "model" } : {});
        spans.push({ lane: "end", label: String(data["status"] ?? "closed"), detail: duration(at(event)), from: at(event), until: at(event), sequence: event.sequence, failed: data["status"] === "failed" });
        break;
    }
  }
  if (open) spans.push(open);
  return spans.sort((a, b) => a.from - b.from || a.sequence - b.sequence);
}

const LANES: Record<string, [Lane, string]> = { queue: ["queue", "queued"], guard: ["guard", "guard"], list_tools: ["tool", "tools listed"], sample: ["model", "model"], tool: ["tool", "tool"] };

/** The API's own account once a turn has ended: it knows more exactly, and when the first token came. */
export function withTimeline(spans: Span[], timeline: Timeline | null): Span[] {
  if (!timeline || !timeline.spans.length) return spans;
  const ms = (at: number) => (at - timeline.started_at) * 1000;
  const samples = timeline.spans.filter((span) => span.kind === "sample").length;
  const told = timeline.spans.map((span): Span => {
    const [lane, label] = LANES[span.kind] ?? ["wait", span.kind];
    const until = span.ended_at ?? span.started_at ?? timeline.started_at;
    const name = span.kind === "tool" ? [span.server_label, span.name].filter(Boolean).join(" · ") : "";
    return {
      lane,
      label: name || (span.kind === "sample" && samples > 1 ? `model, round ${span.sample}` : label),
      detail: "",
      from: ms(span.started_at ?? until),
      until: ms(until),
      sequence: span.sequence,
      failed: Boolean(span.failed),
      ...(span.first_token_at ? { mark: ms(span.first_token_at) } : {}),
    };
  });
  // What was lost with its owner counts in no sample, but it took its time.
  const points = spans.filter((span) => span.lane === "takeover" || span.lane === "end" || (span.lane === "model" && span.failed));
  return [...told, ...points].sort((a, b) => a.from - b.from || a.sequence - b.sequence);
}
