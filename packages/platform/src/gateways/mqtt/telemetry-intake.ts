import { parseSparkplugTopic } from '@selsyn/wire/topics/sparkplug-topics.ts';
import { THINGSBOARD_TELEMETRY } from '@selsyn/wire/topics/thingsboard-topics.ts';
import type { Principal } from '../../broker/authorizer.ts';
import type { Claim, Intake, IntakeListener } from '../../broker/intake.ts';
import { type DeviceId, isDeviceId } from '../../kernel/device-id.ts';
import type { SelsynError } from '../../kernel/errors.ts';
import { type Appender, type Log, type PartitionId, RecordSource, type Ticket } from '../../log/log.ts';
import type { RecordAppending } from '../../points/append-points.ts';

export interface TelemetryIntakeOptions {
  readonly log: Log;
  /** This thread's own. */
  readonly partition: PartitionId;
}

/** Takes what is published to `telemetry/{deviceId}`, and to the topics of ThingsBoard's devices, into the log. */
export class TelemetryIntake implements Intake, RecordAppending, AsyncDisposable {
  readonly #options: TelemetryIntakeOptions;
  #appender: Appender | undefined;
  #listener: IntakeListener | undefined;
  #lastTicket = 0;
  #settledUpTo = 0;
  #waiting: Waiting[] = [];

  constructor(options: TelemetryIntakeOptions) {
    this.#options = options;
  }

  /** Opens the partition for writing. @throws SelsynError `log.failed` when it has a writer already */
  async open(): Promise<void> {
    this.#appender = await this.#options.log.openAppender(this.#options.partition, {
      onDurable: (upTo: Ticket) => {
        this.#listener?.onDurable(upTo);
        this.#settle(upTo);
      },
      onRejected: (upTo: Ticket, error: SelsynError) => {
        this.#listener?.onRejected(upTo, error);
        this.#settle(upTo, error);
      },
      onDrained: () => this.#listener?.onDrained(),
    });
  }

  attach(listener: IntakeListener): void {
    this.#listener = listener;
  }

  get saturated(): boolean {
    return this.#appender !== undefined && this.#appender.saturated;
  }

  claim(principal: Principal, topic: string): Claim | undefined {
    if (!topic.startsWith(PREFIX)) {
      // Whether it may speak for the node is what the broker has asked its policies.
      const sparkplug = parseSparkplugTopic(topic);
      if (sparkplug !== undefined) return new RecordSource(sparkplug.id as DeviceId, topic); // of the characters of one
      // Whose topic it is says who the client is; one that may be anybody has no telemetry.
      const isDevice = principal.id !== ANONYMOUS && isDeviceId(principal.id);
      return isDevice && THINGSBOARD_TELEMETRY.has(topic) ? new RecordSource(principal.id, topic) : undefined;
    }
    const device = topic.slice(PREFIX.length);
    if (!isDeviceId(device)) return undefined;
    return new RecordSource(device, topic);
  }

  accept(claim: Claim, data: Uint8Array, start: number, end: number): number {
    return this.append(claim as RecordSource, data, start, end); // `claim` made it
  }

  append(source: RecordSource, data: Uint8Array, start: number, end: number): number {
    this.#lastTicket = this.#openAppender().add(source, data, start, end);
    return this.#lastTicket;
  }

  async durable(first: number, last: number): Promise<void> {
    // Who waits began before its tickets were settled: that is never done within `append`.
    const error = await new Promise<SelsynError | undefined>((settled) => this.#waiting.push({ first, last, settled }));
    if (error !== undefined) throw error;
  }

  /** Resolves once all that was accepted until now is durable or was rejected. */
  async settled(): Promise<void> {
    const ticket = this.#lastTicket;
    if (this.#settledUpTo >= ticket) return;
    await new Promise((settled) => this.#waiting.push({ first: ticket, last: ticket, settled }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#appender?.[Symbol.asyncDispose]();
  }

  /** @param error of those that were not settled before */
  #settle(upTo: Ticket, error?: SelsynError): void {
    this.#settledUpTo = upTo;
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      if (error !== undefined && each.first <= upTo) each.error = error;
      if (each.last <= upTo) each.settled(each.error);
      else this.#waiting.push(each);
    }
  }

  #openAppender(): Appender {
    if (this.#appender === undefined) throw new TypeError('the intake is not open');
    return this.#appender;
  }
}

const PREFIX = 'telemetry/';
/** As OpenAuthorizer calls a client without a name. */
const ANONYMOUS = 'anonymous';

/** Somebody who waits for all of the tickets from `first` to `last`, none of which was settled when it began to. */
interface Waiting {
  readonly first: number;
  readonly last: number;
  readonly settled: (error: SelsynError | undefined) => void;
  error?: SelsynError;
}
