import { setTimeout as pause } from 'node:timers/promises';
import { connectAsync, type MqttClient } from 'mqtt';
import { CliError } from '../cli-error.ts';
import type { Signal } from './signals.ts';

export interface VirtualDeviceOptions {
  readonly id: string;
  readonly token: string;
  readonly mqttUrl: string;
  readonly signal: Signal;
  readonly messagesPerSecond: number;
  /** Counts every message that was acknowledged. */
  readonly onAcknowledged: () => void;
}

const STOP_DEADLINE_MS = 1000;
const HISTORY_STEP_MS = 10_000;
const HISTORY_SAMPLES_A_MESSAGE = 180;

/** One device over a real MQTT connection, signed in with its own token; publishes at QoS 1. */
export class VirtualDevice {
  readonly #options: VirtualDeviceOptions;
  #client: MqttClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Messages that wait for their PUBACK: a device that is that far behind skips a beat instead of queueing. */
  #inFlight = 0;
  #problem: string | undefined;

  constructor(options: VirtualDeviceOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#client?.connected === true;
  }

  /** Why it is not connected. */
  get problem(): string | undefined {
    return this.connected ? undefined : (this.#problem ?? 'the connection was closed');
  }

  /** @throws CliError when there is no connection at the first attempt; later ones are tried again by themselves */
  async start(): Promise<void> {
    const { id, token, mqttUrl } = this.#options;
    try {
      this.#client = await connectAsync(
        mqttUrl,
        { clientId: id, username: id, password: token, protocolVersion: 5, connectTimeout: 15_000, queueQoSZero: false },
        false,
      );
    } catch (error) {
      throw new CliError(`${id} has no connection to ${mqttUrl}: ${reason(error)}; --mqtt names another listener`);
    }
    this.#client.on('error', (error) => (this.#problem = reason(error)));
    this.#client.on('connect', () => (this.#problem = undefined));
  }

  /** Publishes what it would have measured in the last `historyMs`, every 10 s, as batches. */
  async publishHistory(historyMs: number): Promise<void> {
    const now = Date.now();
    let samples: object[] = [];
    for (let timeMs = now - historyMs; timeMs < now; timeMs += HISTORY_STEP_MS) {
      samples.push({ ts: timeMs, values: this.#options.signal(timeMs) });
      if (samples.length === HISTORY_SAMPLES_A_MESSAGE) {
        await this.#publish(samples);
        samples = [];
      }
    }
    if (samples.length > 0) await this.#publish(samples);
  }

  /** Begins to publish, after a delay that spreads the devices over the period. */
  run(delayMs: number): void {
    const periodMs = 1000 / this.#options.messagesPerSecond;
    let dueMs = performance.now() + delayMs;
    const beat = (): void => {
      const timeMs = Date.now();
      if (this.#inFlight < 100) void this.#publish({ ts: timeMs, ...this.#options.signal(timeMs) }).catch(() => {});
      dueMs = Math.max(dueMs + periodMs, performance.now() - 1000);
      this.#timer = setTimeout(beat, Math.max(0, dueMs - performance.now()));
    };
    this.#timer = setTimeout(beat, delayMs);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    // Without a connection mqtt.js may wait for its end for ever.
    const ended = new AbortController();
    const tooLong = pause(STOP_DEADLINE_MS, undefined, { signal: ended.signal }).catch(() => {});
    await Promise.race([this.#client?.endAsync(!this.connected).catch(() => {}), tooLong]);
    ended.abort();
  }

  async #publish(payload: object): Promise<void> {
    this.#inFlight += 1;
    try {
      await this.#client?.publishAsync(`telemetry/${this.#options.id}`, JSON.stringify(payload), { qos: 1 });
      this.#options.onAcknowledged();
    } finally {
      this.#inFlight -= 1;
    }
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
