import { randomBytes } from 'node:crypto';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SelsynError, systemCode } from '../kernel/errors.ts';

/** The places in the data folder. */
export interface DataPaths {
  readonly root: string;
  readonly adminKey: string;
  readonly registry: string;
  /** Shadows, commands and jobs. */
  readonly state: string;
  readonly telemetryLog: string;
  readonly sessionLog: string;
  readonly telemetry: string;
  /** What was archived, where it is on this disk, and what is kept of an archive elsewhere. */
  readonly archive: string;
  /** Where each forwarder is in the log. */
  readonly forwarding: string;
  /** Keys and certificates. */
  readonly pki: string;
}

/** The data folder while this process owns it. */
export interface DataFolder extends Disposable {
  readonly paths: DataPaths;
}

/**
 * Makes the folder if need be and locks it for this process; the system lets the lock go when the process ends, however it ends.
 * @throws SelsynError `data.unwritable`, `data.locked`
 */
export function openDataFolder(folder: string): DataFolder {
  const root = resolve(folder);
  try {
    makeFolder(root);
    accessSync(root, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new SelsynError(
      'data.unwritable',
      `the data folder ${root} cannot be written (${systemCode(error) ?? String(error)})`,
      { cause: error },
    );
  }
  const lock = lockFolder(root);
  return {
    paths: {
      root,
      adminKey: join(root, 'admin.key'),
      registry: join(root, 'registry.db'),
      state: join(root, 'state.db'),
      telemetryLog: join(root, 'log', 'telemetry'),
      sessionLog: join(root, 'log', 'sessions'),
      telemetry: join(root, 'telemetry'),
      archive: join(root, 'archive'),
      forwarding: join(root, 'forwarding.db'),
      pki: join(root, 'pki'),
    },
    [Symbol.dispose]: () => lock.close(),
  };
}

/**
 * Makes a folder and those above it that are missing, and each name durable: what is acknowledged in it must not be lost
 * with one of them. One by one, because Node's recursive mkdir never returns where the system makes no folders (/proc).
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
  syncFolder(dirname(path));
}

/** Makes the names in a folder durable, where it may be read. */
function syncFolder(path: string): void {
  let folder: number;
  try {
    folder = openSync(path, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Node has no flock: an exclusive transaction on an empty database is the same kernel lock, and dies with the process. */
function lockFolder(root: string): DatabaseSync {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(join(root, 'lock'), { timeout: 0 });
    lock.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
    return lock;
  } catch (error) {
    lock?.close();
    const busy = error instanceof Error && 'errcode' in error && error.errcode === 5;
    if (busy) throw new SelsynError('data.locked', `another process is using the data folder ${root}`, { cause: error });
    throw new SelsynError(
      'data.unwritable',
      `the data folder ${root} cannot be locked: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

/**
 * The administrator's key: read from its file, or made (24 random bytes) and written there, mode 0600, at the first start.
 * @throws SelsynError `data.unwritable`, `data.corrupt`
 */
export function readOrMakeAdminKey(path: string): string {
  try {
    const key = readFileSync(path, 'utf8').trim();
    if (key.length >= 16) return key;
    throw new SelsynError(
      'data.corrupt',
      `${path} does not hold a key of at least 16 characters; remove it to have a new one made`,
    );
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
  const key = `sk_${randomBytes(24).toString('base64url')}`;
  try {
    const file = openSync(`${path}.new`, 'w', 0o600);
    writeSync(file, `${key}\n`);
    fsyncSync(file);
    closeSync(file);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new SelsynError('data.unwritable', `the administrator's key cannot be written to ${path}`, { cause: error });
  }
  return key;
}
