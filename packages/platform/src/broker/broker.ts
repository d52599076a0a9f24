import type { Bus } from '../bus/bus.ts';
import type { Clock } from '../kernel/clock.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { Authorizer } from './authorizer.ts';
import { BrokerCore } from './broker-core.ts';
import { BusLink, type SessionCloser } from './bus-link.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import type { BrokerCounters } from './counters.ts';
import type { Intake } from './intake.ts';
import { type BrokerLimits, DEFAULT_LIMITS } from './limits.ts';
import type { Session } from './session.ts';
import { unsubscribeAll } from './subscribing.ts';
import type { Transport } from './transport.ts';
import { publishWill } from './will-message.ts';

export interface BrokerOptions {
  readonly authorizer: Authorizer;
  /** Takes the messages that the platform itself wants. Must not call its listener from within `accept`. */
  readonly intake?: Intake | undefined;
  /** Joins the brokers of other threads; not needed where this is the only one. */
  readonly bus?: Bus | undefined;
  readonly limits?: Partial<BrokerLimits> | undefined;
  readonly clock: Clock;
  readonly logLines: LogLines;
  /** A client id that no other client has, for one that brings none. */
  newClientId(): string;
}

/** The MQTT broker of one thread: takes transports, and owns the sessions of the clients behind them. */
export class Broker implements ConnectionHost, SessionCloser, AsyncDisposable {
  readonly authorizer: Authorizer;
  readonly newClientId: () => string;
  readonly #core: BrokerCore;
  readonly #clock: Clock;
  readonly #connections = new Set<Connection>();
  readonly #sessions = new Map<string, Session>();
  #stopSweeping: (() => void) | undefined;
  #closing = false;
  #onQuiet: (() => void) | undefined;

  constructor(options: BrokerOptions) {
    this.authorizer = options.authorizer;
    this.newClientId = () => options.newClientId();
    this.#clock = options.clock;
    const { clock, logLines, intake, bus } = options;
    this.#core = new BrokerCore({ limits: { ...DEFAULT_LIMITS, ...options.limits }, clock, logLines, intake });
    if (bus !== undefined) this.#core.bus = new BusLink(this.#core, bus, this);
  }

  get counters(): BrokerCounters {
    return this.#core.counters;
  }

  get retained(): { readonly count: number; readonly bytes: number } {
    return this.#core.retained;
  }

  /** PUBLISH packets that wait for the intake. */
  get waitingAcks(): number {
    return this.#core.ring.size;
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

  /** Closes the sessions of a principal in this thread and returns how many there were. O(sessions). */
  disconnectPrincipal(principalId: string): number {
    const sessions = [...this.#sessions.values()].filter(({ principal }) => principal.id === principalId);
    for (const { connection } of sessions) connection.close('administrative');
    return sessions.length;
  }

  openSession(session: Session): void {
    // The standing session with this key ends first, its will is published [MQTT-3.1.4-3].
    this.#sessions.get(session.key)?.connection.close('taken-over');
    this.#sessions.set(session.key, session);
    this.#core.counters.sessions++;
    if (this.#core.bus !== undefined) session.stamp = this.#core.bus.openSession(session.key);
  }

  takeOver(key: string, stamp: number): void {
    const session = this.#sessions.get(key);
    if (session !== undefined && session.stamp < stamp) session.connection.close('taken-over');
  }

  endSession(session: Session, withWill: boolean): void {
    session.open = false;
    if (this.#sessions.get(session.key) === session) this.#sessions.delete(session.key);
    this.#core.counters.sessions--;
    unsubscribeAll(this.#core, session);
    session.outbound.close();
    session.retained.jobs = undefined;
    const { will } = session;
    session.will = undefined;
    if (withWill && will !== undefined) publishWill(this.#core, session, will);
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
    await this.#quiet(() => this.#core.ring.size === 0);
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

  #scheduleSweep(): void {
    this.#stopSweeping = this.#clock.after(SWEEP_MS, () => {
      const nowMs = this.#clock.monotonicMs();
      for (const connection of this.#connections) connection.sweep(nowMs);
      this.#scheduleSweep();
    });
  }
}

const SWEEP_MS = 1_000;
