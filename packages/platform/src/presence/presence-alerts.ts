import type { Database } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { ConnectivityChange } from '../registry/connectivity-store.ts';
import { LossWatch, type LossWatchOptions, type PresenceNews } from './loss-watch.ts';
import { PresenceAlertStore } from './presence-alert-store.ts';

/** A message to whoever subscribes. */
export interface PresenceMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 1;
  readonly retain: false;
}

const LOOK_MS = 1_000;
const SWEEP_MS = 60_000;
const AT_ONCE = 500;
const KEPT_MS = 30 * 86_400_000;
/** Up to when losses are decided: what went later may still have to be told of after a restart. */
const DECIDED = 'presence-decided';

/**
 * Tells of devices that have been gone for too long, and of those that come and go: as alerts that can be listed, and as messages on
 * `$selsyn/events/presence/{raised|resolved}/{deviceId}`.
 */
export class PresenceAlerts implements AsyncDisposable {
  readonly store: PresenceAlertStore;
  readonly #database: Database;
  readonly #watch: LossWatch;
  readonly #offlineAfterMs: number;
  readonly #publish: (messages: readonly PresenceMessage[]) => Promise<void>;
  readonly #clock: Clock;
  readonly #logLines: LogLines;
  /** To be written. */
  #news: PresenceNews[] = [];
  #sweptMs = 0;
  #cancel: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(dependencies: {
    readonly database: Database;
    readonly options: LossWatchOptions;
    readonly publish: (messages: readonly PresenceMessage[]) => Promise<void>;
    readonly clock: Clock;
    readonly logLines: LogLines;
  }) {
    this.store = new PresenceAlertStore(dependencies.database);
    this.#database = dependencies.database;
    this.#watch = new LossWatch(dependencies.options);
    this.#offlineAfterMs = dependencies.options.offlineAfterMs;
    this.#publish = dependencies.publish;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
  }

  /** Takes up what an earlier run left: alerts that are open, and devices that went and were not decided about. */
  async start(): Promise<void> {
    for (let after = 0; ;) {
      const open = await this.store.open(after, AT_ONCE);
      for (const { device, kind, sinceMs } of open) this.#watch.restore(device, kind, this.#timeOf(sinceMs));
      const last = open.at(-1);
      if (last === undefined) break;
      after = last.id;
    }
    const earliestMs = this.#clock.now() - this.#offlineAfterMs;
    const decided = await this.#database
      .selectFrom('registry_counter')
      .select('value')
      .where('name', '=', DECIDED)
      .executeTakeFirst();
    const gone = await this.#database
      .selectFrom('device_connectivity')
      .select(['device_id', 'last_seen_ms', 'gone_reason'])
      .where('connected', '=', 0)
      // Where the clock has been set back meanwhile, it was decided up to a time that is still to come.
      .where('last_seen_ms', '>', Math.min(Number(decided?.value ?? earliestMs), earliestMs))
      .orderBy('last_seen_ms')
      .execute();
    for (const { device_id, last_seen_ms, gone_reason } of gone) {
      const sinceMs = Number(last_seen_ms);
      this.#heard(device_id, this.#timeOf(sinceMs), gone_reason ?? undefined, sinceMs);
    }
    this.#look();
  }

  /** Devices of which something is known. */
  get watched(): number {
    return this.#watch.size;
  }

  /** Devices came and went, in this order. */
  heard(changes: readonly ConnectivityChange[]): void {
    const nowMs = this.#clock.monotonicMs();
    for (const { deviceId, connected, atMs, reason } of changes) {
      if (connected) this.#news.push(...this.#watch.back(deviceId));
      else this.#heard(deviceId, nowMs, reason, atMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#running;
  }

  #heard(device: string, atMs: number, reason: string | undefined, sinceMs: number): void {
    this.#news.push(...this.#watch.gone(device, atMs, reason, sinceMs));
  }

  /** When a wall time was by the clock that is never set. */
  #timeOf(wallMs: number): number {
    return this.#clock.monotonicMs() - Math.max(0, this.#clock.now() - wallMs);
  }

  #look(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#running = this.#tell()
        .catch((error: unknown) => {
          this.#logLines.error({ err: error }, 'alerts of devices that are gone could not be written; they are tried again');
        })
        .then(() => this.#look());
    });
  }

  async #tell(): Promise<void> {
    const nowMs = this.#clock.now();
    const timeMs = this.#clock.monotonicMs();
    for (let due = this.#watch.due(timeMs, AT_ONCE); due.length > 0; due = this.#watch.due(timeMs, AT_ONCE)) {
      this.#news.push(...due);
      await this.#write(nowMs);
    }
    await this.#write(nowMs);
    if (timeMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = timeMs;
    this.#news.push(...this.#watch.sweep(timeMs));
    await this.#write(nowMs);
    await this.#decided(nowMs - this.#offlineAfterMs);
    await this.store.removeResolvedBefore(nowMs - KEPT_MS);
    await this.#forgetRemoved();
  }

  /** Alerts go with their devices: what is known of these goes too. */
  async #forgetRemoved(): Promise<void> {
    const raised = this.#watch.raised();
    // What is not written yet is not open yet.
    if (this.#news.length > 0 || raised.length <= (await this.store.countOpen())) return;
    const open = new Set<string>();
    for (let after = 0; ;) {
      const some = await this.store.open(after, AT_ONCE);
      for (const { device } of some) open.add(device);
      const last = some.at(-1);
      if (last === undefined) break;
      after = last.id;
    }
    for (const device of raised) if (!open.has(device)) this.#watch.forget(device);
  }

  async #write(nowMs: number): Promise<void> {
    while (this.#news.length > 0) {
      const some = this.#news.slice(0, AT_ONCE);
      const written = await this.store.write(some, nowMs);
      this.#news = this.#news.slice(some.length);
      const known = new Set(written);
      for (const one of some) if (!known.has(one)) this.#watch.forget(one.device);
      await this.#publish(written.map((one) => messageOf(one, nowMs)));
    }
  }

  /** What went before this time was told of, or is back. */
  async #decided(ms: number): Promise<void> {
    await this.#database
      .insertInto('registry_counter')
      .values({ name: DECIDED, value: ms })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: ms }))
      .execute();
  }
}

function messageOf(news: PresenceNews, nowMs: number): PresenceMessage {
  const { device: deviceId, kind } = news;
  const told =
    news.news === 'raised'
      ? { deviceId, kind, sinceMs: news.sinceMs, reason: news.reason, losses: news.losses, atMs: nowMs }
      : { deviceId, kind, atMs: nowMs };
  const topic = `$selsyn/events/presence/${news.news}/${deviceId}`;
  return { topic, payload: new TextEncoder().encode(JSON.stringify(told)), qos: 1, retain: false };
}
