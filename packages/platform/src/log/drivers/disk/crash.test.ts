import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { Offset } from '../../log.ts';
import { DiskLogFolder, FIRST } from './disk-fixtures.ts';

const ROUNDS = 50;
const WRITER = fileURLToPath(new URL('./crash-writer.ts', import.meta.url));

/** Lets a writer run and kills it at some moment of its work. Returns the ticket up to which it had said all is durable. */
async function killedRun(dir: string, run: number): Promise<number> {
  const child = spawn(process.execPath, [WRITER, dir, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  const begun = Promise.withResolvers<void>();
  child.stdout.setEncoding('latin1');
  child.stdout.on('data', (text: string) => {
    said += text;
    begun.resolve();
  });
  const closed = once(child, 'close');
  await Promise.race([begun.promise, closed]);
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 80));
  child.kill('SIGKILL');
  await closed;
  const whole = said.slice(0, said.lastIndexOf('\n')).split('\n');
  return Number(whole.at(-1));
}

test(
  'keeps every record it has acknowledged, once and in order, when it is killed at any moment',
  { timeout: 300_000 },
  async () => {
    await using folder = new DiskLogFolder();
    const acknowledged: number[] = [];
    for (let run = 0; run < ROUNDS; run += 1) acknowledged.push(await killedRun(folder.dir, run));
    expect(acknowledged.every((tickets) => tickets > 0)).toBe(true);

    const log = await folder.open();
    const reader = await log.openReader(FIRST, 0 as Offset);
    const lastTicket = Array.from({ length: ROUNDS }, () => 0);
    let run = 0;
    let wrong = 0;
    for (let batch = reader.read(); batch !== undefined; batch = reader.read()) {
      for (let i = 0; i < batch.count; i += 1) {
        const text = Buffer.from(
          batch.data.buffer,
          batch.data.byteOffset + batch.starts[i]!,
          batch.ends[i]! - batch.starts[i]!,
        ).toString('latin1');
        const [ofRun, ticket] = text.split(' ').map(Number);
        if (ofRun! < run || ticket !== lastTicket[ofRun!]! + 1) wrong += 1;
        if (batch.sources[batch.sourceIndex[i]!]!.device !== `d${ticket! % 50}`) wrong += 1;
        run = ofRun!;
        lastTicket[run] = ticket!;
      }
    }
    expect(wrong).toBe(0);
    expect(reader.position).toBe(log.end(FIRST));
    expect(acknowledged.filter((tickets, i) => lastTicket[i]! < tickets)).toEqual([]);
    expect(folder.segments(0).length).toBeGreaterThan(5);
  },
);
