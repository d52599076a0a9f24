import { UpdateThingShadowCommand } from '@aws-sdk/client-iot-data-plane';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AwsFleet, jsonOf } from './aws.fixture.ts';
import { classicShadows, type Delta, type Documents, Refused, shadows311, shadows5, type ShadowUser } from './aws-v2.fixture.ts';

const CLIENTS = [
  ['IotShadowClient over MQTT 3.1.1', 'lamp-classic', classicShadows],
  ['IotShadowClientv2 over MQTT 3.1.1', 'lamp-311', shadows311],
  ['IotShadowClientv2 over MQTT 5', 'lamp-5', shadows5],
] as const;

const fleet = new AwsFleet();
let setDesired: (thingName: string, desired: object, shadowName?: string) => Promise<number>;
beforeAll(async () => {
  await fleet.start(...CLIENTS.map(([, thing]) => thing));
  const cloud = fleet.dataPlane({ key: await fleet.newKey({ role: 'operator' }) });
  setDesired = async (thingName, desired, shadowName) => {
    const payload = Buffer.from(JSON.stringify({ state: { desired } }));
    const answer = await cloud.send(
      new UpdateThingShadowCommand({ thingName, payload, ...(shadowName !== undefined && { shadowName }) }),
    );
    return jsonOf<{ version: number }>(answer.payload).version;
  };
});
afterAll(async () => await fleet.stop());

async function refused(doing: Promise<unknown>): Promise<{ code: unknown; message: string }> {
  const error = await doing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Refused)) throw error instanceof Error ? error : new Error('it was not refused');
  return { code: error.code, message: error.message };
}

describe.each(CLIENTS)('%s', (_, thing, open) => {
  it.each([
    ['the classic shadow', undefined],
    ['a named shadow', 'mode'],
  ])('does all there is with %s', async (_shadow, name) => {
    await using user: ShadowUser = await open(fleet, thing);
    const deltas: Delta[] = [];
    const documents: Documents[] = [];
    await user.deltas(deltas, name);
    await user.documents(documents, name);
    expect(await refused(user.get(name))).toEqual({ code: 404, message: `No shadow exists with name: ${name ?? thing}` });
    expect(await refused(user.remove(name))).toMatchObject({ code: 404 });

    const first = await user.update({ state: { desired: { color: 'RED', list: [1, 2] }, reported: { color: 'GREEN' } } }, name);
    expect(first).toMatchObject({ state: { desired: { color: 'RED' }, reported: { color: 'GREEN' } } });
    const version = first.version ?? 0;
    expect(version).toBeGreaterThan(0);
    expect(Number(first.timestamp)).toBeGreaterThan(1_700_000_000);
    await expect.poll(() => deltas).toMatchObject([{ state: { color: 'RED', list: [1, 2] }, version }]);
    expect(deltas[0]?.metadata).toMatchObject({ color: { timestamp: expect.any(Number) as number } });

    const got = await user.get(name);
    expect(got).toMatchObject({
      version,
      state: { desired: { color: 'RED' }, reported: { color: 'GREEN' }, delta: { color: 'RED', list: [1, 2] } },
      metadata: { reported: { color: { timestamp: expect.any(Number) as number } } },
    });

    // The device does as it was told: no delta is left, and none is sent.
    const done = await user.update({ state: { reported: { color: 'RED', list: [1, 2] } }, version }, name);
    expect(done.version).toBe(version + 1);
    expect((await user.get(name)).state?.delta).toBeUndefined();
    await expect.poll(() => documents.map(({ current }) => current?.version)).toEqual([version, version + 1]);
    expect(documents[1]?.previous).toMatchObject({ state: { reported: { color: 'GREEN' } }, version });
    expect(documents[1]?.current).toMatchObject({ state: { reported: { color: 'RED' } } });
    expect(deltas).toHaveLength(1);

    expect(await refused(user.update({ state: { reported: { color: 'BLUE' } }, version }, name))).toEqual({
      code: 409,
      message: 'Version conflict',
    });
    expect(await refused(user.update({}, name))).toEqual({ code: 400, message: 'Missing required node: state' });
    const deep = { a: { b: { c: { d: { e: { f: { g: { h: { i: 1 } } } } } } } } };
    expect(await refused(user.update({ state: { desired: deep } }, name))).toMatchObject({ code: 400 });
    expect(await refused(user.update({ state: { desired: { long: 'x'.repeat(9_000) } } }, name))).toMatchObject({ code: 413 });

    const removed = await user.update({ state: { desired: { list: null }, reported: { list: null } } }, name);
    expect(removed.version).toBe(version + 2);
    expect((await user.get(name)).state).toMatchObject({ desired: { color: 'RED' }, reported: { color: 'RED' } });

    // What the cloud wants is heard, and the version goes on.
    const wanted = await setDesired(thing, { color: 'BLUE' }, name);
    expect(wanted).toBe(version + 3);
    await expect.poll(() => deltas.at(-1)).toMatchObject({ state: { color: 'BLUE' }, version: wanted });

    expect((await user.remove(name)).version).toBeGreaterThanOrEqual(wanted);
    expect(await refused(user.get(name))).toMatchObject({ code: 404 });
    // Made anew it does not begin at 1 again.
    expect((await user.update({ state: { reported: { color: 'RED' } } }, name)).version).toBeGreaterThan(wanted);
    await user.remove(name);
  });

  it('hears after a time without a connection what is wanted meanwhile', async () => {
    const before: Delta[] = [];
    {
      await using user = await open(fleet, thing);
      await user.deltas(before);
      await user.update({ state: { reported: { level: 0 } } });
    }
    await setDesired(thing, { level: 1 });
    const version = await setDesired(thing, { level: 2 });
    await using user = await open(fleet, thing);
    const after: Delta[] = [];
    await user.deltas(after);
    await expect.poll(() => after.at(-1)).toMatchObject({ state: { level: 2 }, version });
    const versions = after.map((delta) => delta.version ?? 0);
    expect(versions).toEqual(versions.toSorted((one, other) => one - other));
    expect((await user.get()).state).toMatchObject({ desired: { level: 2 }, reported: { level: 0 }, delta: { level: 2 } });
    await user.remove();
  });
});

it('the clients come back by themselves after the server was killed, and nothing that was accepted is lost', async () => {
  const users = await Promise.all(
    CLIENTS.map(async ([, thing, open]) => {
      const user = await open(fleet, thing);
      const deltas: Delta[] = [];
      await user.deltas(deltas);
      const { version = 0 } = await user.update({ state: { desired: { n: 1 }, reported: { n: 0 } } });
      return { thing, user, deltas, version };
    }),
  );
  await fleet.selsyn.end('SIGKILL');
  await fleet.selsyn.restart();
  for (const { thing, user, deltas, version } of users) {
    const wanted = await setDesired(thing, { n: 2 });
    expect(wanted).toBe(version + 1);
    await expect.poll(() => deltas.at(-1)).toMatchObject({ state: { n: 2 }, version: wanted });
    const { version: last } = await user.update({ state: { reported: { n: 2 } }, version: wanted });
    expect(last).toBe(wanted + 1);
    await user[Symbol.asyncDispose]();
  }
});
