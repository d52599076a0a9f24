import type { Clock } from '../kernel/clock.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import { isEverything } from '../registry/scope.ts';
import type { LiveFeed, LiveUpdate } from '../telemetry/telemetry-queries.ts';
import { LiveClient, liveEvent, type LiveSink } from './live-client.ts';
import { SEES_ALL, type LiveViewer } from './live-viewer.ts';
import { RecentGroups, ScopedUpdates } from './live-watch.ts';
import { updatesToJson } from './point-json.ts';
import type { ServerStatsSource } from './server-stats.ts';

const STATS_EVERY_MS = 1000;
const HEARTBEAT_EVERY_MS = 15_000;
/** How long a stream may outlive the key or session that it was opened with. */
const RENEW_EVERY_MS = 5_000;
const MAX_CLIENTS = 256;
const MAX_WAITING_BYTES = 1024 * 1024;
/** A client that has not read for so long is gone. */
const MAX_LAG_MS = 60_000;
const HEARTBEAT = ': \n\n';

/** Which devices a client wants to see: all, or these. An empty set: only the server's stats. */
export type Watched = 'all' | ReadonlySet<DeviceId>;

interface Watcher {
  readonly client: LiveClient;
  readonly watched: Watched;
  viewer: LiveViewer;
  endWatching: () => void;
  renewAtMs: number;
}

/**
 * Brings new values and the server's stats to everybody who watches, as far as they may see them.
 *
 * Those who watch all devices of all groups share one watch of the feed and one text of each event. The clock ticks only while
 * there is a client. Whether a client may still watch is asked anew every 5 s.
 */
export class LiveHub {
  readonly #live: LiveFeed;
  readonly #stats: ServerStatsSource;
  readonly #clock: Clock;
  readonly #logLines: Pick<LogLines, 'error'>;
  readonly #groups: RecentGroups;
  readonly #watchers = new Set<Watcher>();
  readonly #watchingAll = new Set<LiveClient>();
  #endWatchingAll: (() => void) | undefined;
  #endTicking: (() => void) | undefined;
  #heartbeatAtMs = 0;
  #closed = false;
  /** Events that were not sent because a client read too slowly, since the start. */
  droppedEvents = 0;

  constructor(dependencies: {
    readonly live: LiveFeed;
    readonly stats: ServerStatsSource;
    readonly clock: Clock;
    readonly devices: Pick<DeviceStore, 'groupOf'>;
    readonly logLines: Pick<LogLines, 'error'>;
  }) {
    this.#live = dependencies.live;
    this.#stats = dependencies.stats;
    this.#clock = dependencies.clock;
    this.#logLines = dependencies.logLines;
    this.#groups = new RecentGroups(dependencies);
  }

  get clients(): number {
    return this.#watchers.size;
  }

  /** @throws SelsynError `request.rate-limited` while 256 clients watch, `server.not-ready` once closed. */
  ensureRoom(): void {
    if (this.#closed) throw new SelsynError('server.not-ready', 'the server is shutting down', { retryable: true });
    if (this.#watchers.size >= MAX_CLIENTS) {
      throw new SelsynError('request.rate-limited', `${MAX_CLIENTS} live streams are open already`, { retryable: true });
    }
  }

  /**
   * Sends the stats at once and then whatever comes. Call `leave` when the client is gone, `client.drained` when its socket is.
   */
  join(sink: LiveSink, watched: Watched, viewer: LiveViewer = SEES_ALL): { readonly client: LiveClient; leave(): void } {
    this.ensureRoom();
    const client = new LiveClient(sink, MAX_WAITING_BYTES);
    const renewAtMs = this.#clock.monotonicMs() + RENEW_EVERY_MS;
    const watcher: Watcher = { client, watched, viewer, endWatching: this.#watch(client, watched, viewer), renewAtMs };
    this.#watchers.add(watcher);
    this.#tickWhileWatched();
    if (viewer.stats) this.#send(client, this.#statsEvent());
    return { client, leave: () => this.#leave(watcher) };
  }

  /** Says goodbye to all; nobody can join any more. */
  close(): void {
    this.#closed = true;
    this.#stopTicking();
    for (const { client } of this.#watchers) client.end();
  }

  #leave(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    watcher.endWatching();
    if (this.#watchers.size === 0) this.#stopTicking();
  }

  #watch(client: LiveClient, watched: Watched, { scope }: LiveViewer): () => void {
    if (watched !== 'all' && watched.size === 0) return () => undefined;
    if (!isEverything(scope)) {
      const updates = new ScopedUpdates({
        groups: this.#groups,
        scope,
        send: (seen) => this.#send(client, valuesEvent(seen)),
        onFault: (error) => this.#fail(client, error),
      });
      const end = this.#live.watch(watched === 'all' ? undefined : watched, (all) => updates.take(all));
      return () => {
        updates.end();
        end();
      };
    }
    if (watched !== 'all') return this.#live.watch(watched, (updates) => this.#send(client, valuesEvent(updates)));
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

  /** Goes on with what the viewer may see now, or ends. */
  async #renew(watcher: Watcher): Promise<void> {
    try {
      const viewer = await watcher.viewer.renew();
      if (!this.#watchers.has(watcher)) return;
      if (viewer === undefined) {
        this.#leave(watcher);
        watcher.client.end();
        return;
      }
      const changed = viewer.scope.groups.join() !== watcher.viewer.scope.groups.join();
      watcher.viewer = viewer;
      if (!changed) return;
      watcher.endWatching();
      watcher.endWatching = this.#watch(watcher.client, watcher.watched, viewer);
    } catch (error) {
      this.#fail(watcher.client, error);
    }
  }

  /** Who cannot be shown what they may see is shown nothing. */
  #fail(client: LiveClient, error: unknown): void {
    this.#logLines.error({ err: error }, 'a live stream could not go on');
    client.destroy();
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
    for (const watcher of this.#watchers) {
      const { client, viewer } = watcher;
      if (client.lagsSinceMs !== undefined && nowMs - client.lagsSinceMs > MAX_LAG_MS) {
        client.destroy();
        continue;
      }
      if (nowMs >= watcher.renewAtMs) {
        watcher.renewAtMs = nowMs + RENEW_EVERY_MS;
        void this.#renew(watcher);
      }
      if (viewer.stats) this.#send(client, stats);
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
