import type { LogLines } from '../kernel/log-lines.ts';
import type { RecordBatch, RecordSource } from '../log/log.ts';
import type { DeviceFacts } from '../payloads/device-facts.ts';
import type { PayloadDecoder } from '../payloads/payload-decoder.ts';
import type { Device, DeviceTable } from './device-table.ts';
import type { LiveUpdates } from './live-updates.ts';

export interface BatchSourcesParts {
  readonly devices: DeviceTable;
  /** What the registry says of the types of devices. */
  readonly facts: DeviceFacts;
  readonly live: Pick<LiveUpdates, 'appeared'>;
  readonly logLines: LogLines;
}

const TELEMETRY_INITIAL = 0x74;

/**
 * The devices that a batch of records is of, and how their records are read: each source (a device and a topic) is looked up once a batch.
 *
 * Invariants: what was found is of the batch that was begun last; of a device that is given the type is known.
 */
export class BatchSources {
  /** The registry cannot be read: without it nobody knows how records are to be read. */
  failing = false;
  /** By source, once `find` has given its device; undefined: as JSON. */
  readonly decoders: (PayloadDecoder | undefined)[] = [];
  readonly #found: (Device | undefined)[] = [];
  readonly #parts: BatchSourcesParts;
  #batch: RecordBatch | undefined;

  constructor(parts: BatchSourcesParts) {
    this.#parts = parts;
  }

  /** Follows what has changed of types, unless it goes on within the batch. @returns false while that cannot be known */
  begin(batch: RecordBatch, index: number): boolean {
    if (this.#batch === batch && index > 0) return true;
    this.forget();
    this.#found.length = 0;
    this.decoders.length = 0;
    if (!this.#followTypes()) return false;
    this.#batch = batch;
    return true;
  }

  /** What was found does not count any more: a device was removed. */
  forget(): void {
    this.#batch = undefined;
  }

  /** @param source its index in the batch. @returns undefined while it cannot be known how its records are read */
  find(batch: RecordBatch, source: number): Device | undefined {
    return (this.#found[source] ??= this.#look(batch, source));
  }

  /** Asks what type a device has. @returns false while that cannot be known */
  learnType(device: Device): boolean {
    const { facts, devices } = this.#parts;
    return this.#ask(() => {
      device.facts = facts.of(device.id);
      device.decoder = device.facts.decoder;
      const { type, limits } = device.facts;
      if (type !== undefined) devices.quotas.setTypeLimits(type, limits);
      devices.setType(device, type);
    });
  }

  #look(batch: RecordBatch, index: number): Device | undefined {
    const { devices, live } = this.#parts;
    const source = batch.sources[index]!;
    const device = devices.resolve(source);
    if ((device.facts === undefined || device.facts.stale) && !this.learnType(device)) return undefined;
    this.decoders[index] = this.#decoderOf(source, device);
    live.appeared(device);
    return device;
  }

  /** Of the topics that get here only `telemetry/{device}` begins with a t. */
  #decoderOf({ topic }: RecordSource, device: Device): PayloadDecoder | undefined {
    return topic.charCodeAt(0) === TELEMETRY_INITIAL ? device.decoder : this.#parts.facts.decoderOf(topic, device.facts!);
  }

  #followTypes(): boolean {
    const { facts, devices } = this.#parts;
    return this.#ask(() => {
      for (const id of facts.follow()) {
        const device = devices.find(id);
        if (device !== undefined) device.facts = undefined;
      }
    });
  }

  #ask(ask: () => void): boolean {
    try {
      ask();
      this.failing = false;
    } catch (error) {
      if (!this.failing) {
        this.#parts.logLines.error(
          { err: error },
          'The types of devices cannot be read: telemetry waits in the log until they can',
        );
      }
      this.failing = true;
    }
    return !this.failing;
  }
}
