import type { SampleValue } from '@selsyn/wire/payload/sample-checks.ts';
import type { Shape } from '@selsyn/wire/payload/shape.ts';
import { NO_TIME, TelemetryPayloadDecoder } from '@selsyn/wire/payload/telemetry-payload.ts';
import { PAYLOAD_LIMITS } from '@selsyn/wire/payload/payload-limits.ts';
import type { DeviceFacts } from '../payloads/device-facts.ts';
import type { PayloadDecoder, PayloadVisitor } from '../payloads/payload-decoder.ts';
import type { TypeFacts } from '../payloads/type-facts.ts';
import type { OutgoingRecord, OutgoingSample } from './delivery.ts';

export type { SampleValue };

/** Reads payloads as the store does. */
export interface SampleReader {
  /** The registry may have changed. Called before some records are read. @throws SelsynError where it cannot be read */
  follow(): void;
  /**
   * Undefined: it is no telemetry, and the store has made a dead letter of it.
   *
   * @throws SelsynError where the registry cannot be read
   */
  read(record: OutgoingRecord): readonly OutgoingSample[] | undefined;
}

/** Two generations of so many. */
const KEPT = 100_000;
const OF_DEVICES = 'telemetry/';

/** By the decoder of the device's type, or that of the topic; the platform's own JSON where there is none. */
export class DecodedSamples implements SampleReader, PayloadVisitor {
  readonly #facts: DeviceFacts;
  readonly #json = new TelemetryPayloadDecoder(PAYLOAD_LIMITS);
  #young = new Map<string, TypeFacts>();
  #old = new Map<string, TypeFacts>();
  #arrivalMs = 0;
  #assigned = 0;
  #samples: OutgoingSample[] = [];

  constructor(facts: DeviceFacts) {
    this.#facts = facts;
  }

  follow(): void {
    for (const device of this.#facts.follow()) {
      this.#young.delete(device);
      this.#old.delete(device);
    }
  }

  read(record: OutgoingRecord): readonly OutgoingSample[] | undefined {
    const { device, topic, payload, partition, offset } = record;
    this.#samples = [];
    this.#arrivalMs = Math.trunc(record.arrivalMs);
    this.#assigned = 0;
    const arrivalMs = this.#arrivalMs;
    const decoder = this.#decoderOf(device, topic);
    try {
      if (decoder === undefined) this.#json.decode(payload, 0, payload.length, arrivalMs, this);
      else decoder.decode({ data: payload, start: 0, end: payload.length, device, topic, arrivalMs, partition, offset }, this);
    } catch {
      // Whatever it was: the store has met it too, and keeps the record with the reason.
      return undefined;
    }
    return this.#samples;
  }

  numbers(shape: Shape, timeMs: number, values: Float64Array): void {
    this.#add(shape, timeMs, values);
  }

  mixed(shape: Shape, timeMs: number, values: readonly SampleValue[]): void {
    this.#add(shape, timeMs, values);
  }

  unitKept(): void {
    // It is counted where the points are stored.
  }

  #decoderOf(device: string, topic: string): PayloadDecoder | undefined {
    const facts = this.#factsOf(device);
    return topic.startsWith(OF_DEVICES) ? facts.decoder : this.#facts.decoderOf(topic, facts);
  }

  #factsOf(device: string): TypeFacts {
    const known = this.#young.get(device) ?? this.#old.get(device);
    const facts = known === undefined || known.stale ? this.#facts.of(device) : known;
    if (this.#young.get(device) !== facts) {
      if (this.#young.size >= KEPT) {
        this.#old = this.#young;
        this.#young = new Map();
      }
      this.#young.set(device, facts);
    }
    return facts;
  }

  #add(shape: Shape, timeMs: number, values: ArrayLike<SampleValue>): void {
    const named: Record<string, SampleValue> = {};
    for (const [index, name] of shape.names.entries()) named[name] = values[index]!;
    // Samples of one record that have no time of their own get one after the other, as in the store.
    const isAssigned = timeMs === NO_TIME;
    this.#samples.push({ timeMs: isAssigned ? this.#arrivalMs + this.#assigned++ : timeMs, isAssigned, values: named });
  }
}
