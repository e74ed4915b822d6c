// What items of a conversation say.

import type { Fields } from "../api/client";
import { visible } from "./format";

export type Item = Fields & { type?: string; id?: string };
export type Said = { who: string; kind: "text" | "call" | "result" | "reasoning" | "other"; title: string; text: string; failed: boolean };

const LONGEST = 200_000;

export function said(item: Item): Said {
  const type = item.type ?? "message";
  const base = { who: String(item["role"] ?? "assistant"), title: "", failed: Boolean(item["error"]) || item["status"] === "failed" };
  switch (type) {
    case "message":
      return { ...base, kind: "text", text: clip(contentText(item["content"])) };
    case "reasoning":
      return { ...base, who: "reasoning", kind: "reasoning", text: clip(contentText(item["summary"]) || contentText(item["content"])) };
    case "function_call":
    case "custom_tool_call":
      return { ...base, who: "tool call", kind: "call", title: String(item["name"] ?? ""), text: clip(pretty(item["arguments"] ?? item["input"])) };
    case "function_call_output":
    case "custom_tool_call_output":
      return { ...base, who: "tool result", kind: "result", title: String(item["call_id"] ?? ""), text: clip(pretty(item["output"])) };
    case "mcp_call":
      return { ...base, who: "tool call", kind: "call", title: `${item["server_label"]} · ${item["name"]}`, text: clip(mcpText(item)) };
    case "mcp_approval_request":
      return { ...base, who: "approval", kind: "call", title: `${item["server_label"]} · ${item["name"]} waits for a person`, text: clip(pretty(item["arguments"])) };
    case "mcp_approval_response":
      return { ...base, who: "approval", kind: "result", title: item["approve"] ? "approved" : "denied", text: clip(String(item["reason"] ?? "")) };
    case "mcp_list_tools":
      return { ...base, who: "tools listed", kind: "other", title: String(item["server_label"] ?? ""), text: clip(item["error"] ? pretty(item["error"]) : toolNames(item)) };
    default:
      return { ...base, who: type.replaceAll("_", " "), kind: "other", text: clip(pretty(item)) };
  }
}

export function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map(partText).join("\n");
}

function partText(part: Fields): string {
  if (typeof part["text"] === "string") return part["text"];
  if (typeof part["refusal"] === "string") return part["refusal"];
  return `[${String(part["type"] ?? "content")}]`;
}

function toolNames(item: Item): string {
  const tools = (item["tools"] ?? []) as Fields[];
  return tools.map((tool) => String(tool["name"])).join(", ") || "none";
}

function mcpText(item: Item): string {
  const parts = [pretty(item["arguments"])];
  if (item["output"]) parts.push(`→ ${pretty(item["output"])}`);
  if (item["error"]) parts.push(`✗ ${pretty(item["error"])}`);
  return parts.join("\n");
}

/** JSON as text with its lines; text that holds JSON is read first. */
export function pretty(value: unknown): string {
  if (typeof value === "string") {
    try {
      return JSON.stringify(JSON.parse(value), null, 2);
    } catch {
      return value;
    }
  }
  return value === undefined ? "" : JSON.stringify(value, withoutBlobs, 2);
}

/** Base64 is never text: a long run of it is named by its size. */
export function withoutBlobs(_name: string, value: unknown): unknown {
  if (typeof value !== "string" || value.length < 512) return value;
  const data = value.startsWith("data:") ? value.slice(value.indexOf(",") + 1) : value;
  return /^[A-Za-z0-9+/=_-]+$/.test(data.slice(0, 2048)) ? `[${value.length} characters of binary data]` : value;
}

function clip(text: string): string {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters: see the raw JSON` : text;
  return visible(shown);
}

export function firstWords(items: Item[]): string {
  const last = items.findLast((item) => (item.type ?? "message") === "message");
  return last ? contentText(last["content"]).slice(0, 200).replace(/\s+/g, " ").trim() : "";
}
