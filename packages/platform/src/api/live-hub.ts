import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LiveFeed, LiveUpdate } from '../telemetry/telemetry-queries.ts';
import { LiveClient, liveEvent, type LiveSink } from './live-client.ts';
import { updatesToJson } from './point-json.ts';
import type { ServerStatsSource } from './server-stats.ts';

const STATS_EVERY_MS = 1000;
const HEARTBEAT_EVERY_MS = 15_000;
const MAX_CLIENTS = 256;
const MAX_WAITING_BYTES = 1024 * 1024;
/** A client that has not read for so long is gone. */
const MAX_LAG_MS = 60_000;
const HEARTBEAT = ': \n\n';

/** Which devices a client wants to see: all, or these. An empty set: only the server's stats. */
export type Watched = 'all' | ReadonlySet<DeviceId>;

/**
 * Brings new values and the server's stats to everybody who watches.
 *
 * Those who watch all devices share one watch of the feed and one text of each event. The clock ticks only while there is
 * a client.
 */
export class LiveHub {
  readonly #live: LiveFeed;
  readonly #stats: ServerStatsSource;
  readonly #clock: Clock;
  readonly #clients = new Set<LiveClient>();
  readonly #watchingAll = new Set<LiveClient>();
  #endWatchingAll: (() => void) | undefined;
  #endTicking: (() => void) | undefined;
  #heartbeatAtMs = 0;
  #closed = false;
  /** Events that were not sent because a client read too slowly, since the start. */
  droppedEvents = 0;

  constructor(dependencies: { readonly live: LiveFeed; readonly stats: ServerStatsSource; readonly clock: Clock }) {
    this.#live = dependencies.live;
    this.#stats = dependencies.stats;
    this.#clock = dependencies.clock;
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** @throws SelsynError `request.rate-limited` while 256 clients watch, `server.not-ready` once closed. */
  ensureRoom(): void {
    if (this.#closed) throw new SelsynError('server.not-ready', 'the server is shutting down', { retryable: true });
    if (this.#clients.size >= MAX_CLIENTS) {
      throw new SelsynError('request.rate-limited', `${MAX_CLIENTS} live streams are open already`, { retryable: true });
    }
  }

  /** Sends the stats at once and then whatever comes. Call `leave` when the client is gone, `client.drained` when its socket is. */
  join(sink: LiveSink, watched: Watched): { readonly client: LiveClient; leave(): void } {
    this.ensureRoom();
    const client = new LiveClient(sink, MAX_WAITING_BYTES);
    this.#clients.add(client);
    const endWatching = this.#watch(client, watched);
    this.#tickWhileWatched();
    this.#send(client, this.#statsEvent());
    const leave = (): void => {
      if (!this.#clients.delete(client)) return;
      endWatching();
      if (this.#clients.size === 0) this.#stopTicking();
    };
    return { client, leave };
  }

  /** Says goodbye to all; nobody can join any more. */
  close(): void {
    this.#closed = true;
    this.#stopTicking();
    for (const client of this.#clients) client.end();
  }

  #watch(client: LiveClient, watched: Watched): () => void {
    if (watched !== 'all') {
      if (watched.size === 0) return () => undefined;
      return this.#live.watch(watched, (updates) => this.#send(client, valuesEvent(updates)));
    }
    this.#watchingAll.add(client);
    this.#endWatchingAll ??= this.#live.watch(undefined, (updates) => {
      const event = valuesEvent(updates);
      for (const each of this.#watchingAll) this.#send(each, event);
    });
    return () => {
      this.#watchingAll.delete(client);
      if (this.#watchingAll.size > 0) return;
      this.#endWatchingAll?.();
      this.#endWatchingAll = undefined;
    };
  }

  #tickWhileWatched(): void {
    if (this.#endTicking !== undefined) return;
    this.#heartbeatAtMs = this.#clock.monotonicMs() + HEARTBEAT_EVERY_MS;
    const tick = (): void => {
      this.#endTicking = this.#clock.after(STATS_EVERY_MS, tick);
      this.#onTick();
    };
    this.#endTicking = this.#clock.after(STATS_EVERY_MS, tick);
  }

  #stopTicking(): void {
    this.#endTicking?.();
    this.#endTicking = undefined;
  }

  #onTick(): void {
    const nowMs = this.#clock.monotonicMs();
    const stats = this.#statsEvent();
    const beats = nowMs >= this.#heartbeatAtMs;
    if (beats) this.#heartbeatAtMs = nowMs + HEARTBEAT_EVERY_MS;
    for (const client of this.#clients) {
      if (client.lagsSinceMs !== undefined && nowMs - client.lagsSinceMs > MAX_LAG_MS) {
        client.destroy();
        continue;
      }
      this.#send(client, stats);
      if (beats && client.lagsSinceMs === undefined) this.#send(client, HEARTBEAT);
    }
  }

  #statsEvent(): string {
    return liveEvent('stats', JSON.stringify(this.#stats.current()));
  }

  #send(client: LiveClient, event: string): void {
    if (!client.send(event, this.#clock.monotonicMs())) this.droppedEvents++;
  }
}

function valuesEvent(updates: readonly LiveUpdate[]): string {
  return liveEvent('values', updatesToJson(updates));
}
