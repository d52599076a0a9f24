import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { QuotaTimes } from './processor-quota.ts';

let root: string;
let own: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'selsyn-cgroup-'));
  own = join(root, 'own');
});
afterEach(() => rmSync(root, { recursive: true }));

function group(path: string, max: string, usedMs: number): void {
  const folder = join(root, path);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'cpu.max'), `${max}\n`);
  writeFileSync(join(folder, 'cpu.stat'), `usage_usec ${usedMs * 1000}\nuser_usec 1\nsystem_usec 2\n`);
}

const open = (self: string): QuotaTimes => {
  writeFileSync(own, self);
  return new QuotaTimes({ root, own });
};

test('the quota of a container is seen, with what is left of it', () => {
  group('', '150000 100000', 400);
  const quota = open('0::/\n');
  expect(quota.read(1_000)).toEqual([{ processors: 1.5, unusedMs: 1_100 }]);
  group('', '150000 100000', 700);
  expect(quota.read(2_000)).toEqual([{ processors: 1.5, unusedMs: 2_300 }]);
});

test('of a service the quotas of all groups above it count, and those without one do not', () => {
  group('', 'max 100000', 9_000);
  group('system.slice', '200000 100000', 500);
  group('system.slice/selsyn.service', '50000 100000', 100);
  const found = open('1:cpu:/elsewhere\n0::/system.slice/selsyn.service\n').read(1_000);
  expect(found.map(({ processors }) => processors).sort((a, b) => a - b)).toEqual([0.5, 2]);
});

test('where there are no such groups there is no quota', () => {
  expect(open('3:cpu:/\n').read(1)).toEqual([]);
  expect(open('0::/gone\n').read(1)).toEqual([]);
  expect(new QuotaTimes({ root, own: join(root, 'none') }).read(1)).toEqual([]);
});
