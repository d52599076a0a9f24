import { describe, expect, test } from 'vitest';
import { openTestFleet, OPERATOR, type TestFleet } from '../bulk/fleet.fixture.ts';
import { LINK } from '../shadows.fixture.ts';
import { effectiveDesired } from '../shadow-view.ts';

const SCHEMA = {
  type: 'object',
  properties: { target: { type: 'number', maximum: 90 }, mode: { enum: ['eco', 'comfort'] } },
  required: ['target'],
  additionalProperties: false,
};
const MISFIT = 'Does not fit the desired schema of the device type boiler: target must be <= 90';

async function withBoiler(): Promise<TestFleet> {
  const fleet = await openTestFleet();
  await fleet.types.create({ name: 'boiler', shadowSchemas: [{ desired: SCHEMA }, { shadow: 'free' }] }, OPERATOR);
  await fleet.put({ id: 'b', type: 'boiler', group: '/a' }, { id: 'n', group: '/a' });
  return fleet;
}

describe('the schema of a shadow', () => {
  test('keeps what does not fit from the device, whoever writes it, and says why', async () => {
    await using fleet = await withBoiler();
    const refused = { kind: 'refused', fault: { code: 400, message: MISFIT, reason: 'schema' } };
    expect(await fleet.update('b', { desired: { target: 100 } })).toMatchObject(refused);
    expect(await fleet.shadow('b')).toBeUndefined();
    expect(await fleet.update('b', { desired: { target: 50 } })).toMatchObject({ kind: 'put' });
    expect(await fleet.update('b', { desired: { target: 100 } })).toMatchObject(refused);
    const payload = Buffer.from('{"state":{"desired":{"target":100}},"clientToken":"c"}');
    const from = { clientId: 'b', principalId: 'b', from: LINK };
    fleet.take('');
    await fleet.shadows.request({ topic: '$aws/things/b/shadow/update', payload, ...from });
    expect(fleet.take('').map(({ body }) => body)).toMatchObject([{ code: 400, message: MISFIT, clientToken: 'c' }]);
    expect(await fleet.update('b', { desired: { target: 100 } }, 'free')).toMatchObject({ kind: 'put' });
    expect(await fleet.update('n', { desired: { target: 100 } })).toMatchObject({ kind: 'put' });
  });

  test('is about all that is desired after the update, not about the update', async () => {
    await using fleet = await withBoiler();
    expect(await fleet.update('b', { desired: { mode: 'eco' } })).toMatchObject({
      fault: { message: expect.stringContaining('it must have target') },
    });
    await fleet.update('b', { desired: { target: 20 } });
    expect(await fleet.update('b', { desired: { mode: 'eco' } })).toMatchObject({ kind: 'put' });
    expect(await fleet.update('b', { desired: { target: null } })).toMatchObject({ kind: 'refused' });
    expect(await fleet.update('b', { desired: null })).toMatchObject({ kind: 'put' });
  });

  test('does not keep a device from reporting', async () => {
    await using fleet = await withBoiler();
    await fleet.update('b', { desired: { target: 20 } });
    expect(await fleet.update('b', { reported: { target: 'broken', x: 1 } })).toMatchObject({ kind: 'put' });
  });

  test('counts from its change on, the schema of a type that was without one too', async () => {
    await using fleet = await withBoiler();
    await fleet.update('b', { desired: { target: 50 } });
    const narrow = { ...SCHEMA, properties: { ...SCHEMA.properties, target: { maximum: 60 } } };
    await fleet.types.update('boiler', { shadowSchemas: [{ desired: narrow }] }, OPERATOR);
    expect(await fleet.update('b', { desired: { target: 70 } })).toMatchObject({ kind: 'refused' });
    await fleet.types.update('boiler', { shadowSchemas: [] }, OPERATOR);
    expect(await fleet.update('b', { desired: { target: 70, anything: 1 } })).toMatchObject({ kind: 'put' });
    await fleet.types.update('boiler', { shadowSchemas: [{ desired: SCHEMA }] }, OPERATOR);
    expect(await fleet.update('b', { desired: { target: 71 } })).toMatchObject({ kind: 'refused' });
  });

  test('refuses an update of a fleet device by device', async () => {
    await using fleet = await withBoiler();
    const { id } = await fleet.calls.startShadowUpdate({ draft: { target: 'group:/a', desired: { target: 99 } }, ...fleet.by });
    await fleet.finish();
    expect(await fleet.updateOf(id)).toMatchObject({ state: 'done', done: 1, failed: 1 });
    expect((await fleet.updates.failures({ id, limit: 5 })).items).toEqual([
      { device: 'b', code: 'shadow.refused', reason: MISFIT },
    ]);
  });

  test('refuses a default of its type, and that of a group for the devices which it does not fit', async () => {
    await using fleet = await withBoiler();
    const put = async (target: string, desired: object) =>
      await fleet.calls.putShadowDefault({ target, shadow: '', desired: desired as never, ...fleet.by });
    await expect(put('type:boiler', { target: 100 })).rejects.toMatchObject({ code: 'shadow.refused', message: MISFIT });
    const { update } = await put('group:/a', { target: 100 });
    await fleet.finish();
    expect(await fleet.updateOf(update?.id)).toMatchObject({ done: 1, failed: 1 });
    expect(await fleet.shadow('b')).toBeUndefined();
    expect(await fleet.update('b', { reported: { x: 1 } })).toMatchObject({ kind: 'put' });
    expect((await fleet.shadow('b'))?.inherited).toBeUndefined();
    expect((await fleet.shadow('n'))?.inherited).toEqual({ target: 100 });
  });

  test('lets a default be a part of what is required, and wants the whole of who adds to it', async () => {
    await using fleet = await withBoiler();
    await fleet.calls.putShadowDefault({ target: 'type:boiler', shadow: '', desired: { mode: 'eco' }, ...fleet.by });
    await fleet.finish();
    expect((await fleet.shadow('b'))?.inherited).toEqual({ mode: 'eco' });
    expect(await fleet.update('b', { reported: { x: 1 } })).toMatchObject({ kind: 'put' });
    expect(await fleet.update('b', { desired: { mode: 'comfort' } })).toMatchObject({ kind: 'refused' });
    expect(await fleet.update('b', { desired: { target: 20 } })).toMatchObject({ kind: 'put' });
    const document = await fleet.shadow('b');
    expect(document === undefined ? undefined : effectiveDesired(document)).toEqual({ mode: 'eco', target: 20 });
    expect(await fleet.update('b', { desired: { target: null } })).toMatchObject({ kind: 'put' });
  });

  test('is checked itself before a type gets it', async () => {
    await using fleet = await withBoiler();
    const type = (shadowSchemas: object[]) => fleet.types.update('boiler', { shadowSchemas }, OPERATOR);
    await expect(type([{ desired: { minimun: 1 } }])).rejects.toMatchObject({
      code: 'request.invalid',
      message: 'desired: there is no keyword "minimun", or it is not taken here',
      details: { field: 'shadowSchemas' },
    });
    await expect(type([{ shadow: 'x', reported: { type: 'no' } }])).rejects.toThrow('reported of x: the schema is not valid');
    await expect(type([{ shadow: 'x' }, { shadow: 'x' }])).rejects.toThrow('the shadow x stands there twice');
    await expect(type([{ shadow: 'a b' }])).rejects.toThrow('the name of a shadow');
  });
});
