import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { mergePatch } from './json.fixture.ts';
import { deltaOf } from './shadow-delta.ts';
import type { Json, JsonObject, ShadowPatch } from './shadow-document.ts';
import { updateRule } from './shadow-rule-kinds.ts';
import { LINK, openTestShadows, type Published, type TestShadows } from './shadows.fixture.ts';

/*
 * Random interleavings of updates by several writers, deletions, batches that are undone, crashes and reconnects, against a model of a
 * few lines; with a device that follows deltas, whatever of them its connection loses.
 */

const P = '$aws/things/T/shadow';
const DELTA = `${P}/update/delta`;

interface Model {
  version: number;
  /** Undefined: it was deleted, or never was. */
  state: { desired: JsonObject; reported: JsonObject } | undefined;
  /** Somebody else has said what the device is: deltas leave out what that happened to be right about. */
  misreported: boolean;
}

function applied(before: JsonObject, patch: JsonObject | null | undefined): JsonObject {
  if (patch === undefined) return before;
  return patch === null ? {} : (mergePatch(before, patch) as JsonObject);
}

/** Follows deltas, and reports what it then is. It drops deltas older than what it has seen. */
class Device {
  state: JsonObject = {};
  connected = true;
  seen = 0;

  /** @returns whether it has something to report. */
  take(message: Published): boolean {
    if (!this.connected || message.topic !== DELTA) return false;
    const version = message.body['version'] as number;
    // Nothing that a client sees goes backwards.
    expect(version).toBeGreaterThanOrEqual(this.seen);
    this.seen = version;
    this.state = mergePatch(this.state, message.body['state'] as Json) as JsonObject;
    return true;
  }
}

interface Real {
  readonly shadows: TestShadows;
  readonly device: Device;
}

const request = (shadows: TestShadows, operation: string, body: unknown) => shadows.request(`${P}/${operation}`, body);

function deliver({ shadows, device }: Real): readonly Published[] {
  const published = shadows.take();
  for (const message of published) device.take(message);
  return published;
}

/** What is stored, read and answered is what the model says. */
async function check(model: Model, { shadows }: Real): Promise<void> {
  const document = await shadows.store.find({ device: 'T', shadow: '' });
  const { state } = model;
  expect(document === undefined).toBe(state === undefined);
  if (state === undefined || document === undefined) return;
  expect({ version: document.version, desired: document.desired ?? {}, reported: document.reported ?? {} }).toEqual({
    version: model.version,
    ...state,
  });
}

interface Writing {
  readonly patch: ShadowPatch;
  /** What it says of the version: none, the current one, an old one. */
  readonly expects: 'none' | 'current' | 'old';
}

/** Updates that come at once, so that they share a batch. */
class Update implements fc.AsyncCommand<Model, Real> {
  readonly writings: readonly Writing[];
  constructor(writings: readonly Writing[]) {
    this.writings = writings;
  }
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    const sent: Promise<void>[] = [];
    const expected: string[] = [];
    for (const [index, { patch, expects }] of this.writings.entries()) {
      const refused = expects === 'old';
      const version = expects === 'none' ? undefined : refused ? model.version + 1_000 : model.version;
      sent.push(request(real.shadows, 'update', { state: patch, version, clientToken: `${index}` }));
      if (refused) {
        expected.push(`rejected ${index}`);
        continue;
      }
      if (patch.reported !== undefined) model.misreported = true;
      const before = model.state ?? { desired: {}, reported: {} };
      model.state = { desired: applied(before.desired, patch.desired), reported: applied(before.reported, patch.reported) };
      model.version++;
      if (deltaOf(model.state.desired, model.state.reported) !== undefined) expected.push(`delta ${index} ${model.version}`);
      expected.push(`accepted ${index} ${model.version}`, `documents ${index}`);
    }
    await Promise.all(sent);
    const published = deliver(real);
    expect(
      published.map(({ topic, body }) => {
        const parts = [topic.slice(`${P}/update/`.length), body['clientToken'] as string, body['version'] as number | undefined];
        return parts.filter((part) => part !== undefined).join(' ');
      }),
    ).toEqual(expected);
    await check(model, real);
  }
  toString = () => `update ${JSON.stringify(this.writings)}`;
}

class Delete implements fc.AsyncCommand<Model, Real> {
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    await request(real.shadows, 'delete', { clientToken: 'd' });
    const [answer] = deliver(real);
    if (model.state === undefined) {
      expect(answer).toMatchObject({ topic: `${P}/delete/rejected`, body: { code: 404, clientToken: 'd' } });
    } else {
      model.version++;
      model.state = undefined;
      expect(answer).toMatchObject({ topic: `${P}/delete/accepted`, body: { version: model.version, clientToken: 'd' } });
    }
    await check(model, real);
  }
  toString = () => 'delete';
}

/** A batch that is undone after it changed the shadow: nothing of it may be left, in memory either. */
class Undone implements fc.AsyncCommand<Model, Real> {
  readonly patch: ShadowPatch;
  constructor(patch: ShadowPatch) {
    this.patch = patch;
  }
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    const { shadows } = real;
    const undone: (() => void)[] = [];
    const failing = shadows.database.transaction().execute(async (transaction) => {
      const batch = {
        transaction,
        nowMs: shadows.clock.now(),
        publish() {},
        audit() {},
        isWatched: () => false,
        tell() {},
        afterCommit() {},
        onRollback: (then: () => void) => void undone.push(then),
      };
      await shadows.domain.apply([{ kind: 'change', device: 'T', shadow: '', author: 'x', rule: updateRule(this.patch) }], batch);
      throw new Error('the disk is full');
    });
    await expect(failing).rejects.toThrow('the disk is full');
    for (const undo of undone) undo();
    await check(model, real);
  }
  toString = () => `undone ${JSON.stringify(this.patch)}`;
}

class Crash implements fc.AsyncCommand<Model, Real> {
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    await real.shadows.restart();
    real.device.connected = false;
    await check(model, real);
  }
  toString = () => 'crash';
}

/** What is published to it from now on is lost. */
class Disconnect implements fc.AsyncCommand<Model, Real> {
  check = () => true;
  async run(_model: Model, { device }: Real): Promise<void> {
    device.connected = false;
  }
  toString = () => 'disconnect';
}

/** It subscribes (again), and trusts the delta that it is sent. */
class Connect implements fc.AsyncCommand<Model, Real> {
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    await connect(real);
    await check(model, real);
  }
  toString = () => 'connect';
}

async function connect(real: Real): Promise<void> {
  const { shadows, device } = real;
  device.connected = true;
  shadows.domain.listening({ filters: [DELTA], clientId: 'T', principalId: 'T', from: LINK, resumed: false });
  await shadows.domain.run({ kind: 'get', device: 'T', shadow: '' });
  for (const message of shadows.take()) {
    expect(message).toMatchObject({ topic: DELTA, to: undefined });
    device.take(message);
  }
}

/** The device says what it is; as it has taken all deltas over, nothing is left to do where it was connected all the time. */
class Report implements fc.AsyncCommand<Model, Real> {
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    await report(model, real);
    await check(model, real);
  }
  toString = () => 'report';
}

async function report(model: Model, real: Real): Promise<readonly Published[]> {
  await request(real.shadows, 'update', { state: { reported: real.device.state } });
  const before = model.state ?? { desired: {}, reported: {} };
  model.state = { ...before, reported: applied(before.reported, real.device.state) };
  model.version++;
  return deliver(real);
}

async function reportAll(model: Model, real: Real): Promise<void> {
  await request(real.shadows, 'update', { state: { reported: null } });
  model.state = { desired: {}, ...model.state, reported: {} };
  model.version++;
  deliver(real);
}

const key = fc.constantFrom('a', 'b', 'c');
const leaf = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.boolean(), fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 2 }));
const some = (values: fc.Arbitrary<Json>) => fc.dictionary(key, values, { maxKeys: 3, noNullPrototype: true });
const section = some(fc.oneof(leaf, leaf, fc.constant(null), some(fc.oneof(leaf, fc.constant(null), some(leaf)))));
const patch: fc.Arbitrary<ShadowPatch> = fc.oneof(
  fc.record({ desired: section }),
  fc.record({ reported: section }),
  fc.record({ desired: section, reported: section }),
  fc.constantFrom<ShadowPatch>({ desired: null }, { reported: null }, { desired: null, reported: null }, {}),
);
const writing = fc.record({
  patch,
  expects: fc.constantFrom<Writing['expects'][]>('none', 'none', 'current', 'old'),
});

const commands = fc.commands(
  [
    fc.array(writing, { minLength: 1, maxLength: 4 }).map((writings) => new Update(writings)),
    fc.array(writing, { minLength: 1, maxLength: 2 }).map((writings) => new Update(writings)),
    fc.constant(new Delete()),
    patch.map((of) => new Undone(of)),
    fc.constant(new Crash()),
    fc.constant(new Disconnect()),
    fc.constant(new Connect()),
    fc.constant(new Report()),
  ],
  { maxCommands: 25 },
);

test('whatever comes in whatever order, shadows are what the model says, and a device that follows deltas ends as desired', async () => {
  await fc.assert(
    fc.asyncProperty(commands, fc.boolean(), async (sequence, cached) => {
      await using shadows = await openTestShadows({ cacheBytes: cached ? 1_000_000 : 0 });
      const real: Real = { shadows, device: new Device() };
      const model: Model = { version: 0, state: undefined, misreported: false };
      await fc.asyncModelRun(() => ({ model, real }), sequence);

      await connect(real);
      // As a device does that others report for: it says all that it is, and takes the delta to that.
      if (model.misreported) await reportAll(model, real);
      const published = await report(model, real);
      const { desired } = model.state as { desired: JsonObject };
      // It is all that is desired, and says so: there is no delta any more.
      expect(deltaOf(desired, real.device.state)).toBeUndefined();
      expect(published.map((message) => message.topic)).not.toContain(DELTA);
      expect(deltaOf(desired, (await shadows.store.find({ device: 'T', shadow: '' }))?.reported)).toBeUndefined();
      // Each version is in the history, once.
      const history = await shadows.store.history({ device: 'T', shadow: '' }, { limit: 1_000 });
      expect(history.map((entry) => entry.version)).toEqual(
        Array.from({ length: model.version }, (_, index) => model.version - index),
      );
    }),
    { numRuns: 40 },
  );
});
