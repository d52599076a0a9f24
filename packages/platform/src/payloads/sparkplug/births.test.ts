import { DatabaseSync } from 'node:sqlite';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { TestMetric } from './sparkplug.fixture.ts';
import { Births } from './births.ts';
import type { CertificateStore } from './certificate-store.ts';
import { NOW, SparkplugHarness, type TestPoint } from './sparkplug-harness.fixture.ts';

// Thousands of commits, and no power is lost: in memory, where the system has a folder for that.
const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'selsyn-births-'));
afterAll(() => rmSync(dir, { recursive: true }));
let files = 0;
const newHarness = () => new SparkplugHarness(join(dir, `${files++}.db`));

/** Each birth gives the same names other aliases. */
const metricsOf = (turn: number): readonly TestMetric[] =>
  ['a', 'b', 'c'].map((name, index) => ({ name, alias: ((index + turn) % 3) + 1, type: 'Int32' as const, value: turn }));

test('whenever it is killed and wherever it begins again, every message is read as it was the first time', () => {
  const step = fc.record({
    what: fc.constantFrom('NBIRTH', 'DBIRTH', 'DDATA', 'DDATA', 'NDATA', 'DDEATH', 'NDEATH'),
    device: fc.constantFrom('D', 'E'),
    partition: fc.constantFrom(0, 0, 0, 1),
    turn: fc.nat(2),
  });
  // After so many records everything is made durable and the log may be let go of; after so many more the process is killed.
  const cut = fc.record({ durable: fc.nat(30), killed: fc.nat(30) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), cut, (steps, { durable, killed }) => {
      using harness = newHarness();
      const records = steps.map(({ what, device, partition, turn }) => {
        harness.clock.advance(1);
        const ofDevice = what.startsWith('D');
        const metrics =
          what === 'NBIRTH' || what === 'DBIRTH'
            ? [...metricsOf(turn), { name: 'bdSeq', type: 'UInt64' as const, value: BigInt(turn) }]
            : what === 'NDEATH'
              ? [{ name: 'bdSeq', type: 'UInt64' as const, value: BigInt(turn) }]
              : what.endsWith('DATA')
                ? [{ alias: (turn % 3) + 1, value: turn, type: 'Int32' as const }]
                : [];
        return harness.append({
          topic: `spBv1.0/G/${what}/N${ofDevice ? `/${device}` : ''}`,
          payload: { ts: NOW, metrics },
          partition,
        });
      });
      const first = records.map((record, index) => {
        const points = harness.read(record);
        if (index === durable) harness.births.makeDurable(new Map());
        return points;
      });
      // As it is at the kill: what came after the mark may be on disk or not.
      if (killed % 2 === 0) harness.births.makeDurable(new Map());
      harness.births.close();
      const from = durable >= records.length ? 0 : Math.min(durable, killed);
      const starts = new Map<number, number>([
        [0, 0],
        [1, 0],
      ]);
      for (const { partition, offset } of records.slice(0, from)) starts.set(partition, offset + 1);
      harness.open(starts);
      const again = records.slice(from).map((record) => harness.read(record));
      expect(again).toEqual(first.slice(from));
    }),
    { numRuns: 200 },
  );
});

test('of those that were born again only what may be read once more is kept, and payloads are packed', () => {
  using harness = newHarness();
  const rows = () => {
    const db = new DatabaseSync(join(dir, `${files - 1}.db`), { readOnly: true });
    const found = db.prepare('SELECT id, "offset" FROM certificate ORDER BY number').all();
    db.close();
    return found.map((row) => [row['id'], row['offset']]);
  };
  for (let turn = 0; turn < 4; turn++) {
    harness.send('NBIRTH/N', { ts: NOW, seq: 0, metrics: metricsOf(turn) });
    harness.send('DBIRTH/N/D', { ts: NOW, seq: 1, metrics: metricsOf(turn) });
  }
  harness.births.makeDurable(new Map([[0, 0]]));
  expect(rows()).toHaveLength(8);
  // Offsets 0 to 7: from 4 on they may be read again, under the births at 2 and 3, or later ones.
  harness.send('NBIRTH/N', { ts: NOW, seq: 0, metrics: metricsOf(0) });
  harness.send('DBIRTH/N/D', { ts: NOW, seq: 1, metrics: metricsOf(0) });
  harness.births.makeDurable(new Map([[0, 4]]));
  expect(rows()).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((offset) => [offset % 2 === 0 ? 'G:N' : 'G:N:D', offset]));
});

test('births that another log had are before everything', () => {
  using harness = newHarness();
  harness.send('NBIRTH/N', { ts: NOW, seq: 0, metrics: metricsOf(0) });
  harness.births.makeDurable(new Map());
  harness.births.close();
  harness.clock.advance(-3_600_000);
  harness.open(new Map([[0, 0]]), { log: 2 });
  const points = harness.send('NDATA/N', { ts: NOW - 5, seq: 1, metrics: [{ alias: 1, value: 5 }] }) as readonly TestPoint[];
  expect(points).toEqual([[NOW - 5, 'a', 5]]);
});

test.each([
  ['no database', () => 'not a database, but long enough to be taken for one'.repeat(100)],
  ['a damaged one', (bytes: Buffer) => bytes.fill(0xa5, 4096)],
])('%s is set aside, and nodes are as if they had never been born', (_, damage) => {
  using harness = newHarness();
  const path = join(dir, `${files - 1}.db`);
  for (let i = 0; i < 50; i++) harness.send(`NBIRTH/N${i}`, { ts: NOW, seq: 0, metrics: metricsOf(0) });
  harness.births.makeDurable(new Map());
  harness.births.close();
  writeFileSync(path, damage(readFileSync(path)));
  harness.open(new Map([[0, 50]]));
  expect(readdirSync(dir).filter((name) => name.startsWith(`${files - 1}.db.broken-`))).toHaveLength(1);
  expect(harness.send('NDATA/N0', { ts: NOW, metrics: [{ alias: 1, value: 1 }] })).toContain('No birth');
  harness.send('NBIRTH/N0', { ts: NOW, seq: 0, metrics: metricsOf(0) });
  harness.births.makeDurable(new Map());
  expect(harness.send('NDATA/N0', { ts: NOW, metrics: [{ alias: 1, value: 1 }] })).toHaveLength(1);
});

test('nothing is left of a device that is removed, nor of what a crash has brought back', () => {
  using harness = newHarness();
  const birth = () => {
    harness.send('NBIRTH/N', { ts: NOW, seq: 0, metrics: metricsOf(0) });
    harness.send('DBIRTH/N/D', { ts: NOW, seq: 1, metrics: metricsOf(0) });
  };
  const data = () => harness.send('DDATA/N/D', { ts: NOW, metrics: [{ alias: 1, value: 5 }] });
  birth();
  harness.births.makeDurable(new Map());
  harness.births.forget('G:N:D');
  expect(data()).toContain('No birth of this device');
  birth();
  expect(data()).toHaveLength(1);
  harness.births.makeDurable(new Map());
  harness.births.close();
  harness.open(new Map([[0, 100]]));
  harness.births.forget('G:N:D', new Map([[0, 1]]));
  harness.births.forget('someone', new Map([[0, 1]]));
  expect(harness.births.find('G:N:D')?.certificates).toHaveLength(1);
  harness.births.forget('G:N:D', new Map([[0, 100]]));
  expect(harness.births.find('G:N:D')?.certificates).toHaveLength(0);
  harness.births.close();
  harness.open(new Map([[0, 100]]));
  expect(harness.births.find('G:N:D')).toBeUndefined();
});

test('a birth that cannot be written yet counts, and is written before the log may be let go of', () => {
  let isFull = true;
  const written: string[] = [];
  const store: Pick<CertificateStore, 'exists' | 'write' | 'prune'> = {
    exists: true,
    write: (rows) => {
      if (isFull) throw new Error('database or disk is full');
      return rows.map(({ id }) => written.push(id));
    },
    prune: () => undefined,
  };
  const births = new Births({ store: store as CertificateStore });
  const place = { partition: 0, offset: 1, arrivalMs: NOW };
  const payload = new Uint8Array(17 * 1024 * 1024);
  births.add('G:N', { place, isBirth: true, bdSeq: 1, payload, number: undefined, definitions: undefined });
  expect(births.birthFor('G:N', 'G:N', { ...place, offset: 2 })?.payload).toBe(payload);
  expect(() => births.makeDurable(new Map())).toThrow('full');
  isFull = false;
  births.makeDurable(new Map());
  expect(written).toEqual(['G:N']);
});
