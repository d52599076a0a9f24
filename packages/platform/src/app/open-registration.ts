import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { DeviceId } from '../kernel/device-id.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import { MAX_ENSURED, type DeviceStore } from '../registry/device-store.ts';

/** Registers, one batch after the other, the devices that other threads report in open mode (see NewDevices). */
export class OpenRegistration {
  readonly #devices: Pick<DeviceStore, 'ensure'>;
  readonly #logLines: LogLines;
  readonly #waiting = new Set<DeviceId>();
  #running = false;

  constructor(dependencies: { readonly devices: Pick<DeviceStore, 'ensure'>; readonly logLines: LogLines }) {
    this.#devices = dependencies.devices;
    this.#logLines = dependencies.logLines;
  }

  /** A port for one thread to report through. */
  port(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', (ids: readonly DeviceId[]) => {
      for (const id of ids) this.#waiting.add(id);
      if (!this.#running) void this.#run();
    });
    port1.unref();
    return port2;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.size > 0) {
      const batch = [...this.#waiting].slice(0, MAX_ENSURED);
      for (const id of batch) this.#waiting.delete(id);
      try {
        await this.#devices.ensure(batch);
      } catch (error) {
        this.#logLines.error(
          { err: error, devices: batch.length },
          'Devices could not be registered; they are at the next start',
        );
      }
    }
    this.#running = false;
  }
}
