import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { SessionStore } from '../session-store/session-store.ts';
import { AccessChanges } from './access-changes.ts';
import type { AudienceListener } from './audience.ts';
import type { Authorizer } from './authorizer.ts';
import { BrokerCore } from './broker-core.ts';
import { BusLink, type SessionCloser } from './bus-link.ts';
import { ClientInspector } from './client-inspector.ts';
import type { PresenceListener } from './client-watch.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import type { BrokerCounters } from './counters.ts';
import { type DirectMessage, type DirectOutcome, sendDirect } from './direct-message.ts';
import type { Intake } from './intake.ts';
import { type BrokerLimits, DEFAULT_LIMITS } from './limits.ts';
import { announceOwn, type OwnMessage, publishOwn, sendOwnTo } from './own-message.ts';
import type { RequestHandler } from './requests.ts';
import { findRetained, listRetained, type RetainedMessage, type RetainedSummary } from './retained-listing.ts';
import { Sessions } from './sessions.ts';
import { StoredState } from './stored-state.ts';
import type { Tracing } from './trace.ts';
import { TopicWatch, type TopicWatcher } from './topic-watch.ts';
import type { Transport } from './transport.ts';
import { publishVisitor, type VisitorMessage } from './visitor.ts';

export interface BrokerOptions {
  readonly authorizer: Authorizer;
  /** Takes the messages that the platform itself wants. Must not call its listener from within `accept`. */
  readonly intake?: Intake | undefined;
  /** Answers what clients ask of the platform. */
  readonly requests?: RequestHandler | undefined;
  /** Keeps sessions and retained messages beyond this process; without it no session outlives its connection. */
  readonly store?: SessionStore | undefined;
  /** Joins the brokers of other threads; not needed where this is the only one. */
  readonly bus?: Bus | undefined;
  /** Told of each connection that was let in, and of its end. */
  readonly presence?: PresenceListener | undefined;
  /** Told which clients subscribe to what they want. */
  readonly audiences?: readonly AudienceListener[] | undefined;
  /** They see what clients publish to some topics. */
  readonly watchers?: readonly TopicWatcher[] | undefined;
  readonly limits?: Partial<BrokerLimits> | undefined;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** A client id that no other client has, for one that brings none. */
  newClientId(): string;
}

/** The MQTT broker of one thread: takes transports, and owns the sessions of the clients behind them. */
export class Broker implements ConnectionHost, SessionCloser, AsyncDisposable {
  readonly authorizer: Authorizer;
  readonly sessions: Sessions;
  /** What administrators may ask. */
  readonly inspector: ClientInspector;
  readonly newClientId: () => string;
  readonly #core: BrokerCore;
  readonly #clock: Clock;
  readonly #store: SessionStore | undefined;
  readonly #connections = new Set<Connection>();
  readonly #accessChanges: AccessChanges;
  #stopSweeping: (() => void) | undefined;
  #closing = false;
  #onQuiet: (() => void) | undefined;

  constructor(options: BrokerOptions) {
    const { clock, logLines, intake, requests, bus, store, presence, audiences = [] } = options;
    // Without a store nothing outlives its connection.
    const limits = { ...DEFAULT_LIMITS, ...options.limits, ...(store === undefined && { sessionExpiryMaxSec: 0 }) };
    this.authorizer = options.authorizer;
    this.newClientId = () => options.newClientId();
    this.#clock = clock;
    this.#store = store;
    this.#core = new BrokerCore({ limits, clock, logLines, intake, requests, store, presence, audiences });
    this.sessions = new Sessions(this.#core);
    this.#accessChanges = new AccessChanges(this.#core, this.sessions, this.authorizer);
    const { watch, counters } = this.#core;
    this.inspector = new ClientInspector({ sessions: this.sessions, watch, counters });
    for (const watcher of options.watchers ?? [])
      this.#core.subscriptions.set(watcher.filter, new TopicWatch(watcher, this.sessions), UNSEEN);
    if (bus !== undefined) this.#core.bus = new BusLink(this.#core, bus, this);
  }

  get counters(): BrokerCounters {
    return this.#core.counters;
  }

  /** The traces that are on; undefined where none is. */
  get tracing(): Tracing | undefined {
    return this.#core.watch.tracing;
  }

  set tracing(tracing: Tracing | undefined) {
    this.#core.watch.tracing = tracing;
  }

  get retained(): { readonly count: number; readonly bytes: number } {
    return this.#core.retained.store;
  }

  /** PUBLISH packets that wait for the intake. */
  get waitingAcks(): number {
    return this.#core.ring.size;
  }

  /**
   * Brings back the sessions and retained messages of earlier runs, and tells the other threads of them. Connections are to be
   * accepted after that, in all threads.
   * @throws SelsynError `data.corrupt`, `log.full`, `log.failed`
   */
  async restore(): Promise<void> {
    const state = new StoredState(this.#core, this.sessions);
    await this.#store?.open(state);
    state.restored();
    await this.#core.marks.announce(this.sessions);
    await this.#core.retained.tellRestored();
    await this.#core.bus?.settled();
  }

  /** Begins to look after deadlines and keep-alives. */
  start(): void {
    this.#scheduleSweep();
  }

  /** Serves MQTT on a transport until it closes. */
  accept(transport: Transport): void {
    if (this.#closing) {
      transport.destroy();
      return;
    }
    const connection = new Connection(this.#core, this, transport);
    this.#connections.add(connection);
    this.#core.counters.connections++;
    transport.attach(connection);
  }

  /**
   * Publishes a message of the platform itself.
   * @returns a reason code as of PUBACK, once all that must have the message durably have it.
   */
  async publish(message: OwnMessage): Promise<number> {
    return await publishOwn(this.#core, message);
  }

  /** As `publish`, without waiting for those who must have it durably; they have it in the order of these calls. */
  announce(message: OwnMessage): void {
    announceOwn(this.#core, message);
  }

  /**
   * Sends a message to one client of this thread, at QoS 1, as far as it subscribes, in its turn among what waits for it. It is not kept
   * for the next connection.
   *
   * @param client see ClientRequest. @param acknowledged called once the client has acknowledged it.
   * @returns whether it is on its way: false where the client is not connected, does not subscribe, or has too much waiting.
   */
  sendTo(client: string, message: OwnMessage, acknowledged?: () => void): boolean {
    const session = this.sessions.get(client);
    return session !== undefined && sendOwnTo(this.#core, session, message, acknowledged);
  }

  /** As `publish`, for somebody who has no connection: see publishVisitor. */
  async publishVisitor(message: VisitorMessage): Promise<number> {
    return await publishVisitor(this.#core, message);
  }

  /** Sends a message to one client of this thread, whether it subscribes or not; it is not kept for the next connection. */
  async sendDirect(direct: DirectMessage): Promise<DirectOutcome> {
    return await sendDirect(this.#core, this.sessions, direct);
  }

  /** What is retained on a topic. */
  findRetained(topic: string): RetainedMessage | undefined {
    return findRetained(this.#core.retained.store, topic);
  }

  /** See listRetained. */
  async listRetained(page: { readonly after: string | undefined; readonly limit: number }): Promise<readonly RetainedSummary[]> {
    return await listRetained(this.#core.retained.store, page);
  }

  /** Closes the connections of a principal in this thread and returns how many there were. O(sessions). */
  disconnectPrincipal(principalId: string): number {
    const connections = [...this.sessions.values()].filter(({ principal }) => principal.id === principalId);
    let closed = 0;
    for (const { connection } of connections) {
      if (connection === undefined) continue;
      connection.close('administrative');
      closed++;
    }
    return closed;
  }

  /** Ends the sessions of a principal in this thread, with and without a client, with all that they hold. O(sessions). */
  endSessionsOf(principalId: string): void {
    for (const session of this.sessions.values()) {
      if (session.principal.id !== principalId) continue;
      session.connection?.close('administrative');
      this.sessions.end(session);
    }
  }

  /**
   * What these principals may do has changed, or whether they may be here at all: their connections heed it once this has resolved,
   * in this thread.
   */
  async accessChanged(principals: ReadonlySet<string> | 'all'): Promise<void> {
    await this.#accessChanges.apply(principals);
  }

  takeOver(key: string, stamp: number): void {
    const session = this.sessions.get(key);
    if (session === undefined || session.stamp >= stamp) return;
    session.connection?.close('taken-over');
    // The client has begun a session elsewhere: what it had here is over.
    this.sessions.end(session);
  }

  forget(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    this.#core.counters.connections--;
    this.#checkQuiet();
  }

  /**
   * Takes no more packets, answers those whose records become durable in time, then tells every client that the server shuts
   * down and closes. Takes at most twice the limit `closeGraceMs`.
   */
  async close(): Promise<void> {
    this.#closing = true;
    this.#stopSweeping?.();
    for (const connection of this.#connections) connection.stopReading();
    await this.#quiet(() => this.#core.ring.size === 0 && this.#core.store.waiting === 0);
    for (const connection of this.#connections) connection.close('server-shutdown');
    await this.#quiet(() => this.#connections.size === 0);
    for (const connection of this.#connections) connection.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Waits until `isQuiet`, at most for the grace. */
  #quiet(isQuiet: () => boolean): Promise<void> {
    if (isQuiet()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#onQuiet = undefined;
        this.#core.onSettled = undefined;
        resolve();
      };
      const cancel = this.#clock.after(this.#core.limits.closeGraceMs, done);
      this.#onQuiet = () => {
        if (isQuiet()) done();
      };
      this.#core.onSettled = () => this.#checkQuiet();
    });
  }

  #checkQuiet(): void {
    this.#onQuiet?.();
  }

  /** What is due ends in slices, taking turns with everything else. */
  #expire(nowMs: number): void {
    const more = [this.sessions.sweep(nowMs), this.#core.retained.sweep(nowMs)];
    if (more.includes(true)) setImmediate(() => this.#expire(nowMs));
  }

  #scheduleSweep(): void {
    this.#stopSweeping = this.#clock.after(SWEEP_MS, () => {
      const nowMs = this.#clock.monotonicMs();
      let backlogBytes = 0;
      let partialBytes = 0;
      for (const connection of this.#connections) {
        connection.sweep(nowMs);
        backlogBytes += connection.backlogBytes;
        partialBytes += connection.partialBytes;
      }
      this.#core.counters.backlogBytes = backlogBytes;
      this.#core.counters.partialBytes = partialBytes;
      this.#core.watchMemory();
      for (const session of this.#core.wide.due(nowMs)) this.sessions.endFull(session);
      this.#core.ends.flush();
      this.#expire(nowMs);
      this.#scheduleSweep();
    });
  }
}

const SWEEP_MS = 1_000;
/** A watcher has no subscription that a client could see. */
const UNSEEN = { qos: 0, noLocal: false, retainAsPublished: true, identifier: 0 } as const;
