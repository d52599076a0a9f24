import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { OwnMessage } from '../broker/own-message.ts';
import { systemActor } from '../audit/actor.ts';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { DeviceId } from '../kernel/device-id.ts';
import { readSparkplug } from '../payloads/sparkplug/sparkplug-payload.ts';
import { DeviceStore } from '../registry/device-store.ts';
import { GroupStore } from '../registry/group-store.ts';
import { SparkplugDesk } from './sparkplug-desk.ts';
import { SparkplugNews } from './sparkplug-news.ts';

const clock = new FakeClock(1_790_000_000_000);
let file: ReturnType<typeof openSqliteDatabase>;
let devices: DeviceStore;
let published: OwnMessage[];
let registered: string[];
let desk: SparkplugDesk;

beforeEach(async () => {
  file = openSqliteDatabase(':memory:');
  await migrate(file.database);
  devices = new DeviceStore({ database: file.database, clock });
  await new GroupStore({ database: file.database, clock, followers: [] }).create('/hall', systemActor('test'));
  published = [];
  registered = [];
  desk = deskOf({});
});
afterEach(async () => {
  await desk[Symbol.asyncDispose]();
  await file[Symbol.asyncDispose]();
});

function deskOf(settings: { readonly hostId?: string; readonly register?: boolean }): SparkplugDesk {
  return new SparkplugDesk({
    hostId: 'host',
    register: true,
    ...settings,
    devices,
    connected: { registered: async (ids) => void registered.push(...ids) },
    publish: async (messages) => void published.push(...messages),
    clock,
    logLines: silentLogLines,
  });
}

const told = ({ topic, payload, qos, retain }: OwnMessage) => [topic, JSON.parse(Buffer.from(payload).toString()), qos, retain];

/** All that was on its way to the desk is there, and done. */
async function heard(news: SparkplugNews, until: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 6_000 && !(await until()); tries++) await new Promise((resolve) => setTimeout(resolve, 5));
  news[Symbol.dispose]();
}

test('nobody hears of a host before somebody asks for one, or an earlier run has said so', async () => {
  await desk.start(async () => false);
  await desk[Symbol.asyncDispose]();
  expect(published).toEqual([]);
  desk = deskOf({});
  const asked: string[] = [];
  await desk.start(async (topic) => asked.push(topic) > 0);
  await desk.wanted();
  expect([asked, published.length]).toEqual([['spBv1.0/STATE/host'], 1]);
});

test('nodes are told that their host is there, and when it ends in order, with the same time', async () => {
  await desk.wanted();
  clock.advance(5000);
  await desk[Symbol.asyncDispose]();
  expect(published.map(told)).toEqual([
    ['spBv1.0/STATE/host', { online: true, timestamp: 1_790_000_000_000 }, 1, true],
    ['spBv1.0/STATE/host', { online: false, timestamp: 1_790_000_000_000 }, 1, true],
  ]);
  published = [];
  desk = deskOf({ hostId: '' });
  await desk.wanted();
  expect(published).toEqual([]);
});

test('a node is asked for its births by a command of its own', async () => {
  const news = new SparkplugNews(desk.port());
  news.rebirth({ group: 'G 1', node: 'N', reason: 'sequence' });
  await heard(news, () => published.length > 0);
  const [{ topic, payload, qos, retain } = expect.fail('nothing was published')] = published;
  expect([topic, qos, retain]).toEqual(['spBv1.0/G 1/NCMD/N', 0, false]);
  expect(readSparkplug(payload, 0, payload.length).metrics).toEqual([
    expect.objectContaining({ name: 'Node Control/Rebirth', value: true }),
  ]);
});

test('who was born and is not known is registered where its node is', async () => {
  await devices.create({ id: 'G:N' as DeviceId, group: '/hall' });
  await devices.create({ id: 'G:N:old' as DeviceId, group: '/' });
  const news = new SparkplugNews(desk.port());
  for (const id of ['G:N', 'G:N:old', 'G:N:new', 'G:other', 'G:N:new']) news.born(id, id === 'G:other' ? id : 'G:N');
  await heard(news, () => registered.length > 0);
  expect(published.map(({ topic }) => topic)).toEqual(['spBv1.0/STATE/host']);
  expect(registered).toEqual(['G:N:new', 'G:other']);
  expect(await devices.get('G:N:new' as DeviceId)).toMatchObject({ group: '/hall', tags: ['sparkplug'] });
  expect(await devices.get('G:other' as DeviceId)).toMatchObject({ group: '/' });
  expect(await devices.get('G:N:old' as DeviceId)).toMatchObject({ group: '/', tags: [] });
});

test('where it is not wanted nobody is registered', async () => {
  desk = deskOf({ register: false });
  const news = new SparkplugNews(desk.port());
  news.born('G:N', 'G:N');
  news.rebirth({ group: 'G', node: 'N', reason: 'no-birth' });
  await heard(news, () => published.length > 1);
  expect((await devices.groupOf(['G:N' as DeviceId])).size).toBe(0);
});

test('a thread that ends takes its port with it', async () => {
  const port = desk.port();
  const closed = once(port, 'close');
  await desk[Symbol.asyncDispose]();
  await closed;
});
