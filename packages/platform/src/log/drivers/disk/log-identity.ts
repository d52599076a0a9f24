import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { SelsynError, systemCode } from '../../../kernel/errors.ts';
import { syncFolder } from './segment-create.ts';
import { countPartitions, listSegments, partitionFolder, readSegmentHeader, segmentPath } from './segment-file.ts';

const FILE = 'identity';

/** The log's identity. @throws SelsynError `data.corrupt` when there is none, or it is not one. */
export function readIdentity(dir: string): string {
  const identity = findIdentity(dir);
  if (identity !== undefined) return identity;
  throw new SelsynError('data.corrupt', 'the log has no identity', { details: { dir } });
}

/**
 * The log's identity, made now if this is a new log. Where its file is gone, the segments still know it.
 */
export async function readOrMakeIdentity(dir: string): Promise<string> {
  mkdirSync(dir, { recursive: true, mode: 0o750 });
  const known = findIdentity(dir);
  if (known !== undefined) return known;
  const identity = identityOfSegments(dir) ?? randomUUID();
  const path = join(dir, FILE);
  const handle = await open(`${path}.new`, 'w', 0o640);
  try {
    await handle.writeFile(`${identity}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
  await syncFolder(dir);
  return identity;
}

function findIdentity(dir: string): string | undefined {
  const path = join(dir, FILE);
  let text: string;
  try {
    text = readFileSync(path, 'latin1').trim();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return text;
  throw new SelsynError('data.corrupt', 'the identity of the log is not one', { details: { path } });
}

function identityOfSegments(dir: string): string | undefined {
  for (let partition = 0; partition < countPartitions(dir); partition += 1) {
    const folder = partitionFolder(dir, partition);
    for (const base of listSegments(folder)) {
      const header = readSegmentHeader(segmentPath(folder, base));
      if (header !== undefined) return header.identity;
    }
  }
  return undefined;
}
