import type { MessagePort } from 'node:worker_threads';
import type { RebirthRequest } from '../payloads/sparkplug/rebirth-requests.ts';

const GATHER_MS = 50;
/** Of each kind; what comes beyond is told when it comes again: a node is asked with its next message, a device told of at its next birth. */
const MAX_WAITING = 50_000;

/** What the processor thread tells main of edge nodes, gathered for a moment. */
export interface SparkplugNewsBatch {
  readonly rebirths: readonly RebirthRequest[];
  /** Nodes and devices that were born, with their nodes. */
  readonly born: readonly (readonly [id: string, nodeId: string])[];
}

export class SparkplugNews implements Disposable {
  readonly #port: MessagePort;
  #rebirths: RebirthRequest[] = [];
  #born: (readonly [string, string])[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  rebirth(request: RebirthRequest): void {
    if (this.#rebirths.length < MAX_WAITING) this.#rebirths.push(request);
    this.#tellSoon();
  }

  born(id: string, nodeId: string): void {
    if (this.#born.length < MAX_WAITING) this.#born.push([id, nodeId]);
    this.#tellSoon();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#port.close();
  }

  #tellSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const batch: SparkplugNewsBatch = { rebirths: this.#rebirths, born: this.#born };
      this.#rebirths = [];
      this.#born = [];
      this.#port.postMessage(batch);
    }, GATHER_MS);
  }
}
