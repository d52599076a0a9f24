import type { MessagePort } from 'node:worker_threads';
import { isDeviceId } from '../kernel/device-id.ts';

const GATHER_MS = 50;
const MAX_WAITING = 1_000_000;

/** Gathers the devices that a thread hears of, and tells main of them a few times a second: for open mode. */
export class NewDevices {
  readonly #port: MessagePort;
  #waiting = new Set<string>();

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** What is no device id is passed over, and so is what comes beyond the bound: it is reported at the next start. */
  add(id: string): void {
    if (!isDeviceId(id) || this.#waiting.size >= MAX_WAITING) return;
    if (this.#waiting.size === 0) setTimeout(() => this.#tell(), GATHER_MS);
    this.#waiting.add(id);
  }

  #tell(): void {
    this.#port.postMessage([...this.#waiting]);
    this.#waiting = new Set();
  }
}
