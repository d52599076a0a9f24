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

test('a client that subscribes to deltas gets the one that there is, by the way of all others', async () => {
  const published = await listen([DELTA]);
  expect(published).toMatchObject([{ topic: DELTA, to: undefined, body: { state: { a: 1 }, version: 1 } }]);
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
  const deltas = shadows.take().filter((message) => message.topic.endsWith('/update/delta'));
  // That of the update, and those that are sent again.
  expect(deltas.map((message) => message.topic).toSorted()).toEqual([
    `${P}/name/n/update/delta`,
    `${P}/name/new/update/delta`,
    `${P}/name/new/update/delta`,
  ]);
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

test('many that want the same delta at once bring it once; who is gone before its turn brings none', async () => {
  for (let n = 0; n < 600; n++) await shadows.send(`${P}/name/s${n}/update`, { state: { desired: { n } } });
  shadows.take();
  const listening = (name: string, client: string) =>
    shadows.domain.listening({
      filters: [`${P}/name/${name}/update/delta`],
      clientId: 'T',
      principalId: 'T',
      from: { gateway: 0, client },
      resumed: false,
    });
  // As many as the pump lets through at once stand before the others.
  for (let n = 0; n < 599; n++) listening(`s${n}`, `${n}`);
  for (let n = 0; n < 50; n++) listening('s598', `more ${n}`);
  listening('s599', 'goes');
  listening('s599', 'stays');
  listening('s597', 'one of two');
  shadows.domain.gone({ gateway: 0, client: 'goes' });
  shadows.domain.gone({ gateway: 0, client: '597' });
  shadows.domain.gone({ gateway: 0, client: '596' });
  while (shadows.writer.waiting > 0) await shadows.domain.run({ kind: 'get', device: 'T', shadow: '' });
  await shadows.domain.run({ kind: 'get', device: 'T', shadow: '' });
  const topics = shadows.take().map((message) => message.topic);
  const times = (name: string) => topics.filter((topic) => topic === `${P}/name/${name}/update/delta`).length;
  expect([topics.length, times('s596'), times('s597'), times('s598'), times('s599')]).toEqual([599, 0, 1, 1, 1]);
});

test('who subscribes again and again has one resend under way and one that waits, not one for each time', async () => {
  shadows.take();
  for (let n = 0; n < 300; n++)
    shadows.domain.listening({
      filters: [`${P}/name/+/update/delta`],
      clientId: 'T',
      principalId: 'T',
      from: LINK,
      resumed: false,
    });
  for (let n = 0; n < 5; n++) await shadows.domain.run({ kind: 'get', device: 'T', shadow: '' });
  expect(shadows.take().map((message) => message.topic)).toEqual([`${P}/name/n/update/delta`, `${P}/name/n/update/delta`]);
});
