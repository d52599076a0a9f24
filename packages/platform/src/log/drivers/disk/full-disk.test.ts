import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statfsSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { readAll, source, TestWriter } from '../../log.contract.ts';
import type { Offset } from '../../log.ts';
import { DiskLogFolder, FIRST } from './disk-fixtures.ts';

const VOLUME_BYTES = 8 * 1024 * 1024;

let volume: string;
let mountFault: string | undefined;

function mount(): void {
  volume = mkdtempSync(join(tmpdir(), 'selsyn-volume-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${VOLUME_BYTES}`, 'tmpfs', volume], { stdio: 'pipe' });
}

function unmount(): void {
  execFileSync('umount', ['-l', volume]);
  rmSync(volume, { recursive: true });
}

beforeAll(() => {
  try {
    mount();
    unmount();
  } catch (error) {
    mountFault = `a tmpfs cannot be mounted here: ${String(error)}`;
    rmSync(volume, { recursive: true, force: true });
    const mustWork = process.env['CI'] !== undefined && process.platform === 'linux' && process.getuid?.() === 0;
    if (mustWork) throw new Error(mountFault, { cause: error });
  }
});

let folder: DiskLogFolder | undefined;

afterEach(async () => {
  await folder?.[Symbol.asyncDispose]();
  if (folder !== undefined) unmount();
  folder = undefined;
});

test.for(['always', 'interval'] as const)(
  'on a full volume, synced %s, rejects what it cannot keep and goes on when space is back',
  async (sync, context) => {
    if (mountFault !== undefined) {
      process.stderr.write(`skipped: ${mountFault}\n`);
      return context.skip(mountFault);
    }
    mount();
    folder = new DiskLogFolder(volume);
    let log = await folder.open({ segmentBytes: 2_000_000, sync });
    const writer = await TestWriter.open(log, FIRST);
    const from = source('a', 't');
    const kept: string[] = [];
    let added = 0;
    /** One commit of several records; true when it was durable. */
    const append = async (count: number): Promise<boolean> => {
      const texts = Array.from({ length: count }, () => String(++added).padEnd(5000));
      for (const text of texts) writer.add(from, text);
      await writer.settled();
      const event = writer.events.at(-1)!;
      if ('durable' in event) kept.push(...texts);
      else expect(event).toMatchObject({ rejected: added, error: { code: 'log.full', retryable: true } });
      return 'durable' in event;
    };

    writeFileSync(join(volume, 'ballast'), Buffer.alloc(3_000_000));
    while (await append(20));
    for (let i = 0; i < 20; i += 1) expect(await append(20)).toBe(false);
    // Space laid down ahead is used up before anything is rejected.
    expect(statfsSync(volume).bavail * statfsSync(volume).bsize).toBeLessThan(110_000);
    expect(kept.length * 5000).toBeGreaterThan(VOLUME_BYTES - 3_000_000 - 300_000);

    unlinkSync(join(volume, 'ballast'));
    for (let i = 0; i < 20; i += 1) expect(await append(20)).toBe(true);
    while (await append(20));
    const durable = writer.events.filter((event) => 'durable' in event);
    expect(durable.length * 20).toBe(kept.length);

    const texts = async (): Promise<string[]> => readAll(await log.openReader(FIRST, 0 as Offset)).map((record) => record.text);
    expect(await texts()).toEqual(kept);
    // After interval mode a start begins a new segment, for which there is no room now.
    if (sync === 'interval') return;
    log = await folder.open();
    expect(await texts()).toEqual(kept);
  },
);

test('never fills a volume with what was stored already', async (context) => {
  if (mountFault !== undefined) {
    process.stderr.write(`skipped: ${mountFault}\n`);
    return context.skip(mountFault);
  }
  mount();
  folder = new DiskLogFolder(volume);
  // Within the limits of age and of bytes there is no end to it.
  const log = await folder.open({ segmentBytes: 200_000, retention: { maxAgeMs: Infinity, maxBytes: Infinity } });
  const writer = await TestWriter.open(log, FIRST);
  const from = source('a', 't');
  for (let i = 0; i < 200; i += 1) {
    for (let k = 0; k < 20; k += 1) writer.add(from, String(i).padEnd(5000));
    await writer.settled();
    expect(writer.events.at(-1)).toEqual({ durable: (i + 1) * 20 });
    await log.release(FIRST, ((i + 1) * 20) as Offset);
  }
  // As much as there is room for is kept.
  expect(folder.segments(0).length * 200_000).toBeGreaterThan(VOLUME_BYTES / 3);
});

test('begins a new segment when a file may not grow further', async () => {
  if (process.platform === 'win32') return;
  await using limited = new DiskLogFolder();
  const writer = fileURLToPath(new URL('./limited-writer.ts', import.meta.url));
  // The shell counts in blocks of 512 bytes.
  const child = spawn('sh', ['-c', 'ulimit -f 400; exec "$0" "$@"', process.execPath, writer, limited.dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  await once(child, 'close');
  const { durable, rejected, codes } = JSON.parse(said) as { durable: number; rejected: number; codes: string[] };
  expect(durable + rejected).toBe(100);
  expect(rejected).toBeGreaterThan(0);
  expect(durable).toBeGreaterThan(80);
  expect(codes).toEqual(['log.full']);
  const log = await limited.open();
  expect(readAll(await log.openReader(FIRST, 0 as Offset))).toHaveLength(durable);
  expect(limited.segments(0).length).toBeGreaterThan(2);
});
