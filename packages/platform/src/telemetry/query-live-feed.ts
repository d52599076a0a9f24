import type { MessagePort } from 'node:worker_threads';
import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { ThreadCaller } from '../kernel/thread-channel.ts';
import { LIVE_BATCH_TAKEN, type HotCalls, type LiveBatch, type WatchRequest } from './hot-calls.ts';
import type { LiveFeed, LiveUpdate } from './telemetry-queries.ts';

const RETRY_MS = 1_000;

interface Watcher {
  readonly devices: ReadonlySet<DeviceId> | undefined;
  readonly onUpdate: (updates: readonly LiveUpdate[]) => void;
}

export interface LiveFeedOptions {
  /** To the processor thread: takes what is watched. */
  readonly hot: Pick<ThreadCaller<HotCalls>, 'call'>;
  /** From the processor thread: brings the batches. */
  readonly updates: MessagePort;
  readonly clock: Pick<Clock, 'after'>;
  readonly log: LogLines;
}

/**
 * The processor's one feed, shared out among all who watch in this thread.
 *
 * The processor is told the union of all watched devices, whenever it changes; one such call is under way at a time, so
 * the last one told is the last one that holds. A call that fails is made again after a second.
 */
export class SharedLiveFeed implements LiveFeed, Disposable {
  readonly #hot: Pick<ThreadCaller<HotCalls>, 'call'>;
  readonly #updates: MessagePort;
  readonly #clock: Pick<Clock, 'after'>;
  readonly #log: LogLines;
  readonly #ofAll = new Set<Watcher>();
  readonly #ofDevice = new Map<DeviceId, Set<Watcher>>();
  #changed = false;
  #telling = false;
  #closed = false;
  #cancelRetry: (() => void) | undefined;

  constructor(options: LiveFeedOptions) {
    this.#hot = options.hot;
    this.#updates = options.updates;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  start(): void {
    this.#updates.on('message', this.#onBatch);
  }

  watch(devices: ReadonlySet<DeviceId> | undefined, onUpdate: (updates: readonly LiveUpdate[]) => void): () => void {
    const watcher: Watcher = { devices: devices === undefined ? undefined : new Set(devices), onUpdate };
    this.#add(watcher);
    let watching = true;
    return () => {
      if (watching) this.#remove(watcher);
      watching = false;
    };
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelRetry?.();
    this.#updates.off('message', this.#onBatch);
    this.#ofAll.clear();
    this.#ofDevice.clear();
  }

  #add(watcher: Watcher): void {
    if (watcher.devices === undefined) {
      this.#ofAll.add(watcher);
      if (this.#ofAll.size === 1) this.#tell();
      return;
    }
    let isNew = false;
    for (const device of watcher.devices) {
      const watchers = this.#ofDevice.get(device);
      if (watchers === undefined) this.#ofDevice.set(device, new Set([watcher]));
      else watchers.add(watcher);
      isNew ||= watchers === undefined;
    }
    if (isNew && this.#ofAll.size === 0) this.#tell();
  }

  #remove(watcher: Watcher): void {
    if (watcher.devices === undefined) {
      if (this.#ofAll.delete(watcher) && this.#ofAll.size === 0) this.#tell();
      return;
    }
    let isGone = false;
    for (const device of watcher.devices) {
      const watchers = this.#ofDevice.get(device);
      if (watchers?.delete(watcher) && watchers.size === 0) {
        this.#ofDevice.delete(device);
        isGone = true;
      }
    }
    if (isGone && this.#ofAll.size === 0) this.#tell();
  }

  #tell(): void {
    this.#changed = true;
    if (!this.#telling && !this.#closed && this.#cancelRetry === undefined) void this.#tellUntilSettled();
  }

  async #tellUntilSettled(): Promise<void> {
    this.#telling = true;
    while (this.#changed && !this.#closed) {
      this.#changed = false;
      try {
        await this.#hot.call('watch', this.#request());
      } catch (error) {
        this.#retryLater(error);
        break;
      }
    }
    this.#telling = false;
  }

  #retryLater(error: unknown): void {
    if (this.#closed) return;
    this.#changed = true;
    this.#log.warn({ err: error }, 'the live feed could not be set; trying again');
    this.#cancelRetry = this.#clock.after(RETRY_MS, () => {
      this.#cancelRetry = undefined;
      this.#tell();
    });
  }

  #request(): WatchRequest {
    if (this.#ofAll.size > 0) return { devices: undefined };
    return this.#ofDevice.size === 0 ? { none: true } : { devices: [...this.#ofDevice.keys()] };
  }

  readonly #onBatch = (batch: LiveBatch): void => {
    this.#updates.postMessage(LIVE_BATCH_TAKEN);
    for (const watcher of this.#ofAll) this.#give(watcher, batch);
    if (this.#ofDevice.size === 0) return;
    const shares = new Map<Watcher, LiveUpdate[]>();
    for (const update of batch) {
      for (const watcher of this.#ofDevice.get(update.device) ?? []) {
        const share = shares.get(watcher);
        if (share === undefined) shares.set(watcher, [update]);
        else share.push(update);
      }
    }
    for (const [watcher, share] of shares) this.#give(watcher, share);
  };

  /** One watcher's fault must not keep the update from the others. */
  #give(watcher: Watcher, updates: readonly LiveUpdate[]): void {
    try {
      watcher.onUpdate(updates);
    } catch (error) {
      this.#log.error({ err: error }, 'a watcher of the live feed failed');
    }
  }
}
