import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DAY_MS } from '../telemetry/day-file-schema.ts';
import type { LocalObjects } from './local-objects.ts';
import { Manifest } from './manifest.ts';
import { ManifestIndex } from './manifest-index.ts';

const id = fc.constantFrom(...'abcdefghijklmnop'.split(''));

test('a range has the objects that may hold one of the devices, and no others', () => {
  const root = mkdtempSync(join(tmpdir(), 'selsyn-manifest-'));
  using manifest = new Manifest(root);
  using index = new ManifestIndex({ root, objects: {} as LocalObjects });
  try {
    fc.assert(
      fc.property(fc.array(fc.tuple(id, id), { maxLength: 8 }), fc.array(id, { maxLength: 6 }), (spans, devices) => {
        manifest.db.exec('DELETE FROM object');
        const file = { deviceType: undefined, day: 20_000, hour: 1, sizeBytes: 1, sha256: '', rows: 1 };
        const planned = manifest.plan(
          spans.map(([a, b]) => ({
            ...file,
            firstMs: 20_000 * DAY_MS,
            lastMs: 20_000 * DAY_MS,
            firstDevice: a < b ? a : b,
            lastDevice: a < b ? b : a,
          })),
        );
        manifest.commit({ planned, replaced: [], day: 20_000, hours: [], nowMs: 1 });
        const found = index.range({ fromMs: 20_000 * DAY_MS, toMs: 20_001 * DAY_MS, devices }).objects;
        const expected = planned.filter(({ firstDevice, lastDevice }) =>
          devices.some((device) => firstDevice <= device && device <= lastDevice),
        );
        expect(found.map((object) => object.id).sort((a, b) => a - b)).toEqual(expected.map((object) => object.id));
      }),
      { numRuns: 60 },
    );
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
