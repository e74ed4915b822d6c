// Frames of a stream folded into the items that they tell of.

import type { Fields } from "../api/client";
import type { Frame } from "../api/stream";
import type { Item } from "./items";

/** Change `items` by what one frame says; its own objects are taken over. */
export function fold(items: Item[], frame: Frame): void {
  const index = frame["output_index"] as number;
  switch (frame.type) {
    case "response.output_item.added":
    case "response.output_item.done":
      items[index] = frame["item"] as Item;
      break;
    case "response.output_text.delta":
      grow(items[index], "content", frame, "output_text", "text");
      break;
    case "response.refusal.delta":
      grow(items[index], "content", frame, "refusal", "refusal");
      break;
    case "response.reasoning_summary_text.delta":
      grow(items[index], "summary", frame, "summary_text", "text");
      break;
    case "response.reasoning_text.delta":
      grow(items[index], "content", frame, "reasoning_text", "text");
      break;
    case "response.function_call_arguments.delta":
    case "response.mcp_call_arguments.delta": {
      const item = items[index];
      if (item) item["arguments"] = String(item["arguments"] ?? "") + String(frame["delta"]);
      break;
    }
  }
}

function grow(item: Item | undefined, where: string, frame: Frame, type: string, field: string): void {
  if (!item) return;
  const at = (frame["content_index"] ?? frame["summary_index"] ?? 0) as number;
  const parts = (item[where] ??= []) as Fields[];
  const part = (parts[at] ??= { type, [field]: "" });
  part[field] = String(part[field] ?? "") + String(frame["delta"]);
}
