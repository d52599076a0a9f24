import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SelsynError, isSelsynError, systemCode } from '../../../kernel/errors.ts';
import type { LogLines } from '../../../kernel/log-lines.ts';
import type { Log } from '../../../log/log.ts';
import { replayJournal } from './journal-replay.ts';
import { Redistribution } from './redistribution.ts';

export interface SessionJournalsOptions {
  /** A folder of its own, such as `data/log/sessions`. Made if there is none. */
  readonly dir: string;
  /** Gateway threads: partitions of the stream. */
  readonly threads: number;
  /** The thread, below `threads`, of a client id's session and of a topic's retained message. */
  readonly homeOf: (name: string) => number;
  /** Opens, and makes if need be, a stream of so many partitions in a folder, to write and read it, synced always. */
  readonly openLog: (dir: string, partitions: number) => Promise<Log>;
  readonly logLines: LogLines;
}

interface Layout {
  readonly name: string;
  readonly generation: number;
  readonly threads: number;
}

const UNFINISHED = 'new';

/**
 * Finds the stream that a JournalSessionStore of each gateway thread has one partition of; to be called before it is opened.
 *
 * The folder holds one stream, in a folder named for its generation and its number of threads: `3-for-2`. At a start with
 * another number its state is redistributed into `new`, which becomes the next generation by one rename once all of it is
 * durable. So whenever the process ends, the highest generation has everything, and whatever else lies there may go.
 *
 * @returns the folder of the stream, which may not be there yet.
 * @throws SelsynError `data.corrupt`, `data.unwritable`, `log.full`, `log.failed`
 */
export async function prepareSessionJournals(options: SessionJournalsOptions): Promise<string> {
  const { dir, threads, logLines } = options;
  try {
    let layout = tidy(dir) ?? { name: nameOf(1, threads), generation: 1, threads };
    if (layout.threads !== threads) {
      await redistribute(options, join(dir, layout.name), layout.threads);
      const next = { name: nameOf(layout.generation + 1, threads), generation: layout.generation + 1, threads };
      renameSync(join(dir, UNFINISHED), join(dir, next.name));
      syncFolder(dir);
      logLines.info({ from: layout.threads, to: threads }, 'Sessions were spread over another number of threads');
      layout = next;
      tidy(dir);
    }
    return join(dir, layout.name);
  } catch (error) {
    if (isSelsynError(error)) throw error;
    const cause = systemCode(error);
    if (cause === undefined) throw error;
    throw new SelsynError('data.unwritable', `the folder of the sessions ${dir} cannot be written (${cause})`, { cause: error });
  }
}

/** Makes the folder, removes all but the highest generation, and says which that is. */
function tidy(dir: string): Layout | undefined {
  mkdirSync(dir, { recursive: true, mode: 0o750 });
  const names = readdirSync(dir);
  const [current, ...old] = names.flatMap((name) => layoutOf(name) ?? []).toSorted((a, b) => b.generation - a.generation);
  for (const { name } of old) rmSync(join(dir, name), { recursive: true });
  rmSync(join(dir, UNFINISHED), { recursive: true, force: true });
  for (const folder of [dir, dirname(dir), dirname(dirname(dir))]) syncFolder(folder);
  return current;
}

async function redistribute(options: SessionJournalsOptions, from: string, threads: number): Promise<void> {
  const { dir, homeOf, openLog } = options;
  await using old = await openLog(from, threads);
  await using fresh = await openLog(join(dir, UNFINISHED), options.threads);
  await using redistribution = await Redistribution.begin(fresh, homeOf);
  for (const partition of old.partitions) await redistribution.add((await replayJournal(old, partition)).state);
  await redistribution.complete();
}

function nameOf(generation: number, threads: number): string {
  return `${generation}-for-${threads}`;
}

function layoutOf(name: string): Layout | undefined {
  const [, generation, threads] = /^([1-9]\d{0,14})-for-([1-9]\d{0,5})$/.exec(name) ?? [];
  return generation === undefined ? undefined : { name, generation: Number(generation), threads: Number(threads) };
}

/** Makes the names in a folder durable. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
