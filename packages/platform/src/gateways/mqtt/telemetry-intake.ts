import type { Principal } from '../../broker/authorizer.ts';
import type { Claim, Intake, IntakeListener } from '../../broker/intake.ts';
import { isDeviceId } from '../../kernel/device-id.ts';
import type { SelsynError } from '../../kernel/errors.ts';
import { type Appender, type Log, type PartitionId, RecordSource, type Ticket } from '../../log/log.ts';

export interface TelemetryIntakeOptions {
  readonly log: Log;
  /** This thread's own. */
  readonly partition: PartitionId;
}

/** Takes what is published to `telemetry/{deviceId}` into the log. */
export class TelemetryIntake implements Intake, AsyncDisposable {
  readonly #options: TelemetryIntakeOptions;
  #appender: Appender | undefined;
  #listener: IntakeListener | undefined;
  #lastTicket = 0;
  #settledUpTo = 0;
  #waiting: { readonly ticket: number; readonly resolve: () => void }[] = [];

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
        this.#settle(upTo);
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

  claim(_principal: Principal, topic: string): Claim | undefined {
    if (!topic.startsWith(PREFIX)) return undefined;
    const device = topic.slice(PREFIX.length);
    if (!isDeviceId(device)) return undefined;
    return new RecordSource(device, topic);
  }

  accept(claim: Claim, data: Uint8Array, start: number, end: number): number {
    this.#lastTicket = this.#openAppender().add(claim as RecordSource, data, start, end); // `claim` made it
    return this.#lastTicket;
  }

  /** Resolves once all that was accepted until now is durable or was rejected. */
  async settled(): Promise<void> {
    const ticket = this.#lastTicket;
    if (this.#settledUpTo >= ticket) return;
    await new Promise<void>((resolve) => this.#waiting.push({ ticket, resolve }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#appender?.[Symbol.asyncDispose]();
  }

  #settle(upTo: Ticket): void {
    this.#settledUpTo = upTo;
    if (this.#waiting.length === 0) return;
    for (const { ticket, resolve } of this.#waiting) if (ticket <= upTo) resolve();
    this.#waiting = this.#waiting.filter(({ ticket }) => ticket > upTo);
  }

  #openAppender(): Appender {
    if (this.#appender === undefined) throw new TypeError('the intake is not open');
    return this.#appender;
  }
}

const PREFIX = 'telemetry/';
