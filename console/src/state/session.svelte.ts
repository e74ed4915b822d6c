// Who is signed in, and what they may do.

import { onSignedOut, readSession, signIn, signOut, type Session } from "../api/client";

class SessionState {
  #now = $state.raw<Session | null>(null);
  problem = $state("");

  constructor() {
    onSignedOut(() => {
      if (this.#now?.caller && this.#now.needs_key) this.#now = { ...this.#now, caller: null };
    });
  }

  get isKnown(): boolean {
    return this.#now !== null;
  }
  get caller(): Session["caller"] {
    return this.#now?.caller ?? null;
  }
  get needsKey(): boolean {
    return this.#now?.needs_key ?? true;
  }
  get hasOidc(): boolean {
    return this.#now?.oidc ?? false;
  }
  get isAdmin(): boolean {
    return this.#may("admin") || this.isOperator;
  }
  get isOperator(): boolean {
    return this.#may("operator");
  }

  #may(role: string): boolean {
    return !!this.caller && this.caller.roles.includes(role) && this.caller.scopes.includes("admin");
  }

  async read(): Promise<void> {
    try {
      this.#now = await readSession();
      this.problem = "";
    } catch (error) {
      this.problem = (error as Error).message;
      setTimeout(() => void this.read(), 1_500);
    }
  }

  async enter(apiKey: string): Promise<void> {
    this.#now = await signIn(apiKey);
  }

  async leave(): Promise<void> {
    await signOut();
    await this.read();
  }
}

export const session = new SessionState();
