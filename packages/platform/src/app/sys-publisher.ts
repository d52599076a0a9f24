import type { OwnMessage } from '../broker/own-message.ts';
import { SysTopics, type SysTotals, type SysValue } from '../broker/sys-topics.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { MetricsSnapshot } from '../kernel/metrics.ts';
import { Sample } from './metrics-sample.ts';

export interface SysPublisherOptions {
  readonly snapshots: () => Promise<MetricsSnapshot[]>;
  readonly publish: (messages: readonly OwnMessage[]) => Promise<void>;
  readonly clock: Clock;
  readonly logLines: LogLines;
  readonly version: string;
  readonly intervalSec: number;
}

/** Publishes `$SYS/broker/…` from the metrics of all threads: what has changed, every `mqtt.sysIntervalSec`. */
export class SysPublisher implements Disposable {
  readonly #options: SysPublisherOptions;
  readonly #topics: SysTopics;
  readonly #startedMs: number;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(options: SysPublisherOptions) {
    this.#options = options;
    this.#topics = new SysTopics({ version: options.version });
    this.#startedMs = options.clock.monotonicMs();
  }

  start(): void {
    if (this.#options.intervalSec > 0) void this.#tick();
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#cancel();
  }

  async #tick(): Promise<void> {
    const { clock, logLines, snapshots, publish, intervalSec } = this.#options;
    try {
      const sample = new Sample(clock.monotonicMs(), await snapshots());
      const values = this.#topics.update(totalsOf(sample), sample.atMs - this.#startedMs);
      if (!this.#stopped && values.length > 0) await publish(values.map(messageOf));
    } catch (error) {
      // Who heard nothing hears all of it next time.
      this.#topics.tellAll();
      if (!this.#stopped) logLines.warn({ err: error }, '$SYS could not be published');
    }
    if (!this.#stopped) this.#cancel = clock.after(intervalSec * 1_000, () => void this.#tick());
  }
}

/** At QoS 0: who is away needs none of them, and finds the newest retained when it returns. */
function messageOf({ topic, text }: SysValue): OwnMessage {
  return { topic, payload: new TextEncoder().encode(text), qos: 0, retain: true };
}

function totalsOf(sample: Sample): SysTotals {
  const count = (name: string, labels?: Readonly<Record<string, string>>): number => sample.sum(`selsyn_mqtt_${name}`, labels);
  // Each thread has a copy of every retained message.
  const retainedMessages = sample.max('selsyn_mqtt_retained_messages');
  return {
    clientsConnected: count('sessions', { state: 'connected' }),
    clientsOffline: count('sessions', { state: 'offline' }),
    clientsExpired: count('sessions_expired_total'),
    sockets: count('admitted_connections_total') + count('refused_connections_total'),
    connects: count('sessions_accepted_total') + count('connects_refused_total'),
    packetsReceived: count('packets_received_total'),
    packetsSent: count('packets_sent_total'),
    publishReceived: count('messages_received_total'),
    publishSent: count('messages_sent_total'),
    publishDropped: count('dropped_messages_total'),
    payloadBytesReceived: count('payload_bytes_received_total'),
    payloadBytesSent: count('payload_bytes_sent_total'),
    bytesReceived: count('received_bytes_total'),
    bytesSent: count('sent_bytes_total'),
    storedMessages: count('queued_messages') + retainedMessages,
    storedBytes: count('queued_bytes') + sample.max('selsyn_mqtt_retained_bytes'),
    retainedMessages,
    subscriptions: count('subscriptions') - count('shared_subscriptions'),
    sharedSubscriptions: count('shared_subscriptions'),
    memoryBytes: process.memoryUsage.rss(),
  };
}
