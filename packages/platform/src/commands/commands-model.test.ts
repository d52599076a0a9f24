import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutgoingMessage } from '../state/outgoing.ts';
import { isFinished, type Command, type CommandState } from './command.ts';
import { DOER, TestCommands } from './commands.fixture.ts';

const DEVICES = ['d1', 'd2'] as const;
type Name = (typeof DEVICES)[number];

/**
 * A device with a memory that survives its own crashes: it does what it has not done yet, and answers again what it has. What it has
 * received and not done is gone when it crashes.
 */
class Unit {
  readonly name: Name;
  readonly filter: string;
  inbox: OutgoingMessage[] = [];
  connected = false;
  /** What it was sent, in the order in which it first came. */
  readonly seen: string[] = [];
  /** How often it did what. */
  readonly done = new Map<string, number>();

  constructor(name: Name) {
    this.name = name;
    this.filter = name === 'd1' ? `devices/${name}/commands/+` : `$aws/commands/things/${name}/executions/+/request/json`;
  }

  async connect(t: TestCommands): Promise<void> {
    await this.leave(t);
    this.connected = true;
    await t.listen(this.name, [this.filter]);
  }

  /** What is on its way to it is lost. */
  async leave(t: TestCommands): Promise<void> {
    this.collect(t);
    this.inbox = [];
    if (this.connected) t.commands.desk.gone({ gateway: 0, client: this.name });
    this.connected = false;
    await t.settle();
  }

  collect(t: TestCommands): void {
    const own = t.published.filter(({ to }) => to?.client === this.name);
    t.published = t.published.filter(({ to }) => to?.client !== this.name);
    if (this.connected) this.inbox.push(...own.filter(({ receipt }) => receipt !== undefined));
  }

  /** @param upTo `received`: it acknowledges, and forgets. `done`: its answer gets lost. */
  async handle(t: TestCommands, upTo: 'received' | 'done' | 'answered'): Promise<void> {
    this.collect(t);
    const message = this.inbox.shift();
    const id = message?.receipt;
    if (message === undefined || id === undefined) return;
    if (!this.seen.includes(id)) this.seen.push(id);
    await t.acknowledge(message);
    if (upTo === 'received') return;
    if (!this.done.has(id)) this.done.set(id, 1);
    if (upTo === 'answered') await this.answer(t, id);
  }

  async answer(t: TestCommands, id: string): Promise<void> {
    const isAws = this.name === 'd2';
    const topic = isAws ? `$aws/commands/things/d2/executions/${id}/response/json` : `devices/d1/commands/${id}/answer`;
    await t.publish(this.name, topic, isAws ? '{"status":"SUCCEEDED"}' : '"done"');
    await t.settle();
  }
}

class World {
  readonly t: TestCommands;
  readonly units = { d1: new Unit('d1'), d2: new Unit('d2') };
  readonly given: Command[] = [];
  /** The last state of each that was seen to have ended. */
  readonly ended = new Map<string, CommandState>();

  constructor(t: TestCommands) {
    this.t = t;
  }

  async give(device: Name, forMs: number, isPoisoned: boolean): Promise<void> {
    const draft = { device, name: 'go', expiresAtMs: this.t.clock.now() + forMs };
    const calls = [this.t.commands.calls.sendCommand({ draft, doer: DOER, waitMs: 0 })];
    // Something in the same batch fails: all of it is undone, and each is done by itself.
    const poison = { name: 'poison', apply: async () => await Promise.reject(new Error('on purpose')) };
    if (isPoisoned) void this.t.writer.run(poison, null).catch(() => undefined);
    for (const { command } of await Promise.all(calls)) this.given.push(command);
    await this.t.settle();
  }

  async cancel(at: number): Promise<void> {
    const command = this.given[at % Math.max(1, this.given.length)];
    if (command === undefined) return;
    await this.t.commands.calls.cancelCommand({ device: command.device, id: command.id, doer: DOER }).catch(() => undefined);
    await this.t.settle();
  }

  async check(): Promise<void> {
    for (const command of this.given) {
      const now = await this.t.show(command);
      const ended = this.ended.get(command.id);
      if (ended !== undefined) expect(now.state).toBe(ended);
      else if (isFinished(now)) this.ended.set(command.id, now.state);
      const times = this.units[command.device as Name].done.get(command.id) ?? 0;
      expect(times).toBeLessThanOrEqual(1);
      if (now.state === 'succeeded') expect(times).toBe(1);
      if (now.state === 'queued') expect(now.sends).toBe(0);
    }
    for (const { seen } of Object.values(this.units)) expect(seen).toEqual(seen.toSorted());
  }
}

type Step = { readonly what: 'give'; readonly device: Name; readonly forMs: number; readonly isPoisoned: boolean } | Move;
type Move =
  | { readonly what: 'connect' | 'leave'; readonly device: Name }
  | { readonly what: 'handle'; readonly device: Name; readonly upTo: 'received' | 'done' | 'answered' }
  | { readonly what: 'repeat' | 'cancel'; readonly device: Name; readonly at: number }
  | { readonly what: 'pass'; readonly ms: number }
  | { readonly what: 'crash' };

const device = fc.constantFrom(...DEVICES);
const at = fc.nat(20);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('give' as const),
      device,
      forMs: fc.constantFrom(5_000, 100_000_000),
      isPoisoned: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('connect' as const, 'leave' as const), device }) },
  {
    weight: 5,
    arbitrary: fc.record({
      what: fc.constant('handle' as const),
      device,
      upTo: fc.constantFrom('received' as const, 'done' as const, 'answered' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('repeat' as const, 'cancel' as const), device, at }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('pass' as const), ms: fc.constantFrom(10, 3_000, 9_000) }) },
  { weight: 1, arbitrary: fc.constant({ what: 'crash' as const }) },
);

async function take(world: World, step: Step): Promise<void> {
  const { t, units } = world;
  switch (step.what) {
    case 'give':
      return await world.give(step.device, step.forMs, step.isPoisoned);
    case 'connect':
      return await units[step.device].connect(t);
    case 'leave':
      return await units[step.device].leave(t);
    case 'handle':
      return await units[step.device].handle(t, step.upTo);
    case 'repeat': {
      // It says once more what it has done.
      const ids = [...units[step.device].done.keys()];
      const id = ids[step.at % Math.max(1, ids.length)];
      if (id !== undefined) await units[step.device].answer(t, id);
      return;
    }
    case 'cancel':
      return await world.cancel(step.at);
    case 'pass':
      return await t.pass(step.ms);
    case 'crash': {
      // Connections end with the server; what devices have received stays theirs.
      for (const unit of Object.values(units)) {
        unit.collect(t);
        unit.connected = false;
      }
      return await t.crash();
    }
  }
}

test('whatever crashes, leaves, comes back or is lost: a command is never lost, done at most once, and at least once if its device stays', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 40 }), async (steps) => {
      await using t = await TestCommands.open();
      const world = new World(t);
      for (const step of steps) {
        await take(world, step);
        await world.check();
      }
      // In the end both come back and stay.
      for (const unit of Object.values(world.units)) {
        await unit.connect(t);
        for (unit.collect(t); unit.inbox.length > 0; unit.collect(t)) await unit.handle(t, 'answered');
      }
      await world.check();
      for (const command of world.given) {
        const { state } = await t.show(command);
        expect(['succeeded', 'expired', 'cancelled']).toContain(state);
        if (state === 'succeeded') expect(world.units[command.device as Name].done.get(command.id)).toBe(1);
      }
    }),
    { numRuns: 40 },
  );
});
