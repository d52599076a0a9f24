import { afterEach, beforeEach, expect, test } from 'vitest';
import { LINK, openTestShadows, type TestShadows } from './shadows.fixture.ts';

const P = '$aws/things/T/shadow';
const DELTA = `${P}/update/delta`;

let shadows: TestShadows;
beforeEach(async () => {
  shadows = await openTestShadows({ strictTypes: ['strict'] });
  await shadows.send(`${P}/update`, { state: { desired: { a: 1 }, reported: { b: 1 } } });
  await shadows.send(`${P}/name/n/update`, { state: { desired: { c: 1 } } });
  await shadows.send(`${P}/name/same/update`, { state: { desired: { c: 1 }, reported: { c: 1 } } });
});
afterEach(async () => await shadows[Symbol.asyncDispose]());

const listen = async (filters: readonly string[], resumed = false) => {
  shadows.take();
  shadows.domain.listening({ filters, clientId: 'T', principalId: 'T', from: LINK, resumed });
  // The writer writes the next batch after this one.
  await shadows.domain.run({ kind: 'get', device: 'T', shadow: '' });
  return shadows.take();
};

test('a client that subscribes to deltas gets the one that there is, alone', async () => {
  const published = await listen([DELTA]);
  expect(published).toMatchObject([{ topic: DELTA, to: LINK, body: { state: { a: 1 }, version: 1 } }]);
  expect(published[0]?.body).not.toHaveProperty('clientToken');
  expect(await listen([DELTA], true)).toHaveLength(1);
});

test('there is no message where nothing differs, and none of shadows that are not there', async () => {
  expect(await listen([`${P}/name/same/update/delta`, `${P}/name/none/update/delta`, '$aws/things/nobody/shadow/#'])).toEqual([]);
  expect(await listen([`${P}/update/accepted`])).toEqual([]);
});

test('who subscribes to all named shadows gets the deltas of all, those of this very moment too', async () => {
  expect((await listen([`${P}/name/+/update/delta`])).map((message) => message.topic)).toEqual([`${P}/name/n/update/delta`]);
  expect((await listen([`${P}/#`])).map((message) => message.topic)).toEqual([DELTA, `${P}/name/n/update/delta`]);
  shadows.take();
  const written = shadows.request(`${P}/name/new/update`, { state: { desired: { x: 1 } } });
  shadows.domain.listening({ filters: [`${P}/name/#`], clientId: 'T', principalId: 'T', from: LINK, resumed: false });
  await written;
  const sent = shadows.take().filter((message) => message.to !== undefined);
  expect(sent.map((message) => message.topic).toSorted()).toEqual([`${P}/name/n/update/delta`, `${P}/name/new/update/delta`]);
});

test('a delta that is sent again is the newest, and comes after those of updates before it', async () => {
  shadows.take();
  const updates = [2, 3].map((value) => shadows.request(`${P}/update`, { state: { desired: { a: value } } }));
  shadows.domain.listening({ filters: [DELTA], clientId: 'T', principalId: 'T', from: LINK, resumed: true });
  await Promise.all(updates);
  const versions = shadows.take().flatMap((message) => (message.topic === DELTA ? [message.body['version']] : []));
  expect(versions).toEqual([2, 3, 3]);
});

test('devices of a strict type wait for the next update, as with AWS; so do all where it is off', async () => {
  const topic = '$aws/things/other/shadow/update';
  await shadows.send(topic, { state: { desired: { a: 1 } } }, 'other');
  expect(await listen([`${topic}/delta`])).toEqual([]);
  await using off = await openTestShadows({ deltaOnSubscribe: false });
  await off.send(`${P}/update`, { state: { desired: { a: 1 } } });
  off.domain.listening({ filters: [DELTA], clientId: 'T', principalId: 'T', from: LINK, resumed: false });
  await off.domain.run({ kind: 'get', device: 'T', shadow: '' });
  expect(off.take()).toEqual([]);
});

test('a client that is gone before its turn is forgotten', async () => {
  shadows.take();
  // As many as the pump lets through at once stand before it.
  for (let client = 0; client < 600; client++) {
    shadows.domain.listening({
      filters: [DELTA],
      clientId: 'T',
      principalId: 'T',
      from: { gateway: 0, client: `${client}` },
      resumed: false,
    });
  }
  shadows.domain.gone({ gateway: 0, client: '599' });
  while (shadows.writer.waiting > 0) await shadows.domain.run({ kind: 'get', device: 'T', shadow: '' });
  await shadows.domain.run({ kind: 'get', device: 'T', shadow: '' });
  const clients = new Set(shadows.take().map((message) => message.to?.client));
  expect([clients.size, clients.has('598'), clients.has('599')]).toEqual([599, true, false]);
});
