// Whether what is live is live: streams that wait to be taken up again.

class Connection {
  #waiting = $state.raw<ReadonlySet<object>>(new Set());
  readonly isLost = $derived(this.#waiting.size > 0);

  lost(stream: object): void {
    this.#waiting = new Set([...this.#waiting, stream]);
  }

  back(stream: object): void {
    if (this.#waiting.has(stream)) this.#waiting = new Set([...this.#waiting].filter((each) => each !== stream));
  }
}

export const connection = new Connection();
