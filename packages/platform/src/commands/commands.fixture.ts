import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import type { Actor } from '../audit/actor.ts';
import { openSqliteDatabase, type OpenDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { StateSchema } from '../database/schema.ts';
import { STATE_MIGRATIONS } from '../database/state-migrations.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { Device } from '../registry/device.ts';
import type { ClientLink } from '../state/client-link.ts';
import type { OutgoingMessage } from '../state/outgoing.ts';
import type { StateEvent } from '../state/state-events.ts';
import { StateWriter } from '../state/state-writer.ts';
import type { Command, CommandDraft } from './command.ts';
import type { RetentionLimits } from './command-retention.ts';
import { CommandStore } from './command-store.ts';
import { Commands } from './commands.ts';

export const ANN: Actor = { kind: 'user', id: 'u1', name: 'ann' };
export const DOER = { actor: ANN, group: '/' };

/** The commands in one thread, on a file of their own, with a clock and clients that the test moves. */
export class TestCommands implements AsyncDisposable {
  readonly clock = new FakeClock();
  /** What went out and was not taken yet, in its order. */
  published: OutgoingMessage[] = [];
  readonly events: StateEvent[] = [];
  readonly watched = new Set<string>();
  readonly devices = new Map<string, Device>();
  /** The next batch fails after it was done. */
  failing = false;
  commands!: Commands;
  writer!: StateWriter;
  open!: OpenDatabase<StateSchema>;
  readonly #dir = mkdtempSync(join(tmpdir(), 'selsyn-commands-'));
  readonly #retention: RetentionLimits | undefined;
  #random = 0;

  private constructor(retention: RetentionLimits | undefined) {
    this.#retention = retention;
  }

  static async open(retention?: RetentionLimits): Promise<TestCommands> {
    const test = new TestCommands(retention);
    await test.#start();
    return test;
  }

  get store(): CommandStore {
    return new CommandStore(this.open.database);
  }

  /** The process ends without a word, and another one begins on the same file. What it has not sent yet is gone. */
  async crash(): Promise<void> {
    await this.#stop();
    this.published = [];
    await this.#start();
  }

  async send(draft: Partial<CommandDraft> & { readonly device: string }, waitMs = 0): Promise<Command> {
    return (await this.commands.calls.sendCommand({ draft: { name: 'go', ...draft }, doer: DOER, waitMs })).command;
  }

  async show({ device, id }: Pick<Command, 'device' | 'id'>): Promise<Command> {
    return await this.store.get(device, id);
  }

  /** A client says that it subscribes. */
  async listen(clientId: string, filters: readonly string[], principalId = clientId): Promise<ClientLink> {
    const from = { gateway: 0, client: clientId };
    this.commands.desk.listening({ filters, clientId, principalId, from, resumed: false });
    await this.settle();
    return from;
  }

  async publish(clientId: string, topic: string, payload: string | Uint8Array, principalId = clientId): Promise<void> {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    await this.commands.desk.request({ topic, payload: bytes, clientId, principalId, from: { gateway: 0, client: clientId } });
  }

  async acknowledge(message: OutgoingMessage): Promise<void> {
    if (message.receipt !== undefined && message.to !== undefined) this.commands.desk.delivered(message.receipt);
    await this.settle();
  }

  take(): OutgoingMessage[] {
    const messages = this.published;
    this.published = [];
    return messages;
  }

  /** Time passes, and what comes of it is done. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.settle();
  }

  /** Waits until nothing is under way: all is in this thread, and each work is a few turns. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 6;) {
      const before = this.writer.counters.batches;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      quiet = this.writer.waiting === 0 && this.writer.counters.batches === before ? quiet + 1 : 0;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    rmSync(this.#dir, { recursive: true });
  }

  async #start(): Promise<void> {
    this.open = openSqliteDatabase<StateSchema>(join(this.#dir, 'state.db'));
    const { database } = this.open;
    await migrate(database, STATE_MIGRATIONS);
    const { clock } = this;
    this.writer = new StateWriter({
      database,
      outlet: {
        publish: (messages) => void this.published.push(...messages),
        isWatched: (device) => this.watched.has(device),
        tell: (events) => void this.events.push(...events),
      },
      clock,
      logLines: silentLogLines,
    });
    this.commands = new Commands({
      database,
      writer: this.writer,
      devices: { find: async (id) => this.devices.get(id) },
      clock,
      random: (count) =>
        createHash('shake256', { outputLength: count })
          .update(String(this.#random++))
          .digest(),
      logLines: silentLogLines,
      retention: this.#retention,
    });
    await this.commands.start();
    await this.settle();
  }

  async #stop(): Promise<void> {
    await this.commands[Symbol.asyncDispose]();
    await this.writer[Symbol.asyncDispose]();
    await this.open[Symbol.asyncDispose]();
  }
}
