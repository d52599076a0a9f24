import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openSqliteDatabase } from '../database/drivers/sqlite/sqlite-database.ts';
import { migrate } from '../database/migrate.ts';
import type { StateDatabase, StateSchema } from '../database/schema.ts';
import { STATE_MIGRATIONS } from '../database/state-migrations.ts';
import { FakeClock } from '../kernel/fake-clock.ts';
import { silentLogLines } from '../kernel/log-lines.ts';
import type { ClientLink } from '../state/client-link.ts';
import type { OutgoingMessage } from '../state/outgoing.ts';
import type { StateEvent } from '../state/state-events.ts';
import { StateWriter } from '../state/state-writer.ts';
import type { Json } from './shadow-document.ts';
import { ShadowDomain, type ShadowDomainOptions } from './shadow-domain.ts';
import type { ShadowDevice } from './shadow-hooks.ts';
import { ShadowStore } from './shadow-store.ts';

/** A message, read. */
export interface Published {
  readonly topic: string;
  readonly body: Readonly<Record<string, Json>>;
  readonly to: ClientLink | undefined;
}

export interface TestShadows extends AsyncDisposable {
  readonly domain: ShadowDomain;
  readonly store: ShadowStore;
  readonly writer: StateWriter;
  readonly database: StateDatabase;
  readonly clock: FakeClock;
  readonly devices: Map<string, ShadowDevice>;
  readonly watched: Set<string>;
  readonly events: StateEvent[];
  /** What was published since the last call. */
  take(): readonly Published[];
  /** As a client publishes it; text is sent as it is, anything else as JSON. @returns what was published because of it. */
  send(topic: string, payload?: unknown, device?: string): Promise<readonly Published[]>;
  /** As `send`, without waiting for what was published before. */
  request(topic: string, payload: unknown, device?: string): Promise<void>;
  /** Another domain on the same file, as after a crash. */
  restart(): Promise<void>;
}

export const LINK: ClientLink = { gateway: 0, client: 'link' };

/** Shadows of the devices `T` and `other` on a file of their own. */
export async function openTestShadows(options: Partial<ShadowDomainOptions> = {}): Promise<TestShadows> {
  const folder = mkdtempSync(path.join(tmpdir(), 'selsyn-shadows-'));
  const file = path.join(folder, 'state.db');
  const clock = new FakeClock();
  const devices = new Map<string, ShadowDevice>([
    ['T', { type: undefined, group: '/' }],
    ['other', { type: 'strict', group: '/acme' }],
  ]);
  const watched = new Set<string>();
  const published: OutgoingMessage[] = [];
  const events: StateEvent[] = [];

  const open = async () => {
    const opened = openSqliteDatabase<StateSchema>(file);
    await migrate(opened.database, STATE_MIGRATIONS);
    const writer = new StateWriter({
      database: opened.database,
      outlet: {
        publish: (messages) => void published.push(...messages),
        isWatched: (device) => watched.has(device),
        tell: (told) => void events.push(...told),
      },
      clock,
      logLines: silentLogLines,
    });
    const domain = new ShadowDomain({
      database: opened.database,
      writer,
      devices: {
        find: async (ids) => new Map(ids.flatMap((id) => (devices.has(id) ? [[id, devices.get(id) as ShadowDevice]] : []))),
      },
      clock,
      ...options,
    });
    return { opened, writer, domain, store: new ShadowStore(opened.database) };
  };

  let current = await open();
  const close = async () => {
    current.domain[Symbol.dispose]();
    await current.writer[Symbol.asyncDispose]();
    await current.opened[Symbol.asyncDispose]();
  };
  const take = () =>
    published.splice(0).map(({ topic, payload, to }) => ({ topic, body: JSON.parse(Buffer.from(payload).toString()), to }));
  const request: TestShadows['request'] = async (topic, payload, device = 'T') => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const bytes = payload instanceof Uint8Array ? payload : Buffer.from(text);
    await current.domain.request({ topic, payload: bytes, clientId: device, principalId: device, from: LINK });
  };
  return {
    get domain() {
      return current.domain;
    },
    get store() {
      return current.store;
    },
    get writer() {
      return current.writer;
    },
    get database() {
      return current.opened.database;
    },
    clock,
    devices,
    watched,
    events,
    take,
    async send(topic, payload = '', device = 'T') {
      take();
      await request(topic, payload, device);
      return take();
    },
    request,
    async restart() {
      await close();
      current = await open();
    },
    async [Symbol.asyncDispose]() {
      await close();
      rmSync(folder, { recursive: true });
    },
  };
}
