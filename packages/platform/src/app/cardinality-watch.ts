import type { OwnMessage } from '../broker/own-message.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Caller } from '../kernel/thread-channel.ts';
import type { CardinalityReport, CardinalityUsage } from '../telemetry/cardinality-report.ts';
import type { HotCalls } from '../telemetry/hot-calls.ts';
import type { QuotaState } from '../telemetry/series-quota.ts';

const LOOK_MS = 5_000;
/** A census of ten million series takes some seconds, and the thread has other work. */
const REPORT_DEADLINE_MS = 60_000;
/** Devices of which is remembered what was told. */
const MAX_DEVICES = 1_000;

interface Level {
  readonly state: QuotaState;
  readonly series: number;
  readonly limit: number;
}

/**
 * Tells when a limit of series is near, before it is reached: by a log line and by messages.
 *
 * ```
 *   $selsyn/status/cardinality                      retained   all series
 *   $selsyn/status/cardinality/types/{type}         retained   those of a device type that has a limit
 *   $selsyn/events/cardinality/{near|full}/{device}            a device came near its own
 * ```
 */
export class CardinalityWatch implements AsyncDisposable {
  readonly #hot: Caller<HotCalls>;
  readonly #publish: (messages: readonly OwnMessage[]) => Promise<unknown>;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  readonly #told = new Map<string, QuotaState>();
  readonly #devices = new Map<string, QuotaState>();
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(dependencies: {
    readonly hot: Caller<HotCalls>;
    readonly publish: (messages: readonly OwnMessage[]) => Promise<unknown>;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.#hot = dependencies.hot;
    this.#publish = dependencies.publish;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  start(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#looking = this.look().then(() => this.start());
    });
  }

  async report(): Promise<CardinalityReport> {
    return await this.#hot.call('cardinality', null, REPORT_DEADLINE_MS);
  }

  /** Looks once, and tells what is new. What could not be told is told at the next look. */
  async look(): Promise<void> {
    try {
      await this.#tell(await this.#hot.call('cardinalityUsage', null));
    } catch (error) {
      this.#logLines.warn({ err: error }, 'The limits of series could not be looked at');
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#looking;
  }

  async #tell({ whole, types, devices }: CardinalityUsage): Promise<void> {
    await this.#tellOf('', whole, {});
    for (const { type, ...level } of types) {
      if (level.limit !== Infinity || this.#told.has(type)) await this.#tellOf(type, level, { type });
    }
    const near = new Set(devices.map(({ device }) => device));
    for (const device of this.#devices.keys()) if (!near.has(device)) this.#devices.delete(device);
    for (const one of devices) await this.#tellOfDevice(one.device, one);
  }

  async #tellOf(type: string, level: Level, of: { readonly type?: string }): Promise<void> {
    const before = this.#told.get(type);
    if (before === level.state) return;
    const topic = `$selsyn/status/cardinality${type === '' ? '' : `/types/${type}`}`;
    await this.#publish([this.#message(topic, { ...of, ...level }, true)]);
    this.#told.set(type, level.state);
    // At the start all is well until it is not.
    if (before !== undefined || level.state !== 'ok') this.#log(level, of);
  }

  async #tellOfDevice(device: string, level: Level): Promise<void> {
    if (level.state === 'ok' || this.#devices.get(device) === level.state) return;
    await this.#publish([this.#message(`$selsyn/events/cardinality/${level.state}/${device}`, { ...level, device }, false)]);
    this.#devices.set(device, level.state);
    const [oldest] = this.#devices.keys();
    if (oldest !== undefined && this.#devices.size > MAX_DEVICES) this.#devices.delete(oldest);
    this.#log(level, { device });
  }

  #log({ state, series, limit }: Level, of: object): void {
    const fields = { ...of, series, limit };
    if (state === 'full') this.#logLines.error(fields, 'A limit of series is reached: new metrics are refused');
    else if (state === 'near') this.#logLines.warn(fields, 'A limit of series is near: at 80 % or beyond');
    else this.#logLines.info(fields, 'A limit of series is far again');
  }

  #message(
    topic: string,
    { limit, ...told }: Partial<Level> & { readonly device?: string; readonly type?: string },
    retain: boolean,
  ): OwnMessage {
    const content = { ...told, ...(limit !== Infinity && { limit }), atMs: this.#clock.now() };
    return { topic, payload: new TextEncoder().encode(JSON.stringify(content)), qos: 1, retain };
  }
}
