// The pages: where they are, who may see them, and by which keys one gets there.

import type { IconName } from "./parts/Icon.svelte";

type May = { isAdmin: boolean; isOperator: boolean };
export type Page = { path: string; label: string; icon: IconName; keys: string; group: "work" | "run" | "admin"; may: (who: May) => boolean };

const all = () => true;
const admin = (who: May) => who.isAdmin;
const operator = (who: May) => who.isOperator;

export const NAVIGATION: Page[] = [
  { path: "responses", label: "Responses", icon: "responses", keys: "g r", group: "work", may: all },
  { path: "playground", label: "Playground", icon: "play", keys: "g p", group: "work", may: all },
  { path: "conversations", label: "Conversations", icon: "chat", keys: "g c", group: "work", may: all },
  { path: "approvals", label: "Approvals", icon: "check", keys: "g a", group: "work", may: all },
  { path: "compare", label: "Compare", icon: "diff", keys: "g d", group: "work", may: all },
  { path: "system", label: "System", icon: "system", keys: "g s", group: "run", may: operator },
  { path: "guard", label: "Guard", icon: "guard", keys: "g g", group: "run", may: operator },
  { path: "tools", label: "Tools", icon: "tools", keys: "g t", group: "run", may: operator },
  { path: "keys", label: "API keys", icon: "keys", keys: "g k", group: "admin", may: admin },
  { path: "limits", label: "Limits", icon: "limits", keys: "g l", group: "admin", may: admin },
  { path: "audit", label: "Audit", icon: "audit", keys: "g u", group: "admin", may: admin },
  { path: "erasure", label: "Erasure", icon: "erase", keys: "g e", group: "admin", may: admin },
];
