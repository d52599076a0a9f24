import type { StateDatabase } from '../database/schema.ts';
import type { Clock } from '../kernel/clock.ts';
import { SelsynError } from '../kernel/errors.ts';
import type { LogLines } from '../kernel/log-lines.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import { WebHooks } from '../kernel/web-hooks.ts';
import type { DeviceStore } from '../registry/device-store.ts';
import type { DeviceFacing } from '../state/state-domain.ts';
import type { RegistryFollower } from '../state/registry-changes.ts';
import type { StateWriter } from '../state/state-writer.ts';
import { isFinished, type Command } from './command.ts';
import { MAX_WAIT_MS, type CommandCalls } from './command-calls.ts';
import { CommandDeadlines } from './command-deadlines.ts';
import { CommandDesk } from './command-desk.ts';
import { CommandDomain } from './command-domain.ts';
import { CommandListeners } from './command-listeners.ts';
import { CommandRetention, type RetentionLimits } from './command-retention.ts';
import { CommandStore } from './command-store.ts';
import { CommandWaiters } from './command-waiters.ts';
import type { CommandResult, CommandWork } from './command-work.ts';
import { RequestDesk } from './requests/request-desk.ts';
import { RequestDomain, type RequestWork } from './requests/request-domain.ts';
import { checkHookUrl, type RequestHook } from './requests/request-hook.ts';

export interface CommandsDependencies {
  /** The connection of the writer. */
  readonly database: StateDatabase;
  readonly writer: StateWriter;
  /** To answer what devices ask of themselves. */
  readonly devices: Pick<DeviceStore, 'find'>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logLines: LogLines;
  /** PEM of authorities that hooks may be certified by; undefined: those that Node knows. */
  readonly hookCa?: string | undefined;
  readonly retention?: RetentionLimits | undefined;
}

/** Commands to devices and requests from devices, put together: what the state's thread has of them. */
export class Commands implements AsyncDisposable {
  /** What devices have to do with it. */
  readonly desk: CommandDesk & DeviceFacing;
  /** Removed devices. */
  readonly follower: RegistryFollower;
  readonly calls: CommandCalls;
  readonly domain: CommandDomain;
  readonly requests: RequestDesk;
  readonly listeners: CommandListeners;
  readonly retention: CommandRetention;
  readonly #deadlines: CommandDeadlines;
  readonly #waiters: CommandWaiters;
  readonly #dependencies: CommandsDependencies;
  readonly #requestDomain: RequestDomain;

  constructor(dependencies: CommandsDependencies) {
    const { database, writer, devices, clock, random, logLines, hookCa, retention } = dependencies;
    this.#dependencies = dependencies;
    const listeners = new CommandListeners();
    const domain = new CommandDomain({ random, listeners });
    const requestDomain = new RequestDomain();
    this.#requestDomain = requestDomain;
    this.domain = domain;
    this.listeners = listeners;
    const hooks = new WebHooks({ clock, ca: hookCa });
    this.requests = new RequestDesk({ domain: requestDomain, writer, hooks, devices, clock, logLines });
    this.desk = new CommandDesk({ domain, listeners, requests: this.requests, requestDomain, writer, clock, logLines });
    this.retention = new CommandRetention({ database, writer, clock, logLines, limits: retention });
    this.follower = this.retention;
    this.#waiters = new CommandWaiters(clock);
    this.#deadlines = new CommandDeadlines({
      database,
      clock,
      logLines,
      expire: async (limit) => (await this.#run('expired', { kind: 'expire', limit })).count,
    });
    this.calls = this.#makeCalls();
    domain.follow({
      finished: (record) => {
        this.#waiters.finished(record);
        this.retention.finished();
      },
      due: (atMs) => this.#deadlines.due(atMs),
      waiting: (device) => this.desk.waiting(device),
    });
  }

  /** Takes up what was left, and begins to expire and to clear away. Before it nothing else may be asked. */
  async start(): Promise<void> {
    const { database } = this.#dependencies;
    await this.domain.load(database);
    await this.#requestDomain.load(database);
    await this.#deadlines.start();
    await this.retention.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#waiters.close();
    await this.retention[Symbol.asyncDispose]();
    await this.#deadlines[Symbol.asyncDispose]();
    await this.desk[Symbol.asyncDispose]();
  }

  #makeCalls(): CommandCalls {
    const { clock, database } = this.#dependencies;
    const store = new CommandStore(database);
    return {
      sendCommand: async ({ draft, doer, waitMs }) => {
        const untilMs = clock.monotonicMs() + Math.min(waitMs, MAX_WAIT_MS);
        const { command, isNew } = await this.#run('created', { kind: 'create', draft, doer });
        const leftMs = untilMs - clock.monotonicMs();
        if (isFinished(command) || leftMs <= 0) return { command, isNew };
        // It is durable, and nothing was awaited since: its end is still to come.
        const record = await this.#waiters.wait(command.id, leftMs).end;
        return { command: record === undefined ? await store.get(draft.device, command.id) : { ...command, ...record }, isNew };
      },
      awaitCommand: async ({ device, id, waitMs }) => await this.#await(store, device, id, Math.min(waitMs, MAX_WAIT_MS)),
      stopWaiting: async () => {
        this.#waiters.close();
        return null;
      },
      cancelCommand: async ({ device, id, doer }) => {
        await this.#run('changed', { kind: 'cancel', device, id, doer });
        return await store.get(device, id);
      },
      putRequestHook: async ({ method, url, actor }) => {
        checkHookUrl(url);
        return await this.#runHook({ kind: 'put-hook', method, url, actor });
      },
      removeRequestHook: async ({ method, actor }) => {
        await this.#runHook({ kind: 'remove-hook', method, actor });
        return null;
      },
    };
  }

  async #await(store: CommandStore, device: string, id: string, waitMs: number): Promise<Command> {
    // Before it is read, so that its end cannot come in between.
    const waiting = this.#waiters.wait(id, waitMs);
    try {
      const command = await store.get(device, id);
      if (isFinished(command)) return command;
      const record = await waiting.end;
      return record === undefined ? await store.get(device, id) : { ...command, ...record };
    } finally {
      waiting.stop();
    }
  }

  async #run<K extends CommandResult['kind']>(kind: K, work: CommandWork): Promise<CommandResult & { readonly kind: K }> {
    const result = await this.#dependencies.writer.run(this.domain, work);
    if (result.kind === 'refused') throw result.error;
    if (result.kind !== kind) throw new SelsynError('internal', `a command was ${result.kind}, not ${kind}`);
    return result as CommandResult & { readonly kind: K };
  }

  async #runHook(work: RequestWork): Promise<RequestHook> {
    const result = await this.#dependencies.writer.run(this.#requestDomain, work);
    if ('error' in result) throw result.error;
    if (result.hook === undefined) throw new SelsynError('internal', 'a hook was not written');
    return result.hook;
  }
}
