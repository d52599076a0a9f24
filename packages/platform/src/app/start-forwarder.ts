import { MessageChannel } from 'node:worker_threads';
import type { OwnMessage } from '../broker/own-message.ts';
import type { ForwarderEvent, ForwardingCalls, OpenForwarder } from '../forwarding/forwarder.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { MetricsSnapshot } from '../kernel/metrics.ts';
import { type Caller, ThreadCaller } from '../kernel/thread-channel.ts';
import type { Config } from './config-schema.ts';
import type { DataPaths } from './data-folder.ts';
import type { ForwarderThreadCalls, ForwarderThreadData } from './forwarder-thread.ts';
import type { MetricsHub } from './metrics-hub.ts';
import { Thread } from './thread.ts';

export interface ForwarderSideOptions {
  readonly config: Config;
  readonly paths: DataPaths;
  readonly logShared: SharedArrayBuffer;
  /** As they are now, with their secrets. */
  readonly forwarders: () => Promise<readonly OpenForwarder[]>;
  readonly metrics: MetricsHub;
  readonly publish: (messages: readonly OwnMessage[]) => Promise<unknown>;
  readonly clock: Clock;
  readonly logLines: LogLines;
}

interface Running {
  readonly thread: Thread<ForwarderThreadCalls, null>;
  readonly calls: ThreadCaller<ForwardingCalls>;
}

/** A change waits for what is under way to be answered. */
const CALL_DEADLINE_MS = 20_000;
const FIRST_RESTART_MS = 1_000;
const MAX_RESTART_MS = 60_000;

/**
 * The thread that forwards, and main's end of it. It talks to programs of others through libraries of others: when it ends, nothing else
 * does, and it is started anew. What it holds of the log stays held meanwhile.
 */
export class ForwarderSide implements AsyncDisposable {
  readonly #options: ForwarderSideOptions;
  readonly calls: Caller<ForwardingCalls>;
  #running: Running | undefined;
  #restarting: Promise<void> | undefined;
  #cancel: (() => void) | undefined;
  #restartMs = FIRST_RESTART_MS;
  #isClosed = false;

  constructor(options: ForwarderSideOptions) {
    this.#options = options;
    this.calls = {
      call: (name, argument, deadlineMs) => {
        if (this.#running !== undefined) return this.#running.calls.call(name, argument, deadlineMs);
        return Promise.reject(new SelsynError('thread.gone', 'the forwarders are being started anew', { retryable: true }));
      },
    };
    options.metrics.add({ calls: { call: async () => await this.#metrics() } });
  }

  /** Resolves when it was tried: where the thread cannot start, devices do not wait for it. */
  async start(): Promise<void> {
    try {
      await this.#start();
      this.#restartMs = FIRST_RESTART_MS;
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  async #start(): Promise<void> {
    const { config, paths, logShared, forwarders } = this.#options;
    const [calls, events] = [new MessageChannel(), new MessageChannel()];
    const thread = await Thread.start<ForwarderThreadData, ForwarderThreadCalls, null>({
      name: 'forwarder',
      script: new URL('./forwarder-thread.ts', import.meta.url),
      data: { config, paths, logShared, forwarders: await forwarders(), calls: calls.port1, events: events.port1 },
      transfer: [calls.port1, events.port1],
    });
    events.port2.on('message', (event: ForwarderEvent) => this.#tell(event));
    events.port2.unref();
    this.#running = { thread, calls: new ThreadCaller<ForwardingCalls>(calls.port2, CALL_DEADLINE_MS) };
    void thread.failed.then((reason) => this.#failed(reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancel?.();
    await this.#restarting;
    await this.#running?.thread.stop();
  }

  #failed(reason: Error): void {
    this.#running = undefined;
    if (this.#isClosed) return;
    const { logLines, clock } = this.#options;
    logLines.error({ err: reason, againInMs: this.#restartMs }, 'The thread of the forwarders has ended; it is started anew');
    this.#cancel = clock.after(this.#restartMs, () => {
      this.#restarting = this.start();
    });
    this.#restartMs = Math.min(MAX_RESTART_MS, this.#restartMs * 2);
  }

  async #metrics(): Promise<MetricsSnapshot> {
    return (await this.#running?.thread.calls.call('metrics', null)) ?? [];
  }

  #tell(event: ForwarderEvent): void {
    const { publish, logLines } = this.#options;
    const payload = new TextEncoder().encode(JSON.stringify(event));
    const topic = `$selsyn/events/forwarders/${event.event}/${event.forwarder}`;
    publish([{ topic, payload, qos: 1, retain: false }]).catch((error: unknown) => {
      logLines.warn({ err: error }, 'A message on forwarders could not be published');
    });
  }
}
