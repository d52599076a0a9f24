import type { StateDatabase } from '../database/schema.ts';
import { isSelsynError } from '../kernel/errors.ts';
import type { RandomBytes } from '../kernel/secret.ts';
import type { Batch } from '../state/batch.ts';
import type { OutgoingMessage } from '../state/outgoing.ts';
import type { StateDomain } from '../state/state-domain.ts';
import { isFinished, MAX_OPEN, type CommandRecord } from './command.ts';
import { encodeAws } from './command-answers.ts';
import { alreadyFinished, checkDraft, hashOfDraft, keyUsed, recordOfDraft, tooManyOpen } from './command-creation.ts';
import { SortableIds } from '../kernel/sortable-ids.ts';
import { CommandKeys } from './command-keys.ts';
import { answered, cancelled, delivered, expired, maySend, progressed, type AnswerOutcome } from './command-lifecycle.ts';
import type { CommandListener, CommandListeners } from './command-listeners.ts';
import { commandOf } from './command-row.ts';
import { CommandStatements } from './command-statements.ts';
import { type CommandCounters, CommandStep, newCounters } from './command-step.ts';
import { noCommand } from './command-store.ts';
import { verdictTopic } from './command-topics.ts';
import { CommandWorkspace, type WorkspaceNeeds } from './command-workspace.ts';
import type { AnswerWork, CommandFollower, CommandResult, CommandWork, SendOrder } from './command-work.ts';

/** Of the numbers that commands have besides their ids, see StateTables. */
const NUMBERS = 'commands';
/** Commands that one work sends to one device, and to all: payloads of so many are in memory. */
const SENDS_OF_DEVICE = 20;
const SENDS_OF_WORK = 500;

export interface CommandDomainDependencies {
  readonly random: RandomBytes;
  readonly listeners: CommandListeners;
}

type Work<K extends CommandWork['kind']> = CommandWork & { readonly kind: K };

/**
 * Commands: what is asked of them, done in the batches of the state. Invariants, whatever ends the process: a command that was
 * acknowledged is there until it is finished and for some time after; it goes through its states as command-lifecycle.ts says; those of
 * one device go out in the order in which they were given.
 */
export class CommandDomain implements StateDomain<CommandWork, CommandResult> {
  readonly name = 'commands';
  readonly counters = newCounters();
  readonly #listeners: CommandListeners;
  readonly #random: RandomBytes;
  #ids: SortableIds;
  readonly #statements = new CommandStatements();
  #lastNumber = 0;
  #follower: CommandFollower = { finished: () => undefined, due: () => undefined, waiting: () => undefined };

  constructor({ random, listeners }: CommandDomainDependencies) {
    this.#listeners = listeners;
    this.#random = random;
    this.#ids = new SortableIds(random);
  }

  /** Goes on behind the newest command that there is. Call it first. */
  async load(database: StateDatabase): Promise<void> {
    const newest = await database.selectFrom('command').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
    const numbers = await database
      .selectFrom('state_position')
      .select('position')
      .where('stream', '=', NUMBERS)
      .executeTakeFirst();
    this.#ids = new SortableIds(this.#random, newest?.id);
    this.#lastNumber = Number(numbers?.position ?? 0);
  }

  follow(follower: CommandFollower): void {
    this.#follower = follower;
  }

  async apply(works: readonly CommandWork[], batch: Batch): Promise<readonly CommandResult[]> {
    const { transaction } = batch;
    const due = await dueOf(works, batch);
    const keys = await CommandKeys.load(works, transaction, this.#statements);
    const needs = needsOf(works, [...due, ...keys.ids]);
    const step = new CommandStep(batch, await CommandWorkspace.load(transaction, this.#statements, needs));
    const results: CommandResult[] = [];
    for (const work of works) results.push(await this.#do(work, { step, keys, due }));
    await step.workspace.write();
    if (step.counts.created > 0) await this.#writeNumber(batch);
    step.tell(this.#follower);
    batch.afterCommit(() => {
      for (const [name, count] of Object.entries(step.counts)) this.counters[name as keyof CommandCounters] += count;
    });
    return results;
  }

  async #do(work: CommandWork, { step, keys, due }: Context): Promise<CommandResult> {
    switch (work.kind) {
      case 'create':
        return this.#create(work, step, keys);
      case 'cancel':
        return cancel(work, step);
      case 'send':
        return { kind: 'sent', rest: await this.#send(work.orders, step) };
      case 'delivered':
        for (const id of work.ids) step.change(step.workspace.get(id), (record) => delivered(record, step.batch.nowMs));
        return { kind: 'done' };
      case 'answer':
        return { kind: 'answered', outcome: answer(work, step) };
      case 'expire':
        for (const id of due) step.change(step.workspace.get(id), (record) => expired(record, step.batch.nowMs));
        return { kind: 'expired', count: due.length };
    }
  }

  #create({ draft, doer }: Work<'create'>, step: CommandStep, keys: CommandKeys): CommandResult {
    const { batch, workspace } = step;
    const { device, idempotencyKey } = draft;
    try {
      checkDraft(draft);
      const hash = hashOfDraft(draft);
      const known = idempotencyKey === undefined ? undefined : keys.get(device, idempotencyKey);
      if (known !== undefined && idempotencyKey !== undefined) {
        const record = workspace.get(known.id);
        if (known.request_hash !== hash || record === undefined) throw keyUsed(device, idempotencyKey, known.id);
        return { kind: 'created', command: commandOf(record, known), isNew: false };
      }
      const open = workspace.openOf(device);
      if (open.length >= MAX_OPEN) throw tooManyOpen(device);
      const record = recordOfDraft(draft, this.#ids.next(batch.nowMs), ++this.#lastNumber, batch.nowMs);
      const { kind, id, name } = doer.actor;
      const row = { id: record.id, payload: draft.payload ?? null, created_by: JSON.stringify({ kind, id, name }) };
      workspace.add({
        record,
        payload: row.payload,
        createdBy: row.created_by,
        idempotencyKey: idempotencyKey ?? null,
        requestHash: idempotencyKey === undefined ? null : hash,
      });
      if (idempotencyKey !== undefined) keys.put(device, idempotencyKey, { ...row, request_hash: hash });
      step.created(record);
      const listener = this.#listeners.of(device);
      // Behind others that wait, it goes out after them.
      if (listener !== undefined && open.every(({ state }) => state !== 'queued')) step.send(record, draft.payload, listener);
      else if (listener !== undefined) step.waiting(device);
      const { expiresAtMs } = record;
      batch.audit({
        ...doer,
        action: 'command.send',
        object: { kind: 'command', id: record.id },
        after: { device, name: draft.name, expiresAtMs },
      });
      return { kind: 'created', command: commandOf(workspace.get(record.id) ?? record, row), isNew: true };
    } catch (error) {
      if (isSelsynError(error)) return { kind: 'refused', error };
      throw error;
    }
  }

  /** Sends what waits, in order. @returns what is left for another work. */
  async #send(orders: readonly SendOrder[], step: CommandStep): Promise<readonly SendOrder[]> {
    const rest: SendOrder[] = [];
    const going: { readonly record: CommandRecord; readonly listener: CommandListener }[] = [];
    for (const order of orders) {
      const listener = this.#listeners.of(order.device);
      if (listener === undefined) continue;
      if (going.length >= SENDS_OF_WORK) {
        rest.push(order);
        continue;
      }
      const { after = '' } = order;
      const all = step.workspace
        .openOf(order.device)
        .filter((record) => record.id > after && maySend(record, step.batch.nowMs) && (order.again || record.state === 'queued'));
      const now = all.slice(0, SENDS_OF_DEVICE);
      for (const record of now) going.push({ record, listener });
      if (all.length > now.length) rest.push({ ...order, after: now.at(-1)?.id });
    }
    const payloads = await step.workspace.payloadsOf(going.map(({ record }) => record.id));
    for (const { record, listener } of going) step.send(record, payloads.get(record.id) ?? undefined, listener);
    return rest;
  }

  async #writeNumber({ transaction }: Batch): Promise<void> {
    const position = this.#lastNumber;
    await transaction
      .insertInto('state_position')
      .values({ stream: NUMBERS, position })
      .onConflict((conflict) => conflict.column('stream').doUpdateSet({ position }))
      .execute();
  }
}

/** Commands whose time has come, as far as works ask for them; oldest first. */
async function dueOf(works: readonly CommandWork[], { transaction, nowMs }: Batch): Promise<readonly string[]> {
  const limit = Math.max(0, ...works.map((work) => (work.kind === 'expire' ? work.limit : 0)));
  if (limit === 0) return [];
  const rows = await transaction
    .selectFrom('command')
    .select('id')
    .where('deadline_ms', '<=', nowMs)
    .orderBy('deadline_ms')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

function needsOf(works: readonly CommandWork[], known: readonly string[]): WorkspaceNeeds {
  const ids = new Set(known);
  const numbers = new Set<number>();
  const devices = new Set<string>();
  for (const work of works) {
    if (work.kind === 'create') devices.add(work.draft.device);
    else if (work.kind === 'cancel') ids.add(work.id);
    else if (work.kind === 'send') for (const { device } of work.orders) devices.add(device);
    else if (work.kind === 'delivered') for (const id of work.ids) ids.add(id);
    else if (work.kind === 'answer' && work.flavour === 'thingsboard') numbers.add(Number(work.command));
    else if (work.kind === 'answer') ids.add(work.command);
  }
  return { ids, numbers, devices };
}

interface Context {
  readonly step: CommandStep;
  readonly keys: CommandKeys;
  readonly due: readonly string[];
}

function cancel({ device, id, doer }: Work<'cancel'>, step: CommandStep): CommandResult {
  const record = step.workspace.get(id);
  if (record === undefined || record.device !== device) return { kind: 'refused', error: noCommand(device, id) };
  // Who asks twice has not done wrong.
  if (record.state === 'cancelled') return { kind: 'changed', record };
  if (isFinished(record)) return { kind: 'refused', error: alreadyFinished(record) };
  const after = step.change(record, (before) => cancelled(before, step.batch.nowMs)) ?? record;
  step.batch.audit({
    ...doer,
    action: 'command.cancel',
    object: { kind: 'command', id },
    before: { device, state: record.state },
    after: { device, state: after.state },
  });
  return { kind: 'changed', record: after };
}

/** An answer from one device does nothing to the command of another: to it that command is not there. */
function answer(work: AnswerWork, step: CommandStep): AnswerOutcome | 'unknown' {
  const { flavour, device, command, word, from } = work;
  const found = flavour === 'thingsboard' ? step.workspace.ofNumber(Number(command)) : step.workspace.get(command);
  const record = found?.device === device ? found : undefined;
  let outcome: AnswerOutcome | 'unknown' = 'unknown';
  if (record !== undefined) {
    const atMs = step.batch.nowMs;
    const { kind, payload, reason } = word;
    const said = { ...(payload !== undefined && { payload }), atMs };
    const result =
      kind === 'progress'
        ? progressed(record, said)
        : answered(record, { outcome: kind, ...said, ...(reason !== undefined && { reason }) });
    outcome = result.outcome;
    step.change(record, () => result.record);
  }
  step.count(outcome === 'taken' ? 'answered' : outcome === 'late' ? 'late' : 'refusedAnswers');
  if (flavour === 'aws-json' || flavour === 'aws-cbor') step.batch.publish(verdictOf(work, outcome, flavour, from));
  return outcome;
}

/** AWS IoT Device Management developer guide, "AWS IoT commands topics": accepted and rejected. */
function verdictOf(
  { device, command }: AnswerWork,
  outcome: AnswerOutcome | 'unknown',
  flavour: 'aws-json' | 'aws-cbor',
  to: AnswerWork['from'],
): OutgoingMessage {
  const format = flavour === 'aws-json' ? 'json' : 'cbor';
  const isTaken = outcome === 'taken' || outcome === 'repeated';
  const body = isTaken
    ? { executionId: command }
    : outcome === 'late'
      ? { error: 'TerminalStateReached', errorMessage: 'the command has ended already', executionId: command }
      : { error: 'ResourceNotFound', errorMessage: 'there is no such command', executionId: command };
  const topic = verdictTopic(format, isTaken ? 'accepted' : 'rejected', device, command);
  return { device, topic, payload: encodeAws(flavour, body), to };
}
