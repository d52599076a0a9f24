import type { Batch } from '../state/batch.ts';
import { isFinished, type CommandRecord } from './command.ts';
import { sent } from './command-lifecycle.ts';
import type { CommandListener } from './command-listeners.ts';
import { commandMessage } from './command-messages.ts';
import type { CommandFollower } from './command-work.ts';
import type { CommandWorkspace } from './command-workspace.ts';

/** Since the start. */
export interface CommandCounters {
  created: number;
  sent: number;
  delivered: number;
  answered: number;
  late: number;
  refusedAnswers: number;
  expired: number;
}

export function newCounters(): CommandCounters {
  return { created: 0, sent: 0, delivered: 0, answered: 0, late: 0, refusedAnswers: 0, expired: 0 };
}

/** What one batch does, and what is to be told of it once it is durable. */
export class CommandStep {
  readonly batch: Batch;
  readonly workspace: CommandWorkspace;
  readonly counts = newCounters();
  readonly #finished: string[] = [];
  readonly #waiting = new Set<string>();
  #dueMs = Infinity;

  constructor(batch: Batch, workspace: CommandWorkspace) {
    this.batch = batch;
    this.workspace = workspace;
  }

  count(name: keyof CommandCounters): void {
    this.counts[name]++;
  }

  created(record: CommandRecord): void {
    this.count('created');
    this.#dueMs = Math.min(this.#dueMs, record.sendUntilMs);
    this.#tell(record);
  }

  waiting(device: string): void {
    this.#waiting.add(device);
  }

  send(record: CommandRecord, payload: string | undefined, { flavour, link }: CommandListener): void {
    const after = this.change(record, (before) => sent(before, this.batch.nowMs));
    if (after === record || after === undefined) return;
    this.count('sent');
    this.batch.publish(commandMessage(after, payload, flavour, link, this.batch.nowMs));
  }

  /** @returns the record as it is then. */
  change(record: CommandRecord | undefined, how: (record: CommandRecord) => CommandRecord): CommandRecord | undefined {
    if (record === undefined) return undefined;
    const after = how(record);
    if (after === record) return record;
    this.workspace.change(after);
    if (after.state === record.state) return after;
    if (after.state === 'delivered') this.count('delivered');
    if (after.state === 'expired') this.count('expired');
    if (isFinished(after)) this.#finished.push(after.id);
    this.#tell(after);
    return after;
  }

  tell(follower: CommandFollower): void {
    this.batch.afterCommit(() => {
      for (const id of this.#finished) {
        const record = this.workspace.get(id);
        if (record !== undefined) follower.finished(record);
      }
      if (this.#dueMs !== Infinity) follower.due(this.#dueMs);
      for (const device of this.#waiting) follower.waiting(device);
    });
  }

  #tell({ device, id, state }: CommandRecord): void {
    if (this.batch.isWatched(device)) this.batch.tell({ kind: 'command', device, command: id, state });
  }
}
