import type { MessagePort } from 'node:worker_threads';
import type { DeviceId } from '../kernel/device-id.ts';

const GATHER_MS = 50;
const MAX_WAITING = 100_000;

/** Gathers the devices that a gateway sees for the first time, and tells main of them a few times a second. */
export class NewDevices {
  readonly #port: MessagePort;
  #waiting: DeviceId[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  /** Beyond the bound a device is passed over: it is reported again when it connects anew. */
  add(device: DeviceId): void {
    if (this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push(device);
    this.#timer ??= setTimeout(() => {
      this.#port.postMessage(this.#waiting);
      this.#waiting = [];
      this.#timer = undefined;
    }, GATHER_MS);
  }
}
