// Times, durations and sizes as people read them.

const DAY_MS = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const count = new Intl.NumberFormat();

export function number(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : count.format(value);
}

/** `seconds` since 1970. */
export function moment(seconds: number): string {
  const at = new Date(seconds * 1000);
  return Date.now() - at.getTime() < DAY_MS / 2 ? clock.format(at) : day.format(at);
}

export function exact(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1) return "<1 ms";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60 ? `${minutes} min ${Math.round((ms % 60_000) / 1000)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(size: number): string {
  if (size < 1024) return `${size} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let value = size / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

/** What opens the commands, as the keys of this machine are called. */
export const COMMAND_KEYS = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘K" : "Ctrl K";

export function shortId(id: string): string {
  return id.length > 20 ? `${id.slice(0, 9)}…${id.slice(-6)}` : id;
}

// Characters that change how their neighbours are shown, or are not shown themselves.
// eslint-disable-next-line no-control-regex
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu;

/** Text of strangers: what is not visible is named, so that nothing is shown in another order. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (each) => `‹U+${each.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}›`);
}
