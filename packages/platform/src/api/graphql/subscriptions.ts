import { SelsynError } from '../../kernel/errors.ts';
import type { Permission } from '../../people/permissions.ts';
import type { StateEvent } from '../../state/state-events.ts';
import type { LiveUpdate } from '../../telemetry/telemetry-queries.ts';
import { RecentGroups, ScopedUpdates } from '../live-watch.ts';
import { EventViewing } from '../state-viewing.ts';
import { wantedDevices, type AskedDevices } from '../wanted-devices.ts';
import { BoundedStream, type StreamItem } from './bounded-stream.ts';
import type { GraphqlContext, GraphqlServices } from './graphql-context.ts';
import { isEverything } from '../../registry/scope.ts';
import { parseDeviceId } from '../../kernel/device-id.ts';

const MAX_SUBSCRIPTIONS = 256;
/** How long a subscription may outlive the key or session that it was opened with. */
const RENEW_EVERY_MS = 5_000;

interface Open {
  readonly context: GraphqlContext;
  readonly permission: Permission;
  readonly stream: BoundedStream<unknown>;
  /** What may be seen was changed. */
  rescope: () => void;
}

/** All subscriptions that are open: so many at the most, and each ends when whoever opened it may not watch any more. */
export class Subscriptions {
  readonly #services: GraphqlServices;
  readonly #groups: RecentGroups;
  readonly #open = new Set<Open>();
  #endRenewing: (() => void) | undefined;
  #closed = false;

  constructor(services: GraphqlServices) {
    this.#services = services;
    this.#groups = new RecentGroups(services);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Events of shadows, commands or jobs. @throws SelsynError as `wantedDevices`; `access.denied`, `request.rate-limited`, `server.not-ready` */
  async ofState<E extends StateEvent>(
    context: GraphqlContext,
    asked: AskedDevices,
    of: { readonly permission: Permission; readonly isWanted: (event: StateEvent) => event is E },
  ): Promise<AsyncIterable<StreamItem<E>>> {
    const wanted = await wantedDevices(this.#services, asked, context.caller);
    return this.#begin<E>(context, of.permission, (stream) => {
      const { state, devices, clock } = this.#services;
      const viewing = new EventViewing({
        feed: state.events,
        devices,
        clock,
        wanted,
        scope: context.scope(of.permission),
        isWanted: of.isWanted,
        onEvents: (events, lost) => {
          if (lost > 0) stream.fault(lostEvents(lost));
          for (const event of events) if (of.isWanted(event)) stream.push(event);
        },
        onFault: (error) => this.#fail(stream, error),
      });
      return { end: () => viewing.end(), rescope: () => viewing.rescope(context.scope(of.permission)) };
    });
  }

  /** New points of devices that are named, or of all that the caller sees. */
  ofTelemetry(context: GraphqlContext, devices: readonly string[] | undefined): AsyncIterable<StreamItem<LiveUpdate>> {
    const named = devices === undefined ? undefined : new Set(devices.map(parseDeviceId));
    return this.#begin<LiveUpdate>(context, 'telemetry:read', (stream) => {
      const push = (updates: readonly LiveUpdate[]): void => updates.forEach((update) => stream.push(update));
      const scope = context.scope('telemetry:read');
      const scoped = new ScopedUpdates({
        groups: this.#groups,
        scope,
        send: push,
        onFault: (error) => this.#fail(stream, error),
      });
      const end = this.#services.live.watch(named, (updates) =>
        isEverything(scoped.scope) ? push(updates) : scoped.take(updates),
      );
      return {
        end: () => (scoped.end(), end()),
        rescope: () => void (scoped.scope = context.scope('telemetry:read')),
      };
    });
  }

  /** Tells all that the server stops; none begins any more. */
  close(): void {
    this.#closed = true;
    for (const { stream } of this.#open)
      stream.end(new SelsynError('server.not-ready', 'the server is shutting down', { retryable: true }));
  }

  #begin<T>(
    context: GraphqlContext,
    permission: Permission,
    open: (stream: BoundedStream<T>) => { readonly end: () => void; readonly rescope: () => void },
  ): AsyncIterable<StreamItem<T>> {
    if (this.#closed) throw new SelsynError('server.not-ready', 'the server is shutting down', { retryable: true });
    if (this.#open.size >= MAX_SUBSCRIPTIONS) {
      throw new SelsynError('request.rate-limited', `${MAX_SUBSCRIPTIONS} subscriptions are open already`, { retryable: true });
    }
    const entry: Open = {
      context,
      permission,
      rescope: () => undefined,
      stream: new BoundedStream<unknown>(() => {
        this.#open.delete(entry);
        source?.end();
        if (this.#open.size > 0) return;
        this.#endRenewing?.();
        this.#endRenewing = undefined;
      }),
    };
    const stream = entry.stream as BoundedStream<T>;
    const source = open(stream);
    entry.rescope = source.rescope;
    this.#open.add(entry);
    this.#endRenewing ??= this.#services.clock.after(RENEW_EVERY_MS, () => this.#renewAll());
    return stream;
  }

  #renewAll(): void {
    for (const entry of this.#open) void this.#renew(entry);
    this.#endRenewing = this.#open.size === 0 ? undefined : this.#services.clock.after(RENEW_EVERY_MS, () => this.#renewAll());
  }

  async #renew({ context, permission, stream, rescope }: Open): Promise<void> {
    try {
      if (!(await context.renew())) {
        stream.end(new SelsynError('access.unauthenticated', 'the key or session has ended: sign in again'));
        return;
      }
      // Throws where it is nowhere any more.
      context.scope(permission);
      rescope();
    } catch (error) {
      this.#fail(stream, error);
    }
  }

  #fail(stream: Pick<BoundedStream<unknown>, 'end'>, error: unknown): void {
    if (!(error instanceof SelsynError)) this.#services.logLines.error({ err: error }, 'a subscription could not go on');
    stream.end(
      error instanceof SelsynError ? error : new SelsynError('internal', 'the subscription could not go on', { cause: error }),
    );
  }
}

function lostEvents(dropped: number): SelsynError {
  return new SelsynError(
    'request.rate-limited',
    `${dropped} events were lost, as they were too many: fetch again what you show`,
    {
      retryable: true,
      details: { dropped },
    },
  );
}
