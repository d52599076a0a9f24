import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import type { Scope } from '../registry/scope.ts';
import type { StateFeed } from '../state/event-feed.ts';
import type { StateEvent } from '../state/state-events.ts';
import { LiveClient, liveEvent, type LiveSink } from './live-client.ts';
import { stateEventToJson } from './state-event-json.ts';
import { EventViewing, type WantedDevices } from './state-viewing.ts';

const CHECK_EVERY_MS = 5_000;
const HEARTBEAT = ': \n\n';
const MAX_CLIENTS = 256;
const MAX_WAITING_BYTES = 1024 * 1024;
/** A client that has not read for so long is gone. */
const MAX_LAG_MS = 60_000;

/** What is wanted of the events, and by whom. */
export interface EventRequest {
  readonly wanted: WantedDevices;
  readonly isWanted: (event: StateEvent) => boolean;
  readonly scope: Scope;
  /** What may be seen now; undefined once the stream must end. Asked every 5 s. */
  readonly renew: () => Promise<Scope | undefined>;
}

interface Viewer {
  readonly client: LiveClient;
  readonly viewing: EventViewing;
  readonly request: EventRequest;
}

/** Streams of events of shadows, commands and jobs. Each has a bounded buffer; one that is not read is ended. */
export class StateHub {
  readonly #dependencies: {
    readonly feed: StateFeed;
    readonly devices: Pick<DeviceStore, 'among'>;
    readonly clock: Clock;
    readonly logLines: Pick<LogLines, 'error'>;
  };
  readonly #viewers = new Set<Viewer>();
  #endChecking: (() => void) | undefined;
  #closed = false;

  constructor(dependencies: {
    readonly feed: StateFeed;
    readonly devices: Pick<DeviceStore, 'among'>;
    readonly clock: Clock;
    readonly logLines: Pick<LogLines, 'error'>;
  }) {
    this.#dependencies = dependencies;
  }

  get clients(): number {
    return this.#viewers.size;
  }

  /** @throws SelsynError `request.rate-limited` while 256 clients watch, `server.not-ready` once closed. */
  ensureRoom(): void {
    if (this.#closed) throw new SelsynError('server.not-ready', 'the server is shutting down', { retryable: true });
    if (this.#viewers.size >= MAX_CLIENTS) {
      throw new SelsynError('request.rate-limited', `${MAX_CLIENTS} streams of events are open already`, { retryable: true });
    }
  }

  /** Says `watching`, and from then on misses nothing. Call `leave` when the client is gone, `client.drained` when its socket is. */
  join(sink: LiveSink, request: EventRequest): { readonly client: LiveClient; leave(): void } {
    this.ensureRoom();
    const { clock, feed, devices } = this.#dependencies;
    const client = new LiveClient(sink, MAX_WAITING_BYTES);
    const viewing = new EventViewing({
      feed,
      devices,
      clock,
      wanted: request.wanted,
      scope: request.scope,
      isWanted: request.isWanted,
      onEvents: (events, lost) => {
        const nowMs = clock.monotonicMs();
        if (lost > 0) client.send(liveEvent('lagged', JSON.stringify({ dropped: lost })), nowMs);
        for (const event of events) client.send(liveEvent(event.kind, stateEventToJson(event)), nowMs);
      },
      onFault: (error) => this.#fail(viewer, error),
    });
    const viewer: Viewer = { client, viewing, request };
    this.#viewers.add(viewer);
    client.send(liveEvent('watching', '{}'), clock.monotonicMs());
    this.#endChecking ??= clock.after(CHECK_EVERY_MS, () => this.#check());
    return { client, leave: () => this.#leave(viewer) };
  }

  /** Says goodbye to all; nobody can join any more. */
  close(): void {
    this.#closed = true;
    for (const viewer of this.#viewers) this.#end(viewer);
  }

  #check(): void {
    const nowMs = this.#dependencies.clock.monotonicMs();
    for (const viewer of this.#viewers) {
      const { client } = viewer;
      if (client.lagsSinceMs !== undefined && nowMs - client.lagsSinceMs > MAX_LAG_MS) {
        this.#leave(viewer);
        client.destroy();
        continue;
      }
      if (client.lagsSinceMs === undefined) client.send(HEARTBEAT, nowMs);
      void this.#renew(viewer);
    }
    this.#endChecking =
      this.#viewers.size === 0 ? undefined : this.#dependencies.clock.after(CHECK_EVERY_MS, () => this.#check());
  }

  async #renew(viewer: Viewer): Promise<void> {
    try {
      const scope = await viewer.request.renew();
      if (!this.#viewers.has(viewer)) return;
      if (scope === undefined) this.#end(viewer);
      else viewer.viewing.rescope(scope);
    } catch (error) {
      this.#fail(viewer, error);
    }
  }

  /** Who cannot be shown what they may see is shown nothing. */
  #fail(viewer: Viewer, error: unknown): void {
    this.#dependencies.logLines.error({ err: error }, 'a stream of events could not go on');
    this.#leave(viewer);
    viewer.client.destroy();
  }

  #end(viewer: Viewer): void {
    this.#leave(viewer);
    viewer.client.end();
  }

  #leave(viewer: Viewer): void {
    if (!this.#viewers.delete(viewer)) return;
    viewer.viewing.end();
    if (this.#viewers.size > 0) return;
    this.#endChecking?.();
    this.#endChecking = undefined;
  }
}
