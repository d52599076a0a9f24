import { expect, test } from 'vitest';
import { CliError } from '../cli-error.ts';
import { sendImport, type ImportItem, type SendOptions } from './send-import.ts';

const BEGUN: ImportItem = {
  id: 'i1',
  state: 'open',
  format: 'csv',
  mode: 'upsert',
  dryRun: false,
  position: 0,
  rows: 0,
  created: 0,
  updated: 0,
  unchanged: 0,
  refused: 0,
  createdAtMs: 0,
};
const AWAY = new CliError('no answer', undefined, true);

/** A server that has come to a place, and takes ten bytes at once. */
class FakeServer {
  now = BEGUN;
  readonly offsets: unknown[] = [];
  readonly failures: (Error | 'taken' | undefined)[] = [];
  readonly waits: number[] = [];
  readonly told: string[] = [];
  gets = 0;
  readonly #length: number;

  constructor(length: number) {
    this.#length = length;
  }

  options(): SendOptions {
    const client = {
      get: async <T>(): Promise<T> => {
        this.gets += 1;
        return this.now as T;
      },
      postBytes: async <T>(_: string, query: Readonly<Record<string, unknown>>): Promise<T> => {
        this.offsets.push(query['offset']);
        const failure = this.failures.shift();
        if (failure instanceof Error) throw failure;
        const position = Math.min(this.#length, this.now.position + 10);
        this.now = { ...this.now, position, state: position === this.#length ? 'done' : 'open' };
        if (failure === 'taken') throw AWAY;
        return this.now as T;
      },
    };
    return {
      client,
      source: {
        part: async (position, size) => ({ bytes: new Uint8Array(Math.min(size, this.#length - position)), isLast: true }),
      },
      begun: BEGUN,
      onProgress: () => {},
      onWaiting: ({ message }) => void this.told.push(message),
      wait: async (ms) => void this.waits.push(ms),
    };
  }
}

test('goes on from wherever the server says, until it is done', async () => {
  const server = new FakeServer(35);
  expect(await sendImport(server.options())).toMatchObject({ state: 'done', position: 35 });
  expect(server.offsets).toEqual([0, 10, 20, 30]);
});

test('waits for a server that is away, longer and longer, tells it once, and asks where it is', async () => {
  const server = new FakeServer(20);
  server.failures.push(undefined, AWAY, AWAY, new CliError('busy (import.busy)', 'import.busy'), 'taken');
  expect(await sendImport(server.options())).toMatchObject({ state: 'done' });
  expect(server.offsets).toEqual([0, 10, 10, 10, 10]);
  expect(server.waits).toEqual([250, 500, 1000, 2000]);
  expect([server.told, server.gets]).toEqual([['no answer'], 4]);
});

test('what the server refuses for good ends it at once; one that stays away is given up', async () => {
  const refusing = new FakeServer(20);
  refusing.failures.push(new CliError('no column is named id (request.invalid)', 'request.invalid'));
  await expect(sendImport(refusing.options())).rejects.toThrow('no column is named id');
  expect(refusing.waits).toEqual([]);
  const gone = new FakeServer(20);
  gone.failures.push(...Array.from({ length: 100 }, () => AWAY));
  await expect(sendImport({ ...gone.options(), patienceMs: 20_000 })).rejects.toThrow('no answer; given up after 20 s');
  expect(gone.waits.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(26_000);
});
